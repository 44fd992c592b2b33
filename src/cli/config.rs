//! `rille config`: which settings hold, and where each comes from.

mod file;
mod hide;
mod keys;
mod layers;
mod load;
mod machine;
mod meta;
mod options;
mod places;
mod values;
mod variables;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

pub(crate) use self::file::Remark;
pub(crate) use self::keys::{Config, Secrets, SettingOptions, schema};
pub(crate) use self::load::{Loaded, load};
pub(crate) use self::machine::cpus;
pub(crate) use self::options::grace;
pub(crate) use self::values::{Color, Deadline, Limit, MOST_RETRIES, Seconds, Verbosity};

use self::keys::KEYS;
use self::layers::{Entry, Origin};
use super::Failure;
use super::output::{one_line, table, write_json, write_out};

/// Shows the settings.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Subcommand, Debug)]
enum ConfigCommand {
    /// Show every setting with its value and where it comes from, and the files that were looked for
    Show(Box<ShowArgs>),
    /// Show the files of settings in the order in which they are read; later ones win
    Path(PathArgs),
}

/// Shows the settings that a run with these options would have.
#[derive(Args, Debug)]
struct ShowArgs {
    /// The jobfile whose settings are meant [default: those of the working folder]
    #[arg(value_name = "JOBFILE")]
    jobfile: Option<PathBuf>,
    /// Write JSON: each value, and each item of a list, as an object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingOptions,
}

/// Shows where files of settings are looked for.
#[derive(Args, Debug)]
struct PathArgs {
    /// The jobfile whose settings are meant [default: those of the working folder]
    #[arg(value_name = "JOBFILE")]
    jobfile: Option<PathBuf>,
    /// Read this file of settings after the others
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: ConfigArgs, home: Option<&Path>) -> Result<i32, Failure> {
    match args.command {
        ConfigCommand::Show(args) => {
            let loaded = load_for(args.jobfile.as_deref(), &args.settings, home)?;
            if args.json {
                write_json(&as_json(&loaded))?;
            } else {
                write_out(&as_text(&loaded))?;
            }
            warn(&loaded);
        }
        ConfigCommand::Path(args) => {
            let options = SettingOptions { config: args.config, ..SettingOptions::default() };
            let loaded = load_for(args.jobfile.as_deref(), &options, home)?;
            write_out(&(file_lines(&loaded).join("\n") + "\n"))?;
        }
    }
    Ok(0)
}

fn load_for(jobfile: Option<&Path>, options: &SettingOptions, home: Option<&Path>) -> Result<Loaded, Failure> {
    match jobfile {
        Some(jobfile) if !jobfile.exists() => {
            let failure = Failure::usage(format!("the jobfile '{}' does not exist", jobfile.display()));
            Err(match super::near::near_file(jobfile) {
                Some(near) => failure.hint(format!("did you mean '{near}'?")),
                None => failure,
            })
        }
        jobfile => load(jobfile.unwrap_or(Path::new(".")), options, home),
    }
}

/// Says on standard error what is odd about the settings.
fn warn(loaded: &Loaded) {
    for Remark { text, place } in &loaded.remarks {
        let place = place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
        // With a closed terminal there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "warning: {place}{text}");
    }
}

/// Returns the values in the order of the keys; a key without a value has none.
fn rows(loaded: &Loaded) -> Vec<(String, Option<&Entry>)> {
    let mut rows = Vec::new();
    for key in &KEYS {
        let found = loaded.entries.iter().filter(|entry| {
            let mut path = entry.path.iter();
            key.name.split('.').all(|part| path.next().is_some_and(|name| name == part))
        });
        let mut found: Vec<_> = found.map(|entry| (entry.key(), Some(entry))).collect();
        if found.is_empty() {
            found.push((key.name.to_owned(), None));
        }
        rows.extend(found);
    }
    rows
}

fn as_text(loaded: &Loaded) -> String {
    let value = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |(key, entry): (String, Option<&Entry>)| match entry {
        Some(entry) => [one_line(&key), one_line(&value(&entry.value)), one_line(&entry.origin.to_string())],
        None => [key, "-".to_owned(), Origin::Default.to_string()],
    };
    let rows: Vec<[String; 3]> = rows(loaded).into_iter().map(row).collect();
    let mut lines = table(&rows, None);
    lines.push(String::new());
    lines.push("Files, later ones win:".to_owned());
    lines.extend(file_lines(loaded));
    lines.join("\n") + "\n"
}

fn file_lines(loaded: &Loaded) -> Vec<String> {
    let row = |(place, is_read): &(places::Place, bool)| {
        let state = match (is_read, place.is_foreign) {
            (true, _) => "read",
            (false, true) => "not read: it belongs to another user",
            (false, false) => "not there",
        };
        [place.whose.to_owned(), one_line(&place.path.display().to_string()), state.to_owned()]
    };
    let rows: Vec<[String; 3]> = loaded.files.iter().map(row).collect();
    table(&rows, None)
}

fn as_json(loaded: &Loaded) -> Json {
    let values = rows(loaded).into_iter().map(|(key, entry)| {
        let origin = match entry.map_or(&Origin::Default, |entry| &entry.origin) {
            Origin::Default => json!({ "from": "default" }),
            Origin::File(path, line) => json!({ "from": "file", "path": path.to_string_lossy(), "line": line }),
            Origin::Variable(name) => json!({ "from": "environment", "name": name }),
            Origin::Option(name) => json!({ "from": "option", "name": name }),
        };
        json!({ "key": key, "value": entry.map(|entry| &entry.value), "origin": origin })
    });
    let files = loaded
        .files
        .iter()
        .map(|(place, is_read)| json!({ "whose": place.whose, "path": place.path.to_string_lossy(), "read": is_read }));
    json!({ "values": values.collect::<Vec<_>>(), "files": files.collect::<Vec<_>>() })
}
