//! From the arguments or the recipe of a runner to what it is to run.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::command::{RunnableArgs, TaskArgs};
use super::error::OrderError;
use super::status::Identity;
use crate::model::{RecipeError, Runnable, TaskIdValue};

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
pub(super) fn of_runnable(args: RunnableArgs, kind: String) -> Result<RunnerOrder, OrderError> {
    let config = value("--config", &args.config)?;
    let mut kwargs = Map::new();
    for (key, text) in args.kwargs {
        let value = match text.strip_prefix(JSON) {
            Some(json) => value(&key, json)?,
            None => Value::String(text),
        };
        kwargs.insert(key, value);
    }
    let arguments = args.arg.into_iter().map(argument).collect::<Result<Vec<String>, _>>()?;
    let mut recipe = Map::new();
    recipe.insert("kind".to_owned(), kind.into());
    recipe.insert("uri".to_owned(), args.uri.map_or(Value::Null, Value::from));
    recipe.insert("args".to_owned(), arguments.into());
    recipe.insert("config".to_owned(), config);
    recipe.insert("kwargs".to_owned(), kwargs.into());
    Ok(of_value(Value::Object(recipe))?)
}

/// Reads a task from arguments.
pub(super) fn of_task(args: TaskArgs, kind: String) -> Result<RunnerOrder, OrderError> {
    let mut order = of_runnable(args.runnable, kind)?;
    order.identity.id = Some(TaskIdValue::Text(args.identifier));
    order.identity.job_id = args.job_id;
    order.uris = args.status_uri;
    Ok(order)
}

/// Reads the recipe of a runnable.
pub(super) fn of_recipe(path: &Path) -> Result<RunnerOrder, OrderError> {
    of_value(json(path)?).map_err(|source| OrderError::Recipe { path: path.to_owned(), is_of_task: false, source })
}

/// Reads the recipe of a task.
pub(super) fn of_task_recipe(path: &Path) -> Result<RunnerOrder, OrderError> {
    let wrong = |expected, found| OrderError::Field { path: path.to_owned(), expected, found };
    let Value::Object(mut recipe) = json(path)? else { return Err(OrderError::NoObject(path.to_owned())) };
    let runnable = recipe.remove("runnable").ok_or_else(|| OrderError::NoRunnable(path.to_owned()))?;
    let mut order =
        of_value(runnable).map_err(|source| OrderError::Recipe { path: path.to_owned(), is_of_task: true, source })?;
    order.identity.id = Some(match recipe.remove("id") {
        None | Some(Value::Null) => TaskIdValue::Text(uuid::Uuid::new_v4().to_string()),
        Some(Value::String(id)) => TaskIdValue::Text(id),
        Some(Value::Number(id)) => TaskIdValue::Number(id),
        Some(other) => return Err(wrong("the id is a text or a number", other)),
    });
    order.identity.job_id = match recipe.remove("job_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(id),
        Some(other) => return Err(wrong("the job_id is a text", other)),
    };
    order.uris = match recipe.remove("status_uris") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(uri)) => vec![uri],
        Some(Value::Array(uris)) if uris.iter().all(Value::is_string) => {
            uris.into_iter().filter_map(|uri| uri.as_str().map(str::to_owned)).collect()
        }
        Some(other) => return Err(wrong("status_uris is a list of texts", other)),
    };
    Ok(order)
}

fn json(path: &Path) -> Result<Value, OrderError> {
    let text = fs::read(path).map_err(|source| OrderError::Unread { path: path.to_owned(), source })?;
    serde_json::from_slice(&text).map_err(|source| OrderError::NoJson { path: path.to_owned(), source })
}

/// Reads the value of an argument.
fn value(name: &str, text: &str) -> Result<Value, OrderError> {
    let (name, text) = (name.to_owned(), text.to_owned());
    serde_json::from_str(&text).map_err(|source| OrderError::Value { name, text, source })
}

fn of_value(recipe: Value) -> Result<RunnerOrder, RecipeError> {
    let mut runnable = Runnable::try_from(recipe)?;
    let mut take = |key: &str| runnable.kwargs.shift_remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let output_dir = take("output_dir");
    // Files that a test needs in a container; here they are where they are.
    take("assets");
    Ok(RunnerOrder { runnable, identity: Identity { output_dir, ..Identity::default() }, uris: Vec::new() })
}

fn argument(argument: String) -> Result<String, OrderError> {
    let Some(encoded) = argument.strip_prefix(BASE64) else { return Ok(argument) };
    match STANDARD.decode(encoded) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|source| OrderError::NotUtf8 { argument, source }),
        Err(source) => Err(OrderError::Base64 { argument, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_may_be_in_base_64() {
        let cases = [("x", "x"), ("base64:LXk=", "-y"), ("base64:", ""), ("-base64:LXk=", "-base64:LXk=")];
        for (given, expected) in cases {
            assert_eq!(argument(given.to_owned()).unwrap(), expected, "{given}");
        }
        assert!(matches!(argument("base64:*".to_owned()), Err(OrderError::Base64 { .. })));
        assert!(matches!(argument("base64:/w==".to_owned()), Err(OrderError::NotUtf8 { .. })));
    }
}
