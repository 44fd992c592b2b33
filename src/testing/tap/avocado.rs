//! TAP as Avocado 113.0 reads it.
//!
//! The first `not ok` fails the whole, in a subtest as well, and so does the first line that breaks a rule. Other than
//! there, a failure after a surprising pass still counts, and a program that writes no TAP at all has not passed.

use super::document::End;
use super::surprise;
use crate::model::TestStatus;

/// How deep subtests are told apart.
const DEEPEST: usize = 64;

/// By how many blanks a subtest is indented.
const INDENT: usize = 4;

/// A document that is being read.
#[derive(Debug)]
pub(super) struct AvocadoScan {
    lines: u64,
    has_yaml: bool,
    /// The documents that are open: the outermost, and those in it.
    levels: Vec<Level>,
    has_plan: bool,
    passed: u64,
    /// What has decided already.
    decided: Option<(TestStatus, String)>,
    surprise: Option<String>,
    #[expect(clippy::option_option, reason = "whether something was skipped, and whether it was said why")]
    skipped: Option<Option<String>>,
}

/// A document, or what is indented in one.
#[derive(Debug, Default)]
struct Level {
    depth: usize,
    plan: Option<u64>,
    is_plan_late: bool,
    tests: u64,
    bailed_out: bool,
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

/// What follows a `#`.
enum Directive {
    Skip(Option<String>),
    Todo,
    Unknown(String),
}

impl AvocadoScan {
    /// Makes a scan that has read nothing.
    pub(super) fn new() -> Self {
        Self {
            lines: 0,
            has_yaml: false,
            levels: vec![Level::default()],
            has_plan: false,
            passed: 0,
            decided: None,
            surprise: None,
            skipped: None,
        }
    }

    /// Reads a line.
    pub(super) fn line(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        let spaces = text.len() - text.trim_start_matches(' ').len();
        let depth = (spaces / INDENT).min(DEEPEST);
        // A line that ends what is indented belongs to what that is in, however deep it is itself.
        match self.levels.last().map_or(0, |level| level.depth) {
            open if open < depth => self.levels.push(Level { depth, ..Level::default() }),
            open if open > depth => self.close(),
            _ => {}
        }
        self.lines += 1;
        if !self.goes_on_in_yaml(text) && !text.starts_with('#') {
            self.take(text, &text[spaces - spaces % INDENT..]);
        }
    }

    /// Ends the document. Returns how, and whether it had a plan.
    pub(super) fn end(mut self) -> (End, bool) {
        while !self.levels.is_empty() {
            self.close();
        }
        let (status, reason) = match (self.decided, self.surprise, self.skipped) {
            (Some((status, reason)), _, _) => (status, Some(reason)),
            (None, Some(surprise), _) => (TestStatus::Warn, Some(surprise)),
            (None, None, _) if self.passed > 0 => (TestStatus::Pass, None),
            (None, None, Some(reason)) => (TestStatus::Skip, reason),
            (None, None, None) => {
                (TestStatus::Error, Some("there is no test in its output: is it TAP at all?".to_owned()))
            }
        };
        (End { status, reason }, self.has_plan)
    }

    /// Takes a line that belongs to a block of YAML, or begins one; returns whether it does.
    fn goes_on_in_yaml(&mut self, text: &str) -> bool {
        let (number, has_yaml) = (self.lines, self.has_yaml);
        let Some(level) = self.levels.last_mut() else { return false };
        match std::mem::take(&mut level.state) {
            State::Main => false,
            State::AfterTest => {
                let body = text.trim_start();
                let blanks = text.len() - body.len();
                let begins = has_yaml && !blanks.is_multiple_of(INDENT) && body.starts_with("---");
                if begins {
                    level.state = State::Yaml(text[blanks - blanks % INDENT..blanks].to_owned(), number);
                }
                begins
            }
            State::Yaml(indent, begun) => {
                if text.starts_with(' ') && text.trim_start() == "..." {
                    return true;
                }
                let goes_on = text.starts_with(indent.as_str());
                if goes_on {
                    level.state = State::Yaml(indent, begun);
                } else {
                    self.broken(&format!("YAML block not terminated (started on line {begun})"));
                }
                goes_on
            }
        }
    }

