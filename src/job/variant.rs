//! What a task is beside what it runs, in a few words: by it two tasks are told apart that run the same and that nobody named.
//!
//! It says what the task itself was given, so that it is the same in the next run. What is as long as a document is cut, and
//! ends with a part of its hash.

use sha2::{Digest, Sha256};

use super::draft::{Draft, DraftDatafile};
use super::inputs::hex;
use crate::model::{Blob, Masks, Value};

/// The most characters that it has.
const LONGEST: usize = 120;

/// How many digits of the hash stand for what is cut.
const DIGITS: usize = 8;

/// Returns what a task was given: its arguments, then its parameters and the keys that change what it does, each as
/// `NAME=VALUE`. Nothing where there is nothing.
pub(super) fn variant(draft: &Draft, masks: &Masks) -> Option<String> {
    let mut parts: Vec<String> = draft.args.iter().map(shown).collect();
    parts.extend(draft.parameters.iter().map(|(name, value)| format!("{name}={}", text(value))));
    let mut key = |name: &str, value: Option<String>| parts.extend(value.map(|value| format!("{name}={value}")));
    key("kind", draft.kind.clone());
    key("uids", list(&draft.sections.uids, draft.sections.asks_uids));
    key("groups", list(&draft.sections.groups, draft.sections.asks_groups));
    key(
        "datafile",
        draft.datafile.as_ref().map(|datafile| match datafile {
            DraftDatafile::Path(path) => path.display().to_string(),
            DraftDatafile::Content(content) => text(content),
        }),
    );
    for (name, value) in &draft.env {
        key(name, Some(value.as_ref().map_or_else(String::new, shown)));
    }
    key("cwd", draft.cwd.as_ref().map(|path| path.display().to_string()));
    key("stdin", draft.stdin.as_ref().map(|path| path.display().to_string()));
    let whole = parts.join(", ");
    (!whole.is_empty()).then(|| short(&masks.mask_text(&whole)))
}

fn shown(bytes: &Blob) -> String {
    String::from_utf8_lossy(&bytes.0).into_owned()
}

fn list(expressions: &[String], is_function: bool) -> Option<String> {
    let function = is_function.then(|| "function".to_owned());
    let texts: Vec<String> = expressions.iter().cloned().chain(function).collect();
    (!texts.is_empty()).then(|| texts.join("|"))
}

fn text(value: &Value) -> String {
    match value.to_plain_json() {
        serde_json::Value::String(text) => text,
        value => value.to_string(),
    }
}

fn short(whole: &str) -> String {
    match whole.char_indices().nth(LONGEST) {
        None => whole.to_owned(),
        Some(_) => {
            let kept: String = whole.chars().take(LONGEST - DIGITS - 1).collect();
            format!("{kept}~{}", &hex(&Sha256::digest(whole))[..DIGITS])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn of(draft: &Draft) -> Option<String> {
        variant(draft, &Masks::default())
    }

    #[test]
    fn it_says_what_the_task_itself_was_given() {
        assert_eq!(of(&Draft::default()), None);
        let given = Draft {
            args: vec![Blob::from("-v".to_owned()), Blob::from("a b".to_owned())],
            parameters: BTreeMap::from([
                ("host".to_owned(), Value::from("a")),
                ("count".to_owned(), Value::from(3_i64)),
            ]),
            env: BTreeMap::from([("A".to_owned(), Some(Blob::from("1".to_owned()))), ("GONE".to_owned(), None)]),
            cwd: Some("sub".into()),
            kind: Some("exec-test".to_owned()),
            ..Draft::default()
        };
        let expected = "-v, a b, count=3, host=a, kind=exec-test, A=1, GONE=, cwd=sub";
        assert_eq!(of(&given).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_long_is_cut_and_stays_apart() {
        let long = |end: &str| {
            let text = format!("{}{end}", "ü".repeat(500));
            of(&Draft { args: vec![Blob::from(text)], ..Draft::default() }).unwrap()
        };
        assert_eq!(long("a").chars().count(), LONGEST);
        assert_eq!(long("a"), long("a"));
        assert_ne!(long("a"), long("b"));
    }
}
