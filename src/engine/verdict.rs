//! From what is known of an ended attempt to its outcome. A result is never better than what happened.

use std::fmt::Display;

use super::stop::StopReason;
use super::way::Way;
use crate::model::{Exit, Message, Outcome, Task, TestStatus, Value};

/// What is known of an attempt.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Why it never had a process.
    pub(super) cannot_start: Option<String>,
    /// Why it was not let in.
    pub(super) refused: Option<String>,
    /// Why nothing is known of its end.
    pub(super) lost: Option<String>,
    /// How its process ended.
    pub(super) exit: Option<Exit>,
    /// What it said of its own end.
    pub(super) finished: Option<Verdict>,
    /// The roll-up of its top-level sections.
    pub(super) sections: Option<Outcome>,
    /// What was wrong with what it said.
    pub(super) protocol_error: Option<String>,
    /// Its runner has said how it ended, and has some time left to leave.
    pub(super) may_linger: bool,
    /// It did not leave in that time, and was killed.
    pub(super) lingered: bool,
    /// What was written last to standard error: by its runner, if it has one, else by the task itself.
    pub(super) last_words: Option<String>,
}

/// An outcome with its reason.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    /// The outcome.
    pub(super) outcome: Outcome,
    /// The same in Avocado's words, where those say more.
    pub(super) status: Option<TestStatus>,
    /// Why, unless it simply passed.
    pub(super) reason: Option<String>,
    /// What the script gave with it.
    pub(super) data: Option<Value>,
}

impl Verdict {
    pub(super) fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, reason: Some(reason.into()), data: None, status: None }
    }

    /// Returns the outcome in the words of who reported it.
    fn word(&self) -> &'static str {
        self.status.map_or(self.outcome.name(), TestStatus::name)
    }

    pub(super) fn passed() -> Self {
        Self { outcome: Outcome::Passed, reason: None, data: None, status: None }
    }

    /// Makes the verdict of a test by its status.
    pub(super) fn of_status(status: TestStatus, reason: Option<String>) -> Self {
        Self { outcome: status.outcome(), reason, data: None, status: Some(status) }
    }
}

impl Evidence {
    /// Takes note of how a top-level section has ended.
    pub(super) fn take_section(&mut self, outcome: Outcome) {
        self.sections = Some(self.sections.map_or(outcome, |known| known.and(outcome)));
    }

    /// Takes note of a message. Returns whether it tells how the task ended.
    pub(super) fn take_message(&mut self, message: Message) -> bool {
        let Message::Finished { result, reason, data } = message else { return false };
        self.take_report(Verdict { outcome: result, reason, data, status: None });
        true
    }

    /// Takes note of how it is said to have ended.
    pub(super) fn take_report(&mut self, verdict: Verdict) {
        if self.finished.is_some() {
            self.protocol_error.get_or_insert_with(|| "it reported its end twice".to_owned());
        }
        self.finished = Some(verdict);
    }
}

