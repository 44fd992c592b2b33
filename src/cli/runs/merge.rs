//! `rille runs merge`: copies files of a run back to its project.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::act::{Weight, ask};
use super::chosen::{describe, one, tell, warn};
use super::compared::{Compared, compare_files};
use super::diff::project_of;
use super::ls::Pattern;
use super::selection::RunFilter;
use crate::cli::Failure;
use crate::cli::output::write_json;
use crate::engine;
use crate::model::{EntryKind, ManifestEntry, clean_path, exit_code};
use crate::store::{self, FileKind, Home, RunInfo, Walk};

/// Which files of which run are copied, and where to.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct MergeArgs {
    /// The run: its id, the beginning of it, its number in the list, `latest`, or a path
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    /// Copy to DIR [default: the working folder, which must be the project of the run]
    #[arg(short, long, value_name = "DIR")]
    target_dir: Option<PathBuf>,
    /// Copy only source code
    #[arg(short, long, conflicts_with_all = ["all", "skip_sourcecode"])]
    sourcecode: bool,
    /// Copy what the run has made, too
    #[arg(short, long)]
    all: bool,
    /// Copy no source code
    #[arg(short = 'S', long)]
    skip_sourcecode: bool,
    /// Copy no dependencies
    #[arg(short = 'D', long)]
    skip_deps: bool,
    /// Leave out what PATTERN matches; can be given several times
    #[arg(short = 'x', long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Show what would be copied, and copy nothing
    #[arg(short, long)]
    preview: bool,
    /// Replace files also where git does not have them
    #[arg(long, conflicts_with = "no_replace")]
    replace: bool,
    /// Replace no files, also where git has them
    #[arg(long)]
    no_replace: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was copied, or would be, as JSON: a list of objects
    #[arg(long)]
    json: bool,
}

/// A file that is to be copied.
struct Copy {
    from: PathBuf,
    /// Relative to the target.
    to: PathBuf,
    replaces: bool,
}

/// Copies the files.
pub(crate) fn main(args: &MergeArgs, home: &Home) -> Result<i32, Failure> {
    let run = one(home, &args.run, &RunFilter::default())?;
    let target = target(args, &run)?;
    let copies = plan(args, &run, &target)?;
    let kept: Vec<&Copy> = copies.iter().filter(|copy| copy.replaces).collect();
    let at_risk = if args.replace { Vec::new() } else { uncommitted(&target, &kept, args.no_replace) };
    if args.preview {
        return preview(args, &copies, &at_risk);
    }
    if !at_risk.is_empty() {
        let names: Vec<String> = at_risk.iter().take(8).map(|path| path.display().to_string()).collect();
        let more = at_risk.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = if args.no_replace {
            "would be replaced"
        } else {
            "would be replaced, and git does not have them as they are"
        };
        return Err(Failure::usage(format!("files of {} {why}: {}{more}", target.display(), names.join(", ")))
            .hint(if args.no_replace { "leave --no-replace out." } else { "commit them, or add --replace." }));
    }
    if copies.is_empty() {
        tell(&format!("Nothing to copy for the following run:\n  {}", describe(&run)));
        if args.json {
            write_json(&json!([]))?;
        }
        return Ok(0);
    }
    let lines: Vec<String> = copies.iter().map(|copy| copy.to.display().to_string()).collect();
    let text = format!("You are about to copy these files of run {} to '{}'", run.id, target.display());
    if !ask(&text, &lines, Weight::Heavy, "copying files to a project", args.yes)? {
        return Ok(exit_code::FAILED);
    }
    for copy in &copies {
        tell(&format!("Copying {}", copy.to.display()));
        let to = target.join(&copy.to);
        put(&copy.from, &to).map_err(|error| Failure::general(format!("cannot copy to {}: {error}", to.display())))?;
    }
    if args.json {
        write_json(&copies.iter().map(|copy| as_json(copy, false)).collect::<Vec<_>>())?;
    }
    Ok(0)
}

fn as_json(copy: &Copy, at_risk: bool) -> serde_json::Value {
    json!({
        "from": copy.from.to_string_lossy(),
        "to": copy.to.to_string_lossy(),
        "replaces": copy.replaces,
        "uncommitted": at_risk,
    })
}

fn preview(args: &MergeArgs, copies: &[Copy], at_risk: &[PathBuf]) -> Result<i32, Failure> {
    if args.json {
        write_json(&copies.iter().map(|copy| as_json(copy, at_risk.contains(&copy.to))).collect::<Vec<_>>())?;
        return Ok(0);
    }
    let mut text = String::new();
    for copy in copies {
        let note = match (copy.replaces, at_risk.contains(&copy.to)) {
            (false, _) => "",
            (true, false) => "  (replaces a file that git has)",
            (true, true) => "  (would replace a file that git does not have as it is)",
        };
        text += &crate::cli::output::one_line(&copy.to.to_string_lossy());
        text += note;
        text.push('\n');
    }
    crate::cli::output::write_out(&text)?;
    if copies.is_empty() {
        tell("Nothing to copy.");
    }
    Ok(0)
}

/// Returns the folder that is copied to.
fn target(args: &MergeArgs, run: &RunInfo) -> Result<PathBuf, Failure> {
    if let Some(target) = &args.target_dir {
        return Ok(std::path::absolute(target).map_err(store::Error::io("find", target))?);
    }
    let here = Path::new(".");
    let here = here.canonicalize().map_err(store::Error::io("find", here))?;
    let project = project_of(run);
    match project.as_ref().and_then(|project| project.canonicalize().ok()) {
        Some(project) if project == here => Ok(project),
        _ => {
            let of =
                project.map_or("an unknown project".to_owned(), |project| format!("the project {}", project.display()));
            Err(Failure::usage(format!("run {} is of {of}, and the working folder is {}", run.id, here.display()))
                .hint("name the folder to copy to with --target-dir."))
        }
    }
}

