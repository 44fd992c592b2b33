//! A run that leaves for another place: what is only read of it has its secrets masked.
//!
//! A run of today has none; one of an older release has, and so has one that was to keep them. What a run is started again
//! by, and the files that it has made, are what they are; it is told which of them hold a secret.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::masked_reader::{MaskedReader, holds_secrets};
use super::{Secrets, attr};
use crate::model::{Event, Masks};

/// Attributes that are read back where a run is started again.
const READ_BACK: [&str; 9] =
    ["cmd", "compare", "deps", "flags", "objective", "op", "opdef_attrs", "plugins", "user_flags"];

/// Attributes that are read back without what is secret.
const WITHOUT_SECRETS: [&str; 2] = ["env", "run_params"];

/// Files in the directory of a run, and in the folders of its tasks, that tell what happened.
const RECORDS: [&str; 10] = [
    "cmdline",
    "debug.log",
    "job.log",
    "report.html",
    "results.tap",
    "results.xml",
    "stderr",
    "stdout",
    "task.log",
    "whiteboard",
];

/// Folders in the directory of a run in which there are such files.
const FOLDERS: [&str; 6] = ["dependencies", "jobdata", "quarantine", "sessions", "tasks", "test-results"];

/// What becomes of a file.
enum Treatment {
    /// It stays as it is.
    Kept,
    /// It is text.
    Text,
    /// It is an attribute.
    Attribute,
    /// The same, and what is secret in it is left out.
    Without,
    /// It is one JSON document.
    Json,
    /// It is an event a line.
    Events,
}

fn treatment(relative: &Path) -> Treatment {
    let name = relative.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = relative.parent().unwrap_or(Path::new(""));
    if folder == Path::new(".guild/attrs") {
        return match name {
            name if READ_BACK.contains(&name) => Treatment::Kept,
            name if WITHOUT_SECRETS.contains(&name) => Treatment::Without,
            _ => Treatment::Attribute,
        };
    }
    if folder == Path::new(".guild") {
        return match name {
            "events.jsonl" => Treatment::Events,
            "output" | "ENV" => Treatment::Text,
            _ => Treatment::Kept,
        };
    }
    let top = relative.components().next().and_then(|part| part.as_os_str().to_str()).unwrap_or_default();
    let is_of_rille = folder == Path::new("")
        || FOLDERS.contains(&top)
        || top.starts_with("walks-")
        || folder.starts_with(".guild/tasks");
    // Where a task has taken the name, and the tail of a file that was cut until it is put together.
    let own = name.split(".tail").next().unwrap_or(name);
    let own = own.strip_suffix(".rille").or_else(|| own.strip_suffix(".masked")).unwrap_or(own);
    match own {
        // What the machine is, before and after tests.
        _ if folder == Path::new("sysinfo/pre") || folder == Path::new("sysinfo/post") => Treatment::Text,
        "results.json" if folder == Path::new("") => Treatment::Json,
        own if is_of_rille && RECORDS.contains(&own) => Treatment::Text,
        _ => Treatment::Kept,
    }
}

/// Returns what a file of a run is to hold elsewhere; `None` if it is to be what it is, of which `notes` tells where that
/// is a secret. `relative` is its path in the run directory.
pub(super) fn masked(
    file: &Path,
    relative: &Path,
    secrets: &Secrets,
    notes: &mut Vec<String>,
) -> io::Result<Option<Box<dyn Read>>> {
    let masks = secrets.masks();
    if masks.is_empty() {
        return Ok(None);
    }
    let treatment = treatment(relative);
    if let Treatment::Kept = treatment {
        if let Some(variable) = variable_in(File::open(file)?, secrets)? {
            let path = relative.display();
            notes.push(format!("{path} holds the value of the secret variable '{variable}', and stays as it is"));
        }
        return Ok(None);
    }
    if !holds_secrets(&masks, File::open(file)?)? {
        return Ok(None);
    }
    let whole = || -> io::Result<String> { io::read_to_string(File::open(file)?) };
    let as_text = || -> io::Result<Box<dyn Read>> { Ok(Box::new(MaskedReader::new(&masks, File::open(file)?))) };
    Ok(Some(match treatment {
        Treatment::Events => Box::new(MaskedEvents::new(&masks, File::open(file)?)),
        Treatment::Attribute | Treatment::Without => {
            match whole().ok().and_then(|text| attr::decode::<Value>(&text).ok()) {
                Some(mut value) => {
                    match treatment {
                        Treatment::Without => leave_out(&masks, &mut value),
                        _ => masks.mask_json(&mut value),
                    }
                    Box::new(Cursor::new(attr::encode(&value).map_err(io::Error::other)?))
                }
                // One that is damaged is nobody's to read.
                None => as_text()?,
            }
        }
        Treatment::Json => match whole().ok().and_then(|text| serde_json::from_str::<Value>(&text).ok()) {
            Some(mut value) => {
                masks.mask_json(&mut value);
                Box::new(Cursor::new(value.to_string()))
            }
            None => as_text()?,
        },
        Treatment::Text | Treatment::Kept => as_text()?,
    }))
}

/// Returns whether there is nothing to be masked in a run.
pub(super) fn has_no_secret(run: &Path, masks: &Masks) -> io::Result<bool> {
    if masks.is_empty() {
        return Ok(true);
    }
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(run.join(&folder))? {
            let entry = entry?;
            let (kind, relative) = (entry.file_type()?, folder.join(entry.file_name()));
            let is_read = kind.is_file() && !matches!(treatment(&relative), Treatment::Kept);
            if is_read && holds_secrets(masks, File::open(entry.path())?)? {
                return Ok(false);
            }
            if kind.is_dir() {
                open.push(relative);
            }
        }
    }
    Ok(true)
}

