//! What is known of runs. Each run is read by itself: one that is damaged is one row marked so, never an error for the
//! others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::birth::GUILD_TO_BE;
use super::logged::{self, LogState, Logged};
use super::run_reader::Reader;
use super::{Error, Opref, Result, Status, read_opref, status};

/// The length of the ids that Rille and Guild give.
const ID_LENGTH: usize = 32;

/// What a list of runs shows of one.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunInfo {
    /// The id, which is the name of the directory.
    pub(crate) id: String,
    /// The run directory.
    pub(crate) path: PathBuf,
    /// What became of it.
    pub(crate) status: Status,
    /// Why it is corrupt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) damage: Option<String>,
    /// What became of a corrupt run whose event log is whole. Start, end, exit status and label are by the log, too, where
    /// they cannot be had otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_status: Option<Status>,
    /// The operation or jobfile, `model:op` or `op`.
    pub(crate) operation: Option<String>,
    /// The whole operation reference, in the words of the file.
    pub(crate) opref: Option<String>,
    /// When its directory was made.
    pub(crate) initialized: Option<DateTime<Utc>>,
    /// When it was started, or staged.
    pub(crate) started: Option<DateTime<Utc>>,
    /// When it ended.
    pub(crate) stopped: Option<DateTime<Utc>>,
    /// How it ended: 0, a positive exit code, or a signal's number negated.
    pub(crate) exit_status: Option<i64>,
    /// The label.
    pub(crate) label: Option<String>,
    /// The tags.
    pub(crate) tags: Vec<String>,
    /// Whether the user marked it, which makes Guild prefer it as a dependency.
    pub(crate) marked: bool,
}

/// Everything that is recorded of a run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RunDetails {
    /// What a list shows.
    #[serde(flatten)]
    pub(crate) info: RunInfo,
    /// The flags.
    pub(crate) flags: Map<String, Value>,
    /// Every attribute by name. One that cannot be read is left out, and named in `damage`.
    pub(crate) attrs: BTreeMap<String, Value>,
}

/// Returns all runs of a home, newest first. A home that does not exist has none.
pub(crate) fn list(home: &super::Home) -> Result<Vec<RunInfo>> {
    Ok(super::rows(home)?.into_iter().map(|row| row.info).collect())
}

/// Orders runs by their start, the newest first.
pub(super) fn newest_first(one: &RunInfo, other: &RunInfo) -> std::cmp::Ordering {
    let time = |run: &RunInfo| run.started.or(run.initialized);
    time(other).cmp(&time(one)).then_with(|| one.id.cmp(&other.id))
}

/// Returns whether an entry of the folder of runs is passed over: no id begins with a dot, and runs are made behind one.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Returns whether an entry of the folder of runs is one: it has metadata, or it has the name of a run and something in
/// it, but no metadata. In an empty directory a run may be about to be made, and in one with a `.guild` to be it is made.
pub(super) fn may_be_run(path: &Path, name: &str) -> bool {
    if path.join(".guild").exists() {
        return true;
    }
    let has_name_of_run = name.len() == ID_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let entries = || fs::read_dir(path).into_iter().flatten().flatten();
    has_name_of_run && entries().any(|entry| entry.file_name() != GUILD_TO_BE)
}

/// Returns what a list shows of the run in the directory `path`.
pub(crate) fn summarise(path: &Path) -> RunInfo {
    let mut reader = Reader::new(path);
    let info = info(path, &mut reader);
    complete(info, reader)
}

fn info(path: &Path, reader: &mut Reader) -> RunInfo {
    let guild = path.join(".guild");
    let exit_status = reader.attr("exit_status");
    let status = status::derive(&guild, exit_status);
    let opref = reader.opref(&guild.join("opref"), status);
    RunInfo {
        id: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        path: path.to_owned(),
        status,
        damage: None,
        log_status: None,
        operation: opref.as_ref().map(|opref| operation_of(path, opref)),
        opref: opref.as_ref().map(Opref::to_string),
        initialized: reader.time("initialized"),
        started: reader.time("started"),
        stopped: reader.time("stopped"),
        exit_status,
        label: reader.attr::<Value>("label").filter(|label| !label.is_object() && !label.is_array()).and_then(text),
        tags: reader.attr::<Vec<Value>>("tags").into_iter().flatten().filter_map(text).collect(),
        marked: reader.attr("marked").unwrap_or(false),
    }
}

