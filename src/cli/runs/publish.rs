//! `rille runs publish`: writes a summary of runs in Markdown, a folder a run, and an index of all that are there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use clap::Args;
use serde_json::json;

use super::act::{Question, Weight, each};
use super::chosen::{Chosen, tell, warn};
use super::markdown::{Published, index_page, run_page, sorted};
use super::scalars::scalars_of;
use super::selection::Unnamed;
use crate::cli::output::write_json;
use crate::cli::{Failure, present_masks};
use crate::model::{Masks, exit_code};
use crate::store::{self, FileKind, Home, RunFile, RunInfo, Walk};

/// What tells a folder of a published run from any other.
const RUN_FILE: &str = "run.yml";

/// Which runs are published, and where. Without RUN all that the filter leaves in.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct PublishArgs {
    /// The folder
    #[arg(short, long, value_name = "DIR", default_value = "published-runs")]
    dest: PathBuf,
    /// Copy the files that the runs have made, too
    #[arg(short, long)]
    files: bool,
    /// Copy their dependencies as well
    #[arg(short, long)]
    all_files: bool,
    /// Write only the index again, of what was published before
    #[arg(short, long)]
    refresh_index: bool,
    /// Guild's templates of pages.
    #[arg(short, long, hide = true, value_parser = no_template)]
    template: Option<String>,
    /// Guild's templates of the index.
    #[arg(short, long, hide = true, value_parser = no_template)]
    index_template: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write what was published as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

fn no_template(_: &str) -> Result<String, String> {
    Err("rille has no templates of pages; what --json and run.yml, flags.yml and scalars.csv hold can be put into any"
        .to_owned())
}

/// Publishes the runs.
pub(crate) fn main(args: &PublishArgs, home: &Home) -> Result<i32, Failure> {
    let dest = std::path::absolute(&args.dest).map_err(store::Error::io("find", &args.dest))?;
    let runs = if args.refresh_index { Vec::new() } else { args.chosen.select(home, Unnamed::All)? };
    if runs.is_empty() && !args.refresh_index {
        tell("Nothing to publish.");
        return Ok(0);
    }
    let text = format!("You are about to publish the following runs to '{}'", args.dest.display());
    let question = Question { text: &text, runs: &runs, weight: Weight::Light, doing: "publishing runs" };
    if !args.refresh_index && !question.ask(args.yes)? {
        return Ok(exit_code::FAILED);
    }
    fs::create_dir_all(&dest).map_err(store::Error::io("create", &dest))?;
    let marker = dest.join(".guild-nocopy");
    fs::File::options().create(true).append(true).open(&marker).map_err(store::Error::io("write", &marker))?;
    let masks = present_masks()?;
    let (published, all) = each(&runs, |run| {
        tell(&format!("Publishing {}", run.id));
        publish(args, run, &dest, &masks)
    })?;
    let count = refresh(&dest)?;
    if args.json {
        write_json(&published)?;
    } else {
        tell(&format!("Published {} run(s) to {}; the index has {count}", published.len(), args.dest.display()));
    }
    Ok(i32::from(!all))
}

