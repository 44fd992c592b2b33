//! The reports of a large run, made again from its event log.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;

use super::figure::{Figure, median};
use super::session::{Site, wait};

/// Tasks of the run.
const TASKS: u32 = 10_000;

/// One task in so many fails.
const FAILS: u32 = 10;

/// Times that the reports are made.
const TIMES: usize = 7;

/// JUnit and the page of a run of [`TASKS`] tasks that each wrote something, in one process, the reading of the event
/// log included.
pub(crate) fn reports() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    let run = site.path("run");
    write_run(&run)?;
    let (junit, html) = (site.path("results.xml"), site.path("report.html"));
    let mut seconds = Vec::new();
    for _ in 0..TIMES {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
        command.args(["runs", "report"]).arg(&run).arg("--junit").arg(&junit).arg("--html").arg(&html);
        command.env("RILLE_HOME", site.path("home")).stdin(Stdio::null());
        let started = Instant::now();
        let end = wait(&command.spawn()?)?;
        seconds.push(started.elapsed().as_secs_f64());
        if end.code != 0 {
            return Err(io::Error::other(format!("rille runs report left with {}", end.code)));
        }
    }
    let kib = |path: &Path| fs::metadata(path).map(|meta| meta.len() >> 10);
    let detail = format!("{} KiB of JUnit, {} KiB of HTML", kib(&junit)?, kib(&html)?);
    let name = "JUnit and HTML of a job of 10,000 tasks";
    Ok(vec![Figure::at_most(name, median(&mut seconds), 2.0, "s", detail)])
}

/// Writes a run directory with an event log and what the tasks wrote.
fn write_run(run: &Path) -> io::Result<()> {
    fs::create_dir_all(run.join(".guild/attrs"))?;
    fs::write(run.join(".guild/opref"), "script:/jobs '' '' job.lua")?;
    let mut log = Log { file: BufWriter::new(File::create(run.join(".guild/events.jsonl"))?), seq: 0 };
    log.add(json!({
        "event": "run-started", "format": 1, "rille": "0.1.0", "run_id": "0".repeat(32), "door": "job", "name": "job",
        "file": "/jobs/job.lua", "file_hash": "0".repeat(64), "argv": ["rille", "run", "job.lua"], "pid": 1,
        "host": "bench", "user": "ada",
    }))?;
    for task in 1..=TASKS {
        let folder = format!("tasks/{task}-Task-{task}");
        let fails = task % FAILS == 0;
        let output = (1..=40).fold(String::new(), |text, line| text + &format!("task {task} writes line {line}\n"));
        fs::create_dir_all(run.join(&folder))?;
        fs::write(run.join(&folder).join("stdout"), &output)?;
        log.add(json!({
            "event": "task-queued", "task": task, "id": format!("Task-{task}"), "kind": "exec-test",
            "uri": "/jobs/compare.sh", "folder": folder, "place": { "file": "job.lua", "line": 5 },
        }))?;
        log.add(json!({ "event": "task-started", "task": task, "attempt": 1, "pid": 1000 }))?;
        let mut end = json!({
            "event": "task-finished", "task": task, "attempt": 1, "outcome": "passed", "exit": { "code": 0 },
            "seconds": 0.25, "stdout": { "bytes": output.len() },
        });
        if fails {
            end["outcome"] = json!("failed");
            end["reason"] = json!("compare.sh: 3 is not 4");
            end["data"] = json!({ "traceback": "compare.lua:7: in main\n[C]: in ?\n".repeat(5) });
        }
        log.add(end)?;
    }
    log.add(json!({ "event": "main-finished" }))?;
    log.add(json!({ "event": "run-finished", "outcome": "failed", "exit_code": 1, "seconds": 60.0 }))?;
    log.file.flush()
}

/// An event log under way.
struct Log {
    file: BufWriter<File>,
    seq: u64,
}

impl Log {
    fn add(&mut self, mut event: serde_json::Value) -> io::Result<()> {
        self.seq += 1;
        event["seq"] = self.seq.into();
        event["time"] = "2026-11-21T09:00:00Z".into();
        writeln!(self.file, "{event}")
    }
}