/// Looks at what else there is of a run, and marks it as corrupt if something is not as it should be.
fn complete(mut info: RunInfo, mut reader: Reader) -> RunInfo {
    // What is being written may be met half written.
    let is_moving = matches!(info.status, Status::Running | Status::Pending);
    if is_moving {
        reader.empty.clear();
    } else {
        reader.check_kinds();
    }
    let log = match info.status {
        Status::Running | Status::Pending | Status::Staged => LogState::Absent,
        _ => logged::look(&reader.guild),
    };
    let mut damage: Vec<String> = std::mem::take(&mut reader.damage);
    damage.extend(reader.empty.drain(..).map(|name| format!("attribute '{name}' is empty")));
    match &log {
        LogState::Absent => {
            // Nobody but Rille writes it, and Rille never without a log.
            let is_ours = !is_moving && info.status != Status::Staged && reader.has("started_in");
            damage.extend(is_ours.then(|| "it has no event log".to_owned()));
        }
        LogState::Empty => {
            damage.extend((info.exit_status == Some(0)).then(|| "its event log is empty".to_owned()));
        }
        LogState::Damaged(what) => damage.push(format!("event log: {what}")),
        LogState::Whole(logged) => compare(&mut info, &reader, logged, &mut damage),
    }
    // The same may have been read twice.
    let mut seen = std::collections::HashSet::new();
    damage.retain(|what| seen.insert(what.clone()));
    if damage.is_empty() {
        return info;
    }
    info.status = Status::Corrupt;
    info.damage = Some(damage.join("; "));
    if let LogState::Whole(logged) = &log {
        info.log_status = Some(logged.status());
        info.fill(logged);
    }
    info
}

/// Compares what the attributes say with what the log says, which holds.
fn compare(info: &mut RunInfo, reader: &Reader, logged: &Logged, damage: &mut Vec<String>) {
    for name in ["id", "initialized"] {
        damage.extend((!reader.has(name)).then(|| format!("attribute '{name}' is missing")));
    }
    match (info.exit_status, logged.end) {
        // A host that was killed when only this was left to write has left its lock: then reports are missing, too, and the
        // run can be resumed as one that is lost.
        (None, Some(_)) if !reader.guild.join("LOCK").is_file() && damage.is_empty() => {
            damage.push("attribute 'exit_status' is missing".to_owned());
        }
        (Some(_), Some(end)) if info.stopped.is_none() => info.stopped = Some(end.stopped),
        (Some(0), None) if !info.started.is_some_and(|started| logged.is_older_than(started)) => {
            damage.push("its event log has no end".to_owned());
        }
        _ => {}
    }
}

/// Returns everything that is recorded of the run in the directory `path`, which must exist.
pub(crate) fn load(path: &Path) -> Result<RunDetails> {
    fs::read_dir(path).map_err(Error::io("read the run directory", path))?;
    Ok(details(path))
}

/// Returns everything that is recorded of the run in the directory `path`. Each file is read once.
pub(super) fn details(path: &Path) -> RunDetails {
    let mut reader = Reader::new(path);
    let (info, attrs) = all(path, &mut reader);
    let info = complete(info, reader);
    let flags = attrs.get("flags").and_then(Value::as_object).cloned().unwrap_or_default();
    RunDetails { info, flags, attrs }
}

/// Returns the names of the attributes of a run that are not as they should be, `opref` for its opref.
pub(super) fn bad_attributes(path: &Path) -> BTreeSet<String> {
    let mut reader = Reader::new(path);
    all(path, &mut reader);
    reader.bad
}

fn all(path: &Path, reader: &mut Reader) -> (RunInfo, BTreeMap<String, Value>) {
    let names = reader.read_all();
    let info = info(path, reader);
    let mut attrs = BTreeMap::new();
    for name in names {
        if let Some(value) = reader.attr::<Value>(&name) {
            reader.check_shape(&name, &value);
            attrs.insert(name, value);
        }
    }
    (info, attrs)
}

/// Returns an attribute of the run in the directory `path`; `None` if it is not there, null, or damaged.
pub(crate) fn attribute(path: &Path, name: &str) -> Option<Value> {
    Reader::new(path).attr(name)
}

impl RunInfo {
    /// Takes from the log what is not known otherwise.
    fn fill(&mut self, logged: &Logged) {
        self.initialized = self.initialized.or(Some(logged.started));
        self.started = self.started.or(Some(logged.started));
        self.stopped = self.stopped.or(logged.end.map(|end| end.stopped));
        self.exit_status = self.exit_status.or(logged.end.map(|end| end.exit_status));
        if self.opref.is_none() {
            let opref = logged.opref();
            (self.operation, self.opref) = (Some(operation_of(&self.path, &opref)), Some(opref.to_string()));
        }
        let attr = |name: &str| logged.header.attrs.get(name).cloned();
        self.label = self.label.take().or_else(|| attr("label").and_then(text));
        if self.tags.is_empty() {
            let tags = attr("tags").and_then(|tags| tags.as_array().cloned());
            self.tags = tags.into_iter().flatten().filter_map(text).collect();
        }
    }
}

