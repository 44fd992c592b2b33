//! `rille runs diff`: shows in what two runs differ.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::cat::OUTPUT;
use super::chosen::{ChosenPair, describe};
use super::compared::{Compared, Side, compare_files, compare_texts, paint};
use super::open::words_of;
use crate::cli::output::{wants_colour, write_json, write_out};
use crate::cli::{Failure, jobs};
use crate::engine;
use crate::model::clean_path;
use crate::store::{self, FileKind, Home, Opref, RunInfo, Walk};

/// Which runs are compared, and what of them. Without options everything is.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct DiffArgs {
    /// Compare what the operations wrote to standard output and error
    #[arg(short = 'O', long)]
    output: bool,
    /// Compare the source code
    #[arg(short, long)]
    sourcecode: bool,
    /// Compare the environments
    #[arg(short, long)]
    env: bool,
    /// Compare the flags
    #[arg(short, long)]
    flags: bool,
    /// Compare all attributes
    #[arg(short, long)]
    attrs: bool,
    /// Compare the dependencies
    #[arg(short = 'D', long)]
    deps: bool,
    /// Compare a file or folder; can be given several times
    #[arg(short, long, value_name = "PATH")]
    path: Vec<PathBuf>,
    /// Compare the source code of one run with that of its project as it is now
    #[arg(short, long, conflicts_with_all = ["output", "env", "flags", "attrs", "deps"])]
    working: bool,
    /// Compare the files of one run with those of this folder
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["working", "output", "env", "flags", "attrs", "deps"])]
    dir: Option<PathBuf>,
    /// Compare files by this command, to which the two paths are added
    #[arg(short, long, value_name = "CMD", conflicts_with = "json")]
    cmd: Option<String>,
    /// Write JSON: attributes with both values, and files with what became of them
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: ChosenPair,
}

/// One of two things that are compared.
struct Party {
    path: PathBuf,
    attrs: Map<String, Value>,
}

impl Party {
    fn of(run: &RunInfo) -> Result<Party, Failure> {
        let attrs = store::load(&run.path)?.attrs.into_iter().collect();
        Ok(Party { path: run.path.clone(), attrs })
    }
}

/// Compares the runs.
pub(crate) fn main(args: &DiffArgs, home: &Home) -> Result<i32, Failure> {
    if args.working || args.dir.is_some() {
        return with_folder(args, home);
    }
    let (first, second) = args.chosen.find_two(home)?;
    let chosen = [args.output, args.sourcecode, args.env, args.flags, args.attrs, args.deps, !args.path.is_empty()];
    let is_all = !chosen.contains(&true);
    // Hardly a file of two such runs is the same, and what counts is how the tests ended.
    if is_all && args.cmd.is_none() && [&first, &second].iter().all(|run| jobs::is_of_tests(&run.path)) {
        return jobs::diff(&first.path, &second.path, args.json);
    }
    let (first, second) = (Party::of(&first)?, Party::of(&second)?);
    let mut comparison = Comparison::new(args)?;
    if is_all || args.attrs {
        let names: BTreeSet<&String> = first.attrs.keys().chain(second.attrs.keys()).collect();
        for name in names {
            comparison.attr(&first, &second, name)?;
        }
    } else {
        for (is_wanted, name) in [(args.env, "env"), (args.flags, "flags"), (args.deps, "deps")] {
            if is_wanted {
                comparison.attr(&first, &second, name)?;
            }
        }
    }
    if is_all || args.output {
        comparison.file(&first.path.join(OUTPUT), &second.path.join(OUTPUT), Path::new(OUTPUT))?;
    }
    if args.sourcecode {
        let folders = [&first, &second].map(|party| party.path.join(store::sourcecode_folder(&party.path)));
        let lists = [&first, &second].map(|party| sources(&party.path));
        comparison.files(&folders[0], &folders[1], &lists[0], &lists[1])?;
    }
    if is_all {
        let lists = [&first, &second].map(|party| files_of(&party.path));
        comparison.files(&first.path, &second.path, &lists[0], &lists[1])?;
    }
    for path in &args.path {
        comparison.path(&first.path, &second.path, path)?;
    }
    comparison.finish()
}

/// Compares a run with a folder.
fn with_folder(args: &DiffArgs, home: &Home) -> Result<i32, Failure> {
    let run = args.chosen.find_one(home)?;
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => project_of(&run).ok_or_else(|| {
            Failure::usage(format!("the project of run {} is not known", describe(&run)))
                .hint("name its folder with --dir.")
        })?,
    };
    if !folder.is_dir() {
        return Err(Failure::usage(format!("{} is no folder", folder.display())));
    }
    let is_sourcecode = args.working || args.sourcecode;
    let base = if is_sourcecode { run.path.join(store::sourcecode_folder(&run.path)) } else { run.path.clone() };
    let mut comparison = Comparison::new(args)?;
    if args.path.is_empty() {
        let own = if is_sourcecode { sources(&run.path) } else { files_of(&run.path) };
        let there = own.iter().filter(|path| folder.join(path).exists()).cloned().collect();
        // What only the project has was not meant to be copied.
        comparison.files(&base, &folder, &own, &there)?;
    }
    for path in &args.path {
        comparison.path(&base, &folder, path)?;
    }
    comparison.finish()
}

/// Returns the folder of the project that a run is of.
pub(super) fn project_of(run: &RunInfo) -> Option<PathBuf> {
    let opref = Opref::parse(run.opref.as_deref()?).ok()?;
    let path = PathBuf::from(opref.name);
    match opref.kind.as_str() {
        "script" => Some(path),
        "guildfile" => path.parent().map(Path::to_owned),
        _ => None,
    }
    .filter(|path| path.is_absolute())
}