/// Judges an attempt that has ended.
pub(super) fn judge(task: &Task, stop: Option<StopReason>, evidence: Evidence) -> Verdict {
    let Evidence {
        cannot_start, refused, lost, exit, finished, sections, protocol_error, lingered, last_words, ..
    } = evidence;
    if let Some(reason) = cannot_start {
        return Verdict::new(Outcome::Errored, reason);
    }
    if let Some(reason) = refused {
        return Verdict::new(Outcome::Blocked, reason);
    }
    let what_broke = protocol_error.map(|what| format!("broke the protocol of its runner: {what}"));
    if let Some(stop) = stop {
        let text = match (stop, what_broke) {
            (StopReason::Protocol, Some(text)) => text,
            _ => stop.text(),
        };
        // Who reads that it was ended is to know that its test was not what took so long.
        let text = match finished.filter(|_| matches!(Way::of(task), Way::Runner(_))) {
            Some(said) => format!("{text} after its runner had reported {}", said.word()),
            None => text,
        };
        return Verdict { status: stop.status(), ..Verdict::new(stop.outcome(), text) };
    }
    if let Some(text) = what_broke.or(lost) {
        return Verdict::new(Outcome::Errored, text);
    }
    match (Way::of(task), exit) {
        (Way::Nothing, _) => finished.unwrap_or_else(Verdict::passed),
        (_, None) => Verdict::new(Outcome::Errored, "its process vanished"),
        (Way::Runner(_), Some(exit)) => judge_runner(exit, finished, lingered, last_words),
        // Its exit has its part in what is known of its output.
        (Way::Tap, Some(exit)) => {
            finished.unwrap_or_else(|| Verdict::new(Outcome::Errored, with_words(exit, last_words)))
        }
        // Its script had ended and was told of; only what it left has kept the process.
        (Way::Channel, Some(Exit::Signal(_))) if lingered => judge_speaker(0, finished, sections, None),
        (_, Some(exit @ Exit::Signal(_))) => Verdict::new(Outcome::Errored, with_words(exit, last_words)),
        (Way::Channel, Some(Exit::Code(code))) => judge_speaker(code, finished, sections, last_words),
        (Way::Direct, Some(Exit::Code(code))) => judge_code(task, code, last_words),
    }
}

/// A runner reports how the test went, and its own exit can only make that worse. One that was killed because it did not
/// leave had said everything.
fn judge_runner(exit: Exit, said: Option<Verdict>, lingered: bool, last_words: Option<String>) -> Verdict {
    match said {
        Some(said) if lingered || exit.is_success() || matches!(exit, Exit::Code(_)) && !said.outcome.is_good() => said,
        Some(said) => {
            let text = format!("its runner ended with {exit} after it had reported {}", said.word());
            Verdict { data: said.data, ..Verdict::new(said.outcome.and(Outcome::Errored), text) }
        }
        None => {
            let text = match exit {
                Exit::Code(_) => format!("its runner left with {exit} before it reported how the test ended"),
                Exit::Signal(_) => format!("its runner was {exit} before it reported how the test ended"),
            };
            Verdict::new(Outcome::Errored, with_words(text, last_words))
        }
    }
}

/// Returns what is known of an end, followed by the last that was said before it.
pub(super) fn with_words(known: impl Display, last_words: Option<String>) -> String {
    match last_words {
        Some(words) => format!("{known}: {words}"),
        None => known.to_string(),
    }
}

fn judge_speaker(
    code: i32,
    finished: Option<Verdict>,
    sections: Option<Outcome>,
    last_words: Option<String>,
) -> Verdict {
    let exit = Exit::Code(code);
    match finished {
        Some(verdict) if code == 0 => match sections.map(|sections| verdict.outcome.and(sections)) {
            Some(rolled_up) if rolled_up != verdict.outcome => {
                let text = format!("reported {}, but its sections roll up to {rolled_up}", verdict.outcome);
                Verdict { data: verdict.data, ..Verdict::new(rolled_up, text) }
            }
            _ => verdict,
        },
        Some(verdict) => {
            let text = format!("{exit} after it had reported {}", verdict.outcome);
            Verdict { data: verdict.data, ..Verdict::new(verdict.outcome.and(Outcome::Errored), text) }
        }
        None if code == 0 => Verdict::new(Outcome::Errored, "left with exit code 0 before it reached its end"),
        None => Verdict::new(Outcome::Errored, with_words(exit, last_words)),
    }
}

