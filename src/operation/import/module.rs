//! What of a module of Python matters for its flags: which parser of arguments it uses, and which of its globals are written
//! out where they are first assigned. That is Guild's reading: assignments at the very beginning of a line count, and not
//! those with a type behind the name.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;

use super::literal::Literal;
use super::{Flags, of_value};
use crate::python_syntax::{self, SyntaxError};

/// What parses the arguments of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parser {
    /// The module `argparse` of Python.
    Argparse,
    /// The package `click`.
    Click,
}

/// A module, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Module {
    /// What it imports to parse arguments.
    pub(crate) parser: Option<Parser>,
    /// Whether it looks at `sys.argv`.
    pub(crate) reads_arguments: bool,
    /// Its globals that are written out, in order, each by its first assignment that is.
    globals: Vec<(String, Literal)>,
    /// Its globals with a type behind their name.
    annotated: Vec<String>,
}

/// There is no dict or namespace whose items could be flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unassigned {
    /// Nothing that is written out is assigned to the name.
    #[error("'{0}' is assigned nowhere at the top of the module as a dict or SimpleNamespace that is written out")]
    Nowhere(String),
    /// Something else is.
    #[error("'{0}' must be a dict or SimpleNamespace, and is another value")]
    Other(String),
}

impl Module {
    /// Reads a module by its text.
    pub(crate) fn read(text: &str) -> Result<Module, SyntaxError> {
        python_syntax::read(text, |statements, text| {
            let mut found = Found { module: Module::default(), imports: Imports::default() };
            for statement in statements {
                found.visit_stmt(statement);
                found.module.take(statement, text);
            }
            found.module.parser = found.imports.parser();
            found.module
        })
    }

    /// Guesses what parses the arguments of a text that no reader understands, by its lines.
    pub(crate) fn guess(text: &str) -> Module {
        let mut imports = Imports::default();
        let mut reads_arguments = false;
        for line in text.lines() {
            let words =
                || line.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';')).filter(|word| !word.is_empty());
            if matches!(words().next(), Some("import" | "from")) {
                words().skip(1).for_each(|word| imports.take(word));
            }
            reads_arguments |= line.split('#').next().unwrap_or_default().contains("sys.argv");
        }
        Module { parser: imports.parser(), reads_arguments, ..Module::default() }
    }

    /// Returns how the module takes flags where nobody says so: as arguments if it parses them, else as its globals. One
    /// that looks at its arguments by hand, and has none of the flags as a global, gets them as arguments.
    pub(crate) fn destination<'a>(&self, flags: impl Iterator<Item = &'a String>) -> &'static str {
        match self.parser {
            Some(Parser::Argparse) => "args",
            Some(Parser::Click) => "args:click",
            None if self.reads_arguments => {
                let mut flags = flags.peekable();
                let has_flags = flags.peek().is_some();
                let is_global = |name: &String| self.globals.iter().any(|(global, _)| global == name);
                let none = if has_flags { !flags.any(is_global) } else { self.globals().is_empty() };
                if none { "args" } else { "globals" }
            }
            None => "globals",
        }
    }

    /// Returns the flags that its globals are.
    pub(crate) fn globals(&self) -> Flags {
        let plain = self.globals.iter().filter_map(|(name, literal)| Some((name.clone(), literal.value()?)));
        flags(plain)
    }

    /// Returns the flags that the items of a dict or of a namespace are, those of inner ones behind a dot.
    pub(crate) fn items_of(&self, name: &str) -> Result<Flags, Unassigned> {
        match self.globals.iter().find(|(global, _)| global == name) {
            Some((_, Literal::Items(items))) => Ok(flags(Literal::nested(items).into_iter())),
            Some(_) => Err(Unassigned::Other(name.to_owned())),
            None => Err(Unassigned::Nowhere(name.to_owned())),
        }
    }

    /// Returns whether a global has a type behind its name, so that it is no flag.
    pub(crate) fn is_annotated(&self, name: &str) -> bool {
        self.annotated.iter().any(|other| other == name)
    }

    /// Takes in a statement at the top of the module.
    fn take(&mut self, statement: &Stmt, text: &str) {
        match statement {
            Stmt::Assign(assignment) if begins_line(text, assignment.range().start().to_usize()) => {
                let Some(literal) = Literal::of(&assignment.value) else { return };
                for target in &assignment.targets {
                    let Expr::Name(name) = target else { continue };
                    let name = name.id.as_str();
                    if self.globals.iter().all(|(known, _)| known != name) {
                        self.globals.push((name.to_owned(), literal.clone()));
                    }
                }
            }
            Stmt::AnnAssign(assignment) => {
                if let Expr::Name(name) = &*assignment.target {
                    self.annotated.push(name.id.to_string());
                }
            }
            _ => {}
        }
    }
}

fn begins_line(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|before| matches!(before, '\n' | '\r' | '\u{c}'))
}

/// Returns values as flags, but for those whose names are private.
fn flags(values: impl Iterator<Item = (String, serde_json::Value)>) -> Flags {
    values.filter(|(name, _)| !name.starts_with('_')).map(|(name, value)| (name, of_value(&value))).collect()
}

/// Which parsers are imported.
#[derive(Debug, Default)]
struct Imports {
    argparse: bool,
    click: bool,
}

impl Imports {
    fn take(&mut self, name: &str) {
        match name.split('.').next() {
            Some("argparse") => self.argparse = true,
            Some("click") => self.click = true,
            _ => {}
        }
    }