/// Returns the files of source code, relative to their folder.
pub(super) fn sources(run: &Path) -> BTreeSet<PathBuf> {
    let base = store::sourcecode_folder(run);
    let files = store::files(run, Walk::default()).unwrap_or_default().into_iter();
    let files = files.filter(|file| file.kind == FileKind::Sourcecode && !file.metadata.is_dir());
    files.filter_map(|file| file.path.strip_prefix(&base).ok().map(Path::to_owned)).collect()
}

fn files_of(run: &Path) -> BTreeSet<PathBuf> {
    let files = store::files(run, Walk::default()).unwrap_or_default().into_iter();
    files.filter(|file| !file.metadata.is_dir()).map(|file| file.path).collect()
}

/// What was found so far.
struct Comparison {
    command: Option<Vec<OsString>>,
    as_json: bool,
    text: String,
    attrs: Map<String, Value>,
    files: Vec<Value>,
}

impl Comparison {
    fn new(args: &DiffArgs) -> Result<Comparison, Failure> {
        let command = args.cmd.as_deref().map(words_of).transpose()?;
        Ok(Comparison { command, as_json: args.json, text: String::new(), attrs: Map::new(), files: Vec::new() })
    }

    fn attr(&mut self, first: &Party, second: &Party, name: &str) -> Result<(), Failure> {
        let (old, new) = (first.attrs.get(name), second.attrs.get(name));
        if old == new {
            return Ok(());
        }
        let path = Path::new(".guild/attrs").join(name);
        if self.command.is_some() {
            return self.file(&first.path.join(&path), &second.path.join(&path), &path);
        }
        self.attrs.insert(name.to_owned(), json!([old, new]));
        let text = |value: Option<&Value>| value.and_then(|value| store::yaml(value).ok()).unwrap_or_default();
        let (old, new) = (text(old), text(new));
        let (from, to) = (first.path.join(&path), second.path.join(&path));
        self.text += &compare_texts(Side { name: &from, text: &old }, Side { name: &to, text: &new });
        Ok(())
    }

    fn file(&mut self, first: &Path, second: &Path, name: &Path) -> Result<(), Failure> {
        if let Some(command) = &self.command {
            if !first.exists() && !second.exists() {
                return Ok(());
            }
            return run_command(command, first, second);
        }
        let compared = compare_files(first, second)?;
        let result = match &compared {
            Compared::Same => return Ok(()),
            Compared::OnlyFirst => "only in first",
            Compared::OnlySecond => "only in second",
            Compared::Binary => "binary files differ",
            Compared::Text(_) => "differs",
        };
        let mut entry = json!({"path": name.to_string_lossy(), "result": result});
        if let Compared::Text(diff) = &compared {
            entry["diff"] = json!(diff);
        }
        self.files.push(entry);
        let only = |path: &Path| {
            let folder = path.parent().unwrap_or(path).display();
            format!("Only in {folder}: {}\n", path.file_name().unwrap_or_default().to_string_lossy())
        };
        let shown = match compared {
            Compared::Same => String::new(),
            Compared::OnlyFirst => only(first),
            Compared::OnlySecond => only(second),
            Compared::Binary => format!("Binary files {} and {} differ\n", first.display(), second.display()),
            Compared::Text(diff) => diff,
        };
        self.text += &shown;
        Ok(())
    }

    fn files(
        &mut self,
        first: &Path,
        second: &Path,
        own: &BTreeSet<PathBuf>,
        other: &BTreeSet<PathBuf>,
    ) -> Result<(), Failure> {
        if let Some(command) = &self.command {
            return run_command(command, first, second);
        }
        for path in own.union(other) {
            self.file(&first.join(path), &second.join(path), path)?;
        }
        Ok(())
    }

    /// Compares files or folders that the user has named.
    fn path(&mut self, first: &Path, second: &Path, path: &Path) -> Result<(), Failure> {
        let path = clean_path(path)
            .ok_or_else(|| Failure::usage(format!("{} is not below the run directory", path.display())))?;
        let (from, to) = (first.join(&path), second.join(&path));
        if !from.exists() && !to.exists() {
            let message = format!("{} is in neither {} nor {}", path.display(), first.display(), second.display());
            return Err(Failure::usage(message).hint("'rille runs ls' lists the files of a run."));
        }
        if from.is_dir() || to.is_dir() {
            let below = |folder: &Path| -> BTreeSet<PathBuf> {
                let walk = Walk { metadata: true, follow_links: false };
                let files = store::files(&folder.join(&path), walk).unwrap_or_default().into_iter();
                files.filter(|file| !file.metadata.is_dir()).map(|file| file.path).collect()
            };
            return self.files(&from, &to, &below(first), &below(second));
        }
        self.file(&from, &to, &path)
    }

    fn finish(self) -> Result<i32, Failure> {
        if self.as_json {
            write_json(&json!({"attrs": self.attrs, "files": self.files}))?;
        } else if wants_colour() {
            write_out(&paint(&self.text))?;
        } else {
            write_out(&self.text)?;
        }
        Ok(0)
    }
}

fn run_command(command: &[OsString], first: &Path, second: &Path) -> Result<(), Failure> {
    let mut words = command.to_vec();
    words.extend([first, second].map(|path| path.as_os_str().to_owned()));
    let program = command[0].to_string_lossy().into_owned();
    // That they differ makes many such programs fail, so that their exit codes tell nothing.
    engine::run_in_foreground(&words, None).map_err(|error| {
        Failure::general(format!("cannot start '{program}': {error}")).hint("name another with --cmd.")
    })?;
    Ok(())
}
