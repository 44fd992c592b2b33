//! The command line of a run: its record with the values of the flags put in.

mod environment;
pub(super) mod references;

use serde_json::Value;

pub(crate) use environment::{Process, env_file, env_text, environment, python_path, variable_of_flag};
use references::{Unresolved, resolve};

use super::encode::{as_argument, as_shown, as_yaml, encoded};
use super::flags::{is_equal, split_parts};
use super::record::FLAG_ARGS;
use super::{FlagPassing, FlagValues, Notice, OpRecord};

/// What stands for programs in a command.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Finds the Python interpreter; asked where the command has need of one.
    pub(crate) python_exe: &'a dyn Fn() -> Result<String, String>,
    /// This program.
    pub(crate) rille_exe: &'a str,
}

/// A command that can be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its words.
    pub(crate) args: Vec<String>,
    /// What the user should know.
    pub(crate) notices: Vec<Notice>,
}

/// Returns the command of a record with these flags; the error says which reference stands for nothing.
pub(crate) fn command(record: &OpRecord, flags: &FlagValues, places: Places<'_>) -> Result<Command, String> {
    let mut command = Command::default();
    let lookup = |name: &str| match (flags.get(name), name) {
        (Some(value), _) => Ok(Some(as_argument(value))),
        (None, "python_exe" | "guild_python_exe") => (places.python_exe)().map(Some),
        (None, "rille_exe") => Ok(Some(places.rille_exe.to_owned())),
        (None, "project_dir") => Ok(record.op_cmd.cmd_env.get("PROJECT_DIR").map(as_argument)),
        _ => Ok(None),
    };
    for arg in &record.op_cmd.cmd_args {
        if arg == FLAG_ARGS {
            add_flags(record, flags, &mut command);
            continue;
        }
        let resolved = resolve(arg, &lookup).map_err(|unresolved| match unresolved {
            Unresolved::Unknown(name) => {
                let known =
                    flags.keys().map(String::as_str).chain(["python_exe", "rille_exe", "project_dir", "flag_args"]);
                let meant = crate::model::nearest(&name, known).map(|meant| format!("; did you mean '${{{meant}}}'?"));
                let meant = meant.unwrap_or_default();
                format!("invalid setting for operation: command contains invalid reference '{name}'{meant}")
            }
            Unresolved::NotFound(what) => what,
            Unresolved::Cycle(names) => {
                format!("invalid setting for operation: references of the command go round in a circle: {names}")
            }
        })?;
        command.args.push(resolved);
    }
    Ok(command)
}

/// Adds all flags as arguments, in the order of their names.
fn add_flags(record: &OpRecord, flags: &FlagValues, command: &mut Command) {
    let dest = record.op_cmd.flags_dest.as_deref().unwrap_or("args");
    for (name, value) in flags {
        // Without an entry it is not the operation's: a resource.
        let Some(passing) = record.op_cmd.cmd_flags.get(name).filter(|passing| !passing.arg_skip) else { continue };
        let option = format!("--{}", passing.arg_name.as_deref().unwrap_or(name));
        if command.args.contains(&option) {
            command.notices.push(Notice::Warning(format!(
                "ignoring flag '{name}={}' because it's shadowed in the operation cmd as {option}",
                as_shown(value)
            )));
            continue;
        }
        command.args.extend(flag_args(option, value, passing, dest));
    }
}

/// Returns the arguments of one flag.
fn flag_args(option: String, value: &Value, passing: &FlagPassing, dest: &str) -> Vec<String> {
    if let Some(switch) = &passing.arg_switch {
        return if is_equal(switch, value) { vec![option] } else { Vec::new() };
    }
    if value.is_null() {
        return Vec::new();
    }
    let is_python = is_variable(dest);
    if let Some(by) = passing.arg_split.as_ref().filter(|by| **by != Value::Bool(false)) {
        let text = value.as_str().map_or_else(|| argument(value, passing, dest), str::to_owned);
        let parts = split_parts(&text, by).unwrap_or_else(|_| vec![text]);
        return match parts.is_empty() {
            true => Vec::new(),
            // One variable takes them all, as a list.
            false if is_python => {
                let values: Vec<String> = parts.iter().map(|part| bare_as_json(part)).collect();
                vec![option, format!("[{}]", values.join(", "))]
            }
            false => [vec![option], parts].concat(),
        };
    }
    vec![option, argument(value, passing, dest)]
}

fn argument(value: &Value, passing: &FlagPassing, dest: &str) -> String {
    if is_variable(dest) { as_yaml(value) } else { encoded(value, &passing.arg_encoding) }
}

/// Returns a part of a split value as an item of a list: a number, or a text in quotes.
fn bare_as_json(part: &str) -> String {
    use super::yaml_word::{Word, yaml_word};
    match yaml_word(part) {
        Word::Null => "null".to_owned(),
        Word::Bool(value) => value.to_string(),
        Word::Number(number) => number.to_string(),
        Word::Beyond(number) => as_yaml(&Value::Array(vec![number])).trim_matches(['[', ']']).to_owned(),
        Word::Time(_) | Word::Other | Word::Text => Value::from(part).to_string(),
    }
}

/// Returns whether flags become variables of Python.
fn is_variable(dest: &str) -> bool {
    dest == "globals" || ["global:", "dict:", "namespace:"].iter().any(|prefix| dest.starts_with(prefix))
}

#[cfg(test)]
mod tests;