/// Publishes one run: it appears, or takes the place of what was published of it before, when it is whole.
fn publish(args: &PublishArgs, run: &RunInfo, dest: &Path, masks: &Masks) -> Result<serde_json::Value, Failure> {
    let target = dest.join(&run.id);
    let is_taken = target.symlink_metadata().is_ok() && !target.join(RUN_FILE).is_file();
    if is_taken {
        return Err(Failure::usage(format!("{} exists and is no published run", target.display())));
    }
    let failed = |error: io::Error| -> Failure { store::Error::io("write", &target)(error).into() };
    let made = tempfile::Builder::new().prefix(".publishing-").tempdir_in(dest).map_err(failed)?;
    let folder = made.path().join(&run.id);
    fs::create_dir(&folder).map_err(failed)?;

    let mut details = store::load(&run.path)?;
    details.flags.values_mut().for_each(|value| masks.mask_json(value));
    let scalars = scalars_of(run, false);
    let files = store::files(&run.path, Walk::default())?;
    let base = store::sourcecode_folder(&run.path);
    let mut links = Vec::new();
    for file in files.iter().filter(|file| !file.metadata.is_dir()) {
        let link = place_of(args, file, &base);
        if let Some(link) = &link
            && let Err(error) = copy(&run.path.join(&file.path), &folder.join(link))
        {
            warn(&format!("{}: {error}, skipping", file.path.display()));
            links.push(None);
            continue;
        }
        links.push(link);
    }
    let shown: Vec<(&RunFile, Option<PathBuf>)> =
        files.iter().filter(|file| !file.metadata.is_dir()).zip(links).collect();

    let yaml = |value: &serde_json::Value| store::yaml(value).map_err(|error| Failure::general(error.to_string()));
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|t| t.to_rfc3339_opts(SecondsFormat::Secs, true));
    let summary = Published {
        id: run.id.clone(),
        operation: run.operation.clone().unwrap_or_else(|| "?".to_owned()),
        status: run.status.name().to_owned(),
        started: time(run.started),
        stopped: time(run.stopped),
        exit_status: run.exit_status,
        label: run.label.as_deref().map(|label| masks.mask_text(label).into_owned()),
        tags: run.tags.iter().map(|tag| masks.mask_text(tag).into_owned()).collect(),
        marked: run.marked,
    };
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).map_err(failed);
    write(RUN_FILE, &yaml(&json!(summary))?)?;
    write("flags.yml", &yaml(&json!(details.flags))?)?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let rows = std::iter::once(["key", "step", "value"].map(str::to_owned)).chain(scalars.iter().map(|scalar| {
        [scalar.name.clone(), scalar.summary.last.step.to_string(), scalar.summary.last.value.to_string()]
    }));
    for row in rows {
        csv.write_record(row).map_err(|error| Failure::general(format!("cannot write scalars.csv: {error}")))?;
    }
    let csv = csv.into_inner().map_err(|error| Failure::general(format!("cannot write scalars.csv: {error}")))?;
    write("scalars.csv", &String::from_utf8_lossy(&csv))?;
    let output = run.path.join(super::cat::OUTPUT);
    if output.is_file() {
        store::copy_masked(&output, &folder.join("output.txt"), masks).map_err(failed)?;
    }
    let mut comments = store::comments(&run.path);
    for comment in &mut comments {
        masks.mask_string(&mut comment.body);
    }
    let end = tail(&output);
    let page = run_page(&summary, &details.flags, &scalars, &shown, &comments, &masks.mask_text(&end));
    write("README.md", &page)?;

    // The older one is put away first, and comes back if the newer one cannot take its place.
    let old = made.path().join("old");
    let had_one = fs::rename(&target, &old).is_ok();
    if let Err(error) = fs::rename(&folder, &target) {
        if had_one {
            let _ = fs::rename(&old, &target);
        }
        return Err(failed(error));
    }
    Ok(json!({"id": run.id, "path": target}))
}

/// Returns where a file goes in the folder of its run; `None` if it is only named.
fn place_of(args: &PublishArgs, file: &RunFile, base: &Path) -> Option<PathBuf> {
    match file.kind {
        FileKind::Sourcecode => Some(Path::new("sourcecode").join(file.path.strip_prefix(base).unwrap_or(&file.path))),
        FileKind::Generated if args.files || args.all_files => Some(Path::new("runfiles").join(&file.path)),
        FileKind::Dependency if args.all_files => Some(Path::new("runfiles").join(&file.path)),
        _ => None,
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !fs::metadata(from)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).map(drop)
}

/// Returns the end of what an operation wrote.
fn tail(output: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    const BYTES: u64 = 16 << 10;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = fs::File::open(output)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
        let mut bytes = Vec::new();
        file.take(BYTES).read_to_end(&mut bytes)?;
        if length > BYTES {
            let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.drain(..line);
        }
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// Writes the index of all published runs. Returns how many there are.
fn refresh(dest: &Path) -> Result<usize, Failure> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dest).map_err(store::Error::io("read", dest))?.flatten() {
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let Ok(text) = fs::read_to_string(entry.path().join(RUN_FILE)) else { continue };
        match store::from_yaml::<Published>(&text) {
            Ok(published) if !is_hidden => all.push((entry.file_name().to_string_lossy().into_owned(), published)),
            Ok(_) => {}
            Err(error) => warn(&format!("{}: {}, skipping", entry.path().join(RUN_FILE).display(), error)),
        }
    }
    let index = dest.join("README.md");
    let failed = |error: io::Error| store::Error::io("write", &index)(error);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".new-").permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(dest).map_err(failed)?;
    fs::write(temporary.path(), index_page(&sorted(&all))).map_err(failed)?;
    temporary.persist(&index).map_err(|error| failed(error.error))?;
    Ok(all.len())
}
