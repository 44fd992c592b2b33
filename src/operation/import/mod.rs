//! Flags that come from what an operation runs: the globals of a module, what its parser of arguments declares, the settings
//! of a file. Here they are read from texts and put together with those that the definition writes down; who runs a script
//! to ask its parser, and who finds the files, is elsewhere.

mod declared;
mod literal;
mod merge;
mod module;
mod place;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) use self::declared::{Declared, NotDeclared};
pub(crate) use self::merge::add;
pub(crate) use self::module::Module;
pub(crate) use self::place::RunModule;
pub(crate) use self::settings::of_settings;
use super::encode::{as_yaml, join};
use super::{Flag, FlagType};

/// Which flags an operation takes over from its code: `flags-import`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum FlagsImport {
    /// Those that the definition has as well: it is not said.
    #[default]
    Defined,
    /// All.
    All,
    /// Those of these names.
    Named(Vec<String>),
    /// None, and the code is not looked at.
    Off,
}

/// Flags that were found.
pub(crate) type Flags = BTreeMap<String, Flag>;

/// Which of the flags that are found are taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Their names; `None` for all.
    names: Option<BTreeSet<String>>,
    skipped: BTreeSet<String>,
}

impl Wanted {
    /// Returns what is wanted by `flags-import` and `flags-import-skip`, where the definition has flags of these names.
    pub(crate) fn new<'a>(import: &FlagsImport, skip: &[String], defined: impl Iterator<Item = &'a String>) -> Wanted {
        let names = match import {
            FlagsImport::All => None,
            FlagsImport::Defined => Some(defined.cloned().collect()),
            FlagsImport::Named(names) => Some(names.iter().cloned().collect()),
            FlagsImport::Off => Some(BTreeSet::new()),
        };
        Wanted { names, skipped: skip.iter().cloned().collect() }
    }

    /// Returns whether nothing that could be found would be taken.
    pub(crate) fn is_nothing(&self) -> bool {
        self.names.as_ref().is_some_and(|names| names.is_subset(&self.skipped))
    }

    /// Returns whether a flag of this name is taken.
    pub(crate) fn takes(&self, name: &str) -> bool {
        !self.skipped.contains(name) && self.names.as_ref().is_none_or(|names| names.contains(name))
    }
}

/// Returns the flag that a value in code or in settings stands for. A list is one value of several parts.
fn of_value(value: &Value) -> Flag {
    let kind = match value {
        Value::String(_) => Some(FlagType::Text),
        Value::Bool(_) => Some(FlagType::Boolean),
        Value::Array(_) | Value::Null => None,
        // A number that JSON has no word for has the form of an object.
        Value::Number(_) | Value::Object(_) => Some(FlagType::Number),
    };
    match value {
        Value::Array(items) => {
            Flag { default: joined(items, as_yaml), kind, arg_split: Some(Value::Bool(true)), ..Flag::default() }
        }
        value => Flag { default: value.clone(), kind, ..Flag::default() },
    }
}

/// Returns values, each as a text, as the one text that `arg-split` takes apart again.
fn joined(items: &[Value], text: fn(&Value) -> String) -> Value {
    Value::from(join(&items.iter().map(text).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_follows_the_definition() {
        let all = ["a", "b", "c"];
        let defined = ["b".to_owned()];
        let named = |names: &[&str]| FlagsImport::Named(names.iter().map(|&name| name.to_owned()).collect());
        let cases: [(FlagsImport, &[&str], &[&str]); 7] = [
            (FlagsImport::All, &[], &["a", "b", "c"]),
            (FlagsImport::All, &["a"], &["b", "c"]),
            (FlagsImport::Defined, &[], &["b"]),
            (FlagsImport::Defined, &["b"], &[]),
            (named(&["c", "x"]), &[], &["c"]),
            (named(&["c", "a"]), &["a"], &["c"]),
            (FlagsImport::Off, &[], &[]),
        ];
        for (import, skip, expected) in cases {
            let skip: Vec<String> = skip.iter().map(|&name| name.to_owned()).collect();
            let wanted = Wanted::new(&import, &skip, defined.iter());
            let taken: Vec<&str> = all.into_iter().filter(|name| wanted.takes(name)).collect();
            assert_eq!(taken, expected, "{import:?} without {skip:?}");
            assert_eq!(wanted.is_nothing(), expected.is_empty());
        }
    }

    #[test]
    fn a_value_becomes_a_flag_of_its_type() {
        let cases = [
            (json!(1), json!(1), Some(FlagType::Number)),
            (json!(0.5), json!(0.5), Some(FlagType::Number)),
            (json!("a b"), json!("a b"), Some(FlagType::Text)),
            (json!(true), json!(true), Some(FlagType::Boolean)),
            (json!(null), json!(null), None),
            (json!([1, "a b", true, "5"]), json!("1 'a b' true ''\"'\"'5'\"'\"''"), None),
            (json!([]), json!(""), None),
        ];
        for (value, default, kind) in cases {
            let flag = of_value(&value);
            assert_eq!((flag.default, flag.kind), (default, kind), "{value}");
            assert_eq!(flag.arg_split, value.is_array().then_some(Value::Bool(true)));
        }
    }
}