/// Returns a label or tag as text: `2` and `true` are labels, too, and YAML gives them another type.
fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Returns what a run is of, as people know it: of a batch the operation of its trials with a `+`, and the optimizer behind
/// that, where it is not the usual one.
fn operation_of(path: &Path, opref: &Opref) -> String {
    // Nothing else is called so, and few runs are batches.
    let proto = (opref.kind == "builtin").then(|| read_opref(&path.join(".guild/proto")).ok().flatten()).flatten();
    match proto {
        Some(proto) => format!("{}+{}", proto.operation(), opref.operation().trim_start_matches('+')),
        None => opref.operation(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Home;

    const OPREF: (&str, &str) = ("opref", "guildfile:p/guild.yml f21d m train");

    /// Makes a run of these files below `.guild` in a home, and returns what is known of it.
    fn check(files: &[(&str, &str)]) -> RunInfo {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), files);
        summarise(dir.path())
    }

    fn make(path: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(path.join(".guild/attrs")).unwrap();
        for (name, text) in files {
            fs::write(path.join(".guild").join(name), text).unwrap();
        }
    }

    #[test]
    fn a_run_of_guild_is_read() {
        let info = check(&[
            OPREF,
            ("attrs/initialized", "1795247695121219\n"),
            ("attrs/started", "1795247695970581\n"),
            ("attrs/stopped", "1795247696836704\n"),
            ("attrs/exit_status", "0\n"),
            ("attrs/label", "2\n"),
            ("attrs/tags", "- t2\n- 1\n"),
            ("attrs/marked", "true\n"),
        ]);
        assert_eq!((info.status, info.damage), (Status::Completed, None));
        assert_eq!(info.operation.as_deref(), Some("m:train"));
        assert_eq!(info.label.as_deref(), Some("2"));
        assert_eq!((info.tags, info.marked), (vec!["t2".to_owned(), "1".to_owned()], true));
        assert_eq!(info.started.unwrap().timestamp_micros(), 1_795_247_695_970_581);
    }

    #[test]
    fn damage_is_named_and_the_rest_still_shown() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("opref", "script")], "opref: it has 1 words and not 4"),
            (&[OPREF, ("attrs/exit_status", "zero\n")], "attribute 'exit_status': "),
            (&[OPREF, ("attrs/label", "a: [\n")], "attribute 'label': "),
            (&[OPREF, ("attrs/tags", "t1\n")], "attribute 'tags': "),
            (
                &[OPREF, ("attrs/started", "9223372036854775807\n")],
                "attribute 'started': 9223372036854775807 is no time",
            ),
            (&[("attrs/exit_status", "0\n")], "it has no opref"),
        ];
        for (files, damage) in cases {
            let mut files = files.to_vec();
            files.push(("attrs/stopped", "1795247696836704\n"));
            let info = check(&files);
            let found = info.damage.unwrap_or_default();
            assert_eq!(info.status, Status::Corrupt, "{files:?}");
            assert!(found.contains(damage), "{found}");
            assert!(info.stopped.is_some());
        }
    }

    #[test]
    fn a_damaged_run_is_one_row() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        let runs = home.runs_dir();
        make(&runs.join("good"), &[OPREF, ("attrs/started", "2\n"), ("attrs/exit_status", "0\n")]);
        make(&runs.join("bad"), &[OPREF, ("attrs/started", "3\n"), ("attrs/exit_status", "[\n")]);
        fs::create_dir_all(runs.join("f".repeat(32)).join("tasks")).unwrap();
        fs::create_dir_all(runs.join("e".repeat(32))).unwrap();
        fs::create_dir_all(runs.join("notes/mine")).unwrap();
        fs::write(runs.join("README"), "").unwrap();
        fs::write(runs.join("bad/.guild/attrs/flags"), [0xff, 0xfe]).unwrap();
        let rows: Vec<_> = list(&home).unwrap().into_iter().map(|run| (run.id, run.status)).collect();
        let lost = "f".repeat(32);
        let expected = [("bad", Status::Corrupt), ("good", Status::Completed), (lost.as_str(), Status::Corrupt)];
        assert_eq!(rows, expected.map(|(id, status)| (id.to_owned(), status)));
        let details = load(&runs.join("bad")).unwrap();
        assert_eq!(details.attrs.keys().collect::<Vec<_>>(), ["started"]);
        assert!(details.info.damage.unwrap().contains("flags: "));
    }
}
