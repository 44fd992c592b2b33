//! Flags that the sources of an operation give it, as Guild has them.
//!
//! A file with `flag-name` has a flag of that name, with its path as default, so that commands and labels can show it. It is
//! no argument, unless the definition says so: the run directory has the file in any case. The same goes for a flag of the
//! operation that chooses an upstream run.

use std::collections::BTreeMap;

use super::Mistake;
use crate::operation::record_new::folded;
use crate::operation::{Flag, FlagType};
use crate::operation::{Resource, Source, SourceKind};

/// Adds the flags of sources, and to those that are defined what the sources say of them.
pub(super) fn add_resource_flags(
    flags: &mut BTreeMap<String, Flag>,
    requires: &[Resource],
    remarks: &mut Vec<Mistake>,
) {
    for resource in requires {
        for source in resource.sources.iter().map(|source| folded(resource, source)) {
            add_flag(flags, &source, remarks);
        }
    }
}

fn add_flag(flags: &mut BTreeMap<String, Flag>, source: &Source, remarks: &mut Vec<Mistake>) {
    let uri = source.uri();
    let (name, default, allowed): (_, _, &[FlagType]) = match (&source.kind, &source.flag_name) {
        (SourceKind::File(path), Some(name)) => {
            (name, path.as_str().into(), &[FlagType::Text, FlagType::Path, FlagType::ExistingPath])
        }
        (SourceKind::Operation(_), name) => {
            let name = name.as_ref().or(source.name.as_ref()).unwrap_or(&uri);
            if !flags.contains_key(name) {
                return;
            }
            (name, serde_json::Value::Null, &[FlagType::Text])
        }
        _ => return,
    };
    let given = Flag { kind: Some(FlagType::Text), ..Flag::default() };
    let flag = flags.entry(name.clone()).or_insert(given);
    flag.arg_skip = flag.arg_skip.or(Some(true));
    if flag.default.is_null() {
        flag.default = default;
    }
    if flag.kind.is_some_and(|kind| !allowed.contains(&kind)) {
        let text = format!("flag '{name}' chooses the source '{uri}', so that its type has no effect; it is a text");
        remarks.push(Mistake { place: flag.place.clone(), message: text });
        flag.kind = Some(FlagType::Text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(flags: &[(&str, Flag)], source: &str) -> (BTreeMap<String, Flag>, Vec<Mistake>) {
        let mut flags = flags.iter().map(|(name, flag)| ((*name).to_owned(), flag.clone())).collect();
        let requires = Resource { sources: vec![serde_json::from_str(source).unwrap()], ..Resource::default() };
        let mut remarks = Vec::new();
        add_resource_flags(&mut flags, &[requires], &mut remarks);
        (flags, remarks)
    }

    #[test]
    fn a_source_gives_a_flag_what_the_definition_does_not() {
        let flag = |default, kind, arg_skip| Flag { default, kind, arg_skip, ..Flag::default() };
        let file = r#"{"file": "a.txt", "flag-name": "f"}"#;
        let (text, path) = (Some(FlagType::Text), Some(FlagType::Path));
        let cases = [
            (file, None, Some(flag(json!("a.txt"), text, Some(true)))),
            (file, Some(flag(json!(null), None, None)), Some(flag(json!("a.txt"), None, Some(true)))),
            (file, Some(flag(json!("b"), path, Some(false))), Some(flag(json!("b"), path, Some(false)))),
            (r#"{"file": "a.txt", "name": "f"}"#, None, None),
            (r#"{"config": "a.yml", "flag-name": "f"}"#, None, None),
            (r#"{"operation": "up", "flag-name": "f"}"#, None, None),
            (
                r#"{"operation": "up", "flag-name": "f"}"#,
                Some(flag(json!(null), None, None)),
                Some(flag(json!(null), None, Some(true))),
            ),
            (
                r#"{"operation": "up", "name": "f"}"#,
                Some(flag(json!(null), None, Some(false))),
                Some(flag(json!(null), None, Some(false))),
            ),
        ];
        for (source, given, expected) in cases {
            let given: Vec<(&str, Flag)> = given.into_iter().map(|flag| ("f", flag)).collect();
            let (flags, remarks) = after(&given, source);
            assert_eq!((flags.get("f"), remarks.len()), (expected.as_ref(), 0), "{source} {given:?}");
        }
    }

    #[test]
    fn a_type_that_no_choice_of_a_source_can_have_is_told_of() {
        let cases = [
            (r#"{"file": "a", "flag-name": "f"}"#, FlagType::Int),
            (r#"{"operation": "f", "name": "f"}"#, FlagType::Path),
        ];
        for (source, kind) in cases {
            let (flags, remarks) = after(&[("f", Flag { kind: Some(kind), ..Flag::default() })], source);
            assert_eq!((flags["f"].kind, remarks.len()), (Some(FlagType::Text), 1), "{source}");
            assert!(remarks[0].message.contains("its type has no effect"), "{}", remarks[0]);
        }
    }
}
