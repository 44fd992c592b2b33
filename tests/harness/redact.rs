//! Replacing what differs from run to run.

use std::path::Path;

use regex::Regex;

/// Returns `text` with the project's folders, run ids, process numbers and times replaced.
pub(super) fn redact(text: &str, root: &Path) -> String {
    let folder = |name: &str| root.join(name).display().to_string();
    let text = text
        .replace(&folder("work"), "[WORK]")
        .replace(&folder("home"), "[HOME]")
        .replace(&root.display().to_string(), "[ROOT]")
        .replace(env!("CARGO_BIN_EXE_rille"), "[RILLE]");
    let rules = [
        (r"\b[0-9a-f]{32}\b", "[RUN]"),
        (r"(?m)^[0-9a-f]{8}\b", "[RUN]"),
        (r"\bRun [0-9a-f]{8}\b", "Run [RUN]"),
        (r"\[ *\d+\.\d{3}s\]", "[TIME]"),
        (r"\[ *pid \d+\]", "[PID]"),
        (r" +(\d+ h )?(\d+ min )?\d+(\.\d{3})? s\b", " [TIME]"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?", "[STAMP]"),
        (r"\bprocess \d+\b", "process [PID]"),
    ];
    rules.iter().fold(text, |text, (pattern, word)| {
        Regex::new(pattern).expect("the pattern is valid").replace_all(&text, *word).into_owned()
    })
}
