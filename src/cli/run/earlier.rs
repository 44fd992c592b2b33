//! `--resume` and `--rerun`: what an earlier run was started with, and what of it is left to do.

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value;

use super::arguments::{HandedOn, NO_JOBFILE, part_arguments};
use crate::cli::{Failure, configured_home};
use crate::job::{Condition, Rerun};
use crate::model::EventKind;
use crate::store::{self, ArchiveTarget, BadArchive, Home, Status};

/// Options that say how this start of the program is to look, and not what the run is.
const OF_THE_START: [&str; 4] = ["home", "quiet", "verbose", "color"];

/// Options that make a run one of its own; another that repeats a part of it does not share them.
const OF_THE_RUN: [&str; 6] = ["run_dir", "label", "run_tags", "meta", "archive", "rerun_condition"];

/// Returns the command line of a run that goes on with an earlier one, or repeats a part of it, made of the earlier
/// command line and of what was typed now; `None` if nothing is recalled.
pub(crate) fn recall(
    cli: &Command,
    typed: &ArgMatches,
    handed_on: &mut HandedOn,
) -> Result<Option<Vec<OsString>>, Failure> {
    let Some(("run", run)) = typed.subcommand() else { return Ok(None) };
    let text = |id: &str| run.get_one::<String>(id).cloned();
    let (id, given) = match (text("resume"), text("rerun")) {
        (Some(given), _) => ("resume", given),
        (None, Some(given)) => ("rerun", given),
        (None, None) => return Ok(None),
    };
    let home = configured_home(typed.get_one::<PathBuf>("home").map(PathBuf::as_path))?;
    let jobfile = run.get_one::<PathBuf>("jobfile").filter(|path| path.as_os_str() != NO_JOBFILE);
    let source = Source::find(&home, &given)?;
    if id == "rerun" && jobfile.is_some() {
        return Ok(None);
    }
    let Some(arguments) = cli.find_subcommand("run").map(|run| run.get_arguments().collect::<Vec<_>>()) else {
        return Ok(None);
    };
    let earlier = source.command()?;
    let (own, earlier_rest) = part_arguments(cli, earlier);
    let earlier = cli.clone().ignore_errors(true).try_get_matches_from(own).ok();
    let earlier = earlier.as_ref().and_then(|matches| matches.subcommand_matches("run"));

    let is_typed = |arg: &Arg| run.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    let is_recalled = |arg: &&Arg| {
        let name = arg.get_id().as_str();
        let is_own = id == "rerun" && OF_THE_RUN.contains(&name) || ["resume", "rerun", "run_dir"].contains(&name);
        !(is_typed(arg) || is_own || name == "rerun_condition" || OF_THE_START.contains(&name))
    };
    let options = || arguments.iter().copied().filter(|arg| !arg.is_positional());
    let recalled = earlier.map(|earlier| options().filter(is_recalled).flat_map(|arg| words(arg, earlier, false)));
    let recalled: Vec<OsString> = recalled.into_iter().flatten().collect();
    let earlier_jobfile = earlier.and_then(|earlier| earlier.get_one::<PathBuf>("jobfile").cloned());
    let jobfile = match jobfile {
        Some(jobfile) => std::path::absolute(jobfile).unwrap_or_else(|_| jobfile.clone()),
        None => earlier_jobfile
            .filter(|jobfile| jobfile.as_os_str() != NO_JOBFILE)
            .ok_or_else(|| Failure::usage(format!("the command line of run '{given}' names no jobfile")))?,
    };
    let name = source.name(&home);
    let mut now: Vec<OsString> = Vec::new();
    for arg in options().filter(|arg| is_typed(arg)) {
        match arg.get_id().as_str() {
            // By another name it may mean another run, once the working folder has changed or another run is the latest.
            option if option == id => now.push(joined(id, &name)),
            _ => now.extend(words(arg, run, true)),
        }
    }
    source.enter_folder()?;
    if handed_on.arguments.is_empty() {
        handed_on.arguments = earlier_rest.arguments;
    }
    let line = |options: Vec<OsString>| {
        let mut line: Vec<OsString> = vec!["rille".into(), "run".into()];
        line.extend(options);
        line
    };
    let is_kept = |word: &&OsString| !(id == "resume" && word.as_encoded_bytes().starts_with(b"--resume="));
    let mut recorded = line(recalled.iter().chain(now.iter().filter(is_kept)).cloned().collect());
    recorded.push(jobfile.clone().into());
    if !handed_on.arguments.is_empty() {
        recorded.push("--".into());
        recorded.extend(handed_on.arguments.iter().cloned());
    }
    // What was typed first stays the command line of a run that is gone on with as it was.
    let is_as_it_was = id == "resume" && now.iter().filter(is_kept).count() == 0;
    handed_on.command = Some(if is_as_it_was { source.command()? } else { recorded });
    let mut whole = line(recalled.into_iter().chain(now).collect());
    whole.extend(["--".into(), jobfile.into()]);
    Ok(Some(whole))
}

