//! States of walks that outlive a portion: kept in the VM, written to the spool as portions end, and read from the spool of
//! another worker whose walks this one takes over.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use mlua::{Lua, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::model::{Walks, os_text};
use crate::script::api::walk::encode;

/// One line of a spool.
#[derive(Serialize, Deserialize)]
struct Spooled {
    walk_id: u64,
    /// The stage at whose end it was so.
    stage: u32,
    /// The state; missing where it cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Json>,
    /// Why it cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The state is nil, which JSON does not tell from none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_nil: bool,
}

/// The file to which a worker writes states.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
    line: Vec<u8>,
    /// Where the last whole line ends.
    end: u64,
}

/// Why states are not where they should be.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {}", path.display(), os_text(source))]
pub(super) struct SpoolError {
    /// What was to be done, up to the path.
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl SpoolError {
    fn of(action: &'static str, path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { action, path: path.clone(), source }
    }
}

impl Spool {
    pub(super) fn open(path: &Path) -> Result<Self, SpoolError> {
        let fault = SpoolError::of("write states to", path);
        let file = OpenOptions::new().append(true).create(true).open(path).map_err(&fault)?;
        let end = file.metadata().map_err(&fault)?.len();
        Ok(Self { path: path.to_owned(), file, line: Vec::new(), end })
    }

    /// Writes the state of a walk.
    pub(super) fn write(&mut self, lua: &Lua, id: u64, at: u32, value: &Value) -> Result<(), SpoolError> {
        let (state, problem) = match encode(lua, value, "the state") {
            Ok(Json::Null) => (None, None),
            Ok(encoded) => (Some(encoded), None),
            Err(problem) => (None, Some(problem.to_string())),
        };
        let is_nil = state.is_none() && problem.is_none();
        self.line.clear();
        let fault = SpoolError::of("keep its state in", &self.path);
        serde_json::to_writer(&mut self.line, &Spooled { walk_id: id, stage: at, state, problem, is_nil })
            .map_err(|error| fault(error.into()))?;
        self.line.push(b'\n');
        if let Err(error) = self.file.write_all(&self.line) {
            // Half a line would spoil the next one.
            let _ = self.file.set_len(self.end);
            return Err(fault(error));
        }
        self.end += self.line.len() as u64;
        Ok(())
    }
}

/// What a spool says of a walk.
pub(super) enum Kept {
    State(Json),
    Lost(String),
}

/// Which states are read: those of which walks, and after which stage.
pub(super) struct Wanted {
    /// Ranges of ids by their start, with their ends and stages; they do not overlap.
    ranges: BTreeMap<u64, (u64, u32)>,
}

impl Wanted {
    pub(super) fn new(walks: &[(Walks, u32)]) -> Self {
        let mut ranges = BTreeMap::new();
        for (walks, stage) in walks {
            match walks {
                Walks::Range(from, to) => drop(ranges.insert(*from, (*to, *stage))),
                Walks::List(ids) => ranges.extend(ids.iter().map(|id| (*id, (id.saturating_add(1), *stage)))),
            }
        }
        Self { ranges }
    }

    fn has(&self, id: u64, stage: u32) -> bool {
        let range = self.ranges.range(..=id).next_back();
        range.is_some_and(|(_, (end, wanted))| id < *end && *wanted == stage)
    }
}

/// Reads states from a spool, of each walk what was written last of its stage. A torn last line is passed over.
pub(super) fn read(path: &Path, wanted: &Wanted) -> Result<HashMap<u64, Kept>, SpoolError> {
    let fault = SpoolError::of("read states from", path);
    let mut kept = HashMap::new();
    let file = match File::open(path) {
        Ok(file) => file,
        // Its worker died before it had anything to write.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(kept),
        Err(error) => return Err(fault(error)),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(&fault)? == 0 {
            return Ok(kept);
        }
        let Ok(spooled) = serde_json::from_slice::<Spooled>(&line) else { continue };
        if wanted.has(spooled.walk_id, spooled.stage) {
            let what = match (spooled.state, spooled.problem) {
                (_, Some(problem)) => {
                    Kept::Lost(format!("its worker has died, and it could not be written down: {problem}"))
                }
                (state, None) => Kept::State(state.unwrap_or(Json::Null)),
            };
            kept.insert(spooled.walk_id, what);
        }
    }
}
