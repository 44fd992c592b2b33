//! Settings from environment variables.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::file::{Remark, resolve};
use super::keys::{CONFIG_VARIABLE, Config, KEYS, Key, SYSTEM_VARIABLE, Shape};
use super::layers::{Entry, Origin, entries};
use crate::cli::Failure;
use crate::engine::variable;
use crate::model::nearest;

/// Variables that are no settings, beside those that Rille sets for tasks.
const OTHERS: [&str; 4] = ["RILLE_PATH", "RILLE_OP", "RILLE_SOURCECODE", "RILLE_SEED"];

/// How names begin that somebody else chooses the rest of: labels of runners, and what Rille's own tests take.
const FAMILIES: [&str; 2] = ["RILLE_SLOTS_", "RILLE_TEST_"];

/// Reads the settings in these variables. Paths are relative to `folder`.
pub(crate) fn read(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    folder: &Path,
) -> Result<(Vec<Entry>, Vec<Remark>), Failure> {
    let mut found = Vec::new();
    let mut remarks = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with("RILLE_")) else { continue };
        match KEYS.iter().find(|key| key.variable == name) {
            // A variable that is set to nothing counts as not set.
            Some(key) if !value.is_empty() => found.push((key, value)),
            Some(_) => {}
            None => remarks.extend(slip(name)),
        }
    }
    let mut all = Vec::new();
    for key in &KEYS {
        let Some((_, value)) = found.iter().find(|(other, _)| other.name == key.name) else { continue };
        // The home is taken from the variable itself, in its own bytes; here it is only shown.
        let lossy = value.to_string_lossy();
        let value = value.to_str().or_else(|| (key.name == "home").then_some(&*lossy));
        let mut config = config(key, value.ok_or_else(|| wrong(key, "is not UTF-8 text"))?)?;
        for path in config.plugins.iter_mut().chain(&mut config.home) {
            *path = resolve(path, folder, None);
        }
        all.extend(entries(&config, |_| Origin::Variable(key.variable))?);
    }
    Ok((all, remarks))
}

fn wrong(key: &Key, problem: &str) -> Failure {
    Failure::usage(format!("the environment variable {} {problem}", key.variable))
}

/// Returns what one variable says.
fn config(key: &Key, text: &str) -> Result<Config, Failure> {
    let value = match key.shape {
        Shape::Number => number(text),
        Shape::Text => text.into(),
        Shape::List(parted_by) => {
            text.split(parted_by).map(str::trim).filter(|item| !item.is_empty()).map(Json::from).collect()
        }
        Shape::Switch => switch(text),
        Shape::Table => table(text).map_err(|problem| wrong(key, &problem))?,
    };
    let root = key.name.rsplit('.').fold(value, |value, name| Json::Object(Map::from_iter([(name.to_owned(), value)])));
    serde_json::from_value(root).map_err(|error| wrong(key, &error.to_string()))
}

fn number(text: &str) -> Json {
    serde_json::from_str::<serde_json::Number>(text.trim()).map_or_else(|_| text.into(), Json::Number)
}

fn switch(text: &str) -> Json {
    match text.trim().to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => true.into(),
        "0" | "false" | "no" | "off" => false.into(),
        _ => text.into(),
    }
}

fn table(text: &str) -> Result<Json, String> {
    let mut fields = Map::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, value) = item.split_once('=').ok_or_else(|| format!("has '{item}'; write NAME=VALUE,…"))?;
        if fields.insert(name.trim().to_owned(), value.trim().into()).is_some() {
            return Err(format!("has '{}' twice", name.trim()));
        }
    }
    Ok(Json::Object(fields))
}

/// Says of a variable that is none of Rille's which one may be meant.
fn slip(name: &str) -> Option<Remark> {
    let others = || OTHERS.into_iter().chain(variable::ALL);
    let known = || KEYS.iter().map(|key| key.variable).chain([CONFIG_VARIABLE, SYSTEM_VARIABLE]).chain(others());
    if known().any(|other| other == name) || FAMILIES.iter().any(|family| name.starts_with(family)) {
        return None;
    }
    let near = nearest(name, known())?;
    let text = format!("the environment variable {name} means nothing to rille; did you mean {near}?");
    Some(Remark { text, place: None })
}