/// Returns the words that give an option the value it has. With `absolute` paths do not depend on the working folder.
fn words(arg: &Arg, matches: &ArgMatches, absolute: bool) -> Vec<OsString> {
    let (id, Some(long)) = (arg.get_id().as_str(), arg.get_long()) else { return Vec::new() };
    if !matches!(matches.try_contains_id(id), Ok(true)) || matches.value_source(id) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    match arg.get_action() {
        ArgAction::SetTrue | ArgAction::SetFalse => vec![format!("--{long}").into()],
        ArgAction::Count => vec![format!("--{long}").into(); usize::from(matches.get_count(id))],
        _ => {
            let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
            let value = |raw: &OsStr| match std::path::absolute(raw) {
                Ok(path) if is_path && absolute => joined(long, path.as_os_str()),
                _ => joined(long, raw),
            };
            matches.get_raw(id).into_iter().flatten().map(value).collect()
        }
    }
}

fn joined(long: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{long}="));
    word.push(value);
    word
}

/// Where an earlier run is found.
enum Source {
    Run(PathBuf),
    Archive(PathBuf),
}

impl Source {
    fn find(home: &Home, given: &str) -> Result<Source, Failure> {
        let path = Path::new(given);
        if store::is_archive(path) && path.is_file() {
            return Ok(Source::Archive(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())));
        }
        Ok(Source::Run(home.find(given)?))
    }

    /// Returns a name by which it is found from anywhere.
    fn name(&self, home: &Home) -> OsString {
        match self {
            Source::Run(path) if path.parent() == Some(&home.runs_dir()) => {
                path.file_name().unwrap_or_default().to_owned()
            }
            Source::Run(path) | Source::Archive(path) => path.clone().into(),
        }
    }

    fn attribute(&self, name: &str) -> Result<Option<Value>, Failure> {
        Ok(match self {
            Source::Run(path) => store::load(path)?.attrs.remove(name),
            Source::Archive(path) => store::archived_attribute(path, name)?,
        })
    }

    /// Returns the command line that started it.
    fn command(&self) -> Result<Vec<OsString>, Failure> {
        let words = self.attribute("cmd")?;
        let words = words.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let words: Vec<OsString> = words.iter().filter_map(Value::as_str).map(OsString::from).collect();
        if words.iter().any(|word| word == "run") {
            return Ok(words);
        }
        Err(Failure::usage(format!("{} was not started by 'rille run'", self.shown())))
    }

    /// Makes the folder in which it was started the working folder.
    fn enter_folder(&self) -> Result<(), Failure> {
        let folder = self.attribute("started_in")?;
        let Some(folder) = folder.as_ref().and_then(Value::as_str).filter(|folder| !folder.is_empty()) else {
            return Ok(());
        };
        std::env::set_current_dir(folder).map_err(|error| {
            Failure::usage(format!("cannot go to {folder}, the folder in which {} was started: {error}", self.shown()))
        })
    }

    fn shown(&self) -> String {
        match self {
            Source::Run(path) => format!("run {}", store::run_id(path)),
            Source::Archive(path) => path.display().to_string(),
        }
    }
}