/// Returns what is to be copied: what the project does not have, or has otherwise.
fn plan(args: &MergeArgs, run: &RunInfo, target: &Path) -> Result<Vec<Copy>, Failure> {
    let excluded = args.exclude.iter().map(|pattern| Pattern::new(pattern)).collect::<Result<Vec<_>, _>>()?;
    let origins = Origins::of(&run.path);
    let mut copies: BTreeMap<PathBuf, Copy> = BTreeMap::new();
    for file in store::files(&run.path, Walk::default())? {
        let is_wanted = match file.kind {
            FileKind::Sourcecode => !args.skip_sourcecode,
            FileKind::Dependency => !args.skip_deps && !args.sourcecode,
            FileKind::Generated => args.all,
            FileKind::Metadata => false,
        };
        let from = run.path.join(&file.path);
        if !is_wanted || !fs::metadata(&from).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        let Some(to) = origins.project_path(&file.path, file.kind, target, args.all) else { continue };
        if to.as_os_str().is_empty() || excluded.iter().any(|pattern| pattern.matches(&to)) {
            continue;
        }
        let there = target.join(&to);
        if there.is_dir() {
            warn(&format!("{} is a folder of the project, skipping", to.display()));
            continue;
        }
        if compare_files(&from, &there)? == Compared::Same {
            continue;
        }
        let replaces = there.symlink_metadata().is_ok();
        copies.insert(to.clone(), Copy { from, to, replaces });
    }
    Ok(copies.into_values().collect())
}

/// Where the files of a run come from.
struct Origins {
    entries: BTreeMap<PathBuf, ManifestEntry>,
    base: PathBuf,
}

impl Origins {
    fn of(run: &Path) -> Origins {
        let entries = store::manifest(run).into_iter().map(|entry| (entry.path.clone(), entry)).collect();
        Origins { entries, base: store::sourcecode_folder(run) }
    }

    /// Returns the path in the project of a file of the run; `None` if it is of none.
    fn project_path(&self, path: &Path, kind: FileKind, target: &Path, is_all: bool) -> Option<PathBuf> {
        let entry = path.ancestors().find_map(|ancestor| self.entries.get(ancestor));
        let Some(entry) = entry else {
            let below = path.strip_prefix(&self.base).unwrap_or(path);
            return if kind == FileKind::Sourcecode { clean_path(below) } else { clean_path(path) };
        };
        let below = path.strip_prefix(&entry.path).unwrap_or(Path::new(""));
        if entry.kind == EntryKind::SourceCode {
            let origin = if entry.origin.is_empty() {
                entry.path.strip_prefix(&self.base).ok()?
            } else {
                Path::new(&entry.origin)
            };
            return clean_path(&join(origin, below));
        }
        let origin = entry.origin.as_bytes();
        let Some(origin) = origin.strip_prefix(b"file:") else {
            // Of another run, of the network: of the project it is not.
            return is_all.then(|| clean_path(path)).flatten();
        };
        let origin = clean_path(Path::new(&OsString::from_vec(origin.to_vec())))?;
        let is_folder = target.join(&origin).is_dir();
        match (&entry.subpath, is_folder, below.as_os_str().is_empty()) {
            // Out of an archive.
            (Some(_), false, _) => is_all.then(|| clean_path(path)).flatten(),
            (Some(subpath), true, _) => clean_path(&join(&origin.join(subpath), below)),
            (None, true, true) => Some(origin.join(path.file_name()?)),
            (None, ..) => clean_path(&join(&origin, below)),
        }
    }
}

fn join(base: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { base.to_owned() } else { base.join(below) }
}

/// Returns those of the files that git does not have as they are: what they hold would be lost.
fn uncommitted(target: &Path, copies: &[&Copy], is_all: bool) -> Vec<PathBuf> {
    let paths: Vec<&PathBuf> = copies.iter().map(|copy| &copy.to).collect();
    let mut safe: BTreeSet<PathBuf> = BTreeSet::new();
    if !is_all {
        // A command line has its limits.
        for some in paths.chunks(200) {
            let Some(known) = git(target, &["ls-files", "-z"], some) else { continue };
            let Some(changed) = git(target, &["diff", "--name-only", "--relative", "-z", "HEAD"], some) else {
                continue;
            };
            safe.extend(known.difference(&changed).cloned());
        }
    }
    paths.into_iter().filter(|path| !safe.contains(*path)).cloned().collect()
}

/// Returns the paths that git answers with; `None` if it does not.
fn git(folder: &Path, words: &[&str], paths: &[&PathBuf]) -> Option<BTreeSet<PathBuf>> {
    let words = ["git", "--literal-pathspecs"].iter().chain(words).chain(&["--"]).map(OsString::from);
    let words: Vec<OsString> = words.chain(paths.iter().map(|path| path.as_os_str().to_owned())).collect();
    let output = engine::output_of(&words, folder).ok().filter(|output| output.status.success())?;
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Some(names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec()))).collect())
}

/// Puts a copy of a file in its place; nobody sees half of it.
fn put(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = tempfile::Builder::new().prefix(".rille-merge-").tempfile_in(folder)?;
    fs::copy(from, temporary.path())?;
    temporary.persist(to).map(drop).map_err(|error| error.error)
}
