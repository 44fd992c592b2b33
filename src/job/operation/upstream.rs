//! Which run of another operation a run takes files of, or would take files of.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::PathBuf;

use regex::Regex;
use serde_json::Value;

use super::batch;
use super::pipeline::PARENT;
use crate::operation::dependency::{NoRun, Purpose, Upstream, Upstreams};
use crate::store::{self, Home, Opref, RunInfo, Status};

/// The length of an id that is given whole.
const ID_LENGTH: usize = 32;

/// The runs of a home.
pub(super) struct Runs<'a> {
    pub(super) home: &'a Home,
    /// The id of the run that asks: it is not its own upstream.
    pub(super) own: Option<&'a str>,
    /// Who asks can wait: a run that may still change, or is to be made good first, is not taken.
    pub(super) can_wait: bool,
}

impl Upstreams for Runs<'_> {
    fn find(&self, operation: &str, chosen: Option<&str>, purpose: Purpose) -> Result<Upstream, NoRun> {
        let none = |hint: Option<String>| NoRun { operation: operation.to_owned(), hint };
        let mut ids = self.home.ids().map_err(|error| none(Some(error.to_string())))?;
        ids.retain(|id| Some(id.as_str()) != self.own);
        if let Some(siblings) = siblings() {
            ids.retain(|id| siblings.contains(id));
        }
        if let Some(chosen) = chosen {
            // An id that is given whole says which run is meant, whatever its operation is.
            if ids.iter().any(|id| id == chosen) {
                let run = store::summarise(&self.home.runs_dir().join(chosen));
                let judged = if self.can_wait { judge_settled(&run) } else { judge(&run, purpose, true) };
                return judged.map_err(|why| none(Some(why)));
            }
            ids.retain(|id| id.starts_with(chosen));
            if ids.is_empty() || chosen.len() >= ID_LENGTH {
                return Err(none(Some(format!("there is no run '{chosen}'"))));
            }
        }
        let wanted = Wanted::parse(operation).map_err(|what| none(Some(what)))?;
        let candidates = self.newest_first(&ids, &wanted);
        if candidates.is_empty() {
            return Err(none(Some(match chosen {
                Some(chosen) => format!("no run of {operation} has an id that begins with '{chosen}'"),
                None => format!("there is no run of {operation} yet"),
            })));
        }
        let mut why_not = None;
        let mut newest = None;
        let mut comes = None;
        for path in candidates {
            let is_needed = newest.is_none() || is_marked(&path);
            if !is_needed {
                continue;
            }
            let run = store::summarise(&path);
            // An older one is not what is meant while the newest is on its way.
            if self.can_wait && matches!(run.status, Status::Running | Status::Staged | Status::Pending) {
                comes = comes.or_else(|| judge_settled(&run).err().filter(|_| newest.is_none()));
                continue;
            }
            match judge(&run, purpose, false) {
                Ok(upstream) if run.marked => return Ok(upstream),
                Ok(upstream) => newest = newest.or(Some(upstream)),
                Err(why) => why_not = why_not.or(Some(why)),
            }
        }
        match comes {
            Some(why) => Err(none(Some(why))),
            None => newest.ok_or_else(|| none(why_not)),
        }
    }
}

impl Runs<'_> {
    /// Returns the directories of the runs of an operation, newest first. Of all others only the reference is read.
    fn newest_first(&self, ids: &[String], wanted: &Wanted) -> Vec<PathBuf> {
        let runs = self.home.runs_dir();
        let paths = ids.iter().map(|id| runs.join(id));
        let of_operation =
            paths.filter(|path| matches!(store::read_opref(path), Ok(Some(opref)) if wanted.fits(&opref)));
        let time = |path: &PathBuf| {
            let attribute = |name| store::attribute(path, name).as_ref().and_then(Value::as_i64);
            attribute("started").or_else(|| attribute("initialized"))
        };
        let mut timed: Vec<_> = of_operation.map(|path| (Reverse(time(&path)), path)).collect();
        timed.sort();
        timed.into_iter().map(|(_, path)| path).collect()
    }
}

/// Returns the runs of the steps of the pipeline that this run is a step of, and their trials, where it is to see no others.
fn siblings() -> Option<BTreeSet<String>> {
    let parent = PathBuf::from(std::env::var_os(PARENT)?);
    let links = |folder: &std::path::Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_link = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
        entries.filter(is_link).filter_map(|entry| std::fs::canonicalize(entry.path()).ok()).collect()
    };
    let steps = links(&parent);
    let trials = steps.iter().filter(|step| batch::proto_of(step).is_some()).flat_map(|step| links(step));
    let all: Vec<PathBuf> = trials.collect::<Vec<_>>().into_iter().chain(steps.iter().cloned()).collect();
    Some(all.iter().map(|path| store::run_id(path)).collect())
}

