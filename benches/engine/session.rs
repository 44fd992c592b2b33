//! One `rille run` of a jobfile that does batches of work when it is told to.
//!
//! The jobfile reads an order from its standard input, does it, and prints a line: so batches within one run are timed
//! from outside and by turns with bare ones, the start of the process is no part of them, and between two batches the run
//! stands still and can be looked at.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::ground;

/// What a jobfile can be told to do, with a count.
const JOBFILE: &str = r#"
local job = require "rille.job"

local function list_of(script, count, limit)
  local list = { limit = limit }
  for i = 1, count do list[i] = { testscript = script } end
  return list
end

local work = {}
function work.sequential(count)
  for _ = 1, count do assert(job.run { testscript = "/bin/true" }) end
end
function work.lua(count)
  for _ = 1, count do assert(job.run { testscript = "noop.lua" }) end
end
function work.parallel(count) job.parallel(list_of("/bin/true", count, 2)) end
function work.crowd(count) job.parallel(list_of("/bin/true", count, 200)) end
function work.output(bytes)
  assert(job.run { testscript = "/usr/bin/head", args = { "-c", tostring(bytes), "/dev/zero" } })
end
local function reports(what, count)
  local config, kwargs = { ["rille.runner"] = "runner.py" }, { what = what, mib = count }
  assert(job.run { testscript = { kind = "bench", config = config, kwargs = kwargs } })
end
function work.pieces(count) reports("pieces", count) end
function work.records(count) reports("records", count) end

-- Four tasks that do what they are told through a queue of their own.
local synchro, workers, done = nil, {}, nil
function work.shared()
  local small, large, keys = synchro.dict(), synchro.dict(), {}
  for i = 1, 10 do small["key" .. i] = i end
  for i = 1, 100000 do keys["key" .. i] = i end
  large:update(keys)
  done = synchro.queue()
  for i = 1, 4 do
    local orders = synchro.queue()
    local task = job.Task { testscript = "worker.lua", orders = orders, done = done, small = small, large = large }
    task:start()
    workers[i] = { task = task, orders = orders }
  end
end
local function tell(count, what, number)
  for i = 1, count do workers[i].orders:put { what = what, number = number } end
  for _ = 1, count do done:get() end
end
function work.trips(count) tell(1, "trips", count) end
function work.small(count) tell(1, "small", count) end
function work.large(count) tell(1, "large", count) end
function work.together(count) tell(4, "trips", count) end

function main(runtime)
  synchro = runtime.synchro
  for order in io.lines() do
    local name, count = order:match("^(%a+) (%d+)$")
    work[name](math.tointeger(count))
    print("done")
  end
  for _, worker in ipairs(workers) do
    worker.orders:put { what = "end" }
    worker.task:wait()
  end
end
"#;

/// What a task of the jobfile does with shared objects.
const WORKER: &str = r#"
local p, keys = parameters, { small = {}, large = {} }
for i = 1, 1000 do
  keys.small[i] = "key" .. (i % 10 + 1)
  keys.large[i] = "key" .. (i * 7919 % 100000 + 1)
end
while true do
  local order = p.orders:get()
  if order.what == "end" then return end
  if order.what == "trips" then
    for _ = 1, order.number do p.small:add("n", 1) end
  else
    local dict, keys = p[order.what], keys[order.what]
    for i = 1, order.number do assert(dict[keys[i % 1000 + 1]]) end
  end
  p.done:put(true)
end
"#;

/// A folder with everything a run needs, its home included. It is removed when it is dropped.
pub(crate) struct Site {
    folder: TempDir,
}

/// How a run ended.
pub(crate) struct End {
    /// The exit code.
    pub(crate) code: i32,
    /// The most memory, in MiB, that any one process of the run had: host, guardian or task. The host's own peak
    /// (`VmHWM`) is never more than this.
    pub(crate) peak: f64,
}

impl Site {
    /// Makes the folder.
    pub(crate) fn new() -> io::Result<Self> {
        let folder = ground::folder()?;
        fs::write(folder.path().join("job.lua"), JOBFILE)?;
        fs::write(folder.path().join("noop.lua"), "")?;
        fs::write(folder.path().join("worker.lua"), WORKER)?;
        Ok(Self { folder })
    }

    /// Returns the path of a file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Prepares `rille run` of a jobfile in the folder; what it says goes to a file.
    pub(crate) fn rille(&self, jobfile: &str) -> io::Result<Command> {
        self.command(&["run", jobfile])
    }

    /// Prepares any command in the folder; what it says goes to a file.
    pub(crate) fn command(&self, args: &[&str]) -> io::Result<Command> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("RILLE_HOME", self.path("home"))
            .env_remove("RILLE_PATH")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.path("stderr"))?);
        Ok(command)
    }

    /// Starts the jobfile that does batches.
    pub(crate) fn start(&self, options: &[&str]) -> io::Result<Session> {
        self.start_jobfile("job.lua", options)
    }

    /// Starts a jobfile that takes orders as the one that does batches.
    pub(crate) fn start_jobfile(&self, jobfile: &str, options: &[&str]) -> io::Result<Session> {
        let mut command = self.rille(jobfile)?;
        let mut child = command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let missing = || io::Error::other("no pipe");
        let orders = child.stdin.take().ok_or_else(missing)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        Ok(Session { child, orders, answers, stderr: self.path("stderr") })
    }
}

/// A run that waits for orders.
pub(crate) struct Session {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    stderr: PathBuf,
}

impl Session {
    /// Has a batch done and returns the wall time from the order to the answer.
    pub(crate) fn batch(&mut self, work: &str, count: u32) -> io::Result<Duration> {
        let started = Instant::now();
        writeln!(self.orders, "{work} {count}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let took = started.elapsed();
        match answer.as_str() {
            "done\n" => Ok(took),
            _ => Err(self.broken()),
        }
    }

    /// Returns the process that the benchmark started, which becomes the guardian, and its child, the host.
    pub(crate) fn processes(&self) -> io::Result<(u32, u32)> {
        let guardian = self.child.id();
        let host = children(guardian)?.first().copied();
        Ok((guardian, host.ok_or_else(|| io::Error::other("the guardian has no host"))?))
    }

    /// Lets the jobfile return and waits for the end of the run, which must be good.
    pub(crate) fn finish(self) -> io::Result<End> {
        let Session { child, orders, stderr, .. } = self;
        drop(orders);
        let end = wait(&child)?;
        if end.code != 0 {
            return Err(io::Error::other(format!("rille left with {}: {}", end.code, last_lines(&stderr))));
        }
        Ok(end)
    }

    fn broken(&self) -> io::Error {
        io::Error::other(format!("the jobfile gave no answer: {}", last_lines(&self.stderr)))
    }
}

/// Waits for a process and tells what it and those it waited for needed.
pub(crate) fn wait(child: &Child) -> io::Result<End> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    // SAFETY: `rusage` is plain numbers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both out-parameters outlive the call; the child has not been waited for by anybody else.
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == -1 {
        return Err(io::Error::last_os_error());
    }
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    let kib = u32::try_from(usage.ru_maxrss).unwrap_or(u32::MAX);
    Ok(End { code, peak: f64::from(kib) / 1024.0 })
}

/// Returns the children of the threads of a process.
pub(crate) fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = fs::read_to_string(thread?.path().join("children"))?;
        found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    Ok(found)
}

fn last_lines(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
