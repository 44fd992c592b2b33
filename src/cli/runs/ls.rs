//! `rille runs ls`: lists the files of a run.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use clap::Args;
use globset::{GlobBuilder, GlobMatcher};
use serde_json::json;

use super::chosen::ChosenOne;
use crate::cli::Failure;
use crate::cli::output::{one_line, write_bytes, write_json};
use crate::model::clean_path;
use crate::store::{self, FileKind, Home, RunFile, Walk};

/// Of which run which files are listed, and how.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct LsArgs {
    /// List only what PATH matches, which may hold * and ?, and what is below it
    #[arg(short, long, value_name = "PATH")]
    path: Option<String>,
    /// List only source code; PATH is relative to its folder then
    #[arg(short, long)]
    sourcecode: bool,
    /// List only dependencies
    #[arg(short, long)]
    dependencies: bool,
    /// List only what the run has made
    #[arg(short, long)]
    generated: bool,
    /// List metadata, too
    #[arg(short, long)]
    all: bool,
    /// Show whole paths
    #[arg(short, long)]
    full_path: bool,
    /// Go into folders that links lead to
    #[arg(short = 'L', long)]
    follow_links: bool,
    /// Show nothing but the paths
    #[arg(short, long)]
    no_format: bool,
    /// Show modes, sizes and times
    #[arg(short = 'x', long)]
    extended: bool,
    /// Write JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: ChosenOne,
}

/// Lists the files.
pub(crate) fn main(args: &LsArgs, home: &Home) -> Result<i32, Failure> {
    let run = args.chosen.find(home)?;
    let base = if args.sourcecode { store::sourcecode_folder(&run.path) } else { PathBuf::new() };
    let pattern = args.path.as_deref().map(Pattern::new).transpose()?;
    let walk = Walk { follow_links: args.follow_links, metadata: args.all };
    let mut files = store::files(&run.path, walk)?;
    let kinds: Vec<FileKind> = [
        (args.sourcecode, FileKind::Sourcecode),
        (args.dependencies, FileKind::Dependency),
        (args.generated, FileKind::Generated),
    ]
    .into_iter()
    .filter_map(|(wanted, kind)| wanted.then_some(kind))
    .collect();
    files.retain(|file| {
        let is_wanted = match kinds.is_empty() {
            // Copies of source code that are hidden are listed where they are asked for.
            true => args.all || !file.path.starts_with(".guild"),
            false => kinds.contains(&file.kind),
        };
        let below = file.path.strip_prefix(&base).ok();
        is_wanted && pattern.as_ref().is_none_or(|pattern| below.is_some_and(|path| pattern.matches(path)))
    });
    if args.json {
        let list: Vec<_> = files.iter().map(as_json).collect();
        write_json(&list)?;
        return Ok(0);
    }
    let mut text = Vec::new();
    let has_head = !args.no_format && !args.full_path;
    if has_head {
        text.extend(shown(run.path.as_os_str()));
        text.extend(b":\n");
    }
    for file in &files {
        if has_head {
            text.extend(b"  ");
        }
        if args.extended {
            text.extend(extended(file).into_bytes());
        }
        let path = if args.full_path { run.path.join(&file.path) } else { file.path.clone() };
        text.extend(shown(path.as_os_str()));
        if file.metadata.is_dir() {
            text.push(b'/');
        }
        if let (true, Some(link)) = (args.extended, &file.link) {
            text.extend(b" -> ");
            text.extend(shown(link.as_os_str()));
        }
        text.push(b'\n');
    }
    write_bytes(&text)?;
    Ok(0)
}

/// Returns a name as it is, or for a terminal without what could move its cursor.
fn shown(name: &OsStr) -> Vec<u8> {
    if std::io::stdout().is_terminal() {
        one_line(&name.to_string_lossy()).into_bytes()
    } else {
        name.as_bytes().to_vec()
    }
}

fn as_json(file: &RunFile) -> serde_json::Value {
    let kind = match () {
        () if file.metadata.is_dir() => "folder",
        () if file.metadata.is_symlink() => "link",
        () if file.metadata.is_file() => "file",
        () => "other",
    };
    let mut value = json!({
        "path": file.path.to_string_lossy(),
        "type": kind,
        "kind": file.kind,
        "size": file.metadata.len(),
        "modified": modified(file).map(|time| time.to_utc()),
    });
    if let Some(link) = &file.link {
        value["link"] = json!(link.to_string_lossy());
    }
    value
}

fn modified(file: &RunFile) -> Option<DateTime<Local>> {
    Some(DateTime::from(file.metadata.modified().ok()?))
}

/// Returns mode, size and time of a file, for the beginning of its line.
fn extended(file: &RunFile) -> String {
    let mode = file.metadata.mode();
    let mut text = String::from(match () {
        () if file.metadata.is_dir() => "d",
        () if file.metadata.is_symlink() => "l",
        () => "-",
    });
    for (bit, letter) in (0..9).rev().zip("rwxrwxrwx".chars()) {
        text.push(if mode >> bit & 1 == 1 { letter } else { '-' });
    }
    let time = modified(file).map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(text, " {:>12} {time:19}  ", file.metadata.len());
    text
}

/// A pattern for paths below a folder.
pub(super) struct Pattern {
    glob: GlobMatcher,
    plain: PathBuf,
}

impl Pattern {
    /// Reads a pattern. `*` stands for anything, `/` included, as in Guild.
    pub(super) fn new(text: &str) -> Result<Pattern, Failure> {
        let glob = GlobBuilder::new(text.trim_end_matches('/')).literal_separator(false).build();
        let glob = glob.map_err(|error| Failure::usage(format!("'{text}' is no pattern: {}", error.kind())))?;
        Ok(Pattern { glob: glob.compile_matcher(), plain: clean_path(Path::new(text)).unwrap_or_default() })
    }

    /// Returns whether it matches a path, or a folder that the path is in.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let is_below_plain = self.plain.as_os_str().is_empty() || path.starts_with(&self.plain);
        is_below_plain || path.ancestors().any(|ancestor| self.glob.is_match(ancestor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_files_and_what_is_below_folders() {
        let cases = [
            ("gen", "gen.txt", false),
            ("gen*", "gen.txt", true),
            ("sub", "sub/a", true),
            ("./sub/", "sub/a", true),
            ("*.py", "a/b.py", true),
            ("s?b", "sub/a", true),
            ("[x", "x", true),
        ];
        for (pattern, path, expected) in cases {
            match Pattern::new(pattern) {
                Ok(pattern) => assert_eq!(pattern.matches(Path::new(path)), expected, "{path}"),
                Err(failure) => assert_eq!(pattern, "[x", "{}", failure.message),
            }
        }
    }
}
