//! `rille synchro`: what a run shares, for tasks that are not written in Lua.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value as Json;

use super::Failure;
use super::output::write_bytes;
use crate::engine::{SynchroClient, become_program, variable};
use crate::model::{Answer, Fault, FaultKind, Key, Keys, Op, Request, SharedKind, SharedRef, Value, nearest};

/// What stands below the operations in the help.
const NOTES: &str = "\
A VALUE is JSON if it reads as JSON ('3', 'true', '[1,2]', '\"3\"'), else a text; a KEY that reads as a whole number, as \
true or false is one. What is read is printed as text, or as JSON where it is more than that.

Exit codes: 0 done, 1 there is nothing (get, pop), it is not so (has, is-set) or it failed, 2 usage, 124 the time was over";

/// Returns the help: what can be done with which types, and how.
fn help() -> String {
    let mut types: Vec<(Vec<&str>, &str)> = Vec::new();
    for row in SharedKind::ALL.iter().map(|kind| kind.row()) {
        match types.iter_mut().find(|(_, usage)| *usage == row.usage) {
            Some((names, _)) => names.push(row.name),
            None => types.push((vec![row.name], row.usage)),
        }
    }
    let lines = types.into_iter().map(|(names, usage)| {
        let names = names.join(", ");
        // What is longer has a line for itself.
        let gap = if names.len() > 15 { format!("\n{:19}", "") } else { " ".repeat(17 - names.len()) };
        format!("  {names}{gap}{usage}\n")
    });
    format!("Operations:\n{}\n{NOTES}", lines.collect::<String>())
}

