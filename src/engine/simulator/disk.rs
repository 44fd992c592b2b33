//! A log and files in memory, on a disk that can be full.

use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::world::World;
use crate::engine::journal::Log;
use crate::engine::keep::{Keep, KeepOrder, Keeper, NoKeep};
use crate::engine::request::Failure;
use crate::engine::scheduler::Written;
use crate::model::{EVENT_FORMAT, Event, EventKind, OutputSize, RunStarted, Stream};
use crate::store::{self, SyncHandle};

/// The event log.
pub(super) struct SimLog {
    world: Arc<World>,
    next_seq: u64,
}

impl SimLog {
    /// Makes a log that begins as every log does.
    pub(super) fn new(world: &Arc<World>) -> Self {
        let mut log = Self { world: Arc::clone(world), next_seq: 1 };
        let _ = log.write(vec![started()], DateTime::UNIX_EPOCH);
        log
    }

    fn write(&mut self, kinds: Vec<EventKind>, time: DateTime<Utc>) -> Vec<Event> {
        let mut events = Vec::new();
        for kind in kinds {
            let event = Event { seq: self.next_seq, time, kind };
            self.next_seq += 1;
            let mut line = serde_json::to_vec(&event).expect("an event is JSON");
            line.push(b'\n');
            self.world.write_log(&line);
            events.push(event);
        }
        events
    }
}

impl Log for SimLog {
    fn append(&mut self, kinds: Vec<EventKind>, time: DateTime<Utc>) -> store::Result<Vec<Event>> {
        match self.world.write_succeeds() {
            true => Ok(self.write(kinds, time)),
            false => Err(store::Error::io("write", Path::new("/run/.guild/events.jsonl"))(full())),
        }
    }

    fn sync(&mut self) -> store::Result<()> {
        Ok(())
    }

    fn sync_handle(&mut self) -> store::Result<Option<SyncHandle>> {
        Ok(None)
    }
}

fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}

fn started() -> EventKind {
    EventKind::RunStarted(Box::new(RunStarted {
        format: EVENT_FORMAT,
        rille: "0".to_owned(),
        run_id: "run".to_owned(),
        door: "job".to_owned(),
        name: "simulated".to_owned(),
        file: "/job.lua".to_owned(),
        file_hash: String::new(),
        argv: Vec::new(),
        pid: 1,
        host: "host".to_owned(),
        user: "user".to_owned(),
        first_started: None,
        rerun_of: None,
        secrets: Vec::new(),
        attrs: serde_json::Map::new(),
    }))
}

/// Keeps what attempts write: how much it was.
pub(super) struct SimKeeper(pub(super) Arc<World>);

struct SimKeep {
    world: Arc<World>,
    bytes: [u64; 2],
    log: u64,
}

impl Keeper for SimKeeper {
    fn open(&mut self, _: &KeepOrder<'_>) -> Result<Box<dyn Keep>, NoKeep> {
        match self.0.write_succeeds() {
            true => Ok(Box::new(SimKeep { world: Arc::clone(&self.0), bytes: [0; 2], log: 0 })),
            false => Err(Failure::at(Path::new("/run/tasks"), &full()).into()),
        }
    }
}

impl SimKeep {
    fn write(&self) -> Result<(), Failure> {
        match self.world.write_succeeds() {
            true => Ok(()),
            false => Err(Failure::at(Path::new("/run/tasks/1/stdout"), &full())),
        }
    }
}

impl Keep for SimKeep {
    fn folder(&self) -> &Path {
        Path::new("/run/tasks/1")
    }

    fn store(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), Failure> {
        self.write()?;
        self.bytes[usize::from(stream == Stream::Stderr)] += bytes.len() as u64;
        Ok(())
    }

    fn store_log(&mut self, records: &[u8]) -> Result<(), Failure> {
        self.write()?;
        self.log += records.len() as u64;
        Ok(())
    }

    fn log_position(&self) -> Option<u64> {
        Some(self.log)
    }

    fn has_room(&mut self) -> bool {
        self.world.draw(|random| !random.percent(3))
    }

    fn withdraw(self: Box<Self>) {}

    fn finish(self: Box<Self>, _: DateTime<Utc>) -> (Written, Option<Failure>) {
        let size = |bytes| OutputSize { bytes, ..OutputSize::default() };
        let written = Written { stdout: size(self.bytes[0]), stderr: size(self.bytes[1]), log: size(self.log) };
        (written, self.write().err())
    }
}
