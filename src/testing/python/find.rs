//! Which classes are tests, and which methods they have, inherited ones too.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::docstring::Directives;
use super::imports::locate;
use super::source::{self, Class, Import, Source};

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

/// Finds tests. It keeps the files it has read, which many tests import.
pub(crate) struct Finder {
    folders: Vec<PathBuf>,
    sources: RefCell<HashMap<PathBuf, Result<Rc<Source>, String>>>,
    examined: Cell<usize>,
}

/// What a class is, with what it inherits.
#[derive(Clone, Debug, Default)]
struct Examined {
    kind: Option<PythonKind>,
    methods: Vec<(String, Map<String, Value>, Vec<Value>)>,
    tags: Map<String, Value>,
}

impl Finder {
    /// Makes a finder that looks for imported modules in these folders, too.
    pub(crate) fn new(folders: Vec<PathBuf>) -> Finder {
        Finder { folders, sources: RefCell::default(), examined: Cell::default() }
    }

    /// Returns the tests of a file, in its order. The error says why it cannot be read.
    pub(crate) fn tests(&self, path: &Path) -> Result<Vec<PythonTest>, String> {
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
            tests.extend(examined.methods.into_iter().map(|(method, tags, dependencies)| PythonTest {
                kind,
                name: format!("{}.{method}", class.name),
                tags,
                dependencies,
            }));
        }
        Ok(tests)
    }

    fn source(&self, path: &Path) -> Result<Rc<Source>, String> {
        if let Some(known) = self.sources.borrow().get(path) {
            return known.clone();
        }
        let read = fs::read(path).map_err(|error| format!("it cannot be read: {error}"));
        let read = read.and_then(|bytes| source::read(&String::from_utf8_lossy(&bytes))).map(Rc::new);
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
        let mut examined = Examined { kind: None, methods: own.collect(), tags };
        self.examined.set(self.examined.get() + 1);
        if depth >= MAX_ANCESTORS || self.examined.get() > MOST_EXAMINED {
            return examined;
        }
        for base in &class.bases {
            if let Some(inherited) = self.examine_base(path, source, class, base, depth) {
                examined.inherit(inherited, &class.directives);
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
        let file = locate(&wanted, path, &self.folders)?;
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
    fn inherit(&mut self, ancestor: Examined, own: &Directives) {
        self.kind = self.kind.or(ancestor.kind);
        for (_, tags, _) in &mut self.methods {
            add_missing(tags, &ancestor.tags);
        }
        for (name, mut tags, dependencies) in ancestor.methods {
            match self.methods.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, known, _)) => add_missing(known, &tags),
                None => {
                    tags.extend(own.tags.clone());
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
fn mistakes(class: &Class) -> Result<(), String> {
    if let Some(mistake) = &class.directives.mistake {
        return Err(format!("{}: {mistake}", class.name));
    }
    let of = class.methods.iter().find_map(|method| Some((&method.name, method.directives.mistake.as_ref()?)));
    of.map_or(Ok(()), |(method, mistake)| Err(format!("{}.{method}: {mistake}", class.name)))
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
        let finder = Finder::new(vec![folder.path().join("lib")]);
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
    fn mistakes_are_told_where_there_are_tests() {
        let text = "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n        ''':avocado: dependency={'''\n";
        assert!(found(&[("a.py", text)]).starts_with("error: T.test_it: 'dependency={' is not JSON"));
        assert!(found(&[("a.py", "class T(\n")]).starts_with("error: line "));
    }
}
