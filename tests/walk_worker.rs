//! Walks in workers, seen from a jobfile: what fails, what is cancelled, what states and classes become.

use serde_json::Value;

use crate::harness::{Ended, Project};

/// Runs a jobfile that defines actions and runs walks. The call's results are `r`; the body comes after it.
fn walks(definitions: &str, call: &str, body: &str) -> Ended {
    project(definitions, call, body).job(&[])
}

fn project(definitions: &str, call: &str, body: &str) -> Project {
    let text = format!(
        "local walk = require 'rille.walk'\nlocal log = require 'rille.log'\n\
         local function A(name, options, run) return walk.action {{ name = name, options = options, run = run or function() end }} end\n\
         local function S(name, options, run) return walk.serial_action {{ name = name, options = options, run = run or function() end }} end\n\
         local function list(t) return table.concat(t, ' ') end\n\
         local function counts(r) return r.walk_count .. ' walks, ' .. r.error_count .. ' errors, ' .. r.segment_count .. ' segments' end\n\
         {definitions}\nfunction main()\nlocal r = walk.run_tests {call}\n{body}\nend\n"
    );
    Project::new().file("job.lua", text)
}

/// Returns what all workers printed.
fn printed(ended: &Ended) -> String {
    of_tasks(ended, "stdout")
}

/// Returns what the files of this name in the folders of the workers hold.
fn of_tasks(ended: &Ended, name: &str) -> String {
    let folders = std::fs::read_dir(ended.the_run().path().join("tasks")).expect("tasks ran");
    let read = |folder: std::fs::DirEntry| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    folders.map(|folder| read(folder.expect("it is listed"))).collect()
}

#[test]
fn a_failing_action_ends_its_walk_alone() {
    let definitions = "local X = A('X', { 0, 1 })
local F = A('F', { 0, 1, 2, 3 }, function(p) if p == 2 then error('two is bad') end end)
local After = A('After', { 7 }, function() io.write('after ') end)";
    let ended = walks(definitions, "{ order = { X, F, After } }", "print(counts(r), list(r.failed_tests))");
    ended.code(1).stdout_has("8 walks, 2 errors, 8 segments\t2 6\n");
    assert_eq!(printed(&ended).matches("after ").count(), 6, "{ended}");
}

#[test]
fn walks_that_failed_before_a_serial_action_go_no_further() {
    let definitions = "local F = A('F', { 0, 1, 2, 3 }, function(p) if p == 2 then error('two is bad') end end)
local T = S('T', { 't' })\nlocal X = A('X', { 0, 1 })";
    let ended = walks(definitions, "{ order = { F, T, X } }", "print(counts(r), list(r.failed_tests))");
    ended.code(1).stdout_has("8 walks, 2 errors, 14 segments\t2 6\n");
}

#[test]
fn as_many_walks_fail_as_raise_on_one_worker() {
    let definitions = "local odd = {}
for i = 0, 11 do odd[i + 1] = i end
local F = A('F', odd, function(p) if p % 2 == 1 then error({ code = p }) end end)";
    let ended = walks(definitions, "{ order = { F }, workers = 1 }", "print(counts(r), list(r.failed_tests))");
    ended.code(1).stdout_has("12 walks, 6 errors, 12 segments\t1 3 5 7 9 11\n");
}

