//! Writing again what is damaged of a run, by what its event log says. What is replaced is not lost: it is put aside in
//! `.guild/damaged`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::list;
use super::lock::{self, Lock, Refused};
use super::logged::{self, LogState, Logged};
use super::run_edit::RunEdit;
use super::run_reader::FILES;
use super::{Error, Result, durable, event_reader};

/// The folder, in `.guild`, of what was damaged.
const ASIDE: &str = "damaged";

/// Attributes that every run has, and those that one has that has ended. The others a user may have taken away.
const ALWAYS: [&str; 8] = ["id", "initialized", "exit_status", "stopped", "host", "user", "cmd", "started_in"];

/// What was done to a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Repaired {
    /// What was written again.
    pub(crate) written: Vec<String>,
    /// What was put aside.
    pub(crate) aside: Vec<String>,
    /// What is still damaged, and its log does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) damage: Option<String>,
}

/// Repairs the run in the directory `run`. Refuses one that is running, and one whose log a newer release has written.
pub(crate) fn repair(run: &Path) -> Result<Repaired> {
    let guild = run.join(".guild");
    if !guild.is_dir() {
        return Err(Error::corrupt(&guild, "it is no folder, and nothing is left to repair the run by"));
    }
    let lock_path = guild.join("LOCK");
    let id = || run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if lock::is_held(&lock_path).map_err(Error::io("read", &lock_path))? {
        return Err(Error::Running { id: id() });
    }
    let _edit = RunEdit::begin(run)?;
    let mut repair = Repair { guild, done: Repaired::default() };
    repair.put_strangers_aside()?;
    let lock = match Lock::acquire(&lock_path, std::process::id()) {
        Ok(lock) => lock,
        Err(Refused::Held(_)) => return Err(Error::Running { id: id() }),
        Err(Refused::Failed(error)) => return Err(error),
    };
    let repaired = repair.log().and_then(|log| repair.attributes(run, log.as_ref()));
    let settled = repaired.and_then(|()| durable::settle_whole(&repair.guild));
    lock.release()?;
    settled?;
    repair.done.damage = list::summarise(run).damage.or_else(|| list::details(run).info.damage);
    Ok(repair.done)
}

struct Repair {
    guild: PathBuf,
    done: Repaired,
}

impl Repair {
    /// Puts aside what is a folder and should be a file, or the other way round.
    fn put_strangers_aside(&mut self) -> Result<()> {
        for name in FILES {
            if fs::metadata(self.guild.join(name)).is_ok_and(|metadata| !metadata.is_file()) {
                self.put_aside(name)?;
            }
        }
        let attrs = self.guild.join("attrs");
        if attrs.symlink_metadata().is_ok() && !attrs.is_dir() {
            self.put_aside("attrs")?;
        }
        fs::create_dir_all(&attrs).map_err(Error::io("create", &attrs))
    }

    /// Brings the event log to its last whole event, and returns what it says; `None` if it says nothing.
    fn log(&mut self) -> Result<Option<Logged>> {
        let path = self.guild.join("events.jsonl");
        match logged::look(&self.guild) {
            LogState::Whole(logged) => return Ok(Some(logged)),
            LogState::Absent | LogState::Empty => return Ok(None),
            LogState::Damaged(_) => {}
        }
        let mut reader = event_reader::read(&path)?;
        let mut length = 0;
        loop {
            match reader.next() {
                Some(Ok(_)) => length = reader.end(),
                Some(Err(error @ Error::NewerFormat { .. })) => return Err(error),
                Some(Err(_)) | None => break,
            }
        }
        if length == 0 {
            self.put_aside("events.jsonl")?;
            return Ok(None);
        }
        let part = File::open(&path).map(|file| file.take(length)).map_err(Error::io("open", &path))?;
        self.keep("events.jsonl")?;
        self.write("events.jsonl", part)?;
        match logged::look(&self.guild) {
            LogState::Whole(logged) => Ok(Some(logged)),
            _ => Ok(None),
        }
    }