fn is_marked(path: &std::path::Path) -> bool {
    path.join(".guild/attrs/marked").exists()
}

/// Returns the run if files can be taken of it, or why not.
fn judge(run: &RunInfo, purpose: Purpose, is_chosen: bool) -> Result<Upstream, String> {
    let upstream = |remark: Option<&str>| {
        let remark = remark.map(|remark| format!("run {} {remark}", run.id));
        Ok(Upstream { id: run.id.clone(), path: run.path.clone(), remark })
    };
    let id = short(&run.id);
    match run.status {
        Status::Completed | Status::Terminated => upstream(None),
        Status::Running if run.path.join(".guild/PENDING").exists() => Err(format!("run {id} has not started yet")),
        Status::Running => upstream(Some("is still running: what it writes from now on may be missing")),
        Status::Staged if purpose == Purpose::Flag => upstream(None),
        Status::Staged => Err(format!("run {id} is staged: start it with 'rille run --start {id}'")),
        // Who names a run knows what it is.
        Status::Error if is_chosen => upstream(Some("has ended in error: its files may not be complete")),
        Status::Lost if is_chosen => upstream(Some("was killed: its files may not be complete")),
        Status::Error => Err(format!("run {id} has ended in error")),
        Status::Lost => Err(format!("run {id} was killed before it ended")),
        Status::Pending => Err(format!("run {id} has not started yet")),
        Status::Corrupt => {
            Err(format!("run {id} is corrupt: {}", run.damage.as_deref().unwrap_or("it cannot be read")))
        }
    }
}

/// The same where it can be waited for: also a run that was named has to have ended well.
fn judge_settled(run: &RunInfo) -> Result<Upstream, String> {
    let id = short(&run.id);
    match run.status {
        Status::Running => Err(format!("run {id} is still running")),
        Status::Error | Status::Lost => {
            let why = judge(run, Purpose::Files, false).err().unwrap_or_default();
            Err(format!("{why}: start it again with 'rille run --start {id}'"))
        }
        _ => judge(run, Purpose::Files, true),
    }
}

fn short(id: &str) -> &str {
    if id.len() == ID_LENGTH { id.get(..8).unwrap_or(id) } else { id }
}

/// The operations that a dependency names.
pub(super) struct Wanted(Vec<Name>);

/// One of them: `op`, `model:op` or `package/model:op`, model and operation as regular expressions.
struct Name {
    package: Option<String>,
    model: Option<Regex>,
    op: Regex,
}