#[test]
fn a_cancelled_walk_is_no_error_and_goes_no_further() {
    let definitions = "local C = A('C', { 0, 1, 2 }, function(p) if p == 1 then walk.cancel('no device') end end)
local B = A('B', { 7, 8 }, function() io.write('B ') end)
local T = S('T', { 1 })\nlocal D = A('D', { 1 }, function(_, s) if s then s.d = true end io.write('D ') end)";
    let ended = walks(definitions, "{ order = { C, B } }", "print(counts(r), list(r.cancelled_tests))");
    ended.code(0).stdout_has("6 walks, 0 errors, 6 segments\t2 3\n");
    assert_eq!(printed(&ended).matches("B ").count(), 4, "{ended}");
    // Nor behind a barrier; and nothing is added to its state.
    let show = "print(counts(r), list(r.cancelled_tests))
for id = 0, 2 do
  local keys = {}
  for key, value in pairs(r.states[id]) do keys[#keys + 1] = key .. '=' .. tostring(value) end
  table.sort(keys)
  print(id, list(keys))
end";
    let ended = walks(definitions, "{ order = { C, T, D }, state = { k = 1 }, gather_states = true }", show);
    ended.code(0).stdout_has("3 walks, 0 errors, 5 segments\t1\n0\td=true k=1\n1\tk=1\n2\td=true k=1\n");
}

#[test]
fn a_serial_action_changes_what_it_returns_and_nothing_else() {
    let definitions = "local Inc = A('Inc', { 1, 10 }, function(p, s) s.n = s.n + p end)
local T = S('T', { 5 }, function(p, s) s.n = 1000 s.cfg = 'mutated' return { cfg = p, deep = { p } } end)
local Inc2 = A('Inc2', { 1, 10 }, function(p, s) s.n = s.n + p s.deep[#s.deep + 1] = p end)";
    let show =
        "for id = 0, 3 do print(id, r.states[id].n, r.states[id].cfg, list(r.states[id].deep)) end print(#r.states)";
    let ended = walks(definitions, "{ order = { Inc, T, Inc2 }, state = { n = 0 }, gather_states = true }", show);
    ended.code(0).stdout_has("0\t2\t5\t5 1\n1\t11\t5\t5 1\n2\t11\t5\t5 10\n3\t20\t5\t5 10\n4\n");
}

#[test]
fn each_walk_has_one_state() {
    let definitions = "local function count(p, s) s.n = (s.n or 0) + 1 end
local X, Y, Z = A('X', { 1, 2 }, count), S('Y', { 1, 2 }), A('Z', { 1, 2, 3 }, count)
local many = {} for i = 1, 22 do many[i] = i end
local M = A('M', many, count)";
    let show = "local sum = 0 for id, s in pairs(r.states) do assert(id >= 0 and id < r.walk_count) sum = sum + s.n end
print(r.walk_count, #r.states, sum)";
    for (order, expected) in
        [("X, X, X", "8\t8\t24\n"), ("X, Y, Z", "12\t12\t24\n"), ("M, M, M", "10648\t10648\t31944\n")]
    {
        let ended =
            walks(definitions, &format!("{{ order = {{ {order} }}, state = {{}}, gather_states = true }}"), show);
        ended.code(0).stdout_has(expected);
    }
}

#[test]
fn objects_of_classes_cross_processes() {
    let definitions = "local Obj
Obj = walk.class { name = 'Obj', to_json = function(o) return { o.a, o.b } end,
  from_json = function(v) return setmetatable({ a = v[1], b = v[2] }, Obj) end }
function Obj:text() return type(self.b) == 'table' and self.a .. '(' .. self.b:text() .. ')' or self.a .. self.b end
local function obj(a, b) return setmetatable({ a = a, b = b }, Obj) end
local X = A('X', { obj(1, obj(2, 'z')), obj(3, 'y') }, function(p, s) s.seen = p:text() s.kept = obj(9, p) s.empty.x = {} end)";
    let show = "for id = 0, 1 do print(r.states[id].seen, r.states[id].kept:text(), next(r.states[id].empty.x)) end";
    let ended =
        walks(definitions, "{ order = { X }, state = { empty = {}, o = obj(0, 'o') }, gather_states = true }", show);
    ended.code(0).stdout_has("1(2z)\t9(1(2z))\tnil\n3y\t9(3y)\tnil\n");
}

#[test]
fn what_walks_print_and_log_arrives_once() {
    let definitions = "local numbers = {} for i = 1, 20 do numbers[i] = i end
local X = A('X', numbers, function(p) print('printed ' .. p .. '.') log:error('logged ' .. p .. '.') end)";
    let ended = walks(definitions, "{ order = { X }, workers = 3 }", "print(counts(r))");
    ended.code(0).stdout_has("20 walks, 0 errors");
    let (printed, logs) = (printed(&ended), of_tasks(&ended, "task.log"));
    for number in 1..=20 {
        let line = format!("printed {number}.");
        assert_eq!(printed.matches(&line).count(), 1, "{ended}");
        assert_eq!(ended.err().matches(&line).count(), 1, "{ended}");
        let logged = format!("walk {}: logged {number}.", number - 1);
        assert_eq!(logs.matches(&logged).count(), 1, "{logged}\n{logs}");
    }
}

#[test]
fn an_action_that_leaves_or_never_returns_fails_its_walk_alone() {
    let definitions = "local X = A('X', { 'fine', 'exit', 'turn', 'last' }, function(p)
  if p == 'exit' then os.exit(0) end
  if p == 'turn' then while true do end end
end)";
    let ended = walks(
        definitions,
        "{ order = { X }, max_walk_runtime = 0.1, workers = 1 }",
        "print(counts(r), list(r.failed_tests))",
    );
    ended.code(1).stdout_has("4 walks, 2 errors, 4 segments\t1 2\n");
}

#[test]
fn a_worker_that_dies_loses_one_walk() {
    let definitions = "local X = A('X', { 'die', 'live' }, function(p)
  if p == 'die' then os.execute('kill -9 $PPID') end
end)";
    let ended = walks(definitions, "{ order = { X } }", "print(counts(r), list(r.failed_tests))");
    ended.code(1).stdout_has("2 walks, 1 errors, 2 segments\t0\n");
    assert!(ended.err().contains("SIGKILL"), "{ended}");
}

#[test]
fn prefixes_are_shared_where_actions_allow_it() {
    let definitions = "local twenty = {} for i = 1, 20 do twenty[i] = i end
local function add(p, s) s.sum = s.sum * 20 + p end
local X = walk.action { name = 'X', options = twenty, pure = true, run = add }
local Y = walk.action { name = 'Y', options = twenty, pure = true, run = add }
local Z = A('Z', twenty, add)";
    let show = "local sum = 0 for _, s in pairs(r.states) do sum = (sum * 31 + s.sum) % 1000003 end
local digest = 0 for id = 0, 7999 do digest = (digest * 31 + r.states[id].sum) % 1000003 end
print(counts(r), digest, r.action_count)";
    let run = |share: bool| {
        let call = format!(
            "{{ order = {{ X, Y, Z }}, state = {{ sum = 0 }}, share = {share}, gather_states = true, workers = 1 }}"
        );
        let ended = walks(definitions, &call, show);
        ended.code(0);
        let out = ended.out();
        let line = out.lines().last().unwrap().to_owned();
        let (rest, actions) = line.rsplit_once('\t').unwrap();
        (rest.to_owned(), actions.parse::<u64>().unwrap())
    };
    let ((plain, all), (shared, fewer)) = (run(false), run(true));
    assert_eq!(plain, shared);
    assert_eq!((all, fewer), (24_000, 8_420));
}

#[test]
fn random_walks_over_a_machine_name_the_invariant_that_broke() {
    let definitions = "local M = walk.machine { name = 'Stack', init = function() return { n = 0 } end, rules = {
  { name = 'push', options = { 1, 2 }, weight = 3, run = function(p, s) s.n = s.n + p end },
  { name = 'pop', precondition = function(s) return s.n > 0 end, run = function(_, s) s.n = s.n - 1 end },
  { name = 'never', precondition = function() return false end, run = function() end },
}, invariants = { small = function(s) return s.n < 12 end } }";
    let call = "{ machine = M, sample = 40, seed = 7, max_steps = 30, workers = 2 }";
    let first = walks(definitions, call, "print(counts(r), r.seed, list(r.failed_tests))");
    first.code(1).stdout_has("40 walks, ");
    let failed = first.the_run().text("walks-1/failed.trace");
    assert!(failed.contains("invariant 'small' does not hold after step "), "{failed}");
    let again = walks(
        definitions,
        &call.replace("workers = 2", "workers = 1"),
        "print(counts(r), r.seed, list(r.failed_tests))",
    );
    assert_eq!(first.out(), again.out());
}

