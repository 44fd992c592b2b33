//! Which classes are tests, and which methods they have, inherited ones too.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::docstring::Mistake;
use super::imports::locate;
use super::source::{self, Class, Import, PythonError, Source};

/// How long a line of ancestors may be.
const MAX_ANCESTORS: usize = 100;

/// Ancestors, each as often as it is inherited, that are looked at for one file.
const MOST_EXAMINED: usize = 20_000;

/// Classes of `unittest` that tests descend from.
const UNITTEST_CLASSES: [&str; 2] = ["TestCase", "IsolatedAsyncioTestCase"];

/// What runs a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PythonKind {
    /// Python's own `unittest`.
    Unittest,
    /// Avocado's runner of instrumented tests.
    Instrumented,
}

/// A test method of a class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PythonTest {
    /// What runs it.
    pub(crate) kind: PythonKind,
    /// `Class.method`.
    pub(crate) name: String,
    /// Its labels, with those of its class.
    pub(crate) tags: Map<String, Value>,
    /// What must have passed before it.
    pub(crate) dependencies: Vec<Value>,
}

/// Returns the folders in which Python itself looks for modules.
pub(crate) type AskPython<'a> = &'a dyn Fn() -> Vec<PathBuf>;

/// A file that was read, or why it could not be.
type Read = Result<Rc<Source>, Rc<PythonError>>;

/// Finds tests. It keeps the files it has read, which many tests import.
pub(crate) struct Finder<'a> {
    folders: Vec<PathBuf>,
    ask_python: Option<AskPython<'a>>,
    /// What Python has answered.
    pythons: OnceCell<Vec<PathBuf>>,
    sources: RefCell<HashMap<PathBuf, Read>>,
    examined: Cell<usize>,
}

/// What a class is, with what it inherits.
#[derive(Clone, Debug, Default)]
struct Examined {
    kind: Option<PythonKind>,
    methods: Vec<(String, Map<String, Value>, Vec<Value>)>,
    tags: Map<String, Value>,
    has_run_test: bool,
}

