//! A worker of walks: a task process that runs the walks it is told, one order after the other.
//!
//! It loads the suite's file as a jobfile is loaded, without `main`, and finds the actions by their names. What is said of a
//! walk that failed is out before the next one starts.

mod line;
mod loaded;
mod lua_half;
mod page;
mod portions;
mod records;
mod single;
mod states;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::io;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use self::line::CoordinatorLine;
use self::loaded::Loaded;
use self::page::{Broken, Shared};
use super::api::log::{Emit, Logging};
use super::error::raise;
use super::modules::{Face, Given};
use super::stop::Stop;
use super::task::{HostLine, ScriptEnd, prepare_with};
use super::vm::{Exit, Vm};
use super::voice::Voice;
use crate::model::{
    Level, Order, Outcome, RaisedError, WalkEnd, WalkEnded, WalkLine, WalkOrder, WalkReport, WalkSuite, os_text,
};

/// The logger of what a worker itself has to say.
const LOGGER: &str = "rille.walk";

/// The names a suite's file has beside the standard ones.
pub(super) const DECLARED: [&str; 4] = ["main", "parameters", "runtime", "arg"];

/// Runs walks until the coordinator says that there are no more.
pub(crate) fn run_worker(order: &Order, walk: &WalkLine, host: &Rc<dyn HostLine>, stop: &Rc<Stop>) -> ScriptEnd {
    let errored = |reason: String| ScriptEnd::new(Outcome::Errored, reason);
    let shared = match Shared::open(&walk.page) {
        Ok(shared) => Rc::new(shared),
        Err(error) => return errored(format!("cannot map {}: {error}", walk.page.display())),
    };
    let socket = match UnixStream::connect(&walk.socket) {
        Ok(socket) => socket,
        Err(error) => {
            return errored(format!("cannot reach the coordinator of the walks at {}: {error}", walk.socket.display()));
        }
    };
    let worker = Worker {
        order,
        number: walk.worker,
        line: Rc::new(CoordinatorLine::new(socket)),
        shared,
        stage: Rc::default(),
        voice: Rc::new(Voice::new(Rc::clone(host))),
        host: Rc::clone(host),
        stop: Rc::clone(stop),
    };
    match worker.serve() {
        Ok(end) => end,
        Err(error) => errored(format!("the line to the coordinator of the walks is broken: {error}")),
    }
}

/// What all parts of a worker share.
struct Worker<'a> {
    order: &'a Order,
    number: u32,
    line: Rc<CoordinatorLine>,
    shared: Rc<Shared>,
    /// The stage of the present order.
    stage: Rc<Cell<u32>>,
    voice: Rc<Voice>,
    host: Rc<dyn HostLine>,
    stop: Rc<Stop>,
}