    fn parser(&self) -> Option<Parser> {
        match self {
            Imports { argparse: true, .. } => Some(Parser::Argparse),
            Imports { click: true, .. } => Some(Parser::Click),
            _ => None,
        }
    }
}

/// What is found anywhere in a module, within functions as well.
struct Found {
    module: Module,
    imports: Imports,
}

impl<'a> Visitor<'a> for Found {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => import.names.iter().for_each(|alias| self.imports.take(alias.name.as_str())),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(ruff_python_ast::Identifier::as_str).unwrap_or_default();
                self.imports.take(module);
                for alias in &import.names {
                    self.imports.take(alias.name.as_str());
                    self.module.reads_arguments |= module == "sys" && alias.name.as_str() == "argv";
                }
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Attribute(attribute) = expression
            && attribute.attr.as_str() == "argv"
            && matches!(&*attribute.value, Expr::Name(name) if name.id.as_str() == "sys")
        {
            self.module.reads_arguments = true;
        }
        walk_expr(self, expression);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Module {
        Module::read(text).unwrap()
    }

    #[test]
    fn a_module_that_parses_arguments_gets_its_flags_as_arguments() {
        let cases = [
            ("", "globals"),
            ("lr = 0.1\n# import argparse\n", "globals"),
            ("import argparse\n", "args"),
            ("import os, argparse as a\n", "args"),
            ("def main():\n    from argparse import ArgumentParser\n", "args"),
            ("if 1:\n    try:\n        import click\n    except ImportError: pass\n", "args:click"),
            ("import click.testing\n", "args:click"),
            ("import click\nimport argparse\n", "args"),
            ("from tools import argparse\n", "args"),
            ("import argparse_x\n", "globals"),
            ("print('import argparse')\n", "globals"),
            ("import sys\nprint(sys.argv[1:])\n", "args"),
            ("from sys import argv\n", "args"),
            ("import sys # sys.argv\n", "globals"),
            ("import sys\nlr = 0.1\nprint(sys.argv)\n", "globals"),
            ("import sys\nlr = float(sys.argv[1])\n", "args"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).destination([].iter()), expected, "{text:?}");
            let guessed = Module::guess(text);
            let parser = read(text).parser;
            assert!(guessed.parser == parser, "{text:?}: {guessed:?}");
        }
        let by_hand = read("import sys\nlr = 0.1\nfor word in sys.argv[1:]: print(word)\n");
        assert_eq!(by_hand.destination(["lr".to_owned()].iter()), "globals");
        assert_eq!(by_hand.destination(["rate".to_owned()].iter()), "args");
    }

    #[test]
    fn globals_that_are_written_out_are_flags() {
        let text = "\
import os
a = 1
b = c = -2.5
d = 'x' 'y'
e = True
f = None
g = [1, 'b', [2]]
a = 5
_private = 1
h = os.getcwd()
h = 3
i: int = 4
j, k = 1, 2
l = {'x': 1}
m = (1, 2)
n = b'bytes'
o = f'{a}'
p = 2j
q = +3; r = 4
s = -a
if a:
    t = 1
u.v = 1
w = not True
x = 0x1F
y = 123456789012345678901234567890
ö = 1_000
\u{ff4b}lr = 1
class C:
    z = 1
";
        let flags = read(text).globals();
        let values: Vec<(&str, &Value)> = flags.iter().map(|(name, flag)| (name.as_str(), &flag.default)).collect();
        let large = super::super::super::scalar::any_int("123456789012345678901234567890").unwrap();
        let expected = [
            ("a", json!(1)),
            ("b", json!(-2.5)),
            ("c", json!(-2.5)),
            ("d", json!("xy")),
            ("e", json!(true)),
            ("f", json!(null)),
            ("g", json!("1 b '[2]'")),
            ("h", json!(3)),
            ("q", json!(3)),
            ("x", json!(31)),
            ("y", large),
            ("klr", json!(1)),
            ("ö", json!(1000)),
        ];
        let mut expected: Vec<(&str, &Value)> = expected.iter().map(|(name, value)| (*name, value)).collect();
        expected.sort_by_key(|(name, _)| *name);
        assert_eq!(values, expected);
        assert!(read(text).is_annotated("i") && !read(text).is_annotated("a"));
    }

    #[test]
    fn items_of_a_dict_or_a_namespace_are_flags() {
        let text = "\
from types import SimpleNamespace
p = {'lr': 0.1, 'opt': {'name': 'adam', '_x': 1, 'betas': [0.9, 0.99]}, '_y': 2, 3: 4, 'none': {}}
n = SimpleNamespace(lr=0.1, inner=SimpleNamespace(a=1), d={'b': 2})
bad = dict(a=1)
mixed = {'a': f()}
other = 3
";
        let module = read(text);
        let names = |name: &str| module.items_of(name).map(|flags| flags.into_keys().collect::<Vec<_>>().join(" "));
        assert_eq!(names("p").unwrap(), "lr opt._x opt.betas opt.name");
        assert_eq!(names("n").unwrap(), "d.b inner.a lr");
        assert_eq!(module.items_of("p").unwrap()["opt.betas"].default, json!("0.9 0.99"));
        for name in ["bad", "mixed", "none"] {
            assert_eq!(names(name), Err(Unassigned::Nowhere(name.to_owned())));
        }
        assert_eq!(names("other"), Err(Unassigned::Other("other".to_owned())));
    }
}
