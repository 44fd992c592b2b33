//! What pytest collects: it is asked once for all files that look as if they had tests of it. It imports them, with what
//! belongs to them, and runs none.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value};

/// An item, as pytest calls a test.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PytestItem {
    /// Its name from the working folder: `tests/test_a.py::TestA::test_it[1-x]`.
    pub(crate) uri: String,
    /// Its marks, as labels.
    pub(crate) tags: Map<String, Value>,
}

/// What pytest has collected, by the path of each file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Collected {
    /// The items of a file, in their order.
    pub(crate) items: HashMap<PathBuf, Vec<PytestItem>>,
    /// Files that stand for themselves: they could not be imported, or skip themselves as a whole. That is told when they
    /// are run.
    pub(crate) whole: Vec<PathBuf>,
}

/// Has pytest collect what is in files and folders, named from the working folder. The error is a sentence.
pub(crate) type AskPytest<'a> = &'a dyn Fn(&[String]) -> Result<Collected, Box<dyn Error>>;

/// There is nobody who could ask pytest.
#[derive(Debug, thiserror::Error)]
#[error("pytest cannot be asked here")]
struct Unasked;

/// See the module.
pub(super) struct Pytest<'a> {
    roots: Vec<String>,
    ask: Option<AskPytest<'a>>,
    collected: OnceCell<Result<Collected, Rc<dyn Error>>>,
}

impl<'a> Pytest<'a> {
    /// Makes what asks pytest, once it matters, for the items in these files and folders.
    pub(super) fn new(roots: Vec<String>, ask: Option<AskPytest<'a>>) -> Self {
        Self { roots, ask, collected: OnceCell::new() }
    }

    /// Returns whether pytest is asked for anything at all.
    pub(super) fn is_asked(&self) -> bool {
        !self.roots.is_empty()
    }

    /// Returns the items of a file. One that stands for itself is one item. The error says why there is no answer.
    pub(super) fn items(&self, name: &str, path: &Path) -> Result<Vec<PytestItem>, Rc<dyn Error>> {
        let collected = self.collected.get_or_init(|| match self.ask {
            Some(ask) => ask(&self.roots).map_err(Rc::from),
            None => Err(Rc::new(Unasked)),
        });
        let collected = collected.as_ref().map_err(Clone::clone)?;
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(items) = collected.items.get(&path) {
            return Ok(items.clone());
        }
        let is_whole = collected.whole.contains(&path);
        Ok(is_whole
            .then(|| PytestItem { uri: name.trim_start_matches("./").to_owned(), tags: Map::new() })
            .into_iter()
            .collect())
    }
}

impl PytestItem {
    /// Returns its name in its file, `TestA.test_it[1-x]`; nothing for one that is the file.
    pub(super) fn name_in_file(&self) -> String {
        let node = self.uri.split_once("::").map_or("", |(_, node)| node);
        let (plain, parameter) = node.split_at(node.find('[').unwrap_or(node.len()));
        plain.replace("::", ".") + parameter
    }

    /// Returns whether a node of pytest's, `TestA::test_it`, is this item or holds it.
    pub(super) fn is_in(&self, node: &str) -> bool {
        let own = self.uri.split_once("::").map_or("", |(_, node)| node);
        let rest = own.strip_prefix(node);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('['))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_hold_what_is_below_them() {
        let item = PytestItem { uri: "t/a.py::T::test_it[x::y]".to_owned(), tags: Map::new() };
        assert_eq!(item.name_in_file(), "T.test_it[x::y]");
        for (node, expected) in [
            ("T", true),
            ("T::test_it", true),
            ("T::test_it[x::y]", true),
            ("T::test", false),
            ("T::test_it[x]", false),
            ("test_it", false),
        ] {
            assert_eq!(item.is_in(node), expected, "{node}");
        }
    }

    #[test]
    fn pytest_is_asked_once_and_files_may_stand_for_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().canonicalize().unwrap();
        let asked = std::cell::Cell::new(0);
        let ask = |roots: &[String]| {
            assert_eq!(roots, ["t"]);
            asked.set(asked.get() + 1);
            let item = PytestItem { uri: "t/a.py::test_it".to_owned(), tags: Map::new() };
            Ok(Collected { items: HashMap::from([(at.join("a.py"), vec![item])]), whole: vec![at.join("b.py")] })
        };
        let pytest = Pytest::new(vec!["t".to_owned()], Some(&ask));
        let uris = |name: &str| -> Vec<String> {
            pytest.items(&format!("t/{name}"), &at.join(name)).unwrap().into_iter().map(|item| item.uri).collect()
        };
        assert_eq!(uris("a.py"), ["t/a.py::test_it"]);
        assert_eq!(uris("b.py"), ["t/b.py"]);
        assert!(uris("c.py").is_empty());
        assert_eq!(asked.get(), 1);
        assert!(Pytest::new(Vec::new(), None).items("a.py", &at).is_err());
    }
}