/// Reads and changes what the tasks of a run share, from within a task.
#[derive(Args, Debug)]
#[command(after_help = help())]
pub(crate) struct SynchroArgs {
    /// What to do, see below
    #[arg(value_name = "OP")]
    operation: String,
    /// The parameter that the task got it as, or its name as in dict:3
    #[arg(value_name = "OBJECT")]
    object: String,
    /// Key and value
    #[arg(value_name = "ARGS", allow_negative_numbers = true)]
    arguments: Vec<OsString>,
    /// Wait at most this long
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,
    /// Print JSON, texts included
    #[arg(long)]
    json: bool,
    /// For 'lock': what to run; else more ARGS, which may begin with -
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The exit code when the time was over, as that of timeout(1).
const TIMED_OUT: i32 = 124;

/// Runs the command and returns the exit code.
pub(crate) fn main(mut args: SynchroArgs) -> Result<i32, Failure> {
    let object = find(&args.object)?;
    if args.operation == "lock" {
        return lock(object, &args);
    }
    args.arguments.append(&mut args.command);
    let request = request(object, &args)?;
    let wants_truth = matches!(request.op, Op::Has | Op::IsSet);
    match connect()?.call(&request) {
        Answer::Ok(value) => {
            print(&request, &value, args.json)?;
            let is_nothing = value.is_null() && matches!(request.op, Op::Get | Op::Pop);
            Ok(i32::from(is_nothing || wants_truth && value == Value::Bool(false)))
        }
        Answer::Timeout(_) => Ok(timed_out(object, &args)),
        Answer::Error(fault) => Err(failed(fault)),
    }
}

/// Takes a lock and becomes the command: what is held is released when the command, which inherits the connection, is gone.
fn lock(object: SharedRef, args: &SynchroArgs) -> Result<i32, Failure> {
    if !object.kind.row().can_be_held {
        return Err(Failure::usage(format!("{object} cannot be held; 'lock' takes a lock, an rlock or a semaphore")));
    }
    let (Some(program), true) = (args.command.first(), args.arguments.is_empty()) else {
        let usage = format!("write rille synchro lock {} -- COMMAND [ARGS…]", args.object);
        return Err(Failure::usage("'lock' needs the command that runs while it is held").hint(usage));
    };
    let mut client = connect()?;
    let request =
        Request { timeout: args.timeout.map(|limit| limit.as_secs_f64()), ..Request::of(Op::Acquire, object) };
    match client.call(&request) {
        Answer::Ok(_) => {}
        Answer::Timeout(_) => return Ok(timed_out(object, args)),
        Answer::Error(fault) => return Err(failed(fault)),
    }
    let inherited = rustix::io::fcntl_setfd(&client, rustix::io::FdFlags::empty());
    inherited.map_err(|error| Failure::general(format!("cannot hand the connection on: {error}")))?;
    let error = become_program(&args.command, None);
    Err(Failure::general(format!("cannot start {}: {error}", Path::new(program).display())))
}

fn timed_out(object: SharedRef, args: &SynchroArgs) -> i32 {
    use std::io::Write;
    let limit = args.timeout.unwrap_or_default().as_secs_f64();
    // With a closed terminal there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "error: '{}' of {object} was not done within {limit} s", args.operation);
    TIMED_OUT
}

fn failed(fault: Fault) -> Failure {
    match fault.kind {
        FaultKind::Usage => Failure::usage(fault.message),
        _ => Failure::general(fault.message),
    }
}

fn connect() -> Result<SynchroClient, Failure> {
    let hint = "run it from a task of a job that uses runtime.synchro before the task starts";
    let outside = |name: &str| {
        Failure::usage(format!("{name} is not set, so this is no task of a run that shares anything")).hint(hint)
    };
    let number = |name: &str| {
        let value = std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
        value.ok_or_else(|| outside(name))
    };
    let socket = std::env::var_os(variable::SYNCHRO).filter(|path| !path.is_empty());
    let socket = socket.ok_or_else(|| outside(variable::SYNCHRO))?;
    let (task, attempt) = (number(variable::TASK_NUMBER)?, number(variable::ATTEMPT)?);
    SynchroClient::connect(Path::new(&socket), task, attempt).map_err(failed)
}

/// Finds the object that a word means: the parameter of that name, or the object itself.
fn find(word: &str) -> Result<SharedRef, Failure> {
    let is_name = !word.is_empty() && !word.contains(['=', '\0']);
    if let Some(value) = std::env::var(word).ok().filter(|_| is_name) {
        return value
            .parse()
            .map_err(|problem| Failure::usage(format!("the parameter '{word}' is no shared object: {problem}")));
    }
    word.parse().map_err(|problem| {
        let shared = |(name, value): (OsString, OsString)| {
            value.to_str()?.parse::<SharedRef>().ok()?;
            name.into_string().ok()
        };
        let mut names: Vec<String> = std::env::vars_os().filter_map(shared).collect();
        names.sort();
        let failure = Failure::usage(format!("there is no parameter '{word}', and {problem}"));
        match (nearest(word, names.iter().map(String::as_str)), names.is_empty()) {
            (Some(near), _) => failure.hint(format!("did you mean '{near}'?")),
            (None, false) => failure.hint(format!("this task has: {}", names.join(", "))),
            (None, true) => failure.hint("this task has no parameter that is a shared object"),
        }
    })
}

/// Which words follow an operation.
enum Words {
    Nothing,
    Key,
    KeyOrNothing,
    Value,
    ValueOrNothing,
    KeyAndValue,
    KeyAndMaybeValue,
}

fn request(object: SharedRef, args: &SynchroArgs) -> Result<Request, Failure> {
    let name = match args.operation.as_str() {
        "len" => "length".to_owned(),
        other => other.replace('-', "_"),
    };
    let op =
        serde_json::from_value::<Op>(Json::String(name.clone())).map_err(|_| Failure::usage(Op::unknown(&name)))?;
    if matches!(op, Op::Acquire | Op::Release) {
        let failure =
            Failure::usage(format!("a process cannot '{name}' something and end: what it holds ends with it"));
        return Err(failure.hint(format!("write rille synchro lock {} -- COMMAND [ARGS…]", args.object)));
    }
    if matches!(op, Op::Hello | Op::New) {
        return Err(Failure::usage(format!("'{name}' is no operation of rille synchro; see rille synchro --help")));
    }
    let keys = object.kind.row().keys;
    let is_keyed = keys.are_there();
    let words = match op {
        Op::Get | Op::Has if is_keyed => Words::Key,
        Op::Pop if keys == Keys::Positions => Words::KeyOrNothing,
        Op::Pop => Words::Key,
        Op::Set | Op::Insert if is_keyed => Words::KeyAndValue,
        Op::Add if is_keyed => Words::KeyAndMaybeValue,
        Op::Set if keys == Keys::Content => Words::Value,
        Op::Add => Words::ValueOrNothing,
        Op::Append | Op::Extend | Op::Update | Op::Put => Words::Value,
        _ => Words::Nothing,
    };
    let given = args.arguments.as_slice();
    let key_of = |word: &OsString| key(keys, word);
    let (key, value) = match (words, given) {
        (Words::Nothing | Words::KeyOrNothing | Words::ValueOrNothing, []) => (None, None),
        (Words::Key | Words::KeyOrNothing | Words::KeyAndMaybeValue, [word]) => (Some(key_of(word)), None),
        (Words::Value | Words::ValueOrNothing, [word]) => (None, Some(value(word))),
        (Words::KeyAndValue | Words::KeyAndMaybeValue, [first, second]) => (Some(key_of(first)), Some(value(second))),
        (words, _) => {
            let wanted = match words {
                Words::Nothing => "nothing",
                Words::Key => "KEY",
                Words::KeyOrNothing => "at most a position",
                Words::Value => "VALUE",
                Words::ValueOrNothing => "at most a number",
                Words::KeyAndValue => "KEY VALUE",
                Words::KeyAndMaybeValue => "KEY and at most a number",
            };
            let text = format!("'{}' of {object} takes {wanted}, got {} words", args.operation, given.len());
            return Err(Failure::usage(text));
        }
    };
    Ok(Request { key, value, timeout: args.timeout.map(|limit| limit.as_secs_f64()), ..Request::of(op, object) })
}

fn key(keys: Keys, word: &OsStr) -> Key {
    let read = match (keys, word.to_str()) {
        (Keys::Names, _) | (_, None) => None,
        (_, Some(text)) => serde_json::from_str::<Value>(text).ok().and_then(Key::of_value),
    };
    read.unwrap_or_else(|| Key::of_bytes(word.as_bytes()))
}

fn value(word: &OsStr) -> Value {
    let read = word.to_str().and_then(|text| serde_json::from_str(text).ok());
    read.unwrap_or_else(|| Value::of_bytes(word.as_bytes()))
}

fn print(request: &Request, value: &Value, as_json: bool) -> Result<(), Failure> {
    let mut out = Vec::new();
    match value {
        _ if as_json => {
            out.extend(value.to_string().into_bytes());
            out.push(b'\n');
        }
        Value::Null => {}
        // One a line, as a loop in a shell wants them.
        Value::List(keys) if request.op == Op::Keys => keys.iter().for_each(|key| line(&mut out, key)),
        // That it was waited for is what exit code 0 says.
        Value::Bool(true) if request.op == Op::Wait => {}
        value => line(&mut out, value),
    }
    write_bytes(&out)
}

fn line(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => out.extend(text.bytes()),
        Value::Bytes(bytes) => out.extend(bytes),
        Value::Shared(object) => out.extend(object.to_string().bytes()),
        value => out.extend(value.to_string().bytes()),
    }
    out.push(b'\n');
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "a number of seconds from 0 is wanted".to_owned())
}
