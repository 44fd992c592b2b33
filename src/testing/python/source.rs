//! What of a Python file matters for finding tests: its imports, its classes, their bases and methods.

use std::collections::HashMap;
use std::io;

use ruff_python_ast::{Decorator, Expr, Stmt, StmtClassDef};
use ruff_text_size::Ranged;

use super::docstring::{Directives, Mistake};
use crate::python_syntax::{self, SyntaxError, dotted, line_of};

/// A Python file.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// Where names come from that the file imports, by the name that it uses.
    pub(super) imports: HashMap<String, Import>,
    /// Other names that it gives to things: `Case = unittest.TestCase`.
    pub(super) aliases: HashMap<String, Vec<String>>,
    /// Its classes, in order.
    pub(super) classes: Vec<Class>,
    /// What makes tests when it is run, with its line, and so is not seen.
    pub(super) unseen: Vec<(&'static str, usize)>,
    /// It has functions or classes by the names of pytest's tests, or imports pytest.
    pub(super) suits_pytest: bool,
}

impl Source {
    /// Returns the class of a name; of several the last, which is the one that stays.
    pub(super) fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().rfind(|class| class.name == name)
    }
}

/// Where a name comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// How many folders up a relative import begins, plus one; 0 for one that is not relative.
    pub(super) level: u32,
    /// The module.
    pub(super) module: Vec<String>,
    /// What is taken from it; `None` for the module itself.
    pub(super) symbol: Option<String>,
}

/// A class.
#[derive(Clone, Debug)]
pub(super) struct Class {
    /// Its name.
    pub(super) name: String,
    /// What it inherits from: names with dots, as parts.
    pub(super) bases: Vec<Vec<String>>,
    /// What its docstring says.
    pub(super) directives: Directives,
    /// Its test methods, in order, each name once.
    pub(super) methods: Vec<Method>,
    /// Test methods of its ancestors that it takes away: `test_it = None`.
    pub(super) removed: Vec<String>,
    /// It has a method `runTest`, which is its test where it has no other.
    pub(super) has_run_test: bool,
}

/// A test method.
#[derive(Clone, Debug)]
pub(super) struct Method {
    /// Its name.
    pub(super) name: String,
    /// What its docstring says.
    pub(super) directives: Directives,
}

/// Why the tests of a Python file cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PythonError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Unread(#[from] io::Error),
    /// It is no Python.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A directive of a docstring is wrong.
    #[error("{of}: {source}")]
    Directive {
        /// The class, or the method behind it.
        of: String,
        /// What is wrong.
        source: Mistake,
    },
}

/// Reads the text of a Python file.
pub(super) fn read(text: &str) -> Result<Source, PythonError> {
    Ok(python_syntax::read(text, source_of)?)
}

fn source_of(statements: &[Stmt], text: &str) -> Source {
    let mut source = Source::default();
    for statement in statements {
        source.take(statement, true);
        if let Some((what, at)) = maker_of_tests(statement) {
            source.unseen.push((what, line_of(text, at)));
        }
        source.suits_pytest |= suits_pytest(statement);
    }
    source
}

impl Source {
    /// Takes in a statement. Imports count in every branch of the file, classes only at its top.
    fn take(&mut self, statement: &Stmt, is_top: bool) {
        match statement {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = parts(alias.name.as_str());
                    let (name, module) = match &alias.asname {
                        Some(name) => (name.to_string(), module),
                        // `import a.b` binds `a`.
                        None => (module[0].clone(), module[..1].to_vec()),
                    };
                    self.imports.insert(name, Import { level: 0, module, symbol: None });
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(|module| parts(module.as_str())).unwrap_or_default();
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).to_string();
                    let symbol = Some(alias.name.to_string());
                    self.imports.insert(name, Import { level: import.level, module: module.clone(), symbol });
                }
            }
            Stmt::Assign(assignment) => {
                if let ([Expr::Name(name)], Some(value)) = (assignment.targets.as_slice(), dotted(&assignment.value)) {
                    self.aliases.insert(name.id.to_string(), value);
                }
            }
            Stmt::ClassDef(class) if is_top => self.classes.push(read_class(class)),
            Stmt::Try(statement) => {
                // What is written last wins; the first try is what is meant.
                for handler in &statement.handlers {
                    let ruff_python_ast::ExceptHandler::ExceptHandler(handler) = handler;
                    handler.body.iter().for_each(|inner| self.take(inner, false));
                }
                statement.body.iter().chain(&statement.orelse).for_each(|inner| self.take(inner, is_top));
            }
            Stmt::If(statement) => {
                for clause in &statement.elif_else_clauses {
                    clause.body.iter().for_each(|inner| self.take(inner, false));
                }
                statement.body.iter().for_each(|inner| self.take(inner, false));
            }
            _ => {}
        }
    }
}

