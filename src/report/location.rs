//! Where in which file a task or a section is, for those who put a failure at its line.

use std::path::{Component, Path, PathBuf};

use super::row::Row;
use super::section_tree::{SectionState, SectionTree, is_fault};
use super::summary::Summary;
use super::test_names::PYTHON_KINDS;
use crate::model::SectionNumber;

/// The kind whose uri is a Lua script.
const LUA_KIND: &str = "lua";

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// The file, relative to the folder in which the run was started if it is below it.
    pub(super) file: String,
    /// The line, from 1, where it is known.
    pub(super) line: Option<u32>,
}

impl Location {
    /// Returns where a task went wrong, as far as its reason or its call stack names a line of what it runs; else where it
    /// is defined.
    pub(super) fn of_task(summary: &Summary, row: &Row) -> Option<Location> {
        let place = row.place();
        if let Some(source) = source(row) {
            let mut told = [row.reason(), row.traceback()].into_iter().flatten();
            let line = told.find_map(|text| line_of(text, source));
            let line = line.or_else(|| first_fault(row, source));
            return Some(Location { file: shown(summary, source), line });
        }
        let file = place.as_ref().map(|place| place.file.as_ref()).filter(|file| !file.is_empty());
        // A program of the project has lines of its own, of which it may have spoken.
        let own = row.reason().filter(|_| row.uri().contains('/')).and_then(|reason| line_of(reason, row.uri()));
        match (own, file) {
            (Some(line), _) => Some(Location { file: shown(summary, row.uri()), line: Some(line) }),
            (None, Some(file)) => {
                let line = place.as_ref().map(|place| place.line).filter(|line| *line > 0);
                Some(Location { file: shown(summary, file), line })
            }
            (None, None) => None,
        }
    }

    /// Returns where a section went wrong, or else where it is defined.
    pub(super) fn of_section(
        summary: &Summary,
        row: &Row,
        tree: &SectionTree<'_>,
        number: SectionNumber,
    ) -> Option<Self> {
        let source = source(row)?;
        let line = line_of_faults(tree, number, source).or_else(|| tree.get(number).line());
        Some(Location { file: shown(summary, source), line })
    }

    /// Returns where a problem of the run is that its message tells of.
    pub(super) fn of_message(summary: &Summary, message: &str) -> Option<Self> {
        let file = summary.header.as_ref().map(|header| header.file.as_str()).filter(|file| !file.is_empty())?;
        Some(Location { file: shown(summary, file), line: Some(line_of(message, file)?) })
    }
}

/// Returns the script of a task, if it has one.
fn source(row: &Row) -> Option<&str> {
    let uri = row.uri();
    let path = match row.kind() {
        LUA_KIND => uri,
        kind if PYTHON_KINDS.contains(&kind) => {
            uri.split_once("::").or_else(|| uri.rsplit_once(':')).map_or(uri, |(path, _)| path)
        }
        _ => return None,
    };
    (!path.is_empty()).then_some(path)
}

fn first_fault(row: &Row, source: &str) -> Option<u32> {
    let tree = SectionTree::of(row)?;
    tree.parts(0).iter().find_map(|part| line_of_faults(&tree, *part, source))
}

/// Returns the line that the faults in and below a section name.
fn line_of_faults(tree: &SectionTree<'_>, number: SectionNumber, source: &str) -> Option<u32> {
    if !matches!(tree.state(number), SectionState::Ended(_)) || !is_fault(tree.state(number)) {
        return None;
    }
    tree.faults(number).into_iter().find_map(|fault| {
        let reason = tree.reason(fault);
        let traceback = tree.get(fault).traceback();
        reason.as_deref().and_then(|text| line_of(text, source)).or_else(|| line_of(traceback?, source))
    })
}

/// Returns the line of this file that a text names first, in one of the forms that languages and compilers use:
/// `FILE:7`, `FILE: 7:`, `FILE: line 7`, `File "FILE", line 7`. Of a call stack that Python wrote, in which the fault is
/// below, the last.
fn line_of(text: &str, file: &str) -> Option<u32> {
    let name = Path::new(file).file_name()?.to_str()?;
    let mut found = text.match_indices(name).filter_map(|(at, _)| {
        let is_begin =
            text[..at].chars().next_back().is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')));
        let rest = text[at + name.len()..].trim_start_matches('"');
        let forms = [": line ", ", line ", ": ", ":"];
        let number = forms
            .iter()
            .find_map(|form| rest.strip_prefix(form).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))?;
        let digits = number.len() - number.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        number[..digits].parse().ok().filter(|line| is_begin && *line > 0)
    });
    match text.contains("Traceback (most recent call last)") {
        true => found.last(),
        false => found.next(),
    }
}

/// Returns a path as it is to be shown.
fn shown(summary: &Summary, path: &str) -> String {
    let header = summary.header.as_deref();
    let started_in = header.and_then(|header| header.attrs.get("started_in")?.as_str()).unwrap_or_default();
    let path = Path::new(path);
    let below = path
        .strip_prefix(started_in)
        .ok()
        .filter(|below| !started_in.is_empty() && below.components().next().is_some());
    let path: PathBuf = below.unwrap_or(path).components().filter(|part| *part != Component::CurDir).collect();
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_in_what_languages_and_compilers_say() {
        let python = "Traceback (most recent call last):\n  File \"/w/t_a.py\", line 3, in run\n  File \"/w/t_a.py\", line 9, in f";
        let cases = [
            ("/w/ping.lua:13: no answer", "/w/ping.lua", Some(13)),
            ("sweep[a=1]: /w/ping.lua:13: no", "ping.lua", Some(13)),
            ("...e/w/ping.lua:13: in function", "/some/w/ping.lua", Some(13)),
            ("lib.lua:4: no\nping.lua:7: in main\nping.lua:1: in", "/w/ping.lua", Some(7)),
            ("exit code 127: ./x.sh: line 3: foo: not found", "./x.sh", Some(3)),
            ("exit code 127: x.sh: 3: foo: not found", "/w/x.sh", Some(3)),
            ("main.c:12:5: error: no", "main.c", Some(12)),
            (python, "/w/t_a.py", Some(9)),
            ("shipping.lua:13: no", "ping.lua", None),
            ("ping.lua.bak:13: no", "ping.lua", None),
            ("ping.lua: 3 of 4", "ping.lua", Some(3)),
            ("ping.lua: no answer", "ping.lua", None),
            ("ping.lua:0: no", "ping.lua", None),
            ("ping.lua:99999999999: no", "ping.lua", None),
            ("", "ping.lua", None),
            ("x:1", "", None),
        ];
        for (text, file, line) in cases {
            assert_eq!(line_of(text, file), line, "{text:?} {file}");
        }
    }
}