/// A mistake in a definition or a call, and what is said.
#[test]
fn mistakes_are_told_before_anything_runs() {
    let cases = [
        ("", "{ order = {} }", "the order is empty; name the actions of the walks"),
        ("local X = A('X', {})", "{ order = { X } }", "action 'X' (job.lua:7) has no options; give it one at least"),
        ("local X = A('X')", "{ order = { X } }", "walk.action 'X' has no options; give it one"),
        (
            "local X = A('X', { 1, nil, 3 })",
            "{ order = { X } }",
            "its options: item 2 is missing (nil), and others follow; a list has no holes",
        ),
        (
            "local X = A('X', { 1 })",
            "{ order = { X(1) } }",
            "order[1] is X(1), one option of an action; write the action itself: X",
        ),
        ("local X = A('X', { 1 })", "{ ordr = { X } }", "run_tests needs order = { … }, a list of actions, not nil"),
        (
            "local X = A('X', { 1 })",
            "{ order = { X }, worker = 2 }",
            "run_tests has no option 'worker'; did you mean 'workers'?",
        ),
        (
            "local X = A('X', { 1, { a = { print } } })",
            "{ order = { X } }",
            "option 2 of action 'X'.a[1] is a function, which cannot be handed",
        ),
        (
            "local X = A('X', function() error('no list') end)",
            "{ order = { X } }",
            "the generator of its options raised: job.lua:7: no list",
        ),
        (
            "local X = A('X', function() return function() error('later') end end)",
            "{ order = { X } }",
            "the generator of its options raised: job.lua:7: later",
        ),
        (
            "local X = A('X', function() return function() return 1 end end)",
            "{ order = { X } }",
            "has more than 1000000 options; does its generator end?",
        ),
        (
            "local function late() local made = walk.action { name = 'Late', options = { 1 }, run = print } return made end",
            "{ order = { late() } }",
            "action 'Late' is defined at job.lua:7 inside a function that ran after the file was loaded",
        ),
        (
            "local X, Y = A('X', { 1 }), A('X', { 2 })",
            "{ order = { X } }",
            "there are two actions named 'X': job.lua:7 and job.lua:7",
        ),
        (
            "local X = A('X', { 1 })",
            "{ order = { X }, state = { f = print } }",
            "the state.f is a function, which cannot be handed",
        ),
        ("local X = walk.acton { }", "{ order = { X } }", "rille.walk has no 'acton'; did you mean 'action'?"),
        (
            "local X = A('X', { 1 }) walk.run_tests { order = { X } }",
            "{ order = { X } }",
            "run_tests was called while the file is loading; move it into main()",
        ),
    ];
    for (definitions, call, expected) in cases {
        let ended = walks(definitions, call, "");
        assert!(ended.exit_code() != Some(0) && ended.err().contains(expected), "{definitions}: {expected}\n{ended}");
    }
}

