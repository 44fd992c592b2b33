//! What texts become, by tables; what can be compared with Guild is, where it is installed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::super::spread::SpreadError;
use super::*;

/// What becomes of a text.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Is(Value),
    Batch,
    Wrong,
}

use Expected::{Batch, Is, Wrong};

/// A type, a text of it, and what it is.
type Row = (FlagType, &'static str, Expected);

/// What Guild makes the same of.
fn as_guild() -> Vec<Row> {
    [numbers_and_words(), quotes_and_lists(), typed()].concat()
}

fn numbers_and_words() -> Vec<Row> {
    vec![
        (AUTO, "", Is(json!(""))),
        (AUTO, "1", Is(json!(1))),
        (AUTO, "-1", Is(json!(-1))),
        (AUTO, "+5", Is(json!(5))),
        (AUTO, " 5 ", Is(json!(5))),
        (AUTO, "00500", Is(json!(500))),
        (AUTO, "017", Is(json!(17))),
        (AUTO, "0x1f", Is(json!(31))),
        (AUTO, "0b101", Is(json!(5))),
        (AUTO, "0o17", Is(json!("0o17"))),
        (AUTO, "1.0", Is(json!(1.0))),
        (AUTO, "1.", Is(json!(1.0))),
        (AUTO, ".5", Is(json!(0.5))),
        (AUTO, "-.5", Is(json!(-0.5))),
        (AUTO, "1e3", Is(json!(1000.0))),
        (AUTO, "1E5", Is(json!(100_000.0))),
        (AUTO, "1.5e-3", Is(json!(0.0015))),
        (AUTO, "1e", Is(json!("1e"))),
        (AUTO, "1_000", Is(json!("1_000"))),
        (AUTO, "1_2_3", Is(json!("1_2_3"))),
        (AUTO, "1_0.5", Is(json!("1_0.5"))),
        (AUTO, "0x1_0", Is(json!("0x1_0"))),
        (AUTO, "1:30", Is(json!("1:30"))),
        (AUTO, "1:30:00", Is(json!("1:30:00"))),
        (AUTO, "1:30.5", Is(json!("1:30.5"))),
        (AUTO, "12:61", Is(json!("12:61"))),
        (AUTO, "1.2.3", Is(json!("1.2.3"))),
        (AUTO, "yes", Is(json!(true))),
        (AUTO, "Yes", Is(json!(true))),
        (AUTO, "yEs", Is(json!("yEs"))),
        (AUTO, "no", Is(json!(false))),
        (AUTO, "on", Is(json!(true))),
        (AUTO, "OFF", Is(json!(false))),
        (AUTO, "true", Is(json!(true))),
        (AUTO, "False", Is(json!(false))),
        (AUTO, "y", Is(json!("y"))),
        (AUTO, "n", Is(json!("n"))),
        (AUTO, "null", Is(json!(null))),
        (AUTO, "~", Is(json!(null))),
        (AUTO, "None", Is(json!("None"))),
        (AUTO, "adam", Is(json!("adam"))),
        (AUTO, "hello world", Is(json!("hello world"))),
        (AUTO, "a=b", Is(json!("a=b"))),
        (AUTO, "a,b", Is(json!("a,b"))),
        (AUTO, "-x", Is(json!("-x"))),
        (AUTO, "--", Is(json!("--"))),
        (AUTO, "/a/b", Is(json!("/a/b"))),
        (AUTO, "a:b", Is(json!("a:b"))),
    ]
}

fn quotes_and_lists() -> Vec<Row> {
    vec![
        (AUTO, "'00500'", Is(json!("00500"))),
        (AUTO, "\"1e3\"", Is(json!("1e3"))),
        (AUTO, "'yes'", Is(json!("yes"))),
        (AUTO, "\"\"", Is(json!(""))),
        (AUTO, "'it''s'", Is(json!("it's"))),
        (AUTO, "'a' b", Is(json!("'a' b"))),
        (AUTO, "'a", Is(json!("'a"))),
        (AUTO, "it's", Is(json!("it's"))),
        (AUTO, "{a: 1, b: x}", Is(json!({"a": 1, "b": "x"}))),
        (AUTO, "{a", Is(json!("{a"))),
        (AUTO, "!!str 5", Is(json!("5"))),
        (AUTO, "!foo bar", Is(json!("!foo bar"))),
        (AUTO, "@foo", Is(json!("@foo"))),
        (AUTO, "*a", Is(json!("*a"))),
        (AUTO, "%a", Is(json!("%a"))),
        (AUTO, "`a`", Is(json!("`a`"))),
        (AUTO, "é", Is(json!("é"))),
        (AUTO, "range", Is(json!("range"))),
        (AUTO, "range(1)", Is(json!("range(1)"))),
        (AUTO, "a[b", Is(json!("a[b"))),
        (AUTO, "[1:", Is(json!("[1:"))),
        (AUTO, "[1", Is(json!("[1"))),
        (AUTO, "[", Is(json!("["))),
        (AUTO, "]", Is(json!("]"))),
        (AUTO, "range[1:3", Is(json!("range[1:3"))),
        (AUTO, "[1] 2", Is(json!("[1] 2"))),
        (AUTO, "a*3", Is(json!("a*3"))),
        (AUTO, "[1,2]", Batch),
        (AUTO, "[]", Batch),
        (AUTO, "[a, 'b c']", Batch),
        (AUTO, "[1]*3", Batch),
        (AUTO, "[1,2] * 2", Batch),
        (AUTO, "range[1:3]", Batch),
        (AUTO, "range[0:1:0.3]", Batch),
        (AUTO, "linspace[0:1]", Batch),
        (AUTO, "linspace[0:1:3]", Batch),
        (AUTO, "logspace[0:2:3]", Batch),
        (AUTO, "[1:2]", Batch),
        (AUTO, "[a:b]", Batch),
        (AUTO, "[0.1:0.5:0.2]", Batch),
        (AUTO, "uniform[0:1]", Batch),
        (AUTO, "loguniform[1e-4:1e-1]", Batch),
    ]
}

fn typed() -> Vec<Row> {
    vec![
        (TEXT, "1", Is(json!("1"))),
        (TEXT, "00500", Is(json!("00500"))),
        (TEXT, "yes", Is(json!("yes"))),
        (TEXT, "null", Is(json!("null"))),
        (TEXT, " a # b ", Is(json!(" a # b "))),
        (TEXT, "a: b", Is(json!("a: b"))),
        (TEXT, "~/x", Is(json!("~/x"))),
        (TEXT, "'1'", Is(json!("1"))),
        (TEXT, "[1,2]", Batch),
        (TEXT, "[x", Is(json!("[x"))),
        (TEXT, "", Is(json!(""))),
        (INT, "5", Is(json!(5))),
        (INT, "005", Is(json!(5))),
        (INT, "'5'", Is(json!(5))),
        (INT, "0x1f", Is(json!(31))),
        (INT, "1.5", Wrong),
        (INT, "1e3", Wrong),
        (INT, "foo", Wrong),
        (INT, "", Wrong),
        (INT, "null", Is(json!(null))),
        (INT, "yes", Is(json!(1))),
        (INT, "[1,2]", Batch),
        (INT, "1_000", Is(json!(1000))),
        (FLOAT, "5", Is(json!(5.0))),
        (FLOAT, "1e-5", Is(json!(1e-5))),
        (FLOAT, "foo", Wrong),
        (FLOAT, "", Wrong),
        (FLOAT, "no", Is(json!(0.0))),
        (NUMBER, "5", Is(json!(5))),
        (NUMBER, "5.0", Is(json!(5.0))),
        (NUMBER, "1e3", Is(json!(1000.0))),
        (NUMBER, "foo", Wrong),
        (BOOLEAN, "yes", Is(json!(true))),
        (BOOLEAN, "off", Is(json!(false))),
        (BOOLEAN, "1", Is(json!(true))),
        (BOOLEAN, "0", Is(json!(false))),
        (BOOLEAN, "0.0", Is(json!(false))),
        (BOOLEAN, "", Is(json!(false))),
        (BOOLEAN, "null", Is(json!(null))),
        (PATH, "/a/../b/./c", Is(json!("/a/../b/./c"))),
        (PATH, "a", Is(json!("/project/a"))),
        (PATH, "../a/./b", Is(json!("/a/b"))),
        (PATH, "~/x", Is(json!("/home/me/x"))),
        (PATH, "1", Is(json!("/project/1"))),
        (PATH, "", Is(json!(""))),
    ]
}

/// Where Guild loses what was typed, or takes what is no value.
fn unlike_guild() -> Vec<Row> {
    vec![
        // Null: a comment.
        (AUTO, "#ff0000", Is(json!("#ff0000"))),
        (AUTO, "a # b", Is(json!("a # b"))),
        // A map, a list.
        (AUTO, "a: b", Is(json!("a: b"))),
        (AUTO, "- a", Is(json!("- a"))),
        // An anchor, a block, a date.
        (AUTO, "&a b", Is(json!("&a b"))),
        (AUTO, "|", Is(json!("|"))),
        (AUTO, "2024-01-31", Is(json!("2024-01-31"))),
        // Spaces.
        (AUTO, " foo ", Is(json!(" foo "))),
        // One line.
        (AUTO, "a\nb", Is(json!("a\nb"))),
        // No numbers of JSON.
        (AUTO, "nan", Is(json!({"$float": "nan"}))),
        (AUTO, "-inf", Is(json!({"$float": "-inf"}))),
        (AUTO, ".inf", Is(json!({"$float": "inf"}))),
        (AUTO, "1e999", Is(json!({"$float": "inf"}))),
        (FLOAT, "nan", Is(json!({"$float": "nan"}))),
        (AUTO, "123456789012345678901234567890", Is(json!({"$integer": "123456789012345678901234567890"}))),
        // A shell does not expand it behind the sign.
        (AUTO, "~/x", Is(json!("/home/me/x"))),
        // Functions that do not exist, or without numbers.
        (AUTO, "a[b]", Is(json!("a[b]"))),
        (AUTO, "range[m]", Is(json!("range[m]"))),
        // Text in quotes is text.
        (AUTO, "'[1:2]'", Is(json!("[1:2]"))),
        // Any text is true.
        (BOOLEAN, "foo", Wrong),
    ]
}

fn found(kind: FlagType, text: &str) -> Expected {
    let operation = operation(&json!({"x": {"type": decode::type_name(kind)}}));
    match resolved(&operation, &[&format!("x={text}")]) {
        Ok(resolved) if resolved.spread.contains_key("x") => Batch,
        Ok(resolved) => Is(resolved.values["x"].clone()),
        Err(FlagError::Spread { what: SpreadError::Empty(_), .. }) => Batch,
        Err(_) => Wrong,
    }
}

#[test]
fn texts_become_values_of_their_type() {
    for (kind, text, expected) in as_guild().into_iter().chain(unlike_guild()) {
        // An untyped flag is an automatic one.
        assert_eq!(found(kind, text), expected, "{kind:?} {text:?}");
    }
}

/// Asks Guild what it makes of texts.
const ASK: &str = r#"
import json, logging, os, sys
logging.disable(logging.CRITICAL)
from guild import flag_util, guildfile, op_util
rows = json.load(sys.stdin)
os.environ["HOME"] = "/home/me"
def found(kind, text):
    data = {"op": {"exec": "true", "flags": {"x": {"type": kind}}}}
    opdef = guildfile.Guildfile(data, dir="/").default_model.get_operation("op")
    user, errors = op_util.parse_flag_assigns(["x=" + text], opdef)
    try:
        value = op_util.flag_vals_for_opdef(opdef, user)["x"]
    except op_util.FlagError:
        return "wrong"
    if isinstance(value, list) or flag_util.is_flag_function(value):
        return "batch"
    try:
        return [json.loads(json.dumps(value, allow_nan=False))]
    except Exception:
        return "other"
real = os.path.abspath
os.path.abspath = lambda path: os.path.normpath(path if path.startswith("/") else "/project/" + path)
print(json.dumps([found(*row) for row in rows]))
"#;

#[test]
fn guild_decodes_the_same() {
    let Some(python) = guilds_python() else { return };
    let rows: Vec<Row> = as_guild().into_iter().chain(unlike_guild()).collect();
    let asked: Vec<Value> = rows.iter().map(|(kind, text, _)| json!([decode::type_name(*kind), text])).collect();
    let mut child = Command::new(python)
        .args(["-W", "ignore", "-c", ASK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), json!(asked).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), rows.len());
    let same = as_guild().len();
    for (at, ((kind, text, expected), answer)) in rows.into_iter().zip(answers).enumerate() {
        let guild = match answer {
            Value::Array(value) => Some(Is(value[0].clone())),
            Value::String(word) if word == "batch" => Some(Batch),
            Value::String(word) if word == "wrong" => Some(Wrong),
            _ => None,
        };
        assert_eq!(guild.as_ref() == Some(&expected), at < same, "{kind:?} {text:?}: Guild has {guild:?}");
    }
}

/// Returns the Python of an installed Guild: that of the program `RILLE_TEST_GUILD` names, else of `guild`.
fn guilds_python() -> Option<PathBuf> {
    let named = std::env::var_os("RILLE_TEST_GUILD").map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let guild =
        named.or_else(|| std::env::split_paths(&paths).map(|path| path.join("guild")).find(|path| path.exists()))?;
    Some(guild.with_file_name("python"))
}
