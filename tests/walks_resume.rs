//! Walks whose host is killed again and again end as if nobody had disturbed them.

use std::fs;
use std::time::{Duration, Instant};

use crate::harness::{DEADLINE, Project, until};

/// How long rounds are begun, where nobody says how many there are to be (`RILLE_TEST_KILLS`).
const PERIOD: Duration = Duration::from_secs(20);

/// The most rounds.
const ROUNDS: u64 = 100;

/// Three stages of walks that need what each before has written; some fail in each. What they wrote is printed in the end.
const SUITE: &str = r#"
local walk = require "rille.walk"
local function spend() local till = os.clock() + 0.0005 repeat until os.clock() > till end
local A = walk.action { name = "A", options = { 1, 2, 3, 4, 5, 6, 7, 8 }, run = function(p, s) spend() s.a = p; s.log[1] = "A" .. p; if p == 5 then error("five") end end }
local S = walk.serial_action { name = "S", options = { "on", "off" }, run = function(p) return { s = p } end }
local B = walk.action { name = "B", options = { 1, 2, 3 }, run = function(p, s)
  spend()
  assert(#s.log == 1 and s.a and s.s, "B: the state is not that of the stage before")
  s.log[2] = "B" .. p .. s.s
  if s.a == 3 and p == 2 then error("three and two") end
  if s.a == 7 and p == 1 then walk.cancel("seven") end
end }
local T = walk.serial_action { name = "T", options = { "t" }, run = function(p, s) return { t = p .. s.s } end }
local C = walk.action { name = "C", options = { 1, 2 }, run = function(p, s)
  spend()
  assert(#s.log == 2 and s.t == "t" .. s.s, "C: the state is not that of the stage before")
  s.log[3] = "C" .. p .. s.t
  if s.a == 1 and p == 2 then error("one and two") end
end }
function main()
  local r = walk.run_tests { order = { A, S, B, T, C }, state = { log = {} }, workers = 2, verbose = 0, gather_states = true }
  local ids = {}
  for id in pairs(r.states) do ids[#ids + 1] = id end
  table.sort(ids)
  print(r.walk_count, r.error_count, r.segment_count, #ids, table.concat(r.failed_tests, " "), table.concat(r.cancelled_tests, " "))
  for _, id in ipairs(ids) do print(id, table.concat(r.states[id].log, " "), r.states[id].t) end
end
"#;

#[test]
fn walks_end_as_if_nobody_had_killed_their_host() {
    let undisturbed = Project::new().file("job.lua", SUITE);
    let expected = undisturbed.run(&["run", "job.lua", "-q"]).code(1).out();
    assert_eq!(expected.lines().count(), 97, "{expected}");
    let wanted = std::env::var("RILLE_TEST_KILLS").ok().map(|kills| kills.parse().expect("a number of rounds"));
    let begun = Instant::now();
    let mut kills = 0;
    for round in 0..wanted.unwrap_or(ROUNDS) {
        if wanted.is_none() && begun.elapsed() > PERIOD {
            eprintln!("{round} of {ROUNDS} rounds; RILLE_TEST_KILLS={ROUNDS} runs them all");
            break;
        }
        kills += killed(round, &expected);
    }
    assert!(kills > 0, "no host was killed while it ran");
}

/// Kills the host one to four times, at moments that the round decides. Returns how often it was still at work.
fn killed(round: u64, expected: &str) -> u32 {
    let project = Project::new().file("job.lua", SUITE);
    let folder = project.path("run");
    let path = folder.to_str().expect("a text");
    let log = folder.join(".guild/events.jsonl");
    let length = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let mut kills = 0;
    let mut state = round.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut args = vec!["run", "job.lua", "-q", "--run-dir", path];
    for _ in 0..=draw(4) {
        let bytes = length() + draw(24_000);
        let running = project.start(&args);
        until("the next moment to die", DEADLINE, || (running.has_ended() || length() >= bytes).then_some(()));
        running.kill_host();
        let ended = running.wait();
        if ended.exit_code() == Some(1) {
            assert_eq!(ended.out(), expected, "round {round} after {kills} kills: {ended}");
            return kills;
        }
        if log.exists() {
            args = vec!["run", "-q", "--resume", path];
        }
        kills += 1;
    }
    let ended = project.run(&args);
    assert_eq!(ended.out(), expected, "round {round} after {kills} kills: {ended}");
    ended.code(1);
    kills
}
