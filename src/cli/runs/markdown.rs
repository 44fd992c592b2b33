//! Pages about runs in Markdown. What runs say of themselves is text there, and never markup.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::scalars::Scalar;
use crate::store::{Comment, FileKind, RunFile};

/// What is published of a run beside its files, as `run.yml` has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Published {
    /// The id.
    pub(super) id: String,
    /// The operation or jobfile.
    pub(super) operation: String,
    /// What became of it.
    pub(super) status: String,
    /// When it was started, as in RFC 3339.
    #[serde(default)]
    pub(super) started: Option<String>,
    /// When it ended.
    #[serde(default)]
    pub(super) stopped: Option<String>,
    /// How it ended.
    #[serde(default)]
    pub(super) exit_status: Option<i64>,
    /// The label.
    #[serde(default)]
    pub(super) label: Option<String>,
    /// The tags.
    #[serde(default)]
    pub(super) tags: Vec<String>,
    /// Whether it is marked.
    #[serde(default)]
    pub(super) marked: bool,
}

/// Returns published runs with their folders, newest first.
pub(super) fn sorted(all: &[(String, Published)]) -> Vec<&(String, Published)> {
    let mut sorted: Vec<&(String, Published)> = all.iter().collect();
    sorted.sort_by(|(a, one), (b, other)| other.started.cmp(&one.started).then_with(|| a.cmp(b)));
    sorted
}

/// Returns the page with all published runs.
pub(super) fn index_page(all: &[&(String, Published)]) -> String {
    let mut page = String::from("# Published runs\n\n");
    if all.is_empty() {
        page += "There are none.\n";
        return page;
    }
    let rows = all.iter().map(|(folder, run)| {
        let id: String = run.id.chars().take(8).collect();
        let link = link(&id, &Path::new(folder).join("README.md"));
        let label = run.label.as_deref().unwrap_or_default();
        [link, text(&run.operation), text(run.started.as_deref().unwrap_or("")), text(&run.status), text(label)]
    });
    table(&mut page, ["ID", "Operation", "Started", "Status", "Label"], rows);
    page
}

/// Returns the page of a run.
pub(super) fn run_page(
    run: &Published,
    flags: &Map<String, Value>,
    scalars: &[Scalar],
    files: &[(&RunFile, Option<PathBuf>)],
    comments: &[Comment],
    output: &str,
) -> String {
    let mut page = format!("[Published runs](../README.md)\n\n# {}\n\n", text(&run.operation));
    let or_empty = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
    let facts = [
        ["ID".to_owned(), text(&run.id)],
        ["Status".to_owned(), text(&run.status)],
        ["Exit status".to_owned(), run.exit_status.map(|status| status.to_string()).unwrap_or_default()],
        ["Started".to_owned(), or_empty(&run.started)],
        ["Stopped".to_owned(), or_empty(&run.stopped)],
        ["Label".to_owned(), or_empty(&run.label)],
        ["Tags".to_owned(), text(&run.tags.join(" "))],
        ["Marked".to_owned(), if run.marked { "yes" } else { "no" }.to_owned()],
    ];
    table(&mut page, ["Run", ""], facts);
    page += "\n[run.yml](run.yml)\n";
    if !comments.is_empty() {
        page += "\n## Comments\n";
        for comment in comments {
            let _ = write!(page, "\n**{}**\n", text(&format!("{}@{}", comment.user, comment.host)));
            for line in comment.body.lines() {
                let _ = writeln!(page, "> {}  ", text(line));
            }
        }
    }
    if !flags.is_empty() {
        page += "\n## Flags\n\n";
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table(&mut page, ["Name", "Value"], flags.iter().map(|(name, value)| [text(name), text(&shown(value))]));
        page += "\n[flags.yml](flags.yml)\n";
    }
    if !scalars.is_empty() {
        page += "\n## Scalars\n\n";
        let rows = scalars.iter().map(|Scalar { name, summary }| {
            [text(name), summary.last.step.to_string(), summary.last.value.to_string()]
        });
        table(&mut page, ["Name", "Step", "Value"], rows);
        page += "\n[scalars.csv](scalars.csv)\n";
    }
    let parts =
        [("Source code", FileKind::Sourcecode), ("Dependencies", FileKind::Dependency), ("Files", FileKind::Generated)];
    for (title, kind) in parts {
        let mut rows = files
            .iter()
            .filter(|(file, _)| file.kind == kind)
            .map(|(file, place)| {
                let name = file.path.to_string_lossy();
                let name = place.as_ref().map_or_else(|| text(&name), |place| link(&name, place));
                [name, file.metadata.len().to_string()]
            })
            .peekable();
        if rows.peek().is_some() {
            let _ = write!(page, "\n## {title}\n\n");
            table(&mut page, ["Path", "Bytes"], rows);
        }
    }
    if !output.is_empty() {
        // Longer than any row of the same in it.
        let longest = output.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let clean: String = output.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        let _ = write!(page, "\n## Output\n\n{fence}\n{}\n{fence}\n\n[output.txt](output.txt)\n", clean.trim_end());
    }
    page
}

fn table<const N: usize>(page: &mut String, head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let _ = writeln!(page, "| {} |", head.join(" | "));
    let _ = writeln!(page, "|{}", " --- |".repeat(N));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
}

/// Returns text as Markdown that shows it, on one line.
fn text(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            c if c.is_control() => escaped.push(' '),
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns a link to a file.
fn link(name: &str, path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut target = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => target.push(char::from(*byte)),
            byte => {
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    format!("[{}]({target})", text(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_say_is_no_markup() {
        assert_eq!(text("a|b\n<b> *x* [y](z) `c` _d_"), "a\\|b &lt;b&gt; \\*x\\* \\[y\\](z) \\`c\\` \\_d\\_");
        assert_eq!(link("a b", Path::new("sourcecode/a b)(.py")), "[a b](sourcecode/a%20b%29%28.py)");
    }

    #[test]
    fn the_index_has_the_newest_first() {
        let run = |id: &str, started: &str| {
            let yaml = format!("id: {id}\noperation: o\nstatus: completed\nstarted: '{started}'\nlabel: a|b\n");
            (id.to_owned(), crate::store::from_yaml::<Published>(&yaml).unwrap())
        };
        let all = [run("aa", "2026-01-01T00:00:00Z"), run("bb", "2026-02-01T00:00:00Z")];
        let expected = "# Published runs\n\n| ID | Operation | Started | Status | Label |\n\
            | --- | --- | --- | --- | --- |\n\
            | [bb](bb/README.md) | o | 2026-02-01T00:00:00Z | completed | a\\|b |\n\
            | [aa](aa/README.md) | o | 2026-01-01T00:00:00Z | completed | a\\|b |\n";
        assert_eq!(index_page(&sorted(&all)), expected);
    }
}