    /// Takes a line: as it is, and without its indent.
    fn take(&mut self, text: &str, body: &str) {
        let is_outermost = self.levels.len() == 1;
        let number = self.lines;
        let Some(level) = self.levels.last_mut() else { return };
        if let Some((is_ok, rest)) = test(body) {
            level.state = State::AfterTest;
            level.tests += 1;
            if level.is_plan_late {
                self.broken("unexpected test after late plan");
            }
            return self.test(is_ok, rest);
        }
        if let Some((count, directive)) = plan(body) {
            if level.plan.replace(count).is_some() {
                return self.broken("more than one plan found");
            }
            level.is_plan_late = level.tests > 0;
            self.has_plan |= is_outermost;
            match directive {
                Some(Directive::Skip(_) | Directive::Unknown(_)) if count > 0 => {
                    self.broken("invalid SKIP directive for plan");
                }
                Some(Directive::Todo) => self.broken("invalid directive for plan"),
                Some(Directive::Skip(reason)) => self.skipped = self.skipped.take().or(Some(reason)),
                None | Some(Directive::Unknown(_)) if count == 0 => self.skipped = self.skipped.take().or(Some(None)),
                None | Some(Directive::Unknown(_)) => {}
            }
        } else if let Some(reason) = text.strip_prefix("Bail out!") {
            level.bailed_out = true;
            let reason = reason.trim();
            let reason = if reason.is_empty() { "Bail out!".to_owned() } else { format!("Bail out! {reason}") };
            self.decide(TestStatus::Error, reason);
        } else if let Some(version) = text.strip_prefix("TAP version ").and_then(leading_number) {
            if number != 1 {
                self.broken("version number must be on the first line");
            } else if version < 13 {
                self.broken("version number should be at least 13");
            } else {
                self.has_yaml = true;
            }
        }
    }

    fn test(&mut self, is_ok: bool, rest: &str) {
        let expected = self.levels.last().map_or(0, |level| level.tests);
        let (digits, rest) = split_digits(rest.trim_start());
        let (name, directive) = part(rest);
        let name = name.trim();
        let name = name.strip_prefix('-').map_or(name, str::trim_start);
        // A number that is too large is out of order whatever it is.
        let number = if digits.is_empty() { expected } else { digits.parse().unwrap_or(u64::MAX) };
        if number != expected {
            self.broken("out of order test numbers");
        }
        let shown = if name.is_empty() { number.to_string() } else { format!("{number} ({name})") };
        match (directive, is_ok) {
            (Some(Directive::Unknown(word)), _) => {
                self.broken(&format!("invalid directive \"{word}\""));
            }
            (Some(Directive::Skip(reason)), true) => self.skipped = self.skipped.take().or(Some(reason)),
            (Some(Directive::Todo), true) => {
                self.passed += 1;
                self.surprise.get_or_insert_with(|| surprise(&shown));
            }
            (Some(Directive::Todo), false) | (None, true) => self.passed += 1,
            (Some(Directive::Skip(Some(reason))), false) => self.decide(TestStatus::Fail, reason),
            (_, false) => self.decide(TestStatus::Fail, format!("test {shown} failed")),
        }
    }

    /// Closes the innermost document.
    fn close(&mut self) {
        let Some(level) = self.levels.pop() else { return };
        if let State::Yaml(_, begun) = level.state {
            self.broken(&format!("YAML block not terminated (started on line {begun})"));
        }
        let Some(count) = level.plan.filter(|_| !level.bailed_out) else { return };
        if level.tests != count {
            let word = if level.tests < count { "few" } else { "many" };
            self.broken(&format!("Too {word} tests run (expected {count}, got {})", level.tests));
        }
    }

    fn broken(&mut self, what: &str) {
        self.decide(TestStatus::Error, format!("Tap format error: {what}"));
    }

    fn decide(&mut self, status: TestStatus, reason: String) {
        self.decided.get_or_insert((status, reason));
    }
}

/// Reads a test: whether it passed, and what follows that. A word like "okay" is one as well.
fn test(text: &str) -> Option<(bool, &str)> {
    let failed = text.strip_prefix("not ok").map(|rest| (false, rest));
    failed.or_else(|| text.strip_prefix("ok").map(|rest| (true, rest)))
}

/// Reads a plan.
fn plan(text: &str) -> Option<(u64, Option<Directive>)> {
    let (digits, rest) = split_digits(text.strip_prefix("1..")?);
    (!digits.is_empty()).then(|| (digits.parse().unwrap_or(u64::MAX), part(rest).1))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len())
}

fn leading_number(text: &str) -> Option<u64> {
    split_digits(text).0.parse().ok()
}

/// Parts a text at its first `#` that is not escaped, and reads the directive after it.
fn part(text: &str) -> (&str, Option<Directive>) {
    let mut is_escaped = false;
    let mark = text.char_indices().find(|(_, c)| {
        let found = *c == '#' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        found
    });
    let Some((at, _)) = mark else { return (text, None) };
    let after = text[at + 1..].trim_start();
    let (word, reason) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let bare = word.trim_end_matches(|c| !is_word(c));
    let begins = |name: &str| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let directive = if bare.eq_ignore_ascii_case("skip") {
        let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        Some(Directive::Skip(reason))
    } else if begins("skip") {
        Some(Directive::Unknown(bare.to_uppercase()))
    } else if begins(super::TO_DO) && !word[super::TO_DO.len()..].starts_with(is_word) {
        Some(Directive::Todo)
    } else {
        None
    };
    (&text[..at], directive)
}
