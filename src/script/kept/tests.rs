//! Whatever a script says of its end, its outcome and its reason arrive.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;

use super::{LONGEST_REASON, shortened};
use crate::model::{Message, Order, Outcome, Reply, RuntimeInfo, SectionChoice};
use crate::script::{HostLine, Stop, run_script};

/// As much as the host takes of one message.
const LONGEST_MESSAGE: usize = 4 << 20;

/// A host that reads what it is told from lines, as the real one does.
#[derive(Default)]
struct Lines(RefCell<Vec<Message>>);

impl HostLine for Lines {
    fn tell(&self, message: &Message) -> io::Result<()> {
        let line = serde_json::to_vec(message).unwrap();
        assert!(line.len() < LONGEST_MESSAGE, "{} bytes", line.len());
        self.0.borrow_mut().push(serde_json::from_slice(&line).unwrap());
        Ok(())
    }

    fn tell_with_next(&self, message: &Message) -> io::Result<()> {
        self.tell(message)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn ask(&self, _: &Message) -> io::Result<Reply> {
        Ok(Reply::Ack { interrupted: false })
    }

    fn listen(&self, _: Duration) {}
}

/// Runs a script and returns all that the host heard of it.
fn heard(script: &str) -> Vec<Message> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.lua");
    fs::write(&path, script).unwrap();
    let order = Order {
        task_id: "t".to_owned(),
        script: path,
        args: Vec::new(),
        parameters: serde_json::Map::new(),
        started_in: folder.path().to_owned(),
        stdin: None,
        choice: SectionChoice::default(),
        synchro: None,
        walk: None,
        runtime: RuntimeInfo::default(),
    };
    let lines = Rc::new(Lines::default());
    let end = run_script(&order, &(Rc::clone(&lines) as Rc<dyn HostLine>), &Stop::at_once()).end;
    for text in end.remarks {
        lines.tell(&Message::Remark { text }).unwrap();
    }
    lines.tell(&Message::Finished { result: end.outcome, reason: end.reason, data: end.data }).unwrap();
    lines.0.take()
}

/// Returns the literal of a string of any bytes.
fn literal(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in bytes {
        write!(text, "\\{byte:03}").unwrap();
    }
    text + "\""
}

/// What a script can give with its end, most of which no other process can be handed.
const DATA: [&str; 22] = [
    "nil",
    "print",
    "{ f = print }",
    "{ 1, nil, 3 }",
    "{ nil, 2 }",
    "{ 1, x = 2 }",
    "{ [1.5] = 1, [true] = 2, [-1] = 3 }",
    "{ [{}] = 1, [print] = 2 }",
    "{ ['\\xff'] = '\\xfe' }",
    "'\\xff'",
    "1/0",
    "{ 0/0, -1/0, math.mininteger, math.maxinteger }",
    "(function() local t = {} t.t = t return t end)()",
    "(function() local t = {} for _ = 1, 500 do t = { t } end return t end)()",
    "(function() local t = {} for _ = 1, 500 do t = { [2] = t } end return t end)()",
    "('x'):rep(3 << 20)",
    "('\\1'):rep(1 << 20)",
    "io.stdout",
    "coroutine.create(print)",
    "setmetatable({}, { __pairs = function() error({ 'no' }) end })",
    "setmetatable({}, { __tostring = function() error('no') end })",
    "{ ['$float'] = 'inf', a = { ['__synchro__'] = 1 } }",
];

const OUTCOMES: [&str; 7] = ["passed", "failed", "errored", "skipped", "blocked", "aborted", "passx"];

fn reasons() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..40),
        4 => any::<String>().prop_map(String::into_bytes),
        1 => (any::<u8>(), (LONGEST_REASON - 4)..(LONGEST_REASON + 4)).prop_map(|(byte, count)| vec![byte; count]),
        1 => (0..4_usize).prop_map(|count| [&b"abc"[..count], &"é€😀".repeat(LONGEST_REASON / 8).into_bytes()].concat()),
    ]
}