/// Returns a path of the command line, relative to the working folder.
pub(crate) fn from_command_line(path: &Path, folder: &Path) -> PathBuf {
    resolve(path, folder, None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn told(name: &str, value: &str) -> String {
        match read([(name.into(), value.into())], Path::new("/w")) {
            Err(failure) => failure.message,
            Ok((entries, remarks)) => {
                let entries = entries.iter().map(|entry| format!("{} = {}", entry.key(), entry.value));
                let remarks = remarks.into_iter().map(|remark| remark.text);
                entries.chain(remarks).collect::<Vec<_>>().join(", ")
            }
        }
    }

    #[test]
    fn variables_are_read_and_checked() {
        let cases = [
            ("RILLE_JOBS", "4"),
            ("RILLE_JOBS", "many"),
            ("RILLE_JOBS", ""),
            ("RILLE_GRACE", "0.5"),
            ("RILLE_OUTPUT_LIMIT", "64M"),
            ("RILLE_COLOR", "blue"),
            ("RILLE_PLUGINS", "a.lua:/b.lua"),
            ("RILLE_RESOURCES", "gpus=2, mem=1G"),
            ("RILLE_RESOURCES", "gpus"),
            ("RILLE_LOG_LEVELS", "lib.part=debug,root=ERROR"),
            ("RILLE_SECRETS_HIDE", "A*,B"),
            ("RILLE_SECRETS_KEEP", "1"),
            ("RILLE_SECRETS_KEEP", "No"),
            ("RILLE_SECRETS_KEEP", "maybe"),
            ("RILLE_JOBZ", "4"),
            ("RILLE_TASK_ID", "4"),
            ("RILLE_SLOTS_TAGS", "4"),
            ("OTHER", "4"),
        ];
        let told: Vec<String> =
            cases.iter().map(|(name, value)| format!("{name}={value}: {}", told(name, value))).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        RILLE_JOBS=4: jobs = 4
        RILLE_JOBS=many: the environment variable RILLE_JOBS must be a whole number from 1, not "many"
        RILLE_JOBS=: 
        RILLE_GRACE=0.5: grace = 0.5
        RILLE_OUTPUT_LIMIT=64M: output_limit = 67108864
        RILLE_COLOR=blue: the environment variable RILLE_COLOR must be one of auto, always, never, not "blue"
        RILLE_PLUGINS=a.lua:/b.lua: plugins = "/w/a.lua", plugins = "/b.lua"
        RILLE_RESOURCES=gpus=2, mem=1G: resources.gpus = 2, resources.mem = 1073741824
        RILLE_RESOURCES=gpus: the environment variable RILLE_RESOURCES has 'gpus'; write NAME=VALUE,…
        RILLE_LOG_LEVELS=lib.part=debug,root=ERROR: log_levels."lib.part" = "DEBUG", log_levels.root = "ERROR"
        RILLE_SECRETS_HIDE=A*,B: secrets.hide = "A*", secrets.hide = "B"
        RILLE_SECRETS_KEEP=1: secrets.keep = true
        RILLE_SECRETS_KEEP=No: secrets.keep = false
        RILLE_SECRETS_KEEP=maybe: the environment variable RILLE_SECRETS_KEEP must be true or false, not "maybe"
        RILLE_JOBZ=4: the environment variable RILLE_JOBZ means nothing to rille; did you mean RILLE_JOBS?
        RILLE_TASK_ID=4: 
        RILLE_SLOTS_TAGS=4: 
        OTHER=4:
        "#);
    }

    /// Calls `found` with each file of Rust below a folder.
    fn sources(folder: &Path, found: &mut impl FnMut(&str)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                None => sources(&path, found),
                Some(extension) if extension == "rs" => found(&std::fs::read_to_string(&path).unwrap()),
                Some(_) => {}
            }
        }
    }

    #[test]
    fn no_variable_that_rille_itself_sets_or_reads_is_a_slip() {
        let mut names = BTreeSet::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut |text| {
            let strings = text.split('"').filter(|part| part.starts_with("RILLE_"));
            let is_name = |part: &&str| part.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            names.extend(strings.filter(is_name).map(str::to_owned));
        });
        // A slip of the table above, and how all begin.
        names.remove("RILLE_JOBZ");
        names.remove("RILLE_");
        assert!(names.len() > 30, "{names:?}");
        let slips: Vec<Remark> = names.iter().filter_map(|name| slip(name)).collect();
        assert!(slips.is_empty(), "{:?}", slips.iter().map(|slip| &slip.text).collect::<Vec<_>>());
    }
}