/// By the custom of `test`, `grep`, `diff` and pytest 1 means "no" and every other code "something went wrong".
fn judge_code(task: &Task, code: i32, last_words: Option<String>) -> Verdict {
    let skips = task.runnable.config.get("runner.exectest.exitcodes.skip");
    // In recipes that Avocado writes it may be a set.
    let skips = skips.map(|skips| skips.get("__encoded_set__").unwrap_or(skips)).and_then(serde_json::Value::as_array);
    if skips.is_some_and(|codes| codes.iter().any(|skip| skip.as_i64() == Some(code.into()))) {
        return Verdict::new(Outcome::Skipped, format!("exit code {code}, which means skipped here"));
    }
    match code {
        0 => Verdict::passed(),
        1 => Verdict::new(Outcome::Failed, with_words(Exit::Code(1), last_words)),
        _ if task.every_code_fails => Verdict::new(Outcome::Failed, with_words(Exit::Code(code), last_words)),
        126 => Verdict::new(Outcome::Errored, with_words("exit code 126: found but not executable", last_words)),
        127 => Verdict::new(Outcome::Errored, with_words("exit code 127: command not found", last_words)),
        _ => Verdict::new(Outcome::Errored, with_words(Exit::Code(code), last_words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    use crate::model::Runnable;

    fn task(kind: &str) -> Task {
        // The kind "foo" is that of a runner.
        let runner = (kind == "foo").then(Arc::default);
        Task { runnable: Runnable { kind: kind.into(), ..Runnable::default() }, runner, ..Task::default() }
    }

    fn verdict(kind: &str, exit: Option<Exit>, said: Option<Outcome>, stop: Option<StopReason>) -> (Outcome, String) {
        let mut evidence = Evidence { exit, ..Evidence::default() };
        if let Some(result) = said {
            evidence.take_message(Message::Finished { result, reason: None, data: None });
        }
        let verdict = judge(&task(kind), stop, evidence);
        (verdict.outcome, verdict.reason.unwrap_or_default())
    }

    #[test]
    fn no_result_is_better_than_what_happened() {
        use Outcome::{Aborted, Errored, Failed, Passed, Skipped};
        let limit = Some(StopReason::TimeLimit(Duration::from_millis(1500)));
        let interrupted = Some(StopReason::Interrupted(2));
        let cases = [
            ("exec-test", Some(Exit::Code(0)), None, None, Passed, ""),
            ("exec-test", Some(Exit::Code(1)), None, None, Failed, "exit code 1"),
            ("exec-test", Some(Exit::Code(7)), None, None, Errored, "exit code 7"),
            ("exec-test", Some(Exit::Signal(9)), None, None, Errored, "killed by SIGKILL (signal 9)"),
            ("exec-test", Some(Exit::Code(0)), None, limit, Errored, "exceeded its max_runtime of 1.5 s and was ended"),
            ("exec-test", None, None, None, Errored, "its process vanished"),
            ("lua", Some(Exit::Code(0)), Some(Passed), None, Passed, ""),
            ("lua", Some(Exit::Code(0)), Some(Skipped), None, Skipped, ""),
            ("lua", Some(Exit::Code(0)), None, None, Errored, "left with exit code 0 before it reached its end"),
            ("lua", Some(Exit::Code(7)), None, None, Errored, "exit code 7"),
            ("lua", Some(Exit::Code(7)), Some(Passed), None, Errored, "exit code 7 after it had reported passed"),
            ("lua", Some(Exit::Signal(11)), Some(Passed), None, Errored, "killed by SIGSEGV (signal 11)"),
            ("lua", Some(Exit::Code(0)), Some(Passed), interrupted, Aborted, "the run was interrupted by SIGINT"),
        ];
        let runners = [
            ("foo", Some(Exit::Code(0)), Some(Passed), None, Passed, ""),
            ("foo", Some(Exit::Code(1)), Some(Failed), None, Failed, ""),
            (
                "foo",
                Some(Exit::Code(1)),
                Some(Passed),
                None,
                Errored,
                "its runner ended with exit code 1 after it had reported passed",
            ),
            (
                "foo",
                Some(Exit::Code(0)),
                None,
                None,
                Errored,
                "its runner left with exit code 0 before it reported how the test ended",
            ),
            (
                "foo",
                Some(Exit::Signal(9)),
                None,
                None,
                Errored,
                "its runner was killed by SIGKILL (signal 9) before it reported how the test ended",
            ),
            (
                "foo",
                Some(Exit::Signal(15)),
                Some(Passed),
                limit,
                Errored,
                "exceeded its max_runtime of 1.5 s and was ended after its runner had reported passed",
            ),
            ("foo", Some(Exit::Signal(15)), None, limit, Errored, "exceeded its max_runtime of 1.5 s and was ended"),
            ("tap", Some(Exit::Code(0)), Some(Passed), None, Passed, ""),
            ("tap", Some(Exit::Code(3)), Some(Failed), None, Failed, ""),
            ("noop", None, Some(Passed), None, Passed, ""),
        ];
        for (kind, exit, said, stop, outcome, reason) in cases.into_iter().chain(runners) {
            assert_eq!(verdict(kind, exit, said, stop), (outcome, reason.to_owned()), "{kind} {exit:?} {said:?}");
        }
    }

    #[test]
    fn the_last_words_say_why_where_nobody_did() {
        let said = |result, reason: Option<&str>| {
            Some(Message::Finished { result, reason: reason.map(str::to_owned), data: None })
        };
        let (failed, passed) = (said(Outcome::Failed, Some("told")), said(Outcome::Passed, None));
        let limit = Some(StopReason::TimeLimit(Duration::from_secs(1)));
        let cases = [
            ("exec-test", Exit::Code(0), None, None, ""),
            ("exec-test", Exit::Code(1), None, None, "exit code 1: no disk"),
            ("exec-test", Exit::Code(126), None, None, "exit code 126: found but not executable: no disk"),
            ("exec-test", Exit::Code(127), None, None, "exit code 127: command not found: no disk"),
            ("exec-test", Exit::Code(255), None, None, "exit code 255: no disk"),
            ("exec-test", Exit::Signal(6), None, None, "killed by SIGABRT (signal 6): no disk"),
            ("exec-test", Exit::Signal(15), None, limit, "exceeded its max_runtime of 1 s and was ended"),
            ("tap", Exit::Code(2), None, None, "exit code 2: no disk"),
            ("tap", Exit::Code(2), failed.clone(), None, "told"),
            ("lua", Exit::Code(7), None, None, "exit code 7: no disk"),
            ("lua", Exit::Code(0), failed, None, "told"),
            ("lua", Exit::Code(7), passed, None, "exit code 7 after it had reported passed"),
        ];
        for (kind, exit, message, stop, reason) in cases {
            let mut evidence = Evidence { exit: Some(exit), last_words: Some("no disk".into()), ..Evidence::default() };
            if let Some(message) = message {
                assert!(evidence.take_message(message));
            }
            let verdict = judge(&task(kind), stop, evidence);
            assert_eq!(verdict.reason.unwrap_or_default(), reason, "{kind} {exit:?}");
        }
    }

    #[test]
    fn a_second_end_is_a_broken_protocol() {
        let mut evidence = Evidence { exit: Some(Exit::Code(0)), ..Evidence::default() };
        for _ in 0..2 {
            evidence.take_message(Message::Finished { result: Outcome::Passed, reason: None, data: None });
        }
        assert_eq!(judge(&task("lua"), None, evidence).outcome, Outcome::Errored);
    }

    #[test]
    fn by_avocados_rule_every_code_but_0_fails() {
        for (code, outcome) in
            [(0, Outcome::Passed), (1, Outcome::Failed), (2, Outcome::Failed), (127, Outcome::Failed)]
        {
            let evidence = Evidence { exit: Some(Exit::Code(code)), ..Evidence::default() };
            let task = Task { every_code_fails: true, ..task("exec-test") };
            assert_eq!(judge(&task, None, evidence).outcome, outcome, "{code}");
        }
    }
}