impl Worker<'_> {
    fn serve(&self) -> io::Result<ScriptEnd> {
        self.line.send(&WalkReport::Hello { worker: self.number })?;
        let suite = match self.line.receive()? {
            Some(WalkOrder::Suite(suite)) => *suite,
            // The others have done it all meanwhile.
            Some(WalkOrder::Finish {}) => return Ok(ScriptEnd::passed()),
            None => return Ok(gone()),
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the first order was no suite")),
        };
        let vm = match self.vm(suite.logs_debug) {
            Ok(vm) => vm,
            Err(error) => return self.refuse(internal(&error)),
        };
        let mut loaded = match self.load(&vm, suite) {
            Ok(loaded) => loaded,
            Err(error) => return self.refuse(error),
        };
        self.line.send(&WalkReport::Ready {})?;
        let mut replayed = None;
        loop {
            let order = match self.line.receive()? {
                Some(WalkOrder::Finish {}) => return Ok(replayed.unwrap_or_else(|| self.end(&loaded))),
                Some(order) => order,
                None => return Ok(gone()),
            };
            let report = match order {
                WalkOrder::Run { stage, walks, skip, update } => {
                    portions::run(self, &mut loaded, stage as usize, &walks, skip, update.as_ref())?
                }
                WalkOrder::Adopt { spool, states } => loaded.adopt(&spool, &states),
                WalkOrder::Serial { step, state } => single::serial(self, &loaded, step, &state),
                WalkOrder::States { walks } => {
                    let line = Rc::clone(&self.line);
                    loaded.states(&walks, &mut |report| line.send(report))?
                }
                WalkOrder::Try { steps } => single::tried(self, &loaded, &steps),
                WalkOrder::Replay { walk, state, step } => {
                    let report = single::replay(self, &loaded, &walk, &state, step);
                    if let WalkReport::Tried(ended) = &report {
                        replayed = failed(ended);
                    }
                    report
                }
                WalkOrder::Suite(_) | WalkOrder::Finish {} => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a second suite was ordered"));
                }
            };
            self.line.send(&report)?;
        }
    }

    /// Makes the VM in which the suite's file is loaded.
    fn vm(&self, logs_debug: bool) -> mlua::Result<Vm> {
        let shared = Rc::clone(&self.shared);
        let exit: Exit = Box::new(move |lua, code| {
            shared.break_walk(Broken::Exit(code));
            raise(lua, "exit", format!("os.exit({code}) was called"))
        });
        let (logs, shared) = (Rc::clone(&self.voice), Rc::clone(&self.shared));
        let hand_over: Emit = Rc::new(move |level, logger, text| match shared.current() {
            // A record says of which walk it is; what is printed stays as it is.
            Some(id) => logs.log(level, logger, &[format!("walk {id}: ").as_bytes(), text].concat()),
            None => logs.log(level, logger, text),
        });
        let mut levels = self.order.runtime.log_levels.clone();
        if logs_debug {
            levels.entry(String::new()).or_insert(Level::Debug);
        }
        let given = Given { log: Some(Logging::fixed(hand_over, levels)), ..Given::to(Face::Worker) };
        let (vm, _) = prepare_with(self.order, &self.host, &self.voice, &self.stop, exit, given)?;
        Ok(vm)
    }

    fn load(&self, vm: &Vm, suite: WalkSuite) -> Result<Loaded, RaisedError> {
        let script = &self.order.script;
        let text = std::fs::read(script).map_err(|error| RaisedError {
            kind: "error".to_owned(),
            message: format!("cannot read {}: {}", script.display(), os_text(&error)),
            traceback: None,
        })?;
        let chunk = super::source::compile(vm.lua(), script, &text, &DECLARED)?;
        let called = vm.call(&chunk, Vec::new());
        if self.shared.take_broken().is_some() && called.is_ok() {
            let message = format!("{} called os.exit while a worker loaded it", script.display());
            return Err(RaisedError { kind: "exit".to_owned(), message, traceback: None });
        }
        called?;
        Loaded::new(self, vm.lua(), suite)
    }

    fn refuse(&self, error: RaisedError) -> io::Result<ScriptEnd> {
        let reason = format!("a worker cannot load the suite: {}", error.message);
        let end = ScriptEnd { data: Some(error.data()), ..ScriptEnd::new(Outcome::Errored, reason) };
        self.line.send(&WalkReport::Refused { error })?;
        Ok(end)
    }

    /// Returns what tells the traces of this call of `run_tests` from others.
    fn run_name(&self) -> String {
        let socket = self.order.walk.as_ref().and_then(|walk| walk.socket.file_stem());
        format!("{}/{}", self.order.runtime.job.uid, socket.unwrap_or_default().to_string_lossy())
    }

    fn log(&self, level: Level, text: &str) {
        self.voice.log(level, LOGGER, text.as_bytes());
    }

    fn end(&self, loaded: &Loaded) -> ScriptEnd {
        for (rule, tried) in loaded.idle_rules() {
            let text =
                format!("rule '{rule}' never ran in this worker: its precondition held in none of {tried} tries");
            self.log(Level::Warning, &text);
        }
        if let Some(problem) = loaded.records_problem() {
            return ScriptEnd::new(Outcome::Errored, problem);
        }
        match loaded.failed {
            0 => ScriptEnd::passed(),
            1 => ScriptEnd::new(Outcome::Failed, "a walk failed"),
            failed => ScriptEnd::new(Outcome::Failed, format!("{failed} walks failed")),
        }
    }
}

fn gone() -> ScriptEnd {
    ScriptEnd::new(Outcome::Errored, "the coordinator of the walks is gone")
}

fn internal(error: &mlua::Error) -> RaisedError {
    RaisedError { kind: "error".to_owned(), message: super::error::plain_text(error), traceback: None }
}

/// Returns how a task ends whose one walk has failed.
fn failed(ended: &WalkEnded) -> Option<ScriptEnd> {
    let error = ended.error.as_ref().filter(|_| ended.end == WalkEnd::Failed)?;
    Some(ScriptEnd { data: Some(error.data()), ..ScriptEnd::new(Outcome::Failed, error.message.clone()) })
}
