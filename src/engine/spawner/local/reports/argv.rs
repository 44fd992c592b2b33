//! The command line by which a runner learns its task: `task-run -i ID -j JOB -k KIND …`, in the order that Avocado keeps.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::model::{Runnable, Runner};

/// The key of a runnable's `config` that every runner is given.
const IDENTIFIER_FORMAT: &str = "runner.identifier_format";

/// What a runner is told beside the runnable.
pub(crate) struct Report<'a> {
    /// The id of the task.
    pub(crate) task: &'a str,
    /// The id of the run.
    pub(crate) job: &'a str,
    /// The folder of the task.
    pub(crate) output_dir: &'a str,
    /// Where it reports to.
    pub(crate) uri: &'a str,
}

/// What no runner can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CannotTell {
    /// A word with a NUL byte.
    #[error("{0:?} holds a NUL byte, which no process can be given")]
    NulByte(String),
    /// A parameter of this name.
    #[error("a runner cannot be given a parameter with the name {0:?}")]
    Name(String),
}

/// Returns the arguments for a runner.
pub(crate) fn task_run(runnable: &Runnable, runner: &Runner, report: &Report<'_>) -> Result<Vec<String>, CannotTell> {
    let mut args = vec!["task-run".to_owned()];
    option(&mut args, "-i", report.task);
    option(&mut args, "-j", report.job);
    option(&mut args, "-k", &runnable.kind);
    if let Some(uri) = &runnable.uri {
        option(&mut args, "-u", uri);
    }
    option(&mut args, "-c", &Value::Object(config(runnable, runner)).to_string());
    for arg in &runnable.args {
        // What looks like an option, or like what is decoded, is handed over so that it cannot be mistaken.
        let plain = std::str::from_utf8(&arg.0).ok().filter(|arg| !arg.starts_with('-') && !arg.starts_with("base64:"));
        let arg = plain.map_or_else(|| format!("base64:{}", STANDARD.encode(&arg.0)), str::to_owned);
        args.extend(["-a".to_owned(), arg]);
    }
    if !runnable.tags.is_empty() {
        args.push(format!("tags=json:{}", Value::Object(runnable.tags.clone())));
    }
    if let Some(variant) = &runnable.variant {
        args.push(format!("variant=json:{variant}"));
    }
    args.push(format!("output_dir={}", report.output_dir));
    for (name, value) in &runnable.kwargs {
        if name != "output_dir" {
            args.push(parameter(name, value)?);
        }
    }
    option(&mut args, "-s", report.uri);
    match args.iter().find(|arg| arg.contains('\0')) {
        Some(arg) => Err(CannotTell::NulByte(arg.clone())),
        None => Ok(args),
    }
}

fn option(args: &mut Vec<String>, name: &str, value: &str) {
    match value.starts_with('-') {
        true => args.push(format!("{name}{value}")),
        false => args.extend([name.to_owned(), value.to_owned()]),
    }
}

/// The settings that the runner says it reads, and how the test is to be named.
fn config(runnable: &Runnable, runner: &Runner) -> Map<String, Value> {
    let is_used = |key: &str| match &runner.configuration_used {
        Some(used) => used.iter().any(|used| used == key),
        None => key != RUNNER_KEY,
    };
    let used = runnable.config.iter().filter(|(key, _)| is_used(key) && *key != IDENTIFIER_FORMAT);
    let mut config: Map<String, Value> = used.map(|(key, value)| (key.clone(), value.clone())).collect();
    let format = runnable.config.get(IDENTIFIER_FORMAT).cloned();
    config.insert(IDENTIFIER_FORMAT.to_owned(), format.unwrap_or_else(|| "{uri}".into()));
    config
}

/// The key of a runnable's `config` that names the program which runs it.
pub(crate) const RUNNER_KEY: &str = "rille.runner";

fn parameter(name: &str, value: &Value) -> Result<String, CannotTell> {
    if name.is_empty() || name.starts_with('-') || name.contains('=') {
        return Err(CannotTell::Name(name.to_owned()));
    }
    Ok(match value {
        // Text that begins so would be decoded.
        Value::String(text) if !text.starts_with("json:") => format!("{name}={text}"),
        other => format!("{name}=json:{other}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(recipe: Value, used: Option<&[&str]>) -> Result<String, String> {
        let runnable: Runnable = serde_json::from_value(recipe).unwrap();
        let configuration_used = used.map(|used| used.iter().map(|key| (*key).to_owned()).collect());
        let runner = Runner { configuration_used, ..Runner::default() };
        let report = Report { task: "1-a", job: "J", output_dir: "/d", uri: "/s" };
        task_run(&runnable, &runner, &report).map(|args| args.join("|")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_order_is_that_of_avocado() {
        let variant = json!({ "paths": ["/"], "variant_id": null, "variant": [] });
        let recipe = json!({
            "kind": "lua", "uri": "job.lua", "args": ["x", "-y", "base64:z", ""],
            "config": { "a.b": 1, "c": 2 },
            "kwargs": { "mode": "ok", "n": 5, "l": [1, 2], "none": null, "odd": "json:1", "variant": variant,
                        "dependencies": [] },
            "tags": { "fast": null },
        });
        assert_eq!(
            line(recipe, Some(&["a.b"])).unwrap(),
            "task-run|-i|1-a|-j|J|-k|lua|-u|job.lua|-c|{\"a.b\":1,\"runner.identifier_format\":\"{uri}\"}|-a|x|-a|\
             base64:LXk=|-a|base64:YmFzZTY0Ono=|-a||tags=json:{\"fast\":null}|variant=json:{\"paths\":[\"/\"],\"variant_id\":null,\"variant\":[]}|\
             output_dir=/d|mode=ok|n=json:5|l=json:[1,2]|none=json:null|odd=json:\"json:1\"|-s|/s"
        );
        let bare = json!({ "kind": "k", "config": { "a": 1, "rille.runner": "/p" } });
        assert_eq!(
            line(bare, None).unwrap(),
            "task-run|-i|1-a|-j|J|-k|k|-c|{\"a\":1,\"runner.identifier_format\":\"{uri}\"}|output_dir=/d|-s|/s"
        );
    }

    #[test]
    fn what_looks_like_an_option_is_none() {
        assert!(line(json!({ "kind": "k", "uri": "-x" }), None).unwrap().contains("|-u-x|"));
        let error = line(json!({ "kind": "k", "kwargs": { "--uri": 1 } }), None).unwrap_err();
        assert_eq!(error, "a runner cannot be given a parameter with the name \"--uri\"");
        assert!(line(json!({ "kind": "k", "kwargs": { "a=b": 1 } }), None).is_err());
        assert!(line(json!({ "kind": "k", "args": ["\0"] }), None).unwrap_err().contains("NUL"));
    }
}