/// Returns what in a statement makes tests when it is run, and where it stands.
fn maker_of_tests(statement: &Stmt) -> Option<(&'static str, usize)> {
    let at = statement.range().start().to_usize();
    let inner = |body: &[Stmt]| body.iter().find_map(maker_of_tests);
    match statement {
        Stmt::FunctionDef(function) if function.name.as_str() == "load_tests" => Some(("load_tests", at)),
        Stmt::Expr(expression) => match &*expression.value {
            Expr::Call(call) => match &*call.func {
                Expr::Name(name) if name.id.as_str() == "setattr" => Some(("setattr", at)),
                _ => None,
            },
            _ => None,
        },
        Stmt::For(statement) => inner(&statement.body),
        Stmt::While(statement) => inner(&statement.body),
        Stmt::With(statement) => inner(&statement.body),
        Stmt::Try(statement) => inner(&statement.body),
        Stmt::If(statement) => inner(&statement.body),
        _ => None,
    }
}

/// Returns whether a statement at the top of a file is one of pytest.
fn suits_pytest(statement: &Stmt) -> bool {
    let is_pytest = |module: &str| module == "pytest" || module.starts_with("pytest.");
    match statement {
        Stmt::FunctionDef(function) => function.name.starts_with("test"),
        Stmt::ClassDef(class) => {
            // One with a base may be a unittest.
            let has_tests = |inner: &Stmt| matches!(inner, Stmt::FunctionDef(it) if it.name.starts_with("test"));
            class.name.starts_with("Test") && class.bases().is_empty() && class.body.iter().any(has_tests)
        }
        Stmt::Import(import) => import.names.iter().any(|alias| is_pytest(alias.name.as_str())),
        Stmt::ImportFrom(import) => import.module.as_ref().is_some_and(|module| is_pytest(module.as_str())),
        Stmt::If(statement) => statement.body.iter().any(suits_pytest),
        Stmt::Try(statement) => statement.body.iter().any(suits_pytest),
        _ => false,
    }
}

fn read_class(class: &StmtClassDef) -> Class {
    let mut methods: Vec<Method> = Vec::new();
    let mut has_run_test = false;
    for statement in &class.body {
        let Stmt::FunctionDef(function) = statement else { continue };
        let name = function.name.as_str();
        has_run_test |= name == "runTest";
        let is_known = methods.iter().any(|method| method.name == name);
        if name.starts_with("test") && !is_known && !function.decorator_list.iter().any(is_property) {
            methods.push(Method { name: name.to_owned(), directives: directives(&function.body) });
        }
    }
    Class {
        name: class.name.to_string(),
        bases: class.bases().iter().filter_map(dotted).collect(),
        directives: directives(&class.body),
        methods,
        removed: class.body.iter().filter_map(removed).collect(),
        has_run_test,
    }
}

/// Returns the name of the method that a statement of a class takes away.
fn removed(statement: &Stmt) -> Option<String> {
    match statement {
        Stmt::Assign(assignment) if assignment.value.is_none_literal_expr() => match assignment.targets.as_slice() {
            [Expr::Name(name)] => Some(name.id.to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn is_property(decorator: &Decorator) -> bool {
    matches!(&decorator.expression, Expr::Name(name) if name.id.as_str() == "property")
}

fn directives(body: &[Stmt]) -> Directives {
    match body.first() {
        Some(Stmt::Expr(first)) => match &*first.value {
            Expr::StringLiteral(text) => Directives::read(text.value.to_str()),
            _ => Directives::default(),
        },
        _ => Directives::default(),
    }
}

fn parts(name: &str) -> Vec<String> {
    name.split('.').map(str::to_owned).collect()
}
