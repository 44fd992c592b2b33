//! What people say of runs: labels, tags, marks and comments, in the attributes where Guild has them.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::run_edit::RunEdit;
use super::{Result, attribute};

/// A change of a label. What is put to it is parted by a space; what is taken away are whole words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LabelChange {
    /// It becomes this.
    Set(String),
    /// This is put before it.
    Prepend(String),
    /// This is put behind it.
    Append(String),
    /// Each of these is taken away, wherever it stands.
    Remove(Vec<String>),
    /// There is none any more.
    Clear,
}

impl LabelChange {
    /// Returns the label that `old` becomes; empty for none.
    fn apply(&self, old: &str) -> String {
        match self {
            LabelChange::Set(text) => text.clone(),
            LabelChange::Prepend(text) => joined(text, old),
            LabelChange::Append(text) => joined(old, text),
            LabelChange::Remove(parts) => parts.iter().fold(old.to_owned(), |label, part| without(&label, part)),
            LabelChange::Clear => String::new(),
        }
    }
}

fn joined(first: &str, second: &str) -> String {
    [first, second].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns `label` without the words of `part` where they stand in one row; unchanged if it does not hold them.
fn without(label: &str, part: &str) -> String {
    let (words, unwanted): (Vec<&str>, Vec<&str>) =
        (label.split_whitespace().collect(), part.split_whitespace().collect());
    if unwanted.is_empty() {
        return label.to_owned();
    }
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < words.len() {
        if words[at..].starts_with(&unwanted) {
            at += unwanted.len();
        } else {
            kept.push(words[at]);
            at += 1;
        }
    }
    if kept.len() == words.len() { label.to_owned() } else { kept.join(" ") }
}

/// Changes the label of the run in the directory `run`. Returns the new one.
pub(crate) fn change_label(run: &Path, change: &LabelChange) -> Result<Option<String>> {
    let edit = RunEdit::begin(run)?;
    // What is replaced need not be readable.
    let old = match change {
        LabelChange::Set(_) | LabelChange::Clear => String::new(),
        _ => edit.attr("label")?.map(text).unwrap_or_default(),
    };
    write_label(&edit, change.apply(&old))
}

fn write_label(edit: &RunEdit, label: String) -> Result<Option<String>> {
    if label.is_empty() {
        edit.unset("label")?;
        return Ok(None);
    }
    edit.set("label", &label)?;
    Ok(Some(label))
}

/// A change of the tags of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagChange {
    /// Takes all away first.
    pub(crate) clear: bool,
    /// Takes these away.
    pub(crate) delete: Vec<String>,
    /// Puts these to the others, if they are not there.
    pub(crate) add: Vec<String>,
    /// Does the same to the words of the label.
    pub(crate) sync_label: bool,
}

