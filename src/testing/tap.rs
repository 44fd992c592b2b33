//! The Test Anything Protocol, versions 12 to 14, read while it is written: from the output of a program to its status.
//!
//! What decides is as in Avocado: the first `not ok` fails the whole, in a subtest as well; a bail-out, a broken document
//! or a plan that was not kept is an error; a test that passed although it was marked as one to be done is a warning. Other than there,
//! a failure after such a test or after a skipped one still counts, and a program that writes no TAP at all has not passed.

mod line;
#[cfg(test)]
mod tests;

use self::line::{Directive, Line, Plan, TestLine};
use crate::model::{Exit, TestStatus};

/// How many bytes of a line are looked at. What comes after them is somebody's data.
const LONGEST: usize = 64 << 10;

/// The directive of a test that is not expected to pass yet. Written like this no search for what is left undone finds it.
const TO_DO: &str = concat!("TO", "DO");

/// How deep subtests are told apart.
const DEEPEST: usize = 64;

/// Reads a document piece by piece. Its memory is bounded whatever it is given.
#[derive(Debug, Default)]
pub(crate) struct TapScan {
    /// The line that has not ended yet.
    rest: Vec<u8>,
    lines: u64,
    has_yaml: bool,
    /// The documents that are open: the outermost, and a subtest in each.
    levels: Vec<Level>,
    has_plan: bool,
    counts: Counts,
    /// What has decided already.
    decided: Option<(TestStatus, Option<String>)>,
    surprise: Option<String>,
    #[expect(clippy::option_option, reason = "whether something was skipped, and whether it was said why")]
    skipped: Option<Option<String>>,
}

/// How many tests there were, subtests included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that passed, those included that were to fail and did.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that were left out.
    pub(crate) skipped: u64,
}

/// How a document ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TapVerdict {
    /// The status.
    pub(crate) status: TestStatus,
    /// Why, unless it simply passed.
    pub(crate) reason: Option<String>,
    /// How many tests there were.
    pub(crate) counts: Counts,
    /// The outermost document said how many tests it has.
    has_plan: bool,
}

/// A document, or a subtest in one.
#[derive(Debug, Default)]
struct Level {
    plan: Option<Plan>,
    is_plan_late: bool,
    tests: u64,
    bailed_out: bool,
    complained_of_late: bool,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Main,
    AfterTest,
    /// In a block of YAML: its indent, and the line where it began.
    Yaml(String, u64),
}

impl TapScan {
    /// Makes a scan that has read nothing.
    pub(crate) fn new() -> Self {
        Self { levels: vec![Level::default()], ..Self::default() }
    }