impl Wanted {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let regex = |text: &str| {
            let pattern = if text == "+" { "^\\+$".to_owned() } else { format!("^(?:{text})$") };
            Regex::new(&pattern).map_err(|error| {
                let text = error.to_string();
                text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            })
        };
        let name = |word: &str| {
            let (model, op) = match word.rsplit_once(':') {
                Some((model, op)) => (Some(model), op),
                None => (None, word),
            };
            let (package, model) = match model.map(|model| model.rsplit_once('/')) {
                Some(Some((package, model))) => (Some(package.to_owned()), Some(model)),
                _ => (None, model),
            };
            Ok::<_, String>(Name { package, model: model.map(regex).transpose()?, op: regex(op)? })
        };
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(Wanted(words.map(name).collect::<Result<_, _>>()?))
    }

    pub(super) fn fits(&self, opref: &Opref) -> bool {
        self.0.iter().any(|name| {
            name.package.as_ref().is_none_or(|package| *package == opref.name)
                && name.model.as_ref().is_none_or(|model| model.is_match(&opref.model))
                && name.op.is_match(&opref.op)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Made {
        _dir: tempfile::TempDir,
        home: Home,
    }

    /// Id, operation, started, and files below `.guild` with what they hold.
    type Given<'a> = (&'a str, &'a str, i64, &'a [(&'a str, &'a str)]);

    /// Makes a home of runs.
    fn home(runs: &[Given<'_>]) -> Made {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::locate(Some(dir.path())).unwrap();
        for (id, operation, started, files) in runs {
            let guild = home.runs_dir().join(id).join(".guild");
            fs::create_dir_all(guild.join("attrs")).unwrap();
            let (model, op) = operation.split_once(':').unwrap_or(("''", operation));
            fs::write(guild.join("opref"), format!("guildfile:/p/guild.yml v {model} {op}")).unwrap();
            fs::write(guild.join("attrs/started"), format!("{started}\n")).unwrap();
            for (name, text) in *files {
                fs::write(guild.join(name), text).unwrap();
            }
        }
        Made { _dir: dir, home }
    }

    const DONE: (&str, &str) = ("attrs/exit_status", "0\n");
    const FAILED: (&str, &str) = ("attrs/exit_status", "1\n");
    const ENDED: (&str, &str) = ("attrs/exit_status", "-15\n");
    const STAGED: (&str, &str) = ("STAGED", "");
    const MARKED: (&str, &str) = ("attrs/marked", "true\n");

    fn find(made: &Made, operation: &str, chosen: Option<&str>, purpose: Purpose) -> String {
        match (Runs { home: &made.home, own: Some("own"), can_wait: false }).find(operation, chosen, purpose) {
            Ok(run) => run.remark.map_or(run.id.clone(), |remark| format!("{}: {remark}", run.id)),
            Err(error) => format!("{error}; {}", error.hint.as_deref().unwrap_or_default()),
        }
    }

    #[test]
    fn the_newest_that_was_run_is_taken_or_the_marked_one() {
        let made = home(&[
            ("a1", "up", 1, &[DONE, MARKED]),
            ("a2", "up", 2, &[DONE]),
            ("a3", "up", 3, &[FAILED]),
            ("a4", "up", 4, &[STAGED]),
            ("b1", "other", 5, &[DONE]),
            ("b2", "other", 6, &[ENDED]),
            ("c1", "m:op", 1, &[DONE]),
            ("c2", "n:op", 2, &[DONE]),
            ("s1", "late", 1, &[STAGED]),
            ("f1", "bad", 1, &[FAILED]),
            ("own", "other", 9, &[DONE]),
        ]);
        let cases = [
            ("up", None, "a1"),
            ("other", None, "b2"),
            ("up, other", None, "a1"),
            ("other,m:op", None, "b2"),
            ("oth.*", None, "b2"),
            ("oth", None, "no suitable run for oth; there is no run of oth yet"),
            ("op", None, "c2"),
            ("m:op", None, "c1"),
            ("up", Some("a2"), "a2"),
            ("up", Some("a3"), "a3: run a3 has ended in error: its files may not be complete"),
            ("up", Some("a"), "a1"),
            ("up", Some("b"), "no suitable run for up; no run of up has an id that begins with 'b'"),
            ("up", Some("zz"), "no suitable run for up; there is no run 'zz'"),
            ("up", Some("b1"), "b1"),
            ("up", Some("a4"), "no suitable run for up; run a4 is staged: start it with 'rille run --start a4'"),
            ("late", None, "no suitable run for late; run s1 is staged: start it with 'rille run --start s1'"),
            ("bad", None, "no suitable run for bad; run f1 has ended in error"),
        ];
        for (operation, chosen, expected) in cases {
            assert_eq!(find(&made, operation, chosen, Purpose::Files), expected, "{operation} {chosen:?}");
        }
        assert_eq!(find(&made, "late", None, Purpose::Flag), "s1");
        assert_eq!(find(&made, "up", Some("a4"), Purpose::Flag), "a4");
    }

    #[test]
    fn who_can_wait_takes_only_what_has_ended_well() {
        let running = ("LOCK", &*std::process::id().to_string());
        let made = home(&[
            ("a1", "up", 1, &[DONE]),
            ("a2", "up", 2, &[running]),
            ("a3", "up", 3, &[FAILED]),
            ("b1", "marked", 1, &[DONE, MARKED]),
            ("b2", "marked", 2, &[running]),
            ("c1", "old", 1, &[running]),
            ("c2", "old", 2, &[DONE]),
            ("d1", "late", 1, &[DONE]),
            ("d2", "late", 2, &[STAGED]),
        ]);
        let again = |id: &str| format!("start it again with 'rille run --start {id}'");
        let cases = [
            ("up", None, "no suitable run for up; run a2 is still running".to_owned()),
            ("up", Some("a1"), "a1".to_owned()),
            ("up", Some("a2"), "no suitable run for up; run a2 is still running".to_owned()),
            ("up", Some("a3"), format!("no suitable run for up; run a3 has ended in error: {}", again("a3"))),
            ("marked", None, "b1".to_owned()),
            ("old", None, "c2".to_owned()),
            (
                "late",
                None,
                "no suitable run for late; run d2 is staged: start it with 'rille run --start d2'".to_owned(),
            ),
            ("late", Some("d1"), "d1".to_owned()),
        ];
        for (operation, chosen, expected) in cases {
            let runs = Runs { home: &made.home, own: None, can_wait: true };
            let found = match runs.find(operation, chosen, Purpose::Files) {
                Ok(run) => run.id,
                Err(error) => format!("{error}; {}", error.hint.as_deref().unwrap_or_default()),
            };
            assert_eq!(found, expected, "{operation} {chosen:?}");
        }
    }

    #[test]
    fn a_home_without_runs_has_none() {
        let made = home(&[]);
        assert_eq!(find(&made, "up", None, Purpose::Files), "no suitable run for up; there is no run of up yet");
        assert_eq!(find(&made, "(", None, Purpose::Files), "no suitable run for (; unclosed group");
    }
}