/// Changes the tags of a run. Returns the new ones.
pub(crate) fn change_tags(run: &Path, change: &TagChange) -> Result<Vec<String>> {
    let edit = RunEdit::begin(run)?;
    // What is cleared is read only for the label.
    let old = if change.clear && !change.sync_label { Vec::new() } else { strings(edit.attr("tags")?) };
    let is_gone = |tag: &String| change.clear || change.delete.contains(tag);
    let mut tags: Vec<String> = old.iter().filter(|tag| !is_gone(tag)).cloned().collect();
    for tag in &change.add {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    edit.set("tags", &tags)?;
    if change.sync_label {
        let label = edit.attr("label")?.map(text).unwrap_or_default();
        let gone = old.iter().filter(|tag| is_gone(tag)).chain(&change.delete);
        let mut label = gone.fold(label, |label, tag| without(&label, tag));
        for tag in change.add.iter().rev() {
            if without(&label, tag) == label {
                label = joined(tag, &label);
            }
        }
        write_label(&edit, label)?;
    }
    Ok(tags)
}

fn strings(value: Option<Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.into_iter().filter(|item| !item.is_null()).map(text).collect(),
        Some(Value::Null) | None => Vec::new(),
        // Not a list, but what somebody meant by it is plain.
        Some(other) => vec![text(other)],
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Marks a run, or takes the mark away.
pub(crate) fn mark(run: &Path, is_marked: bool) -> Result<()> {
    let edit = RunEdit::begin(run)?;
    if is_marked { edit.set("marked", &true) } else { edit.unset("marked") }
}

/// A comment on a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Comment {
    /// What it says.
    pub(crate) body: String,
    /// The machine it was written on.
    pub(crate) host: String,
    /// When, in microseconds since 1970.
    pub(crate) time: i64,
    /// Who wrote it.
    pub(crate) user: String,
    /// What else was there.
    #[serde(flatten)]
    pub(crate) rest: Map<String, Value>,
}

/// Returns the comments on a run, oldest first. What is no comment is left out.
pub(crate) fn comments(run: &Path) -> Vec<Comment> {
    let Some(Value::Array(items)) = attribute(run, "comments") else { return Vec::new() };
    items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
}

/// Adds a comment to a run.
pub(crate) fn add_comment(run: &Path, comment: &Comment) -> Result<()> {
    let edit = RunEdit::begin(run)?;
    let mut all = list(edit.attr("comments")?);
    all.push(serde_json::json!(comment));
    edit.set("comments", &all)
}

/// Deletes the comment with this number, from 1. Returns whether there was one.
pub(crate) fn delete_comment(run: &Path, number: usize) -> Result<bool> {
    let edit = RunEdit::begin(run)?;
    let mut all = list(edit.attr("comments")?);
    let Some(at) = number.checked_sub(1).filter(|at| *at < all.len()) else { return Ok(false) };
    all.remove(at);
    if all.is_empty() {
        edit.unset("comments")?;
    } else {
        edit.set("comments", &all)?;
    }
    Ok(true)
}

/// Deletes all comments of a run.
pub(crate) fn clear_comments(run: &Path) -> Result<()> {
    RunEdit::begin(run)?.unset("comments")
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let attrs = dir.path().join(".guild/attrs");
        fs::create_dir_all(&attrs).unwrap();
        for (name, text) in files {
            fs::write(attrs.join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn labels_change_as_guild_changes_them() {
        let some = |text: &str| text.to_owned();
        let cases = [
            ("old", LabelChange::Set(some("a b")), "a b"),
            ("old", LabelChange::Set(some("")), ""),
            ("a b", LabelChange::Prepend(some("x")), "x a b"),
            ("", LabelChange::Prepend(some("x")), "x"),
            ("a b", LabelChange::Append(some("y")), "a b y"),
            ("ab b  c b", LabelChange::Remove(vec![some("b")]), "ab c"),
            ("ab  c", LabelChange::Remove(vec![some("a")]), "ab  c"),
            ("a b c a b", LabelChange::Remove(vec![some("a b"), some("c")]), ""),
            ("a b", LabelChange::Clear, ""),
        ];
        for (old, change, new) in cases {
            assert_eq!(change.apply(old), new, "{change:?} of {old:?}");
        }
    }

    #[test]
    fn a_number_is_a_label_too() {
        let run = run(&[("label", "2\n")]);
        let label = change_label(run.path(), &LabelChange::Append(String::from("x"))).unwrap();
        assert_eq!(label.as_deref(), Some("2 x"));
        assert_eq!(change_label(run.path(), &LabelChange::Clear).unwrap(), None);
        assert!(!run.path().join(".guild/attrs/label").exists());
    }

    #[test]
    fn tags_take_the_label_along_where_wanted() {
        let strings = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let run = run(&[("tags", "- t1\n- 2\n"), ("label", "t1 lr=0.1\n")]);
        let change = |change: TagChange| change_tags(run.path(), &change).unwrap();
        assert_eq!(change(TagChange { add: strings(&["t1", "b"]), ..TagChange::default() }), ["t1", "2", "b"]);
        let both =
            TagChange { add: strings(&["c", "d"]), delete: strings(&["t1"]), sync_label: true, ..TagChange::default() };
        assert_eq!(change(both), ["2", "b", "c", "d"]);
        assert_eq!(fs::read_to_string(run.path().join(".guild/attrs/label")).unwrap(), "c d lr=0.1\n");
        let none = change(TagChange { clear: true, sync_label: true, ..TagChange::default() });
        assert!(none.is_empty());
        assert_eq!(fs::read_to_string(run.path().join(".guild/attrs/label")).unwrap(), "lr=0.1\n");
        assert_eq!(fs::read_to_string(run.path().join(".guild/attrs/tags")).unwrap(), "[]\n");
    }

    #[test]
    fn comments_are_added_and_deleted_by_number() {
        let run = run(&[("comments", "- body: a c\n  host: vm\n  mood: good\n  time: 1\n  user: ''\n")]);
        let comment = Comment { body: "b".into(), host: "h".into(), time: 2, user: "u".into(), rest: Map::new() };
        add_comment(run.path(), &comment).unwrap();
        let all = comments(run.path());
        assert_eq!((all.len(), &all[1]), (2, &comment));
        assert_eq!(all[0].rest["mood"], "good");
        assert!(!delete_comment(run.path(), 3).unwrap() && !delete_comment(run.path(), 0).unwrap());
        assert!(delete_comment(run.path(), 1).unwrap());
        assert_eq!(comments(run.path()), [comment]);
        assert!(delete_comment(run.path(), 1).unwrap());
        assert!(!run.path().join(".guild/attrs/comments").exists());
    }
}