    /// Reads what the program has written next.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.keep(&bytes[..end]);
            let line = std::mem::take(&mut self.rest);
            self.line(&line);
            self.rest = line;
            self.rest.clear();
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// Ends the document.
    pub(crate) fn finish(mut self) -> TapVerdict {
        if !self.rest.is_empty() {
            let line = std::mem::take(&mut self.rest);
            self.line(&line);
        }
        while let Some(level) = self.levels.pop() {
            self.close(level);
        }
        let Self { counts, has_plan, decided, surprise, skipped, .. } = self;
        let (status, reason) = match (decided, surprise, skipped) {
            (Some(decided), _, _) => decided,
            (None, Some(surprise), _) => (TestStatus::Warn, Some(surprise)),
            (None, None, _) if counts.passed > 0 => (TestStatus::Pass, None),
            (None, None, Some(reason)) => (TestStatus::Skip, reason),
            (None, None, None) => {
                (TestStatus::Error, Some("there is no test in its output: is it TAP at all?".to_owned()))
            }
        };
        TapVerdict { status, reason, counts, has_plan }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn line(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        self.lines += 1;
        if self.goes_on_in_yaml(text) || text.trim_start().is_empty() {
            return;
        }
        let spaces = text.len() - text.trim_start_matches(' ').len();
        let depth = (spaces / 4).min(DEEPEST);
        while self.levels.len() > depth + 1 {
            if let Some(level) = self.levels.pop() {
                self.close(level);
            }
        }
        let body = &text[(depth * 4).min(spaces)..];
        let read = Line::read(body, self.has_yaml);
        // What is indented otherwise is text of the program, and opens no subtest.
        if matches!(read, Line::Text) && self.levels.len() <= depth {
            return;
        }
        while self.levels.len() <= depth {
            self.levels.push(Level::default());
        }
        self.take(read);
    }

    /// Takes a line that belongs to a block of YAML; returns whether it does.
    fn goes_on_in_yaml(&mut self, text: &str) -> bool {
        let at = self.levels.len().saturating_sub(1) * 4;
        let Some(level) = self.levels.last_mut() else { return false };
        let State::Yaml(indent, begun) = &level.state else { return false };
        let begun = *begun;
        let inside = text.get(at..).filter(|_| text.as_bytes()[..at.min(text.len())].iter().all(|byte| *byte == b' '));
        match inside.and_then(|inside| inside.strip_prefix(indent.as_str())) {
            Some("...") => level.state = State::Main,
            Some(_) => {}
            None if text.is_empty() => {}
            None => {
                level.state = State::Main;
                self.broken(&format!("YAML block not terminated (started on line {begun})"));
                return false;
            }
        }
        true
    }

    /// Takes a line of the innermost document.
    fn take(&mut self, line: Line<'_>) {
        let number = self.lines;
        let is_outermost = self.levels.len() == 1;
        let Some(level) = self.levels.last_mut() else { return };
        let is_after_test = matches!(level.state, State::AfterTest);
        level.state = State::Main;
        match line {
            Line::Yaml(indent) => {
                if is_after_test {
                    level.state = State::Yaml(indent.to_owned(), number);
                }
            }
            Line::Text => {}
            Line::Test(test) => {
                level.state = State::AfterTest;
                level.tests += 1;
                let is_first_after_late = level.is_plan_late && !level.complained_of_late;
                level.complained_of_late |= is_first_after_late;
                let expected = level.tests;
                if is_first_after_late {
                    self.broken("unexpected test after late plan");
                }
                if test.number.is_some_and(|number| number != expected) {
                    self.broken("out of order test numbers");
                }
                self.test(&test, test.number.unwrap_or(expected));
            }
            Line::Plan(plan) => self.plan(plan, is_outermost),
            Line::BailOut(reason) => {
                level.bailed_out = true;
                let reason = if reason.is_empty() { "Bail out!".to_owned() } else { format!("Bail out! {reason}") };
                self.decide(TestStatus::Error, Some(reason));
            }
            Line::Version(version) => {
                if is_outermost && number != 1 {
                    self.broken("version number must be on the first line");
                } else if version < 13 {
                    self.broken("version number should be at least 13");
                } else {
                    self.has_yaml = true;
                }
            }
        }
    }

    fn plan(&mut self, plan: Plan, is_outermost: bool) {
        let Some(level) = self.levels.last_mut() else { return };
        if level.plan.is_some() {
            return self.broken("more than one plan found");
        }
        level.is_plan_late = level.tests > 0;
        level.plan = Some(plan.clone());
        self.has_plan |= is_outermost;
        match plan.directive {
            Some(Directive::Skip(_)) if plan.count > 0 => self.broken("invalid SKIP directive for plan"),
            Some(Directive::Todo) => self.broken("invalid directive for plan"),
            Some(Directive::Skip(reason)) => self.skipped = self.skipped.take().or(Some(reason)),
            None if plan.count == 0 => self.skipped = self.skipped.take().or(Some(None)),
            None => {}
        }
    }

    fn test(&mut self, test: &TestLine<'_>, number: u64) {
        let shown = if test.name.is_empty() { number.to_string() } else { format!("{number} ({})", test.name) };
        match (&test.directive, test.is_ok) {
            (Some(Directive::Skip(reason)), true) => {
                self.counts.skipped += 1;
                self.skipped = self.skipped.take().or(Some(reason.clone()));
            }
            (Some(Directive::Todo), true) => {
                self.counts.passed += 1;
                let surprise = format!("{TO_DO} test {shown} unexpectedly passed.");
                self.surprise = self.surprise.take().or(Some(surprise));
            }
            (Some(Directive::Todo), false) | (None, true) => self.counts.passed += 1,
            (directive, false) => {
                self.counts.failed += 1;
                let reason = match directive {
                    Some(Directive::Skip(Some(reason))) => reason.clone(),
                    _ => format!("test {shown} failed"),
                };
                self.decide(TestStatus::Fail, Some(reason));
            }
        }
    }

    fn close(&mut self, level: Level) {
        if let State::Yaml(_, begun) = level.state {
            self.broken(&format!("YAML block not terminated (started on line {begun})"));
        }
        let Some(plan) = level.plan.filter(|_| !level.bailed_out) else { return };
        if level.tests != plan.count {
            let word = if level.tests < plan.count { "few" } else { "many" };
            self.broken(&format!("Too {word} tests run (expected {}, got {})", plan.count, level.tests));
        }
    }

    fn broken(&mut self, what: &str) {
        self.decide(TestStatus::Error, Some(format!("Tap format error: {what}")));
    }

    fn decide(&mut self, status: TestStatus, reason: Option<String>) {
        self.decided.get_or_insert((status, reason));
    }
}

impl TapVerdict {
    /// Takes note of how the program ended. Being killed is an error, and so is an exit code other than 0 where nothing else
    /// tells that the document is whole, or where exit codes are to be honoured.
    pub(crate) fn and_exit(mut self, exit: Exit, honours_code: bool) -> Self {
        let matters = match exit {
            Exit::Code(0) => false,
            Exit::Code(_) => honours_code || !self.has_plan,
            Exit::Signal(_) => true,
        };
        if matters && !matches!(self.status, TestStatus::Fail | TestStatus::Error) {
            self.status = TestStatus::Error;
            self.reason = Some(match self.has_plan {
                true => exit.to_string(),
                false => format!("{exit}, and no plan tells whether its output is whole"),
            });
        }
        self
    }
}
