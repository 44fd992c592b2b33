//! What is known of runs. Each run is read by itself: one that is damaged is one row marked so, never an error for the
//! others.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::birth::GUILD_TO_BE;
use super::{Error, Opref, Result, Status, attr, status};

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
    let mut info = info(path, &mut reader);
    info.mark_damage(reader.damage);
    info
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
        operation: opref.as_ref().map(Opref::operation),
        opref: opref.as_ref().map(Opref::to_string),
        initialized: reader.time("initialized"),
        started: reader.time("started"),
        stopped: reader.time("stopped"),
        exit_status,
        label: reader.attr::<Value>("label").and_then(text),
        tags: reader.attr::<Vec<Value>>("tags").into_iter().flatten().filter_map(text).collect(),
        marked: reader.attr("marked").unwrap_or(false),
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
    let mut names = Vec::new();
    // No folder of attributes is an empty one: a run that must have some is missed them below.
    for entry in fs::read_dir(&reader.attrs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(text) = reader.file(&entry.path(), &name) {
            reader.texts.insert(name.clone(), text);
            names.push(name);
        }
    }
    reader.has_all = true;
    let mut info = info(path, &mut reader);
    let mut attrs = BTreeMap::new();
    for name in names {
        if let Some(value) = reader.attr::<Value>(&name) {
            attrs.insert(name, value);
        }
    }
    info.mark_damage(reader.damage);
    let flags = attrs.get("flags").and_then(Value::as_object).cloned().unwrap_or_default();
    RunDetails { info, flags, attrs }
}

/// Returns an attribute of the run in the directory `path`; `None` if it is not there, null, or damaged.
pub(crate) fn attribute(path: &Path, name: &str) -> Option<Value> {
    Reader::new(path).attr(name)
}

impl RunInfo {
    /// Adds what was found damaged, which makes the run corrupt unless it is still being written.
    fn mark_damage(&mut self, damage: Vec<String>) {
        let mut all: Vec<String> = self.damage.take().into_iter().chain(damage).collect();
        // The same attribute may have been read twice.
        let mut seen = std::collections::HashSet::new();
        all.retain(|what| seen.insert(what.clone()));
        if !all.is_empty() {
            self.status = Status::Corrupt;
            self.damage = Some(all.join("; "));
        }
    }
}

/// Reads the files of one run and collects what is wrong with them.
pub(super) struct Reader {
    attrs: PathBuf,
    /// What was read in advance.
    texts: BTreeMap<String, String>,
    /// Whether that is everything there is.
    has_all: bool,
    damage: Vec<String>,
}

impl Reader {
    fn new(run: &Path) -> Reader {
        Reader { attrs: run.join(".guild/attrs"), texts: BTreeMap::new(), has_all: false, damage: Vec::new() }
    }

    /// Returns an attribute; `None` if it is not there, null, or damaged.
    fn attr<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let text = match self.texts.get(name) {
            Some(text) => Cow::Borrowed(text.as_str()),
            None if self.has_all => return None,
            None => Cow::Owned(self.file(&self.attrs.join(name), name)?),
        };
        match attr::decode::<Option<T>>(&text) {
            Ok(value) => value,
            Err(e) => {
                let what = e.lines().next().unwrap_or_default().to_owned();
                self.damage.push(format!("attribute '{name}': {what}"));
                None
            }
        }
    }

    /// Returns an attribute that holds microseconds since 1970.
    fn time(&mut self, name: &str) -> Option<DateTime<Utc>> {
        let micros: i64 = self.attr(name)?;
        let time = DateTime::from_timestamp_micros(micros);
        if time.is_none() {
            self.damage.push(format!("attribute '{name}': {micros} is no time"));
        }
        time
    }

    /// Returns the operation reference. Only a run that is being prepared may be without.
    fn opref(&mut self, path: &Path, status: Status) -> Option<Opref> {
        let Some(text) = self.file(path, "opref") else {
            let is_being_made = matches!(status, Status::Running | Status::Pending | Status::Lost);
            if !is_being_made && self.damage.is_empty() {
                self.damage.push("it has no opref".to_owned());
            }
            return None;
        };
        Opref::parse(&text).map_err(|what| self.damage.push(format!("opref: {what}"))).ok()
    }

    fn file(&mut self, path: &Path, name: &str) -> Option<String> {
        match fs::read_to_string(path) {
            Ok(text) => Some(text),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                self.damage.push(format!("{name}: {e}"));
                None
            }
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
