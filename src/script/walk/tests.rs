//! A worker in a thread, driven over its socket as the coordinator does it.

use std::cell::RefCell;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;
use std::thread::JoinHandle;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::*;
use crate::model::{
    JobInfo, Message, Reply, RuntimeInfo, WALK_PAGE_SIZE, WalkEnd, WalkEnded, WalkMachine, WalkSlot, WalkStep, Walks,
};

/// What the host of the task would hear.
#[derive(Default)]
struct Host {
    heard: RefCell<Vec<Message>>,
    /// What the user types at a prompt.
    typed: RefCell<Vec<String>>,
}

impl HostLine for Host {
    fn tell(&self, message: &Message) -> io::Result<()> {
        self.heard.borrow_mut().push(message.clone());
        Ok(())
    }

    fn tell_with_next(&self, message: &Message) -> io::Result<()> {
        self.tell(message)
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }

    fn ask(&self, message: &Message) -> io::Result<Reply> {
        self.tell(message)?;
        Ok(Reply::Line { text: self.typed.borrow_mut().pop() })
    }

    fn listen(&self, _: std::time::Duration) {}
}

/// A worker, and the coordinator's end of its socket.
struct Driven {
    folder: TempDir,
    socket: BufReader<UnixStream>,
    thread: JoinHandle<(ScriptEnd, Vec<Message>)>,
}

/// What is compared of a walk: id, end, place, message and state.
type Shown = (u64, WalkEnd, Option<u32>, Option<String>, Option<Json>);

/// What a worker answered to an order: the walks it reported, and the answer.
type Answered = (Vec<WalkEnded>, WalkReport);

impl Driven {
    /// Starts a worker on a file and tells it a suite. `{DIR}` in the file is a folder.
    fn new(lua: &str, suite: WalkSuite) -> Self {
        let (driven, answer) = Self::begin(lua, |_| suite, &[]);
        assert_eq!(answer, WalkReport::Ready {});
        driven
    }

    fn begin(lua: &str, suite: impl FnOnce(&std::path::Path) -> WalkSuite, typed: &[&str]) -> (Self, WalkReport) {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text =
            format!("local walk = require 'rille.walk'\n{lua}").replace("{DIR}", &folder.path().display().to_string());
        fs::write(path("suite.lua"), text).unwrap();
        fs::write(path("page"), [0; WALK_PAGE_SIZE]).unwrap();
        let listener = UnixListener::bind(path("socket")).unwrap();
        let line = WalkLine { socket: path("socket"), worker: 1, page: path("page") };
        let order = Order {
            task_id: "walks/worker-1".to_owned(),
            script: path("suite.lua"),
            args: Vec::new(),
            parameters: serde_json::Map::new(),
            started_in: folder.path().to_owned(),
            stdin: None,
            choice: crate::model::SectionChoice::default(),
            synchro: None,
            walk: Some(line.clone()),
            runtime: RuntimeInfo { job: JobInfo::default(), ..RuntimeInfo::default() },
        };
        let typed: Vec<String> = typed.iter().rev().map(|line| (*line).to_owned()).collect();
        let thread = std::thread::spawn(move || {
            let host = Rc::new(Host { typed: RefCell::new(typed), ..Host::default() });
            let end = run_worker(&order, &line, &(Rc::clone(&host) as Rc<dyn HostLine>), &Stop::at_once());
            // Shown where a test fails.
            println!("the worker ended: {end:?}");
            let heard = host.heard.borrow().clone();
            (end, heard)
        });
        let socket = BufReader::new(listener.accept().unwrap().0);
        let suite = suite(folder.path());
        let mut driven = Self { folder, socket, thread };
        assert_eq!(driven.hear(), WalkReport::Hello { worker: 1 });
        driven.say(&WalkOrder::Suite(Box::new(suite)));
        let answer = driven.hear();
        (driven, answer)
    }

