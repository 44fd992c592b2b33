//! The ids of tests, and the names of their folders: `01-/bin/true;v1` and `01-_bin_true_v1`.

use std::fmt;

/// The longest name of a file, in bytes, that the common file systems take.
const LONGEST: usize = 255;

/// Characters that some file system does not take.
const UNSAFE: &str = "<>:\"/\\|?*;";

/// The id of a test in its run: `[SUITE-]NUMBER-NAME[;VARIANT]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TestId {
    /// The number, with zeros in front so that all of a run are of one length, and the suite's name before it if there
    /// are several. It is unique in the run.
    pub(crate) uid: String,
    /// What the test is called.
    pub(crate) name: String,
    /// Which variant it is, if it is one of several.
    pub(crate) variant: Option<String>,
}

impl TestId {
    /// Makes the id of test `number`, from 1, of `count`.
    pub(crate) fn new(suite: Option<&str>, number: usize, count: usize, name: &str, variant: Option<&str>) -> TestId {
        let digits = count.to_string().len();
        let number = format!("{number:0digits$}");
        let uid = suite.map_or_else(|| number.clone(), |suite| format!("{suite}-{number}"));
        TestId { uid, name: name.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// Returns what the test is called in every run: the id without its number.
    pub(crate) fn without_number(&self) -> String {
        let variant = self.variant.as_ref().map_or_else(String::new, |variant| format!(";{variant}"));
        format!("{}{variant}", self.name)
    }

    /// Returns the name of the test's folder. It is one component of a path, whatever the id holds, and begins with the
    /// number, so that no two tests of a run have the same.
    pub(crate) fn folder(&self) -> String {
        let end = self.variant.as_ref().map_or_else(String::new, |variant| format!(";{variant}"));
        let whole = safe(&self.to_string());
        if whole.len() <= LONGEST {
            return whole;
        }
        // The name is cut first, then the variant; the number always stays.
        let end = safe(&end);
        let uid = cut(&safe(&self.uid), LONGEST);
        let room = LONGEST - uid.len();
        match end.len() < room {
            true => cut(&safe(&format!("{}-{}", self.uid, self.name)), LONGEST - end.len()) + &end,
            false => uid + &cut(&end, room),
        }
    }
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.uid, self.name)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, ";{variant}"))
    }
}

/// Replaces what a file system might not take. A hidden file becomes a visible one.
fn safe(text: &str) -> String {
    let safe = |c: char| if UNSAFE.contains(c) || c.is_control() { '_' } else { c };
    let text: String = text.chars().map(safe).collect();
    match text.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None => text,
    }
}

/// Returns at most so many bytes from the front, whole characters only.
fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TestId;

    #[test]
    fn ids_and_folders_are_those_of_the_original() {
        let cases = [
            ((None, 1, 2, "/bin/true", None), "1-/bin/true", "1-_bin_true"),
            ((None, 1, 10, "/bin/true", None), "01-/bin/true", "01-_bin_true"),
            ((None, 10, 10, "a.py:T.test", Some("v1")), "10-a.py:T.test;v1", "10-a.py_T.test_v1"),
            ((Some("one"), 3, 100, "lua", None), "one-003-lua", "one-003-lua"),
            ((Some(".s"), 3, 3, "x", None), ".s-3-x", "_s-3-x"),
            ((None, 1, 1, "../../x", None), "1-../../x", "1-.._.._x"),
            ((None, 1, 1, "a\0b\nc", None), "1-a\0b\nc", "1-a_b_c"),
            ((None, 1, 1, "\u{1f600}", None), "1-\u{1f600}", "1-\u{1f600}"),
        ];
        for ((suite, number, count, name, variant), id, folder) in cases {
            let made = TestId::new(suite, number, count, name, variant);
            assert_eq!((made.to_string().as_str(), made.folder().as_str()), (id, folder));
        }
    }

    #[test]
    fn long_names_keep_number_and_variant() {
        let folder = |name: &str, variant: &str| TestId::new(None, 1, 100, name, Some(variant)).folder();
        let long = "x".repeat(300);
        assert_eq!(folder(&long, "v1"), format!("001-{}_v1", "x".repeat(248)));
        assert_eq!(folder("name", &long), format!("001_{}", "x".repeat(251)));
        assert_eq!(folder(&long, &long), format!("001_{}", "x".repeat(251)));
        // Characters stay whole.
        assert_eq!(folder(&"\u{1f600}".repeat(100), "v1"), format!("001-{}_v1", "\u{1f600}".repeat(62)));
    }

    proptest! {
        #[test]
        fn a_folder_is_one_component(name in ".{0,400}", variant in proptest::option::of(".*"), suite in proptest::option::of(".*")) {
            let id = TestId::new(suite.as_deref(), 7, 12, &name, variant.as_deref());
            let folder = id.folder();
            prop_assert!(folder.len() <= 255 && !folder.is_empty());
            prop_assert!(!folder.contains(['/', '\0']) && !folder.starts_with('.'));
        }
    }
}
