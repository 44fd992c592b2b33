//! Walks: how many a second, beside a bare Lua loop and beside py-combtest; their memory; a small suite as a whole.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::bare;
use super::figure::{Figure, Pairs, median};
use super::session::{Session, Site, children, wait};

/// A jobfile that is told, line by line, which walks to run. `bare` is the loop that a user would write without walks: it
/// calls the same functions on copies of the state.
const JOBFILE: &str = r#"
local walk = require "rille.walk"

local function numbers(count)
  local list = {}
  for i = 1, count do list[i] = i end
  return list
end
local function add(param, state) state.sum = state.sum + param end
local function both(param, state) state.last, state.sum = param, state.sum + 1 end
local function check(param, state) if state.sum + param < 0 then error("the sum is wrong") end end

local function order(name, a, b, c)
  return {
    walk.action { name = "Add" .. name, options = numbers(a), run = add },
    walk.action { name = "Both" .. name, options = numbers(b), run = both },
    walk.action { name = "Check" .. name, options = numbers(c), run = check },
  }
end
local large = order("Large", 100, 80, 100)
local huge = order("Huge", 250, 200, 200)
local start = { sum = 0, last = 0 }

local function run(options)
  options.state = start
  options.verbose = 0
  local results = walk.run_tests(options)
  assert(results.error_count == 0, "a walk failed")
end

local work = {}
function work.bare()
  for a = 1, 100 do
    for b = 1, 80 do
      for c = 1, 100 do
        local state = {}
        for key, value in pairs(start) do state[key] = value end
        add(a, state)
        both(b, state)
        check(c, state)
      end
    end
  end
end
function work.one() run { order = large, workers = 1 } end
function work.all() run { order = large } end
function work.durable(_, runtime) run { order = large, log_dir = runtime.directory } end
function work.huge() run { order = huge } end

function main(runtime)
  for line in io.lines() do
    local name, count = line:match("^(%a+) (%d+)$")
    work[name](count, runtime)
    print("done")
  end
end
"#;

/// A suite of 20 x 20 x 20 walks, as a file for `rille walk`.
const SMALL: &str = r#"
local walk = require "rille.walk"
local options = {}
for i = 1, 20 do options[i] = i end
local function action(name)
  return walk.action { name = name, options = options, run = function(param, state) state.sum = state.sum + param end }
end
return { order = { action "A", action "B", action "C" }, state = { sum = 0 } }
"#;

/// Walks of the large order.
const LARGE: u32 = 100 * 80 * 100;

/// Walks of the huge order.
const HUGE: u32 = 250 * 200 * 200;

/// How often each is run.
const TIMES: u32 = 9;

/// Walks a second of py-combtest 1.0.1 on two cores, without traces and with them.
const COMBTEST: (f64, f64) = (7_200.0, 3_800.0);

/// Speed and memory of walks.
pub(crate) fn walks() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    fs::write(site.path("walks.lua"), JOBFILE)?;
    let mut session = site.start_jobfile("walks.lua", &["-qq"])?;
    let mut one = Pairs::default();
    let (mut all, mut durable) = (Vec::new(), Vec::new());
    session.batch("all", LARGE)?;
    for _ in 0..TIMES {
        let bare = session.batch("bare", LARGE)?;
        one.add((session.batch("one", LARGE)?, LARGE), (bare, LARGE));
        all.push(rate(LARGE, session.batch("all", LARGE)?));
        durable.push(rate(LARGE, session.batch("durable", LARGE)?));
    }
    session.finish()?;
    let against = |name: &str, rates: &mut Vec<f64>, theirs: f64, floor: f64| {
        let rate = median(rates);
        let detail = format!("{rate:.0} walks a second against {theirs}");
        Figure::at_least(name, rate / theirs, floor, "x combtest", detail)
    };
    let mut figures = vec![
        against("800,000 walks", &mut all, COMBTEST.0, 100.0),
        against("800,000 walks with durable traces", &mut durable, COMBTEST.1, 50.0),
        one.figure("800,000 walks in one worker, against a bare loop", 1.3),
        small()?.figure("rille walk of 8,000 walks, whole process", 60.0),
    ];
    figures.push(memory()?);
    Ok(figures)
}

fn rate(walks: u32, took: Duration) -> f64 {
    f64::from(walks) / took.as_secs_f64()
}

fn small() -> io::Result<Pairs> {
    let site = Site::new()?;
    fs::write(site.path("small.lua"), SMALL)?;
    let mut pairs = Pairs::default();
    for _ in 0..20 {
        let bare = bare::one_by_one(60)?;
        let started = Instant::now();
        let end = wait(&site.command(&["walk", "small.lua", "-qq"])?.spawn()?)?;
        let ours = started.elapsed();
        if end.code != 0 {
            return Err(io::Error::other(format!("rille walk left with {}", end.code)));
        }
        pairs.add((ours, 1), (bare, 60));
    }
    Ok(pairs)
}

/// The most memory that guardian, host and workers have together, looked at again and again.
fn memory() -> io::Result<Figure> {
    let site = Site::new()?;
    fs::write(site.path("walks.lua"), JOBFILE)?;
    let mut session = site.start_jobfile("walks.lua", &["-qq"])?;
    // When it has answered, its processes are there.
    session.batch("one", LARGE)?;
    let (guardian, host) = session.processes()?;
    let is_done = AtomicBool::new(false);
    let (took, peak) = thread::scope(|scope| -> io::Result<_> {
        let watch = scope.spawn(|| {
            let mut peak = 0.0_f64;
            while !is_done.load(Ordering::Relaxed) {
                let mut processes = children(host).unwrap_or_default();
                processes.extend([guardian, host]);
                peak = peak.max(processes.into_iter().map(resident_mib).sum());
                thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        let took = batch(&mut session, &is_done);
        let peak = watch.join().map_err(|_| io::Error::other("the watch broke off"))?;
        Ok((took?, peak))
    })?;
    session.finish()?;
    let detail = format!("guardian, host and workers together; {:.1} s", took.as_secs_f64());
    Ok(Figure::at_most("memory of 10,000,000 walks", peak, 100.0, "MiB", detail))
}

fn batch(session: &mut Session, is_done: &AtomicBool) -> io::Result<Duration> {
    let took = session.batch("huge", HUGE);
    is_done.store(true, Ordering::Relaxed);
    took
}

fn resident_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