    fn say(&mut self, order: &WalkOrder) {
        let line = serde_json::to_string(order).unwrap() + "\n";
        self.socket.get_mut().write_all(line.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> WalkReport {
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn order(&mut self, order: &WalkOrder) -> Answered {
        self.say(order);
        let mut walks = Vec::new();
        loop {
            match self.hear() {
                WalkReport::Walk(walk) => walks.push(*walk),
                answer => return (walks, answer),
            }
        }
    }

    /// Runs walks; returns those reported, how many ran, and how many actions.
    fn run(&mut self, stage: u32, walks: Walks, update: Option<Json>) -> (Vec<WalkEnded>, u64, u64) {
        let (ended, answer) = self.order(&WalkOrder::Run { stage, walks, skip: Vec::new(), update });
        let WalkReport::Done { ran, actions, .. } = answer else { panic!("{answer:?}") };
        (ended, ran, actions)
    }

    fn states(&mut self, walks: Walks) -> Vec<Json> {
        let (_, WalkReport::States { states, more: false }) = self.order(&WalkOrder::States { walks }) else {
            panic!("other than states, or too many")
        };
        states.into_iter().map(|(_, state)| state.unwrap_or_else(|problem| json!({ "problem": problem }))).collect()
    }

    fn finish(mut self) -> (ScriptEnd, Vec<Message>, TempDir) {
        self.say(&WalkOrder::Finish {});
        let (end, heard) = self.thread.join().unwrap();
        (end, heard, self.folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

fn suite(order: &[(&str, Json)], state: Json) -> WalkSuite {
    let slot = |(name, options): &(&str, Json)| WalkSlot {
        action: name.trim_start_matches('!').to_owned(),
        is_serial: name.starts_with('!'),
        options: options.as_array().unwrap().clone(),
    };
    WalkSuite { order: order.iter().map(slot).collect(), state, ..WalkSuite::default() }
}

const AB: &str = "walk.action { name = 'A', options = {}, run = function(p, s) s.a = p end }
walk.action { name = 'B', options = {}, run = function(p, s)
  if p == 'raise' then error('two is bad') end
  if p == 'cancel' then walk.cancel('enough') end
  if p == 'table' then error({ kind = 'mine', message = 'an object' }) end
  if p == 'nil' then error(nil) end
  if p == 'exit' then os.exit(3) end
  if p == 'swallowed' then pcall(os.exit, 4) end
  if p == 'assert' then assert(false, 'not so') end
  s.b = p
end }";

#[test]
fn a_failing_walk_is_reported_and_the_others_run() {
    let options = json!([0, "raise", "cancel", "table", "nil", "exit", "swallowed", "assert", 9]);
    let mut worker = Driven::new(AB, suite(&[("A", json!([1, 2])), ("B", options)], json!({})));
    let (ended, ran, actions) = worker.run(0, Walks::Range(0, 18), None);
    assert_eq!((ran, actions), (18, 36));
    let shown: Vec<String> = ended
        .iter()
        .map(|walk| {
            let error = walk.error.as_ref().unwrap();
            format!(
                "{} {:?} {:?} {} {} {}",
                walk.id,
                walk.end,
                walk.slot,
                error.kind,
                error.message,
                walk.state.as_ref().unwrap()
            )
        })
        .collect();
    let dir = worker.folder.path().display().to_string();
    let expected = |first: u32, a: u32| {
        [
            format!("{} Failed Some(1) error {dir}/suite.lua:4: two is bad {{\"a\":{a}}}", first + 1),
            format!("{} Cancelled Some(1) walk-cancelled enough {{\"a\":{a}}}", first + 2),
            format!("{} Failed Some(1) mine an object {{\"a\":{a}}}", first + 3),
            format!("{} Failed Some(1) error error(nil) was raised {{\"a\":{a}}}", first + 4),
            format!("{} Failed Some(1) exit {dir}/suite.lua:8: os.exit(3) was called {{\"a\":{a}}}", first + 5),
            format!("{} Failed Some(1) exit os.exit(4) was called {{\"a\":{a},\"b\":\"swallowed\"}}", first + 6),
            format!("{} Failed Some(1) assertion {dir}/suite.lua:10: not so {{\"a\":{a}}}", first + 7),
        ]
    };
    let expected: Vec<String> = expected(0, 1).into_iter().chain(expected(9, 2)).collect();
    assert_eq!(shown, expected);
    assert!(
        ended[0].error.as_ref().unwrap().traceback.as_ref().unwrap().contains("suite.lua:4: in "),
        "{:?}",
        ended[0]
    );
    assert_eq!(worker.finish().0, ScriptEnd::new(Outcome::Failed, "12 walks failed"));
}

#[test]
fn ids_go_through_the_options_in_the_order_of_the_plan() {
    let lua = "walk.action { name = 'A', options = {}, run = function(p) io.write(p, ' ') end }
walk.action { name = 'B', options = {}, run = function(p) io.write(p, ',') end }";
    let mut worker = Driven::new(lua, suite(&[("A", json!([0, 1])), ("B", json!(["x", "y", "z"]))], Json::Null));
    worker.run(0, Walks::Range(0, 6), None);
    worker.run(0, Walks::List(vec![5, 1, 2]), None);
    let (_, heard, _) = worker.finish();
    let printed: String = heard
        .iter()
        .map(|message| match message {
            Message::Stdout { text, .. } => String::from_utf8_lossy(&text.0).into_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(printed, "0 x,0 y,0 z,1 x,1 y,1 z,1 z,0 y,0 z,");
}

#[test]
fn stages_keep_the_state_and_what_a_serial_action_returned_is_merged() {
    let lua = "walk.action { name = 'Inc', options = {}, run = function(p, s) s.n = s.n + p end }
walk.serial_action { name = 'S', options = {}, run = function(p, s) s.n = 100 return { cfg = p } end }
walk.serial_action { name = 'Number', options = {}, run = function(p, s) return 3 end }
walk.serial_action { name = 'Cancel', options = {}, run = function(p, s) walk.cancel() end }";
    let order = [
        ("Inc", json!([1, 10])),
        ("!S", json!([5])),
        ("Inc", json!([1, 10])),
        ("!Number", json!([1])),
        ("!Cancel", json!([1])),
    ];
    let mut worker = Driven::new(lua, suite(&order, json!({ "n": 0 })));
    worker.run(0, Walks::Range(0, 4), None);
    let step = |slot| WalkOrder::Serial { step: WalkStep { slot, option: 0 }, state: json!({ "n": 0 }) };
    let (_, WalkReport::Serial { returned, error: None, .. }) = worker.order(&step(1)) else { panic!("it failed") };
    assert_eq!(returned, Some(json!({ "cfg": 5 })));
    worker.run(1, Walks::Range(0, 4), returned);
    for (slot, kind, text) in
        [(3, "error", "serial action 'Number' returned 3"), (4, "usage", "serial action 'Cancel' called walk.cancel")]
    {
        let (_, WalkReport::Serial { error: Some(error), returned: None, .. }) = worker.order(&step(slot)) else {
            panic!()
        };
        assert!(error.kind == kind && error.message.starts_with(text), "{error:?}");
    }
    let states = worker.states(Walks::Range(0, 4));
    let expected = [2, 11, 11, 20].map(|n| json!({ "cfg": 5, "n": n }));
    assert_eq!(states, expected);
    // They are forgotten.
    assert_eq!(worker.states(Walks::List(vec![2])), [json!({ "problem": "its state is not in this worker" })]);
}

#[test]
fn another_worker_adopts_states() {
    let lua = "walk.action { name = 'A', options = {}, run = function(p, s)
  if p == 3 then s.f = print end
  s.list[#s.list + 1] = p
end }
walk.serial_action { name = 'S', options = {}, run = function() end }";
    let order = [("A", json!([1, 2, 3])), ("!S", json!([0])), ("A", json!([7]))];
    let spooled =
        |dir: &std::path::Path| WalkSuite { spool: Some(dir.join("spool")), ..suite(&order, json!({ "list": [] })) };
    let (mut first, _) = Driven::begin(lua, spooled, &[]);
    first.run(0, Walks::Range(0, 3), None);
    // What was written later, and a torn line at the end.
    let later =
        fs::read_to_string(first.path("spool")).unwrap().replace("\"stage\":0", "\"stage\":1").replace("[1]", "[9]");
    let mut spool = fs::OpenOptions::new().append(true).open(first.path("spool")).unwrap();
    spool.write_all(later.as_bytes()).unwrap();
    spool.write_all(b"{\"walk_id\":0,\"state\":{\"li").unwrap();
    let (mut second, _) = Driven::begin(lua, spooled, &[]);
    let adopt = WalkOrder::Adopt { spool: first.path("spool"), states: vec![(Walks::Range(0, 4), 0)] };
    assert!(matches!(second.order(&adopt), (_, WalkReport::Done { ran: 0, .. })));
    let (ended, ran, _) = second.run(1, Walks::Range(0, 4), None);
    let lost: Vec<String> = ended.iter().map(|walk| walk.error.as_ref().unwrap().message.clone()).collect();
    let nowhere = format!(
        "the state of walk 3 is lost: {} does not have it as it was after stage 1",
        first.path("spool").display()
    );
    assert_eq!(ran, 4);
    assert_eq!(
        lost,
        [
            "the state of walk 2 is lost: its worker has died, and it could not be written down: the state.f is a function, which \
         cannot be handed to another process",
            nowhere.as_str(),
        ]
    );
    assert_eq!(second.states(Walks::Range(0, 2)), [json!({ "list": [1, 7] }), json!({ "list": [2, 7] })]);
    // What was adopted can be adopted from this one as well.
    assert_eq!(second.text("spool").lines().filter(|line| line.contains("\"walk_id\":0,")).count(), 2);
}

#[test]
fn walks_do_not_share_what_is_in_their_states() {
    let lua = "walk.class { name = 'Bag', copy = function(bag)
  local copy = setmetatable({ items = {} }, getmetatable(bag))
  for i, item in ipairs(bag.items) do copy.items[i] = item end
  return copy
end, to_json = function(bag) return bag.items end, from_json = function(items) return { items = items } end }
walk.action { name = 'A', options = {}, run = function(p, s)
  table.insert(s.l, p)
  if s.bag then table.insert(s.bag.items, p) end
end }";
    for (state, expected) in [
        (json!({ "l": {} }), [json!({ "l": [1] }), json!({ "l": [2] })]),
        (
            json!({ "l": {}, "bag": { "$class": "Bag", "value": [0] } }),
            [
                json!({ "l": [1], "bag": { "$class": "Bag", "value": [0, 1] } }),
                json!({ "l": [2], "bag": { "$class": "Bag", "value": [0, 2] } }),
            ],
        ),
    ] {
        let spooled = |dir: &std::path::Path| WalkSuite {
            spool: Some(dir.join("spool")),
            ..suite(&[("A", json!([1, 2]))], state)
        };
        let (mut worker, answer) = Driven::begin(lua, spooled, &[]);
        assert_eq!(answer, WalkReport::Ready {});
        worker.run(0, Walks::Range(0, 2), None);
        assert_eq!(worker.states(Walks::Range(0, 2)), expected);
    }
}

#[test]
fn a_walk_that_takes_too_long_is_ended_also_where_it_catches_that() {
    let lua = "walk.action { name = 'A', options = {}, run = function(p)
  local function turn() while true do end end
  if p == 'turn' then turn() elseif p == 'catch' then pcall(turn) end
end }";
    let limited = |_: &std::path::Path| WalkSuite {
        max_walk_runtime: Some(0.02),
        ..suite(&[("A", json!([0, "turn", "catch", 1]))], Json::Null)
    };
    let (mut worker, _) = Driven::begin(lua, limited, &[]);
    let (ended, ran, _) = worker.run(0, Walks::Range(0, 4), None);
    let ends: Vec<(u64, WalkEnd, &str)> =
        ended.iter().map(|walk| (walk.id, walk.end, walk.error.as_ref().unwrap().kind.as_str())).collect();
    assert_eq!((ran, ends), (4, vec![(1, WalkEnd::Failed, "timeout"), (2, WalkEnd::Failed, "timeout")]));
    assert!(
        ended[0].error.as_ref().unwrap().message.contains("took longer than 0.02 s (max_walk_runtime)"),
        "{:?}",
        ended[0]
    );
}

#[test]
fn portions_are_traced_before_they_run_and_with_their_outcome_after() {
    let lua = "walk.action { name = 'A', options = {}, run = function(p)
  local file <close> = io.open('{DIR}/traces/worker-1.trace')
  local last
  for line in file:lines() do last = line:find('\"walk\":') and line or last end
  io.open('{DIR}/seen', 'a'):write(last, '\\n'):close()
  if p == 2 then error('bad') end
end }
walk.serial_action { name = 'S', options = {}, run = function() end }";
    let traced = |dir: &std::path::Path| {
        fs::create_dir(dir.join("traces")).unwrap();
        let traces = Some(dir.join("traces"));
        WalkSuite { traces, ..suite(&[("A", json!([1, 2])), ("!S", json!(["on"]))], json!({ "n": 0 })) }
    };
    let (mut worker, answer) = Driven::begin(lua, traced, &[]);
    assert_eq!(answer, WalkReport::Ready {});
    worker.run(0, Walks::Range(0, 1), None);
    worker.run(0, Walks::Range(1, 2), None);
    worker.run(1, Walks::Range(0, 1), None);
    let text = worker.text("traces/worker-1.trace");
    let seconds = regex::Regex::new("\"seconds\": [0-9.]+").unwrap();
    let text = seconds.replace_all(&text, "\"seconds\": T").replace(&worker.folder.path().display().to_string(), "DIR");
    let expected = r#"{"trace":1,"run":"/socket","suite":"DIR/suite.lua","state":{"n":0}}
{"walk_id": 0, "walk": [{"A": 1}], "serial_action": null}
{"walk_id": 0, "outcome": "passed", "seconds": T}
{"walk_id": 1, "walk": [{"A": 2}], "serial_action": null}
{"walk_id": 1, "outcome": "failed", "seconds": T, "error": "DIR/suite.lua:7: bad"}
{"walk_id": 0, "walk": [], "serial_action": {"S": "on"}}
{"walk_id": 0, "outcome": "passed", "seconds": T}
"#;
    assert_eq!(text, expected);
    let first = "{\"walk_id\": 0, \"walk\": [{\"A\": 1}], \"serial_action\": null}\n{\"walk_id\": 1, \"walk\": [{\"A\": 2}], \"serial_action\": null}\n";
    assert_eq!(worker.text("seen"), first);
}

#[test]
fn a_full_disk_ends_the_traces_and_not_the_walks() {
    let traced = |dir: &std::path::Path| {
        fs::create_dir(dir.join("traces")).unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.join("traces/worker-1.trace")).unwrap();
        WalkSuite { traces: Some(dir.join("traces")), ..suite(&[("A", json!([1, 2])), ("B", json!([1]))], json!({})) }
    };
    let (mut worker, answer) = Driven::begin(AB, traced, &[]);
    assert_eq!(answer, WalkReport::Ready {});
    assert_eq!(worker.run(0, Walks::Range(0, 2), None), (Vec::new(), 2, 4));
    let (end, heard, _) = worker.finish();
    let logs: Vec<_> =
        heard.iter().filter(|message| matches!(message, Message::Log { level: Level::Error, .. })).collect();
    assert_eq!(logs.len(), 1, "{heard:?}");
    // What the user wanted to have is not there: that is not passed over.
    assert_eq!(end.outcome, Outcome::Errored);
    let reason = end.reason.unwrap();
    assert!(reason.starts_with("cannot write the trace ") && reason.contains("No space left"), "{reason}");
}

#[test]
fn the_common_prefix_of_walks_runs_once_where_that_is_allowed() {
    let lua = "local function add(p, s)
  if p == 13 then error('thirteen') end
  s.sum = s.sum + p
end
walk.action { name = 'A', options = {}, pure = true, run = add }
walk.action { name = 'B', options = {}, snapshot = function(s) return s.sum end,
  restore = function(token, s) assert(token == s.sum) s.restored = (s.restored or 0) + 1 end, run = add }
walk.action { name = 'C', options = {}, run = add }";
    let twenty = |first: u64| json!((first..first + 20).collect::<Vec<u64>>());
    let order = [("A", twenty(0)), ("B", twenty(20)), ("C", twenty(40))];
    let results = |share: bool| {
        let made = |dir: &std::path::Path| WalkSuite {
            share,
            spool: Some(dir.join("spool")),
            ..suite(&order, json!({ "sum": 0 }))
        };
        let (mut worker, _) = Driven::begin(lua, made, &[]);
        let (first, _, actions) = worker.run(0, Walks::Range(0, 4010), None);
        let (second, _, more) = worker.run(0, Walks::Range(4010, 8000), None);
        let ended: Vec<_> = first
            .into_iter()
            .chain(second)
            .map(|walk| (walk.id, walk.end, walk.slot, walk.error.map(|error| error.message), walk.state))
            .collect();
        let mut states = Vec::new();
        for id in (0..8000).step_by(400) {
            states.extend(worker.states(Walks::Range(id, id + 400)));
        }
        let sums: Vec<Json> = states.iter().map(|state| state["sum"].clone()).collect();
        let restored = states.iter().filter(|state| state["restored"] == 1).count();
        (ended, sums, actions + more, restored)
    };
    let (plain_ended, plain_sums, plain_actions, _) = results(false);
    let (ended, sums, actions, restored) = results(true);
    assert_eq!((&ended.len(), ended[0].0, ended[399].0), (&400, 5200, 5599));
    let path = |ended: &mut Vec<Shown>| {
        for walk in ended {
            walk.3 = walk.3.take().and_then(|text| Some(text.split_once("suite.lua")?.1.to_owned()));
        }
    };
    let (mut plain_ended, mut ended) = (plain_ended, ended);
    path(&mut plain_ended);
    path(&mut ended);
    assert_eq!(ended, plain_ended);
    assert_eq!(sums, plain_sums);
    // 20 + 400 + 8000 but for what the one that raises in A leaves out: 20 of B and 400 of C.
    assert_eq!((plain_actions, actions), (3 * 8000 - 400 * 2, 8000));
    assert_eq!(restored, 8000 - 400 - 380);
}

#[test]
fn a_walk_is_tried_and_replayed() {
    let lua = "local function add(p, s) if p == 9 then error('nine') end table.insert(s.inner, p) end
walk.action { name = 'A', options = {}, run = add }
walk.action { name = 'A2', options = {}, run = add }
walk.serial_action { name = 'S', options = {}, run = function(p, s) add(p, s) return s end }";
    let order = [("A", json!([1, 9])), ("A2", json!([2])), ("!S", json!([0])), ("A", json!([3]))];
    let state = json!({ "inner": [] });
    let (mut worker, _) = Driven::begin(lua, |_| suite(&order, state.clone()), &["", "", "q"]);
    let mut one = |order: &WalkOrder| match worker.order(order) {
        (walks, WalkReport::Tried(walk)) if walks.is_empty() => *walk,
        other => panic!("{other:?}"),
    };
    let step = |slot, option| WalkStep { slot, option };
    let tried = one(&WalkOrder::Try { steps: vec![step(1, 0), step(0, 1), step(3, 0)] });
    assert_eq!((tried.end, tried.slot, tried.steps.len()), (WalkEnd::Failed, Some(0), 3));
    assert_eq!(tried.state, Some(json!({ "inner": [2] })));
    assert!(tried.error.unwrap().message.ends_with("suite.lua:2: nine"));
    assert_eq!(one(&WalkOrder::Try { steps: vec![step(1, 0)] }).end, WalkEnd::Passed);

    let walk = vec![json!({ "A": 1 }), json!({ "A2": 2 }), json!({ "S": 0 }), json!({ "A": 3 })];
    let replay = |step| WalkOrder::Replay { walk: walk.clone(), state: state.clone(), step };
    let whole = one(&replay(false));
    assert_eq!((whole.end, whole.state), (WalkEnd::Passed, Some(json!({ "inner": [1, 2, 0, 3] }))));
    let quit = one(&replay(true));
    assert_eq!((quit.end, quit.state), (WalkEnd::Cancelled, Some(json!({ "inner": [1, 2, 0] }))));
    let unknown = one(&WalkOrder::Replay { walk: vec![json!({ "A3": 1 })], state: Json::Null, step: false });
    assert!(unknown.error.unwrap().message.contains("the action 'A3' is not there when a worker loads"));
    let class = one(&WalkOrder::Replay {
        walk: vec![json!({ "A": { "$class": "Gone", "value": 1 } })],
        state: Json::Null,
        step: false,
    });
    assert!(class.error.unwrap().message.contains("there is no class 'Gone'"));

    let (_, heard, _) = worker.finish();
    let prompts: Vec<String> = heard
        .into_iter()
        .filter_map(|message| match message {
            Message::Prompt { text } => Some(String::from_utf8_lossy(&text.0).into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(prompts.len(), 3);
    assert_eq!(prompts[1], "2/4 A2(2)\n    state: {\"inner\":[1,2]}\nEnter goes on, q ends the replay: ");
}

const STACK: &str = "walk.machine { name = 'Stack', init = function() return { n = 0, log = {} } end, rules = {
  { name = 'push', options = { 1, 2 }, weight = 3, run = function(p, s) s.n = s.n + p table.insert(s.log, p) end },
  { name = 'pop', precondition = function(s) return s.n > 0 end, run = function(_, s) s.n = s.n - 1 table.insert(s.log, -1) end },
  { name = 'never', precondition = function() return false end, run = function() end },
}, invariants = { small = function(s) return s.n < 12 end, whole = function(s) assert(s.n // 1 == s.n) end } }";

fn stack(seed: u64) -> WalkSuite {
    let order = [("push", json!([1, 2])), ("pop", json!([1])), ("never", json!([1]))];
    WalkSuite {
        machine: Some(WalkMachine { name: "Stack".to_owned(), seed, max_steps: 30 }),
        ..suite(&order, Json::Null)
    }
}

#[test]
fn walks_over_a_machine_follow_from_seed_and_id() {
    let failed = |seed: u64, walks: Walks| {
        let mut worker = Driven::new(STACK, stack(seed));
        let (ended, ran, _) = worker.run(0, walks, None);
        (ended.into_iter().map(|walk| (walk.id, walk.steps, walk.error, walk.state)).collect::<Vec<_>>(), ran, worker)
    };
    let (all, ran, mut worker) = failed(7, Walks::Range(0, 60));
    assert!(ran == 60 && all.len() > 5, "{ran} {}", all.len());
    let (again, _, _) = failed(7, Walks::List(vec![all[3].0, all[1].0]));
    let without_place =
        |walk: &(u64, Vec<WalkStep>, Option<RaisedError>, Option<Json>)| (walk.0, walk.1.clone(), walk.3.clone());
    assert_eq!(again.iter().map(without_place).collect::<Vec<_>>(), [&all[3], &all[1]].map(without_place));
    assert_ne!(
        failed(8, Walks::Range(0, 60)).0.iter().map(without_place).collect::<Vec<_>>(),
        all.iter().map(without_place).collect::<Vec<_>>()
    );
    for (id, steps, error, state) in &all {
        let error = error.as_ref().unwrap();
        let last = if steps.last().unwrap().option == 0 { "push(1)" } else { "push(2)" };
        let expected = format!("invariant 'small' does not hold after step {}, {last}", steps.len());
        assert_eq!((error.kind.as_str(), error.message.as_str()), ("invariant", expected.as_str()), "{id}");
        assert_eq!(state.as_ref().unwrap()["log"].as_array().unwrap().len(), steps.len());
    }
    // The steps of a walk do the same again; one whose precondition does not hold is passed over.
    let mut steps = all[0].1.clone();
    steps.insert(0, WalkStep { slot: 1, option: 0 });
    let (_, WalkReport::Tried(tried)) = worker.order(&WalkOrder::Try { steps }) else { panic!() };
    assert_eq!((tried.steps.clone(), tried.state.clone()), (all[0].1.clone(), all[0].3.clone()));
    let walk = vec![json!({ "push": 2 }), json!({ "pop": 1 })];
    let (_, WalkReport::Tried(tried)) = worker.order(&WalkOrder::Replay { walk, state: Json::Null, step: false })
    else {
        panic!()
    };
    assert_eq!((tried.end, tried.state.unwrap()["n"].clone()), (WalkEnd::Passed, json!(1)));
    let (end, heard, _) = worker.finish();
    assert_eq!(end.outcome, Outcome::Failed);
    let warned = heard.iter().any(|message| match message {
        Message::Log { level: Level::Warning, text, .. } => {
            String::from_utf8_lossy(&text.0).starts_with("rule 'never' never ran in this worker")
        }
        _ => false,
    });
    assert!(warned, "{heard:?}");
}

#[test]
fn a_suite_that_cannot_be_loaded_is_refused_and_says_why() {
    let order = || suite(&[("A", json!([1]))], json!({}));
    let cases = [
        ("local x = = 1", "unexpected symbol"),
        ("error('at load')", "suite.lua:2: at load"),
        ("os.exit(3)", "os.exit(3) was called"),
        ("walk.action { name = 'B', options = { 1 }, run = print }", "the action 'A' is not there when a worker loads"),
        ("walk.run_tests { order = {} }", "run_tests was called outside of a jobfile"),
        (
            "walk.action { name = 'A', optoins = { 1 }, run = print }",
            "walk.action 'A' has no key 'optoins'; did you mean 'options'?",
        ),
    ];
    for (lua, expected) in cases {
        let (worker, answer) = Driven::begin(lua, |_| order(), &[]);
        let WalkReport::Refused { error } = answer else { panic!("{lua}: {answer:?}") };
        assert!(error.message.contains(expected), "{lua}: {error:?}");
        assert_eq!(worker.thread.join().unwrap().0.outcome, Outcome::Errored, "{lua}");
    }
}

#[test]
fn a_jobfile_that_also_uses_jobs_is_loaded_without_main() {
    let lua = "local job = require 'rille.job'
local log = require 'rille.log'
walk.action { name = 'A', options = { 1 }, run = function(p) log:info('in it') if p == 2 then job.run {} end end }
function main(runtime) error('main ran') end";
    let mut worker = Driven::new(lua, suite(&[("A", json!([1, 2]))], Json::Null));
    let (ended, _, _) = worker.run(0, Walks::Range(0, 2), None);
    assert!(ended[0].error.as_ref().unwrap().message.contains("job.run was called in a worker of walks"), "{ended:?}");
    let (_, heard, _) = worker.finish();
    let logs: Vec<String> = heard
        .iter()
        .filter_map(|message| match message {
            Message::Log { text, .. } => Some(String::from_utf8_lossy(&text.0).into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(logs, ["walk 0: in it", "walk 1: in it"]);
}

#[test]
fn every_walk_is_reported_where_that_is_wanted_and_skipped_ones_are_not_run() {
    let all =
        WalkSuite { reports_all: true, ..suite(&[("A", json!([1, 2, 3])), ("B", json!([0, "raise"]))], json!({})) };
    let mut worker = Driven::new(AB, all);
    let (ended, answer) =
        worker.order(&WalkOrder::Run { stage: 0, walks: Walks::Range(0, 6), skip: vec![1, 4], update: None });
    let ends: Vec<(u64, WalkEnd)> = ended.iter().map(|walk| (walk.id, walk.end)).collect();
    let passed = WalkEnd::Passed;
    assert_eq!(ends, [(0, passed), (2, passed), (3, WalkEnd::Failed), (5, WalkEnd::Failed)]);
    assert!(matches!(answer, WalkReport::Done { ran: 4, actions: 8, .. }));
    let page = fs::read(worker.path("page")).unwrap();
    let word = |number: usize| u64::from_ne_bytes(page[number * 8..][..8].try_into().unwrap());
    assert_eq!((word(0), word(1), word(2)), (0, 4, 8));
}

#[test]
fn long_orders_and_states_that_no_constructor_makes_work_as_well() {
    let mut lua = String::new();
    let mut order = Vec::new();
    let names: Vec<String> = (0..45).map(|number| format!("N{number}")).collect();
    for name in &names {
        lua.extend(["walk.action { name = '", name, "', options = {}, run = function(p, s) s.n = s.n + p end }\n"]);
    }
    for (number, name) in names.iter().enumerate() {
        order.push((name.as_str(), if number % 20 == 0 { json!([0, 1, 2]) } else { json!([0]) }));
    }
    let big: Vec<u32> = (0..500).collect();
    let state = json!({ "n": 0, "big": big });
    let (mut worker, _) =
        Driven::begin(&lua, |dir| WalkSuite { spool: Some(dir.join("spool")), ..suite(&order, state) }, &[]);
    let (ended, ran, actions) = worker.run(0, Walks::Range(0, 27), None);
    assert_eq!((ended.len(), ran, actions), (0, 27, 27 * 45));
    let sums: Vec<u64> = worker.states(Walks::Range(0, 27)).iter().map(|state| state["n"].as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..27).map(|id| id / 9 + id / 3 % 3 + id % 3).collect();
    assert_eq!(sums, expected);
}