impl<'a> Finder<'a> {
    /// Makes a finder that looks for imported modules in these folders, too, and in those that Python names, which is
    /// asked once it matters.
    pub(crate) fn new(folders: Vec<PathBuf>, ask_python: Option<AskPython<'a>>) -> Finder<'a> {
        Finder { folders, ask_python, pythons: OnceCell::new(), sources: RefCell::default(), examined: Cell::default() }
    }

    /// Returns the tests of a file, in its order. The error says why it cannot be read.
    pub(crate) fn tests(&self, path: &Path) -> Result<Vec<PythonTest>, Rc<PythonError>> {
        let source = self.source(path)?;
        self.examined.set(0);
        let mut tests = Vec::new();
        for (index, class) in source.classes.iter().enumerate() {
            // A class that is defined again takes the place of the first.
            let is_last = source.classes[index + 1..].iter().all(|later| later.name != class.name);
            if class.directives.disable || !is_last {
                continue;
            }
            let examined = self.examine(path, &source, class, 0);
            let is_forced = class.directives.enable || class.directives.recursive;
            let Some(kind) = examined.kind.or(is_forced.then_some(PythonKind::Instrumented)) else { continue };
            mistakes(class)?;
            let mut methods = examined.methods;
            // As unittest has it: the one method that is the test where there is no other.
            if methods.is_empty() && examined.has_run_test && kind == PythonKind::Unittest {
                methods.push(("runTest".to_owned(), examined.tags, class.directives.dependencies.clone()));
            }
            tests.extend(methods.into_iter().map(|(method, tags, dependencies)| PythonTest {
                kind,
                name: format!("{}.{method}", class.name),
                tags,
                dependencies,
            }));
        }
        Ok(tests)
    }

    /// Says of a file what makes tests in it that are not seen, as nothing of it is run; `None` where there is nothing.
    pub(crate) fn unseen(&self, path: &Path) -> Option<String> {
        let source = self.source(path).ok()?;
        let makers: Vec<String> = source.unseen.iter().map(|(what, line)| format!("{what} in line {line}")).collect();
        (!makers.is_empty())
            .then(|| format!("it has {}, which was not run: tests that it makes are not seen", makers.join(", ")))
    }

    /// Returns whether pytest would look for tests in a file by its name, and nobody else has any in it.
    pub(crate) fn is_named_for_pytest(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        (name.starts_with("test_") || name.ends_with("_test.py"))
            && self.tests(path).is_ok_and(|tests| tests.is_empty())
    }

    /// Returns whether a file looks as if pytest had tests in it. One that cannot be read may be anything.
    pub(crate) fn suits_pytest(&self, path: &Path) -> bool {
        self.source(path).is_ok_and(|source| source.suits_pytest)
    }

    fn source(&self, path: &Path) -> Read {
        if let Some(known) = self.sources.borrow().get(path) {
            return known.clone();
        }
        let read = fs::read(path).map_err(PythonError::from);
        let read = read.and_then(|bytes| source::read(&String::from_utf8_lossy(&bytes)));
        let read = read.map(Rc::new).map_err(Rc::new);
        self.sources.borrow_mut().insert(path.to_owned(), read.clone());
        read
    }

    /// Returns what a class is and inherits. Its own words win over those of its ancestors.
    fn examine(&self, path: &Path, source: &Source, class: &Class, depth: usize) -> Examined {
        let tags = class.directives.tags.clone();
        let own = class.methods.iter().map(|method| {
            let mut all = method.directives.tags.clone();
            all.extend(tags.clone());
            let dependencies = [&method.directives, &class.directives];
            (
                method.name.clone(),
                all,
                dependencies.iter().flat_map(|directives| directives.dependencies.clone()).collect(),
            )
        });
        let mut examined = Examined { kind: None, methods: own.collect(), tags, has_run_test: class.has_run_test };
        self.examined.set(self.examined.get() + 1);
        if depth >= MAX_ANCESTORS || self.examined.get() > MOST_EXAMINED {
            return examined;
        }
        for base in &class.bases {
            if let Some(inherited) = self.examine_base(path, source, class, base, depth) {
                examined.inherit(inherited, class);
            }
        }
        examined
    }

    fn examine_base(
        &self,
        path: &Path,
        source: &Source,
        class: &Class,
        base: &[String],
        depth: usize,
    ) -> Option<Examined> {
        let (first, rest) = base.split_first()?;
        if let Some(alias) =
            source.aliases.get(first).filter(|alias| alias.first() != Some(first) && depth < MAX_ANCESTORS)
        {
            let whole: Vec<String> = alias.iter().chain(rest).cloned().collect();
            return self.examine_base(path, source, class, &whole, depth + 1);
        }
        if rest.is_empty()
            && let Some(parent) = source.class(first)
        {
            // A class cannot be its own ancestor; one of its name may be imported.
            return (parent.name != class.name).then(|| self.examine(path, source, parent, depth + 1));
        }
        let import = source.imports.get(first)?;
        self.examine_import(path, import, rest, depth)
    }

    /// Examines the class that an imported name, and what follows it behind dots, stands for.
    fn examine_import(&self, path: &Path, import: &Import, rest: &[String], depth: usize) -> Option<Examined> {
        let mut full = import.module.clone();
        full.extend(import.symbol.clone());
        full.extend(rest.iter().cloned());
        let (name, module) = full.split_last()?;
        if import.level == 0
            && let Some(kind) = known(module, name)
        {
            return Some(Examined { kind: Some(kind), ..Examined::default() });
        }
        let wanted = Import { level: import.level, module: module.to_vec(), symbol: None };
        let file = locate(&wanted, path, &self.folders).or_else(|| match wanted.level {
            0 => locate(&wanted, path, self.pythons.get_or_init(|| self.ask_python.map_or_else(Vec::new, |ask| ask()))),
            _ => None,
        })?;
        let source = self.source(&file).ok()?;
        match source.class(name) {
            Some(class) => Some(self.examine(&file, &source, class, depth + 1)),
            // A package hands on what its modules define.
            None if depth < MAX_ANCESTORS => self.examine_import(&file, source.imports.get(name)?, &[], depth + 1),
            None => None,
        }
    }
}

impl Examined {
    /// Takes over what an ancestor has.
    fn inherit(&mut self, ancestor: Examined, class: &Class) {
        self.kind = self.kind.or(ancestor.kind);
        self.has_run_test |= ancestor.has_run_test;
        for (_, tags, _) in &mut self.methods {
            add_missing(tags, &ancestor.tags);
        }
        for (name, mut tags, dependencies) in ancestor.methods {
            match self.methods.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, known, _)) => add_missing(known, &tags),
                None if class.removed.contains(&name) => {}
                None => {
                    tags.extend(class.directives.tags.clone());
                    self.methods.push((name, tags, dependencies));
                }
            }
        }
        add_missing(&mut self.tags, &ancestor.tags);
    }
}

