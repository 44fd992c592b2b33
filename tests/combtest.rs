//! The cases of py-combtest that are about whole runs, by their numbers in the reference; most others stand in `walks` and
//! `walk_worker`.

use crate::harness::{Ended, Project};

/// Actions that write a line to the file `order` for each thing that begins or ends; lines of different processes do not mix.
const ACTIONS: &str = r#"local walk = require "rille.walk"
local function note(runtime, text)
  local file = assert(io.open(runtime.directory .. "/order", "a"))
  file:setvbuf("full")
  file:write(text, "\n")
  file:close()
end
local function A(name, options, run) return walk.action { name = name, options = options, run = run or function() end } end
local function S(name, options) return walk.serial_action { name = name, options = options, run = function(p) note(runtime, name .. tostring(p)) end } end
local function noted(name, options)
  return A(name, options, function(p, state)
    note(runtime, "begin " .. name)
    state[name] = p
    note(runtime, "end " .. name)
  end)
end
"#;

fn run(definitions: &str, body: &str, args: &[&str]) -> Ended {
    let text = format!("{ACTIONS}{definitions}\nfunction main()\n{body}\nend\n");
    Project::new().file("job.lua", text).job(args)
}

/// Returns what actions noted, in its order.
fn order(ended: &Ended) -> Vec<String> {
    let text = ended.the_run().text("order");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn case_2_the_walks_of_the_seed_leave_every_combination_once() {
    let definitions =
        "local a = A('a', {1,2,3}, function(p, s) s.A = p end)\nlocal b = A('b', {1,2,3}, function(p, s) s.B = p end)";
    let body = "local r = walk.run_tests { order = { a, b }, state = {}, gather_states = true }
      print(r.walk_count, r.error_count, r.segment_count)
      for id = 0, 8 do io.write(r.states[id].A, r.states[id].B, ' ') end";
    run(definitions, body, &["-q"]).code(0).stdout("9\t0\t9\n11 12 13 21 22 23 31 32 33 ");
}

#[test]
fn case_3_several_workers_share_the_walks_and_each_runs_once() {
    // The original deals walks out in turn; here workers take ranges, so that a fast walk needs no message of its own.
    let definitions =
        "local a = A('a', {1,2,3}, function(p, s) s.A = p end)\nlocal b = A('b', {1,2,3}, function(p, s) s.B = p end)";
    let body = "local r = walk.run_tests { order = { a, b }, state = {}, workers = 3, gather_states = true }
      print(r.walk_count, r.action_count, #r.states)";
    let ended = run(definitions, body, &["-q"]);
    ended.code(0).stdout("9\t18\t9\n");
    assert_eq!(ended.the_run().results()["walks"][0]["workers"], 3);
}

#[test]
fn case_8_all_972_walks_of_a_deep_tree_are_different() {
    let definitions = "local order, names = {}, { 'a', 'b', 'S', 'c', 'd', 'T', 'e' }
      for i, name in ipairs(names) do
        if name == 'S' or name == 'T' then
          order[i] = walk.serial_action { name = name, options = {1,2}, run = function(p) return { [name] = p } end }
        else
          order[i] = A(name, {1,2,3}, function(p, s) s[name] = p end)
        end
      end";
    let body = "local r = walk.run_tests { order = order, state = {}, gather_states = true }
      local seen, count = {}, 0
      for id = 0, 971 do
        local key = ''
        for _, name in ipairs(names) do key = key .. r.states[id][name] end
        if not seen[key] then seen[key], count = true, count + 1 end
      end
      print(r.walk_count, r.segment_count, count)";
    run(definitions, body, &["-q"]).code(0).stdout("972\t2916\t972\n");
}

#[test]
fn case_12_no_walk_of_one_serial_option_overlaps_the_next_option() {
    let ended = run(
        "local a, s, b = A('a', {0,1}), S('S', {'on','off'}), noted('b', {'x','y','z'})",
        "walk.run_tests { order = { a, s, b }, state = {}, workers = 3 }",
        &["-q"],
    );
    ended.code(0);
    let order = order(&ended);
    let at = |text: &str| order.iter().position(|line| line == text).unwrap_or(usize::MAX);
    assert_eq!((at("Son"), at("Soff"), order.len()), (0, 13, 26), "{order:?}");
}

#[test]
fn case_13_a_serial_option_is_in_force_until_its_last_walk_has_ended() {
    // Each option of the first runs once, each of the second once under each of those.
    let ended = run(
        "local s, c, t, d = S('S', {'on','off'}), noted('c', {1,2}), S('T', {'p','q','r'}), noted('d', {1,2})",
        "local r = walk.run_tests { order = { s, c, t, d }, state = {}, workers = 2 }\nprint(r.walk_count, r.error_count)",
        &["-q"],
    );
    ended.code(0).stdout("24\t0\n");
    let serial: Vec<String> = order(&ended).into_iter().filter(|line| !line.contains(' ')).collect();
    assert_eq!(serial, ["Son", "Tp", "Tq", "Tr", "Soff", "Tp", "Tq", "Tr"]);
}

#[test]
fn case_31_verbosity_says_more_by_steps_and_every_logged_line_once() {
    let definitions = "local log = require 'rille.log'\nlocal options = {}\nfor i = 1, 20 do options[i] = i end
      local a = A('a', options, function(p) log:error('trouble ' .. p .. '!') end)\nlocal s = S('S', {1})";
    let body = |verbose: u8| {
        format!("walk.run_tests {{ order = {{ a, s }}, state = {{}}, verbose = {verbose}, workers = 3 }}")
    };
    let silent = run(definitions, &body(0), &[]);
    silent.code(0).stderr_has("Ran 20 walks (0 errors) in ").stderr_lacks("Stage");
    let stages = run(definitions, &body(1), &[]);
    stages
        .code(0)
        .stderr_has("Stage 1 of 20 walks")
        .stderr_has("Stage 2 of 20 walks after S(1)")
        .stderr_lacks("worker 1:");
    let all = run(definitions, &body(2), &[]);
    all.code(0).stderr_has("S(1) took ");
    for ended in [&silent, &all] {
        for number in 1..=20 {
            let text = format!("trouble {number}!");
            let tasks = std::fs::read_dir(ended.the_run().path().join("tasks")).expect("tasks ran");
            let told = tasks.map(|task| std::fs::read_to_string(task.expect("it is listed").path().join("task.log")));
            let times: usize = told.map(|log| log.unwrap_or_default().matches(&text).count()).sum();
            assert_eq!(times, 1, "{text} in the logs of the workers");
        }
    }
}