/// Takes out of a map what holds a secret, wherever in the map it stands.
fn leave_out(masks: &Masks, value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !masks.finds_in(value));
    }
}

/// Returns a variable whose value is in what is read.
fn variable_in(mut from: impl Read, secrets: &Secrets) -> io::Result<Option<String>> {
    const PIECE: usize = 1 << 20;
    let overlap = secrets.longest();
    let mut text = Vec::new();
    loop {
        let read = (&mut from).take(PIECE as u64).read_to_end(&mut text)?;
        if let Some(variable) = secrets.variable_in(&text) {
            return Ok(Some(variable.to_owned()));
        }
        if read == 0 {
            return Ok(None);
        }
        text.drain(..text.len().saturating_sub(overlap));
    }
}

/// Reads a log with the texts in its events masked.
struct MaskedEvents {
    lines: BufReader<File>,
    masks: Masks,
    line: Vec<u8>,
    given: usize,
}

impl MaskedEvents {
    fn new(masks: &Masks, log: File) -> Self {
        Self { lines: BufReader::new(log), masks: masks.clone(), line: Vec::new(), given: 0 }
    }

    fn mask_line(&mut self) {
        if !self.masks.finds(&self.line) {
            return;
        }
        match serde_json::from_slice::<Event>(&self.line) {
            Ok(mut event) => {
                event.kind.mask(&self.masks);
                self.line = serde_json::to_vec(&event).unwrap_or_default();
                self.line.push(b'\n');
            }
            // A torn line, or one of a newer release.
            Err(_) => self.line = self.masks.mask(&self.line).into_owned(),
        }
    }
}

impl Read for MaskedEvents {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.line.len() {
            self.line.clear();
            self.given = 0;
            self.lines.read_until(b'\n', &mut self.line)?;
            self.mask_line();
        }
        let count = (&self.line[self.given..]).read(into)?;
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_read_is_masked_and_the_rest_is_told_of() {
        let dir = tempfile::tempdir().unwrap();
        let variables = [("API_TOKEN".into(), "hunter22".into()), ("PIN_PASSWORD".into(), "123456".into())];
        let secrets = Secrets::of(&[], variables);
        let log = "{\"seq\":1,\"time\":\"2026-11-21T09:00:00Z\",\"event\":\"task-finished\",\"task\":1,\"attempt\":1,\
                   \"outcome\":\"failed\",\"reason\":\"no hunter22\",\"seconds\":123456.5}\n{\"torn hunter22";
        // The path, what it holds, and what it holds elsewhere.
        let cases = [
            (".guild/output", "a hunter22\n", Some("a ***\n")),
            (".guild/attrs/label", "hunter22\n", Some("\"***\"\n")),
            (".guild/attrs/started", "123456\n", Some("123456\n")),
            (".guild/attrs/env", "A: x hunter22\nB: plain\n", Some("B: plain\n")),
            (".guild/attrs/flags", "token: hunter22\n", None),
            (".guild/attrs/cmd", "- plain\n", None),
            (".guild/events.jsonl", log, Some("…")),
            ("results.json", "{\"a\": 123456, \"b\": \"hunter22\"}", Some("{\"a\":123456,\"b\":\"***\"}")),
            ("tasks/1-a/stdout", "hunter22", Some("***")),
            ("tasks/1-a/stdout.rille", "hunter22", Some("***")),
            (".guild/tasks/1/task.log", "hunter22", Some("***")),
            (".guild/tasks/1/stdout.masked", "hunter22", Some("***")),
            ("test-results/1-a/whiteboard", "hunter22", Some("***")),
            ("test-results/1-a/sysinfo/pre/env", "hunter22", None),
            ("sessions/3-pytest-session/debug.log", "hunter22", Some("***")),
            ("sysinfo/pre/cmdline", "hunter22", Some("***")),
            ("tasks/1-a/model.bin", "hunter22", None),
            ("stdout.txt", "hunter22", None),
            ("job.log", "plain\n", None),
        ];
        assert!(has_no_secret(dir.path(), &secrets.masks()).unwrap());
        let mut notes = Vec::new();
        for (path, text, expected) in cases {
            let file = dir.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            let found = masked(&file, Path::new(path), &secrets, &mut notes).unwrap();
            let found = found.map(|reader| io::read_to_string(reader).unwrap());
            match expected {
                Some("…") => {
                    let found = found.unwrap();
                    let (first, rest) = found.split_once('\n').unwrap();
                    let event: Event = serde_json::from_str(first).unwrap();
                    assert!(first.contains("no ***") && first.contains("123456.5") && event.seq == 1, "{first}");
                    assert_eq!(rest, "{\"torn ***");
                }
                expected => assert_eq!(found.as_deref(), expected, "{path}"),
            }
        }
        assert!(!has_no_secret(dir.path(), &secrets.masks()).unwrap());
        let holds = "holds the value of the secret variable 'API_TOKEN', and stays as it is";
        let paths = [".guild/attrs/flags", "test-results/1-a/sysinfo/pre/env", "tasks/1-a/model.bin", "stdout.txt"];
        assert_eq!(notes, paths.map(|path| format!("{path} {holds}")));
    }

    #[test]
    fn a_value_on_the_border_of_two_pieces_is_found() {
        let secrets = Secrets::of(&[], [("API_TOKEN".into(), "hunter2hunter2".into())]);
        for before in (1 << 20) - 14..=1 << 20 {
            let text = "x".repeat(before) + "hunter2hunter2" + &"y".repeat(100);
            assert_eq!(variable_in(text.as_bytes(), &secrets).unwrap().as_deref(), Some("API_TOKEN"), "{before}");
        }
        assert_eq!(variable_in("x".repeat(3 << 20).as_bytes(), &secrets).unwrap(), None);
    }
}