fn add_missing(tags: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more {
        if !tags.contains_key(name) {
            tags.insert(name.clone(), value.clone());
        }
    }
}

/// Returns what a class is that needs no look into its file.
fn known(module: &[String], name: &str) -> Option<PythonKind> {
    match module.first()?.as_str() {
        "unittest" => UNITTEST_CLASSES.contains(&name).then_some(PythonKind::Unittest),
        "avocado" if module.len() == 1 || module == ["avocado", "core", "test"] => {
            (name == "Test").then_some(PythonKind::Instrumented)
        }
        _ => None,
    }
}

/// Returns what is wrong with the directives of a class or one of its methods.
fn mistakes(class: &Class) -> Result<(), PythonError> {
    let wrong = |of, source: &Mistake| Err(PythonError::Directive { of, source: source.clone() });
    if let Some(mistake) = &class.directives.mistake {
        return wrong(class.name.clone(), mistake);
    }
    let of = class.methods.iter().find_map(|method| Some((&method.name, method.directives.mistake.as_ref()?)));
    of.map_or(Ok(()), |(method, mistake)| wrong(format!("{}.{method}", class.name), mistake))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Finder, PythonKind};

    /// Returns the tests of `a.py` among these files, one a line: kind, name, tags, dependencies.
    fn found(files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let finder = Finder::new(vec![folder.path().join("lib")], None);
        match finder.tests(&folder.path().join("a.py")) {
            Err(error) => format!("error: {error}"),
            Ok(tests) => {
                let line = |test: &super::PythonTest| {
                    let kind = if test.kind == PythonKind::Unittest { "u" } else { "i" };
                    let tags = serde_json::Value::Object(test.tags.clone());
                    let tags = if test.tags.is_empty() { String::new() } else { format!(" {tags}") };
                    let needs = if test.dependencies.is_empty() {
                        String::new()
                    } else {
                        format!(" needs {}", test.dependencies.len())
                    };
                    format!("{kind} {}{tags}{needs}", test.name)
                };
                tests.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn classes_are_found_by_what_they_descend_from() {
        let ways = [
            "import unittest\nclass T(unittest.TestCase):",
            "import unittest as u\nclass T(u.TestCase):",
            "from unittest import TestCase\nclass T(TestCase):",
            "from unittest import TestCase as C\nclass T(object, C):",
            "import unittest.mock\nclass T(unittest.TestCase):",
            "from unittest.case import TestCase\nclass T(TestCase):",
            "from unittest import IsolatedAsyncioTestCase\nclass T(IsolatedAsyncioTestCase):",
            "import unittest\nclass B(unittest.TestCase): pass\nclass T(B):",
            "try:\n    import unittest2 as unittest\nexcept ImportError:\n    import unittest\nfrom unittest import TestCase\nclass T(TestCase):",
            "if True:\n    import unittest\nclass T(unittest.TestCase):",
        ];
        for way in ways {
            assert_eq!(found(&[("a.py", &format!("{way}\n    def test_it(self): pass\n"))]), "u T.test_it", "{way}");
        }
        let others = [
            ("from avocado import Test\nclass T(Test):", "i T.test_it"),
            ("import avocado\nclass T(avocado.Test):", "i T.test_it"),
            ("class T:", ""),
            ("class T(object):", ""),
            ("class T(T):", ""),
            ("class A(T): pass\nclass T(A):", ""),
            ("from unknown import Test\nclass T(Test):", ""),
            ("import unittest\nCase = unittest.TestCase\nclass T(Case):", "u T.test_it"),
            ("A = B\nB = A\nclass T(A):", ""),
            (
                "import unittest\nclass B(unittest.TestCase):\n    def test_no(self): pass\nclass T(B):\n    test_no = None",
                "u B.test_no\nu T.test_it",
            ),
            ("class T:\n    ''':avocado: enable'''", "i T.test_it"),
            ("import unittest\nclass T(unittest.TestCase):\n    ''':avocado: disable'''", ""),
            ("import unittest\nclass T(unittest.TestCase):\n    ''':avocado: enable'''", "u T.test_it"),
            (
                "from unknown import X\nclass T(X):\n    \"\"\"Doc.\n\n    :avocado: recursive\n    \"\"\"",
                "i T.test_it",
            ),
        ];
        for (way, expected) in others {
            assert_eq!(found(&[("a.py", &format!("{way}\n    def test_it(self): pass\n"))]), expected, "{way}");
        }
    }

    #[test]
    fn methods_are_those_of_the_class_then_of_its_ancestors() {
        let text = r#"
import unittest
class Base(unittest.TestCase):
    """:avocado: tags=base,level:low"""
    def test_base(self): pass
    def test_both(self):
        """:avocado: tags=old"""
    def setUp(self): pass
class T(Base):
    """
    :avocado: tags=top,level:high
    :avocado: dependency={"type": "package", "name": "gcc"}
    """
    def test_own(self):
        """Text.
        :avocado: tags=fast
        :avocado: dependency={"type": "pip", "name": "x"}"""
    async def test_both(self): pass
    @property
    def test_property(self): pass
    def test_own(self): pass
    def helper(self): pass
if __name__ == "__main__":
    unittest.main()
"#;
        let expected = r#"u Base.test_base {"base":null,"level":["low"]}
u Base.test_both {"old":null,"base":null,"level":["low"]}
u T.test_own {"fast":null,"top":null,"level":["high"],"base":null} needs 2
u T.test_both {"top":null,"level":["high"],"base":null,"old":null} needs 1
u T.test_base {"base":null,"level":["high"],"top":null}"#;
        assert_eq!(found(&[("a.py", text)]), expected);
    }

    #[test]
    fn ancestors_are_found_in_other_files() {
        let base = "import unittest\nclass Base(unittest.TestCase):\n    def test_base(self): pass\n";
        let cases = [
            ("from base import Base\nclass T(Base): pass\n", "base.py"),
            ("import base\nclass T(base.Base): pass\n", "base.py"),
            ("import pkg.base\nclass T(pkg.base.Base): pass\n", "pkg/base.py"),
            ("import pkg.base as b\nclass T(b.Base): pass\n", "pkg/base.py"),
            ("from pkg import base\nclass T(base.Base): pass\n", "pkg/base.py"),
            ("from pkg.base import Base as B\nclass T(B): pass\n", "lib/pkg/base.py"),
            ("from .base import Base\nclass T(Base): pass\n", "base.py"),
            ("from . import base\nclass T(base.Base): pass\n", "base.py"),
            ("from pkg import Base\nclass T(Base): pass\n", "pkg/__init__.py"),
        ];
        for (text, place) in cases {
            assert_eq!(found(&[("a.py", text), (place, base)]), "u T.test_base", "{text} {place}");
        }
        let handed_on = [
            ("a.py", "from pkg import Base\nclass T(Base): pass\n"),
            ("pkg/__init__.py", "from .base import Base\n"),
            ("pkg/base.py", base),
        ];
        assert_eq!(found(&handed_on), "u T.test_base");
        // In a circle, and in a file that is none.
        let circle = [("a.py", "from b import B\nclass T(B): pass\n"), ("b.py", "from a import T\nclass B(T): pass\n")];
        assert_eq!(found(&circle), "");
        assert_eq!(found(&[("a.py", "from b import B\nclass T(B): pass\n"), ("b.py", "class (")]), "");
    }

    #[test]
    fn python_is_asked_only_where_nothing_else_helps() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        fs::create_dir(folder.path().join("site")).unwrap();
        write("site/far.py", "import unittest\nclass Far(unittest.TestCase):\n    def test_far(self): pass\n");
        write("a.py", "import unittest\nclass A(unittest.TestCase):\n    def test_a(self): pass\n");
        write("b.py", "from far import Far\nclass B(Far): pass\nclass C(Far): pass\n");
        let asked = std::cell::Cell::new(0);
        let ask = || {
            asked.set(asked.get() + 1);
            vec![folder.path().join("site")]
        };
        let finder = Finder::new(Vec::new(), Some(&ask));
        assert_eq!((finder.tests(&folder.path().join("a.py")).unwrap().len(), asked.get()), (1, 0));
        assert_eq!((finder.tests(&folder.path().join("b.py")).unwrap().len(), asked.get()), (2, 1));
    }

    #[test]
    fn run_test_is_the_test_of_a_class_without_others() {
        let head = "import unittest\nclass T(unittest.TestCase):\n    def runTest(self): pass\n";
        assert_eq!(found(&[("a.py", head)]), "u T.runTest");
        assert_eq!(found(&[("a.py", &format!("{head}    def test_it(self): pass\n"))]), "u T.test_it");
        assert_eq!(found(&[("a.py", &format!("{head}class U(T): pass\n"))]), "u T.runTest\nu U.runTest");
        assert_eq!(found(&[("a.py", "class T:\n    def runTest(self): pass\n")]), "");
    }

    #[test]
    fn what_is_not_seen_is_said_and_what_suits_pytest_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        let asked = |text: &str| {
            fs::write(&path, text).unwrap();
            let finder = Finder::new(Vec::new(), None);
            (finder.unseen(&path), finder.suits_pytest(&path))
        };
        let text = "import unittest\nclass T(unittest.TestCase): pass\nfor n in range(3):\n    setattr(T, f'test_{n}', None)\n\
                    def load_tests(loader, tests, pattern): return tests\n";
        let said =
            "it has setattr in line 4, load_tests in line 5, which was not run: tests that it makes are not seen";
        assert_eq!(asked(text), (Some(said.to_owned()), false));
        let cases = [
            ("def test_it(): pass\n", true),
            ("async def test_it(): pass\n", true),
            ("class TestIt:\n    def test_it(self): pass\n", true),
            ("import pytest\nimport unittest\n", true),
            ("from pytest import mark\n", true),
            ("try:\n    import pytest\nexcept ImportError: pass\n", true),
            (
                "import unittest\nclass TestIt(unittest.TestCase):\n    def test_it(self): setattr(self, 'a', 1)\n",
                false,
            ),
            ("class TestIt: pass\n", false),
            ("def helper(): pass\n", false),
            ("def test_it(:\n", false),
        ];
        for (text, expected) in cases {
            assert_eq!(asked(text), (None, expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_where_there_are_tests() {
        let text = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        ''':avocado: dependency={'''\n";
        assert!(found(&[("a.py", text)]).starts_with("error: T.test_it: 'dependency={' is not JSON"));
        assert!(found(&[("a.py", "class T(\n")]).starts_with("error: line "));
    }
}