/// Returns the directory of the run to go on with, if there is something to go on with.
pub(crate) fn unfinished(home: &Home, given: &str, door: &str) -> Result<PathBuf, Failure> {
    let path = home.find(given)?;
    let id = store::run_id(&path);
    let log = path.join(".guild").join("events.jsonl");
    let status = store::summarise(&path).status;
    if status == Status::Running {
        return Err(store::Error::Running { id }.into());
    }
    if !log.exists() {
        return Err(Failure::usage(format!("run {id} is no run of a jobfile, so that it cannot be resumed"))
            .hint("'rille runs info' shows what it is."));
    }
    let mut ended_well = false;
    let mut broken = false;
    for event in store::read(&log)? {
        match event?.kind {
            EventKind::RunStarted(header) if header.door != door => {
                let (is, wanted) = (header.door, if door == "job" { "jobfile" } else { door });
                return Err(Failure::usage(format!("run {id} is a run of a {is} and not of a {wanted}")));
            }
            EventKind::RunStarted(_) => (ended_well, broken) = (false, false),
            EventKind::MainFinished { error: Some(_) } | EventKind::Interrupted { .. } => broken = true,
            EventKind::TaskFinished(finished) => broken |= finished.dangling,
            EventKind::RunFinished { exit_code, .. } => ended_well = exit_code != 7,
            _ => {}
        }
    }
    // One that was killed between its last event and its last file has no results yet.
    if ended_well && !broken && status != Status::Lost {
        return Err(Failure::usage(format!("run {id} came to its end, so that there is nothing to resume"))
            .hint(format!("'rille run --rerun {given}' runs again what did not pass.")));
    }
    Ok(path)
}

/// Returns what of an earlier run is to run again; `None` if it is nothing, which is said.
pub(super) fn chosen(home: &Home, given: &str, condition: Option<&Condition>) -> Result<Option<Rerun>, Failure> {
    let condition = condition.cloned().unwrap_or_default();
    let source = Source::find(home, given)?;
    let rerun = match &source {
        Source::Run(path) => {
            let log = path.join(".guild").join("events.jsonl");
            if !log.exists() {
                let text = format!("{} is no run of a jobfile, so that nothing of it can be rerun", source.shown());
                return Err(Failure::usage(text));
            }
            Rerun::choose(store::read(&log)?, &condition)?
        }
        Source::Archive(path) => store::with_archived_log(path, |log| Rerun::choose(log, &condition))?,
    };
    if rerun.is_empty() {
        // With a closed terminal there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "nothing to run: {} holds nothing that ended so", source.shown());
        return Ok(None);
    }
    Ok(Some(rerun))
}

/// Checks where the archive is to be. One that the run made before it was resumed is replaced.
pub(super) fn archive(given: &Path, resumed: Option<&Path>) -> Result<ArchiveTarget, Failure> {
    let own = resumed.and_then(|run| store::load(run).ok()).and_then(|mut run| run.attrs.remove("archive"));
    let own = own.as_ref().and_then(Value::as_str).map(Path::new);
    ArchiveTarget::check(given, own).map_err(|error| bad_archive(&error))
}

/// Returns what is wrong with the place of an archive, and what to do about it.
pub(crate) fn bad_archive(error: &BadArchive) -> Failure {
    let hint = match error {
        BadArchive::Form(_) => "end its name in .zip or .tar.zst.",
        BadArchive::Folder(_) => "name a file in it, such as FOLDER/run.zip.",
        BadArchive::Exists(_) => "move it away, or choose another name.",
        BadArchive::NoFolder(_) => "make the folder first.",
        BadArchive::Unwritable { .. } => "choose another folder.",
    };
    Failure::usage(error.to_string()).hint(hint)
}
