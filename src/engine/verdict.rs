//! From what is known of an ended attempt to its outcome. A result is never better than what happened.

use serde_json::Value;

use super::stop::StopReason;
use crate::model::{Exit, Message, Outcome, Runnable, Task, TestStatus};

/// What is known of an attempt.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Why it never had a process.
    pub(super) cannot_start: Option<String>,
    /// Why it was not let in.
    pub(super) refused: Option<String>,
    /// How its process ended.
    pub(super) exit: Option<Exit>,
    /// What it said of its own end.
    pub(super) finished: Option<Verdict>,
    /// The roll-up of its top-level sections.
    pub(super) sections: Option<Outcome>,
    /// What was wrong with what it said.
    pub(super) protocol_error: Option<String>,
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
    fn new(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self { outcome, status: None, reason: Some(reason.into()), data: None }
    }

    fn passed() -> Self {
        Self { outcome: Outcome::Passed, status: None, reason: None, data: None }
    }
}

impl Evidence {
    /// Takes note of how a top-level section has ended.
    pub(super) fn take_section(&mut self, outcome: Outcome) {
        self.sections = Some(self.sections.map_or(outcome, |known| known.and(outcome)));
    }

    /// Takes note of a message.
    pub(super) fn take_message(&mut self, message: Message) {
        let Message::Finished { result, reason, data } = message else { return };
        if self.finished.is_some() {
            self.protocol_error.get_or_insert_with(|| "it reported its end twice".to_owned());
        }
        self.finished = Some(Verdict { outcome: result, status: None, reason, data });
    }
}

/// Judges an attempt that has ended.
pub(super) fn judge(task: &Task, stop: Option<StopReason>, evidence: Evidence) -> Verdict {
    let runnable = &task.runnable;
    let Evidence { cannot_start, refused, exit, finished, sections, protocol_error } = evidence;
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
        return Verdict { status: stop.status(), ..Verdict::new(stop.outcome(), text) };
    }
    if let Some(text) = what_broke {
        return Verdict::new(Outcome::Errored, text);
    }
    match exit {
        None => Verdict::new(Outcome::Errored, "its process vanished"),
        Some(exit @ Exit::Signal(_)) => Verdict::new(Outcome::Errored, exit.to_string()),
        Some(Exit::Code(code)) if speaks(&runnable.kind) => judge_speaker(code, finished, sections),
        Some(Exit::Code(code)) => judge_code(runnable, code, task.every_code_fails),
    }
}

/// Returns whether tasks of this kind report their end by a message.
pub(super) fn speaks(kind: &str) -> bool {
    kind == "lua"
}

fn judge_speaker(code: i32, finished: Option<Verdict>, sections: Option<Outcome>) -> Verdict {
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
        None => Verdict::new(Outcome::Errored, exit.to_string()),
    }
}

/// By the custom of `test`, `grep`, `diff` and pytest 1 means "no" and every other code "something went wrong".
fn judge_code(runnable: &Runnable, code: i32, every_code_fails: bool) -> Verdict {
    let skips = runnable.config.get("runner.exectest.exitcodes.skip").and_then(Value::as_array);
    if skips.is_some_and(|codes| codes.iter().any(|skip| skip.as_i64() == Some(code.into()))) {
        return Verdict::new(Outcome::Skipped, format!("exit code {code}, which means skipped here"));
    }
    match code {
        0 => Verdict::passed(),
        1 => Verdict::new(Outcome::Failed, Exit::Code(1).to_string()),
        _ if every_code_fails => Verdict::new(Outcome::Failed, Exit::Code(code).to_string()),
        126 => Verdict::new(Outcome::Errored, "exit code 126: found but not executable"),
        127 => Verdict::new(Outcome::Errored, "exit code 127: command not found"),
        _ => Verdict::new(Outcome::Errored, Exit::Code(code).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn task(kind: &str) -> Task {
        Task { runnable: Runnable { kind: kind.into(), ..Runnable::default() }, ..Task::default() }
    }

    fn verdict(kind: &str, exit: Option<Exit>, said: Option<Outcome>, stop: Option<StopReason>) -> (Outcome, String) {
        let mut evidence = Evidence { exit, ..Evidence::default() };
        if let Some(result) = said {
            evidence.take_message(Message::Finished { result, reason: None, data: None });
        }
        let task = task(kind);
        let verdict = judge(&task, stop, evidence);
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
        for (kind, exit, said, stop, outcome, reason) in cases {
            assert_eq!(verdict(kind, exit, said, stop), (outcome, reason.to_owned()), "{kind} {exit:?} {said:?}");
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