#[test]
fn generators_of_every_shape_give_options() {
    let definitions =
        "local X = A('X', function() return coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) end)
local Y = A('Y', function() return { 'a', 'b' } end)
local Z = A('Z', function() return ipairs { 'x', 'y' } end)
local seen = A('Seen', { false }, function(p, s) s.seen = p end)";
    let ended = walks(
        definitions,
        "{ order = { X, Y, Z, seen }, state = {}, gather_states = true }",
        "print(counts(r), r.states[11].seen)",
    );
    ended.code(0).stdout_has("12 walks, 0 errors, 12 segments\tfalse\n");
}

#[test]
fn traces_hold_every_walk_with_its_outcome() {
    let definitions = "local X = A('X', { 0, 1 })
local F = A('F', { 0, 1, 2, 3 }, function(p) if p == 2 then error('two is bad') end end)";
    let project = project(definitions, "{ order = { X, F }, log_dir = 'traces', workers = 2 }", "print(counts(r))");
    project.job(&[]).code(1).stdout_has("8 walks, 2 errors");
    let (mut ids, mut outcomes) = (Vec::new(), Vec::new());
    let mut folders = vec![project.path("traces")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                if line.get("walk").is_some() {
                    ids.push(line["walk_id"].as_u64().unwrap());
                    assert_eq!(line["walk"].as_array().unwrap().len(), 2, "{line}");
                }
                if let Some(outcome) = line["outcome"].as_str() {
                    outcomes.push((line["walk_id"].as_u64().unwrap(), outcome.to_owned()));
                }
            }
        }
    }
    ids.sort_unstable();
    outcomes.sort_unstable();
    assert_eq!(ids, (0..8).collect::<Vec<_>>());
    let failed: Vec<u64> = outcomes.iter().filter(|(_, outcome)| outcome == "failed").map(|(id, _)| *id).collect();
    assert_eq!((outcomes.len(), failed), (8, vec![2, 6]));
}

#[test]
fn a_walk_of_a_trace_is_replayed_and_no_other() {
    let definitions = "local X = A('X', { 0, 1 }, function(p, s) print('X' .. p) s.x = p end)
local F = A('F', { 0, 1, 2, 3 }, function(p) print('F' .. p) if p == 2 then error('two is bad') end end)";
    let body = "print(select(2, pcall(walk.replay, r.logs, 6)))
local state, outcome = walk.replay(r.logs, 5)
print(outcome, state.x)
print(select(2, pcall(walk.replay, r.logs, 99)))
print(select(2, pcall(walk.replay, 'nowhere.trace', 1)))";
    let project = project(definitions, "{ order = { X, F }, state = {}, log_dir = 'traces', workers = 2 }", body);
    let ended = project.job(&[]);
    ended.code(1).stdout_has("the walk failed: ").stdout_has("two is bad").stdout_has("passed\t1\n");
    ended.stdout_has("cannot find walk with id 99 in ").stdout_has("cannot read the trace nowhere.trace: No such file");
    // 8 walks, and the two of them again.
    assert_eq!(printed(&ended).matches("F2\n").count(), 3, "{ended}");
    assert_eq!(printed(&ended).lines().count(), 20, "{ended}");
}

#[test]
fn a_walk_that_is_written_down_is_replayed() {
    let definitions = "local function add(p, s) if p == 9 then walk.cancel() end table.insert(s.inner, p) end
local X, Y = A('X', { 1 }, add), A('Y', { 2 }, add)
local T = S('T', { 0 }, function(p, s) add(p, s) return s end)";
    let body = "local state, outcome = walk.replay_walk({ X(1), Y(2), T(0), X(3) }, { state = { inner = {} } })
print(outcome, list(state.inner))
print(select(2, walk.replay_walk({ X(9) }, { state = { inner = {} } })))
print(select(2, pcall(walk.replay_walk, { X(9) }, { stat = {} })))";
    let ended = walks(definitions, "{ order = { X }, state = { inner = {} } }", body);
    ended
        .code(0)
        .stdout_has("passed\t1 2 0 3\ncancelled\n")
        .stdout_has("replay_walk has no option 'stat'; did you mean 'state'?");
}
