//! The exit codes of this program, each with what it says. Help and documentation are made of this table.

/// Everything passed.
pub(crate) const PASSED: i32 = 0;
/// Something did not pass.
pub(crate) const FAILED: i32 = 1;
/// What was asked for makes no sense.
pub(crate) const USAGE: i32 = 2;
/// A plugin failed.
pub(crate) const PLUGIN: i32 = 3;
/// There was nothing to run.
pub(crate) const NOTHING: i32 = 4;
/// There is no result to trust.
pub(crate) const NO_RESULT: i32 = 7;

/// Returns the code of a run that this signal has stopped, as shells have it.
pub(crate) const fn of_signal(signal: i32) -> i32 {
    128 + signal
}

/// The codes of a run: the number, what it says in a line of help, and in the documentation.
const TABLE: [(i32, &str, &str); 6] = [
    (PASSED, "everything passed", "everything passed or was skipped, and at least one task ran"),
    (FAILED, "something did not", "a task did not pass or was left dangling, or `main` raised an error"),
    (USAGE, "usage", "usage: a bad value of an option, a missing file, a jobfile that cannot be run"),
    (PLUGIN, "a plugin failed", "a plugin failed"),
    (NOTHING, "nothing to run", "nothing to run: no task, or none that was chosen"),
    (
        NO_RESULT,
        "the run could not be recorded",
        "there is no result to trust: disk full, directory in use, host killed, or no process could be started for 5 s \
         (the limit is named)",
    ),
];

/// The signals that stop a run.
const SIGNALS: [(&str, i32); 3] = [("SIGINT", libc::SIGINT), ("SIGTERM", libc::SIGTERM), ("SIGHUP", libc::SIGHUP)];

/// Returns the line at the end of the help of a command that runs something, `without` some codes.
pub(crate) fn help(without: &[i32]) -> String {
    let codes = TABLE.iter().filter(|(code, ..)| !without.contains(code));
    let words: Vec<String> = codes.map(|(code, words, _)| format!("{code} {words}")).collect();
    let signals = SIGNALS.map(|(_, signal)| of_signal(signal).to_string()).join("/");
    format!("Exit codes: {}, {signals} stopped by {}", words.join(", "), SIGNALS.map(|(name, _)| name).join("/"))
}

/// Returns the table of the documentation.
#[cfg(test)]
fn markdown() -> String {
    let rows = TABLE.map(|(code, _, text)| format!("| {code} | {text} |\n")).concat();
    let signals = SIGNALS.map(|(_, signal)| of_signal(signal).to_string()).join(", ");
    let names = SIGNALS.map(|(name, _)| name).join(", ");
    format!(
        "| Exit | Meaning |\n|---|---|\n{rows}| {signals} | stopped by {names}, after the tasks were ended and the results written |\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_this_table() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        assert!(readme.contains(&markdown()), "the README is to have this table:\n{}", markdown());
        for (code, words, _) in TABLE {
            assert!(help(&[]).contains(&format!("{code} {words}")) && !help(&[code]).contains(words), "{code}");
        }
    }
}
