//! From the arguments or the recipe of a runner to what it is to run.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::command::{RunnableArgs, TaskArgs};
use super::status::Identity;
use crate::model::{Runnable, TaskIdValue};

/// The prefix of an argument that is given in base 64.
const BASE64: &str = "base64:";

/// The prefix of a parameter that is given as JSON.
const JSON: &str = "json:";

/// What is to be run, and whose it is.
#[derive(Debug)]
pub(super) struct RunnerOrder {
    pub(super) runnable: Runnable,
    pub(super) identity: Identity,
    pub(super) uris: Vec<String>,
}

/// Reads a runnable from arguments.
pub(super) fn of_runnable(args: RunnableArgs, kind: String) -> Result<RunnerOrder, String> {
    let config: Value = serde_json::from_str(&args.config)
        .map_err(|error| format!("the value of --config is no JSON: {error}: {}", args.config))?;
    let mut kwargs = Map::new();
    for (key, value) in args.kwargs {
        let value = match value.strip_prefix(JSON) {
            Some(json) => {
                serde_json::from_str(json).map_err(|error| format!("the value of {key} is no JSON: {error}: {json}"))?
            }
            None => Value::String(value),
        };
        kwargs.insert(key, value);
    }
    let arguments: Result<Vec<String>, String> = args.arg.into_iter().map(argument).collect();
    let mut recipe = Map::new();
    recipe.insert("kind".to_owned(), kind.into());
    recipe.insert("uri".to_owned(), args.uri.map_or(Value::Null, Value::from));
    recipe.insert("args".to_owned(), arguments?.into());
    recipe.insert("config".to_owned(), config);
    recipe.insert("kwargs".to_owned(), kwargs.into());
    of_value(Value::Object(recipe))
}

/// Reads a task from arguments.
pub(super) fn of_task(args: TaskArgs, kind: String) -> Result<RunnerOrder, String> {
    let mut order = of_runnable(args.runnable, kind)?;
    order.identity.id = Some(TaskIdValue::Text(args.identifier));
    order.identity.job_id = args.job_id;
    order.uris = args.status_uri;
    Ok(order)
}

/// Reads the recipe of a runnable.
pub(super) fn of_recipe(path: &Path) -> Result<RunnerOrder, String> {
    of_value(json(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// Reads the recipe of a task.
pub(super) fn of_task_recipe(path: &Path) -> Result<RunnerOrder, String> {
    let at = |error: String| format!("{}: {error}", path.display());
    let Value::Object(mut recipe) = json(path)? else {
        return Err(at("the recipe of a task is an object with the key 'runnable'".to_owned()));
    };
    let runnable = recipe.remove("runnable").ok_or_else(|| at("there is no key 'runnable'".to_owned()))?;
    let mut order = of_value(runnable).map_err(|error| at(format!("runnable: {error}")))?;
    order.identity.id = Some(match recipe.remove("id") {
        None | Some(Value::Null) => TaskIdValue::Text(uuid::Uuid::new_v4().to_string()),
        Some(Value::String(id)) => TaskIdValue::Text(id),
        Some(Value::Number(id)) => TaskIdValue::Number(id),
        Some(other) => return Err(at(format!("the id is a text or a number, not {other}"))),
    });
    order.identity.job_id = match recipe.remove("job_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(other) => return Err(at(format!("the job_id is a text, not {other}"))),
    };
    order.uris = match recipe.remove("status_uris") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(uri)) => vec![uri],
        Some(Value::Array(uris)) if uris.iter().all(Value::is_string) => {
            uris.into_iter().filter_map(|uri| uri.as_str().map(str::to_owned)).collect()
        }
        Some(other) => return Err(at(format!("status_uris is a list of texts, not {other}"))),
    };
    Ok(order)
}

fn json(path: &Path) -> Result<Value, String> {
    let text = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{} is no JSON: {error}", path.display()))
}

fn of_value(recipe: Value) -> Result<RunnerOrder, String> {
    let mut runnable = Runnable::try_from(recipe).map_err(|error| error.to_string())?;
    let mut take = |key: &str| runnable.kwargs.shift_remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let output_dir = take("output_dir");
    // Files that a test needs in a container; here they are where they are.
    take("assets");
    Ok(RunnerOrder { runnable, identity: Identity { output_dir, ..Identity::default() }, uris: Vec::new() })
}

fn argument(arg: String) -> Result<String, String> {
    let Some(encoded) = arg.strip_prefix(BASE64) else { return Ok(arg) };
    let bytes = STANDARD.decode(encoded).map_err(|error| format!("the argument {arg} is no base 64: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("the argument {arg} holds bytes that are not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_in_base_64() {
        let cases = [("x", "x"), ("base64:LXk=", "-y"), ("base64:", ""), ("-base64:LXk=", "-base64:LXk=")];
        for (given, expected) in cases {
            assert_eq!(argument(given.to_owned()).as_deref().map_err(String::as_str), Ok(expected), "{given}");
        }
        assert!(argument("base64:*".to_owned()).is_err());
        assert!(argument("base64:/w==".to_owned()).is_err());
    }
}