    /// Writes the opref and attributes that are damaged or missing.
    fn attributes(&mut self, run: &Path, log: Option<&Logged>) -> Result<()> {
        let bad = list::bad_attributes(run);
        let attrs = self.guild.join("attrs");
        let is_bare = fs::read_dir(&attrs).map_err(Error::io("list", &attrs))?.next().is_none();
        for name in bad.iter().filter(|name| *name != "opref") {
            self.put_aside(&format!("attrs/{name}"))?;
        }
        if bad.contains("opref") && self.guild.join("opref").exists() {
            self.put_aside("opref")?;
        }
        let Some(log) = log else { return Ok(()) };
        if !self.guild.join("opref").exists() {
            self.write("opref", log.opref().to_string().as_bytes())?;
        }
        for (name, value) in known(run, log) {
            let is_wanted = is_bare || bad.contains(&name) || ALWAYS.contains(&name.as_str());
            if is_wanted && attrs.join(&name).symlink_metadata().is_err() {
                let text = super::attr::encode(&value)
                    .map_err(|error| Error::corrupt(&attrs.join(&name), error.to_string()))?;
                self.write(&format!("attrs/{name}"), text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Moves a file or folder of `.guild` to those that were damaged.
    fn put_aside(&mut self, name: &str) -> Result<()> {
        let from = self.guild.join(name);
        let to = self.free_place(name)?;
        fs::rename(&from, to).map_err(Error::io("put aside", &from))?;
        self.done.aside.push(name.to_owned());
        Ok(())
    }

    /// Keeps a file of `.guild` as it is among those that were damaged, and where it is.
    fn keep(&mut self, name: &str) -> Result<()> {
        let from = self.guild.join(name);
        let to = self.free_place(name)?;
        let kept = fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop));
        kept.map_err(Error::io("put aside", &from))?;
        self.done.aside.push(name.to_owned());
        Ok(())
    }

    fn free_place(&self, name: &str) -> Result<PathBuf> {
        let folder = self.guild.join(ASIDE);
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let name = name.replace('/', "-");
        let names = std::iter::once(name.clone()).chain((2..).map(|number: u32| format!("{name}_{number}")));
        let mut places = names.map(|name| folder.join(name));
        Ok(places.find(|path| path.symlink_metadata().is_err()).unwrap_or(folder))
    }

    fn write(&mut self, name: &str, mut content: impl Read) -> Result<()> {
        let path = self.guild.join(name);
        let mut temporary = super::run_edit::temporary(&self.guild).map_err(Error::io("write", &path))?;
        io::copy(&mut content, &mut temporary).map_err(Error::io("write", &path))?;
        temporary.persist(&path).map_err(|error| Error::io("write", &path)(error.error))?;
        self.done.written.push(name.strip_prefix("attrs/").unwrap_or(name).to_owned());
        Ok(())
    }
}

/// Returns the attributes that a log tells.
fn known(run: &Path, log: &Logged) -> Map<String, Value> {
    let header = &log.header;
    let mut attrs = header.attrs.clone();
    attrs.shift_remove("opref");
    let own = [
        ("id", json!(header.run_id)),
        ("initialized", json!(log.started.timestamp_micros())),
        ("started", json!(log.started.timestamp_micros())),
        ("host", json!(header.host)),
        ("user", json!(header.user)),
    ];
    attrs.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if header.door != "operation" {
        attrs.insert("cmd".to_owned(), json!(header.argv));
        attrs.entry("flags").or_insert_with(|| json!({}));
    }
    // Once another program had it, what the log knows of its end is old.
    let started = list::attribute(run, "started").and_then(|micros| micros.as_i64());
    let started = started.and_then(chrono::DateTime::from_timestamp_micros);
    if let Some(end) = log.end.filter(|_| !started.is_some_and(|started| log.is_older_than(started))) {
        attrs.insert("exit_status".to_owned(), json!(end.exit_status));
        attrs.insert("stopped".to_owned(), json!(end.stopped.timestamp_micros()));
    }
    attrs
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::model::EventKind;
    use crate::store::made::{ID, finished, opref, started};
    use crate::store::{EventLog, RunDir, RunInfo, Site, Status, summarise};

    /// Makes a run as a job leaves it, with these last events.
    fn run(folder: &Path, end: Vec<EventKind>) -> PathBuf {
        let (mut run, mut log) = RunDir::begin(Site::Among(folder), ID, std::process::id(), &opref()).unwrap();
        for (name, value) in [
            ("started_in", json!("/")),
            ("label", json!("lab 2")),
            ("tags", json!(["t1"])),
            ("flags", json!({})),
            ("cmd", json!(["rille", "run", "job.lua"])),
            ("env", json!({"PATH": "/bin"})),
            ("host", json!("lab")),
            ("user", json!("me")),
        ] {
            run.write_attr(name, &value).unwrap();
        }
        run.start(super::super::now_micros()).unwrap();
        run.appear().unwrap();
        log.append(vec![started()], Utc::now()).unwrap();
        let code = end.iter().rev().find_map(|event| match event {
            EventKind::RunFinished { exit_code, .. } => Some(*exit_code),
            _ => None,
        });
        log.append(end, Utc::now()).unwrap();
        if let Some(code) = code {
            run.conclude(code, super::super::now_micros()).unwrap();
        }
        let path = run.path().to_owned();
        run.release().unwrap();
        path
    }

    /// What a list shows, but for the damage.
    fn shown(info: &RunInfo) -> (Option<String>, Option<i64>, Option<String>, Vec<String>, bool) {
        let has_times = info.initialized.is_some() && info.started.is_some() && info.stopped.is_some();
        (info.operation.clone(), info.exit_status, info.label.clone(), info.tags.clone(), has_times)
    }

    /// Damages a file of `.guild`.
    type Harm = fn(&Path);

    fn zeros(path: &Path) {
        let length = fs::metadata(path).unwrap().len();
        fs::write(path, vec![0; usize::try_from(length).unwrap()]).unwrap();
    }

    fn folder(path: &Path) {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("x")).unwrap();
    }

    fn pipe(path: &Path) {
        fs::remove_file(path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    }

    fn no_text(path: &Path) {
        fs::write(path, [0xff, 0xfe, b'\n']).unwrap();
    }

    fn empty(path: &Path) {
        fs::write(path, "").unwrap();
    }

    fn gone(path: &Path) {
        fs::remove_file(path).or_else(|_| fs::remove_dir_all(path)).unwrap();
    }

    fn list_of(path: &Path) {
        fs::write(path, "- 1\n- [2\n").unwrap();
    }

    fn other(path: &Path) {
        fs::write(path, "{a: 1}\n").unwrap();
    }

    /// File, harm, what is told, and whether the log tells how it was.
    const KINDS: [(&str, Harm, &str, bool); 42] = [
        ("attrs/exit_status", empty, "attribute 'exit_status' is empty", true),
        ("attrs/exit_status", zeros, "attribute 'exit_status': ", true),
        ("attrs/exit_status", folder, "exit_status: it is a folder", true),
        ("attrs/exit_status", pipe, "exit_status: it is no file", true),
        ("attrs/exit_status", no_text, "exit_status: stream did not contain valid UTF-8", true),
        ("attrs/exit_status", list_of, "attribute 'exit_status': ", true),
        ("attrs/exit_status", other, "attribute 'exit_status': ", true),
        ("attrs/exit_status", gone, "attribute 'exit_status' is missing", true),
        ("attrs/started", empty, "attribute 'started' is empty", true),
        ("attrs/started", zeros, "attribute 'started': ", true),
        ("attrs/started", |path| fs::write(path, "yesterday\n").unwrap(), "attribute 'started': ", true),
        ("attrs/started", |path| fs::write(path, "9223372036854775807\n").unwrap(), "is no time", true),
        ("attrs/stopped", empty, "attribute 'stopped' is empty", true),
        ("attrs/initialized", gone, "attribute 'initialized' is missing", true),
        ("attrs/id", gone, "attribute 'id' is missing", true),
        ("attrs/id", empty, "attribute 'id' is empty", true),
        ("attrs/label", list_of, "attribute 'label': ", true),
        ("attrs/label", other, "attribute 'label' is no text", true),
        ("attrs/tags", |path| fs::write(path, "t1\n").unwrap(), "attribute 'tags': ", true),
        ("attrs/flags", |path| fs::write(path, "- 1\n").unwrap(), "attribute 'flags' is no map", true),
        ("attrs/cmd", other, "attribute 'cmd' is no list", true),
        ("attrs/env", no_text, "env: stream did not contain valid UTF-8", true),
        ("attrs/host", folder, "host: it is a folder", true),
        ("attrs", gone, "it has no attributes", true),
        (
            "attrs",
            |path| {
                gone(path);
                empty(path);
            },
            "attrs is no folder",
            true,
        ),
        (
            "attrs",
            |path| {
                gone(path);
                fs::create_dir(path).unwrap();
            },
            "attribute 'id' is missing",
            true,
        ),
        ("opref", empty, "opref: it has 0 words and not 4", true),
        ("opref", zeros, "opref: ", true),
        ("opref", no_text, "opref: stream did not contain valid UTF-8", true),
        ("opref", folder, "opref is a folder", true),
        ("opref", gone, "it has no opref", true),
        ("opref", |path| fs::write(path, "script:/a '' ''").unwrap(), "opref: it has 3 words and not 4", true),
        ("LOCK", |path| fs::create_dir(path).unwrap(), "LOCK is a folder", true),
        ("events.jsonl", zeros, "event log: its first line is no event", false),
        ("events.jsonl", empty, "its event log is empty", false),
        ("events.jsonl", folder, "event log: it is a folder", false),
        ("events.jsonl", pipe, "event log: it is no file", false),
        ("events.jsonl", no_text, "event log: it holds bytes that are no text", false),
        ("events.jsonl", gone, "it has no event log", false),
        ("events.jsonl", |path| replace(path, "\"format\":1", "\"format\":9"), "it has event format 9, and", false),
        ("events.jsonl", |path| replace(path, "\"seq\":2", "\"seq\":7"), "event log: line 2 holds event 7", false),
        ("events.jsonl", |path| replace(path, "run-finished", "run-fini"), "its last line is no event", false),
    ];

    fn replace(path: &Path, from: &str, to: &str) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    #[test]
    fn every_kind_of_damage_is_told_and_what_the_log_tells_is_written_again() {
        for (number, (file, harm, expected, is_told)) in KINDS.into_iter().enumerate() {
            let dir = tempfile::tempdir().unwrap();
            let path = run(dir.path(), vec![finished(0)]);
            let before = shown(&list::details(&path).info);
            assert!(before.4 && list::details(&path).info.damage.is_none(), "{:?}", list::details(&path).info);
            harm(&path.join(".guild").join(file));
            let case = format!("{number}: {file} {expected}");
            let info = list::details(&path).info;
            let damage = info.damage.clone().unwrap_or_default();
            assert!(damage.contains(expected), "{case}: {damage}");
            assert_eq!(
                (info.status, info.log_status),
                (Status::Corrupt, is_told.then_some(Status::Completed)),
                "{case}"
            );
            if is_told {
                assert_eq!(shown(&info), before, "{case}");
                let done = repair(&path).unwrap();
                assert_eq!(done.damage, None, "{case}: {done:?}");
                let info = list::details(&path).info;
                assert_eq!((shown(&info), info.status), (before, Status::Completed), "{case}: {done:?}");
                assert!(!path.join(".guild/LOCK").exists());
            }
        }
    }

    #[test]
    fn a_log_is_brought_to_its_last_whole_event_and_the_rest_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let warning = |text: &str| EventKind::Warning { text: text.to_owned(), place: None };
        let path = run(dir.path(), vec![warning("one"), warning("two"), finished(0)]);
        let log = path.join(".guild/events.jsonl");
        let whole = fs::read(&log).unwrap();
        let third = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
        let mut bytes = whole.clone();
        bytes[third..].fill(0);
        bytes.push(b'\n');
        fs::write(&log, &bytes).unwrap();
        let done = repair(&path).unwrap();
        assert_eq!((done.written, done.aside), (vec!["events.jsonl".to_owned()], vec!["events.jsonl".to_owned()]));
        assert_eq!(fs::read(&log).unwrap(), &whole[..third]);
        assert_eq!(fs::read(path.join(".guild/damaged/events.jsonl")).unwrap(), bytes);
        // How it ended is in its attributes alone now, which nothing proves.
        assert_eq!(done.damage.as_deref(), Some("its event log has no end"));
        EventLog::open(&log).unwrap().append(vec![warning("more")], Utc::now()).unwrap();
    }

    #[test]
    fn how_a_run_ended_is_read_off_its_log() {
        let cases = [
            (vec![finished(0)], Status::Completed, Some(0)),
            (vec![finished(1)], Status::Error, Some(1)),
            (vec![EventKind::Interrupted { signal: 15, times: 1 }, finished(143)], Status::Terminated, Some(-15)),
            (vec![finished(143)], Status::Error, Some(143)),
            (vec![finished(0), finished(7)], Status::Error, Some(7)),
            (vec![finished(0), started()], Status::Lost, None),
            (vec![], Status::Lost, None),
        ];
        for (events, status, exit_status) in cases {
            let dir = tempfile::tempdir().unwrap();
            let path = run(dir.path(), events.clone());
            empty(&path.join(".guild/attrs/exit_status"));
            let info = summarise(&path);
            let found = (info.status, info.log_status, info.exit_status);
            assert_eq!(found, (Status::Corrupt, Some(status), exit_status), "{events:?}");
            assert!(repair(&path).unwrap().damage.is_none());
            let info = summarise(&path);
            assert_eq!((info.status, info.exit_status), (status, exit_status), "{events:?}");
        }
    }

    #[test]
    fn a_run_that_was_killed_when_nothing_but_its_status_was_left_to_write_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = run(dir.path(), vec![finished(0)]);
        fs::remove_file(path.join(".guild/attrs/exit_status")).unwrap();
        assert_eq!(summarise(&path).status, Status::Corrupt, "it was there");
        fs::write(path.join(".guild/LOCK"), "999999999").unwrap();
        let info = summarise(&path);
        assert_eq!((info.status, info.exit_status, info.damage), (Status::Lost, None, None));
    }

    #[test]
    fn what_runs_and_what_is_newer_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = run(dir.path(), vec![finished(0)]);
        replace(&path.join(".guild/events.jsonl"), "\"format\":1", "\"format\":9");
        assert!(matches!(repair(&path), Err(Error::NewerFormat { found: 9, .. })));
        assert!(!path.join(".guild/damaged").exists() && !path.join(".guild/LOCK").exists());
        let lock = Lock::acquire(&path.join(".guild/LOCK"), 1).ok().unwrap();
        assert!(matches!(repair(&path), Err(Error::Running { .. })));
        drop(lock);
    }

    #[test]
    fn what_a_user_has_taken_away_does_not_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = run(dir.path(), vec![finished(0)]);
        fs::remove_file(path.join(".guild/attrs/label")).unwrap();
        empty(&path.join(".guild/attrs/exit_status"));
        let done = repair(&path).unwrap();
        assert_eq!((done.written, done.aside), (vec!["exit_status".to_owned()], vec!["attrs/exit_status".to_owned()]));
        assert_eq!(list::details(&path).info.label, None);
    }
}