fn finished(messages: &[Message]) -> (Outcome, Option<String>) {
    match messages.last() {
        Some(Message::Finished { result, reason, .. }) => (*result, reason.clone()),
        other => panic!("it did not end: {other:?}"),
    }
}

/// Returns a reason as people read it.
fn shown(reason: &[u8]) -> String {
    shortened(String::from_utf8_lossy(reason).into_owned(), LONGEST_REASON)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn what_is_returned_arrives(outcome in 0..OUTCOMES.len(), reason in reasons(), data in 0..DATA.len()) {
        let script = format!("return '{}', {}, {}", OUTCOMES[outcome], literal(&reason), DATA[data]);
        let (result, told) = finished(&heard(&script));
        prop_assert_eq!(result.name(), OUTCOMES[outcome]);
        prop_assert_eq!(told, Some(shown(&reason)));
    }

    #[test]
    fn what_is_asserted_or_raised_arrives(way in 0..5_usize, reason in reasons()) {
        let text = literal(&reason);
        let (script, outcome, begins) = match way {
            0 => (format!("assert(false, {text})"), Outcome::Failed, true),
            1 => (format!("error({text}, 0)"), Outcome::Errored, false),
            2 => (format!("error({{ message = {text} }})"), Outcome::Errored, false),
            3 => (format!("error({{ kind = 'assertion', message = {text} }})"), Outcome::Failed, false),
            _ => (format!("local ok, err = pcall(assert, false, {text}) error(err.message, 0)"), Outcome::Errored, false),
        };
        let (result, told) = finished(&heard(&script));
        prop_assert_eq!(result, outcome);
        let mut told = told.unwrap();
        if begins {
            told = told.split_once("s.lua:1: ").expect("it has its place").1.to_owned();
        }
        // The place takes its room of a long one.
        let expected = shown(&reason);
        let kept = told.split(" … (").next().unwrap();
        let is_cut = kept.len() + 300 > LONGEST_REASON;
        prop_assert!(told == expected || is_cut && expected.starts_with(kept), "{} instead of {}", told.len(), expected.len());
    }

    #[test]
    fn what_a_section_reports_arrives(outcome in 0..OUTCOMES.len(), reason in reasons(), data in 0..DATA.len()) {
        let script = format!(
            "local ts = require 'rille.testscript'
            ts.testcase('T'):test('t', function(self) self:{}({}, {{ data = {} }}) end)",
            OUTCOMES[outcome], literal(&reason), DATA[data]
        );
        let messages = heard(&script);
        let section = messages.iter().find_map(|message| match message {
            Message::SectionFinished { section: 2, result, reason, .. } => Some((*result, reason.clone())),
            _ => None,
        });
        let (result, told) = section.expect("the section has ended");
        prop_assert_eq!(result.name(), OUTCOMES[outcome]);
        let told = told.unwrap();
        let expected = String::from_utf8_lossy(&reason).into_owned();
        let kept = told.split(" … (").next().unwrap();
        prop_assert!(told == expected || told.len() > 60_000 && expected.starts_with(kept), "{:?}", told.get(..200));
        prop_assert_eq!(finished(&messages).0.name(), OUTCOMES[outcome]);
    }
}

#[test]
fn what_could_not_be_kept_is_told() {
    let remarks = |data: &str| {
        let messages = heard(&format!("return 'passed', 'r', {data}"));
        let remarks = messages.iter().filter_map(|message| match message {
            Message::Remark { text } => Some(text.as_str()),
            _ => None,
        });
        remarks.collect::<Vec<_>>().join(" | ")
    };
    let cases = [
        ("{ n = 1/0, [5] = '\\xff' }", ""),
        (
            "{ f = print }",
            "the returned data.f is a function, which cannot be handed to another process; a word stands in its place",
        ),
        (
            "{ 1, nil, 3 }",
            "the returned data is a list with a hole: item 2 is missing (nil); the others are kept by their numbers",
        ),
        ("('x'):rep(3 << 20)", "the returned data is 3145730 bytes as JSON and is left out; at most 2097152 are kept"),
    ];
    for (data, expected) in cases {
        assert_eq!(remarks(data), expected, "{data}");
    }
}
