//! The environment of a run's process.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::super::encode::{as_argument, as_yaml, encoded, quote};
use super::super::{FlagValues, OpRecord, python};
use super::references::{Piece, Unresolved, pieces, resolve};

/// What the process of a run is told of where it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process<'a> {
    /// The id of the run.
    pub(crate) run_id: &'a str,
    /// Its absolute directory.
    pub(crate) run_dir: &'a Path,
    /// The home of runs.
    pub(crate) home: &'a Path,
    /// The operation, as a user names it.
    pub(crate) operation: &'a str,
    /// The folder in which the user gave the command.
    pub(crate) cwd: &'a Path,
    /// `PYTHONPATH` of the user.
    pub(crate) python_path: Option<&'a str>,
    /// `LOG_LEVEL` of the user.
    pub(crate) log_level: Option<&'a str>,
    /// `CUDA_VISIBLE_DEVICES`, where the user says so: nothing for none.
    pub(crate) gpus: Option<&'a str>,
}

/// Returns the variables of a run's process that are not the user's own. What the run is, is stronger than a flag, and a
/// flag than the definition.
pub(crate) fn environment(
    record: &OpRecord,
    flags: &FlagValues,
    process: &Process<'_>,
) -> Result<BTreeMap<String, Option<String>>, String> {
    let mut variables = BTreeMap::new();
    for (name, value) in &record.op_cmd.cmd_env {
        let passing = record.op_cmd.cmd_flags.get(name);
        let text = passing.map_or_else(|| as_argument(value), |passing| encoded(value, &passing.env_encoding));
        variables.insert(name.clone(), with_flags(name, &text, flags)?);
    }
    for (name, value) in flags {
        let passing = record.op_cmd.cmd_flags.get(name);
        let text = passing.map_or_else(|| as_argument(value), |passing| encoded(value, &passing.env_encoding));
        variables.insert(variable_of_flag(record, name), text);
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let sourcecode = text(&sourcecode(record, process));
    let recorded = variables.get("PYTHONPATH").map(String::as_str);
    let python_path = python_path(record, process.run_dir, recorded, process.python_path);
    let own = [
        ("GUILD_OP", process.operation.to_owned()),
        ("GUILD_HOME", text(process.home)),
        ("GUILD_SOURCECODE", sourcecode.clone()),
        ("LOG_LEVEL", process.log_level.unwrap_or("20").to_owned()),
        ("CMD_DIR", text(process.cwd)),
        ("RUN_DIR", text(process.run_dir)),
        ("RUN_ID", process.run_id.to_owned()),
        ("PYTHONPATH", python_path),
        ("RILLE_OP", process.operation.to_owned()),
        ("RILLE_HOME", text(process.home)),
        ("RILLE_SOURCECODE", sourcecode),
        ("RILLE_RUN_DIR", text(process.run_dir)),
        ("RILLE_RUN_ID", process.run_id.to_owned()),
    ];
    variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    if let Some(gpus) = process.gpus {
        variables.insert("CUDA_VISIBLE_DEVICES".to_owned(), gpus.to_owned());
    }
    // No system passes these on.
    let possible = |name: &str, value: &str| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
    if let Some((name, _)) = variables.iter().find(|(name, value)| !possible(name, value)) {
        return Err(format!(
            "the environment variable '{}' cannot be set: its name or its value holds what no variable can",
            name.escape_default()
        ));
    }
    Ok(variables.into_iter().map(|(name, value)| (name, Some(value))).collect())
}

fn sourcecode(record: &OpRecord, process: &Process<'_>) -> std::path::PathBuf {
    match record.sourcecode.dest.as_deref().unwrap_or(".").trim_end_matches('/') {
        "" | "." => process.run_dir.to_path_buf(),
        dest => process.run_dir.join(dest),
    }
}

/// Returns where Python looks for modules: first the run directory, as `python -m` has its working folder first, then the
/// source code of the run, then what the record names (relative to the run directory), last what the user says.
pub(crate) fn python_path(record: &OpRecord, run_dir: &Path, recorded: Option<&str>, user: Option<&str>) -> String {
    let recorded = recorded.into_iter().flat_map(python::paths).map(str::to_owned);
    let absolute = |path: String| match path.as_str() {
        "." => run_dir.to_string_lossy().into_owned(),
        path => run_dir.join(path).to_string_lossy().into_owned(),
    };
    let user = user.into_iter().flat_map(python::paths).map(str::to_owned);
    python::joined(record.module_folders().into_iter().chain(recorded).map(absolute).chain(user))
}

/// Returns the value of a variable of the definition. A flag alone is encoded as an argument is; within a text it is as
/// YAML has it.
fn with_flags(name: &str, text: &str, flags: &FlagValues) -> Result<String, String> {
    let is_alone = matches!(pieces(text)[..], [Piece::Reference(_)]);
    let lookup = |flag: &str| {
        Ok(flags.get(flag).map(|value| match value {
            Value::String(text) => text.clone(),
            value if is_alone => as_argument(value),
            value => as_yaml(value),
        }))
    };
    resolve(text, &lookup).map_err(|unresolved| match unresolved {
        Unresolved::Unknown(flag) => {
            let meant = crate::model::nearest(&flag, flags.keys().map(String::as_str));
            let meant = meant.map(|meant| format!("; did you mean '${{{meant}}}'?")).unwrap_or_default();
            format!("invalid setting for operation: the environment variable {name} contains invalid reference '{flag}'{meant}")
        }
        Unresolved::NotFound(what) => what,
        Unresolved::Cycle(names) => {
            format!("invalid setting for operation: references of the environment variable {name} go round in a circle: {names}")
        }
    })
}

/// Returns the variable by which a flag reaches its operation.
pub(crate) fn variable_of_flag(record: &OpRecord, name: &str) -> String {
    let named = record.op_cmd.cmd_flags.get(name).and_then(|passing| passing.env_name.clone());
    named.unwrap_or_else(|| flag_variable(name))
}

/// Returns the variable that a flag has unless its definition names one.
pub(crate) fn flag_variable(name: &str) -> String {
    let part = |c: char| if c.is_ascii_uppercase() || c.is_ascii_digit() { c } else { '_' };
    format!("FLAG_{}", name.to_uppercase().chars().map(part).collect::<String>())
}

/// Returns the text of the file `ENV` of a staged run, which a shell reads. `left_out` names the variables that whoever
/// reads it has to set.
pub(crate) fn env_file<'a>(variables: &BTreeMap<String, String>, left_out: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for name in left_out.filter(|name| is_name(name)) {
        let _ = writeln!(text, "# {name} is secret and not kept");
    }
    for (name, value) in variables.iter().filter(|(name, _)| is_name(name) && *name != "PWD" && *name != "_") {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "export {name}={}", quote(value));
    }
    text
}

/// Returns whether a shell takes a name for that of a variable.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns variables as `--print-env` prints them, by name.
pub(crate) fn env_text(variables: &BTreeMap<String, Option<String>>) -> String {
    let set = variables.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    set.map(|(name, value)| match value.as_str() {
        "" => format!("{name}=\n"),
        value => format!("{name}={}\n", quote(value)),
    })
    .collect()
}
