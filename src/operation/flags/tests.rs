//! Flags by tables.

mod decoding;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::{Body, Choice};
use super::*;

const AUTO: FlagType = FlagType::Auto;
const TEXT: FlagType = FlagType::Text;
const INT: FlagType = FlagType::Int;
const FLOAT: FlagType = FlagType::Float;
const NUMBER: FlagType = FlagType::Number;
const BOOLEAN: FlagType = FlagType::Boolean;
const PATH: FlagType = FlagType::Path;

fn operation(flags: &Value) -> Operation {
    let origin = Origin::GuildFile(PathBuf::from("/project/guild.yml"));
    let bare = Operation::bare("op", origin, Path::new("/project"), Body::Exec("true".to_owned()));
    let mut operation = Operation { is_default: true, ..bare };
    for (name, value) in flags.as_object().unwrap() {
        operation.flags.insert(name.clone(), flag(value));
    }
    operation
}

/// Reads the definition of a flag in short: a default, or a map.
fn flag(value: &Value) -> Flag {
    let Value::Object(map) = value else { return Flag { default: value.clone(), ..Flag::default() } };
    let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    let choice = |value: &Value| match value {
        Value::Object(map) => Choice {
            value: map["value"].clone(),
            description: map.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            alias: map.get("alias").and_then(Value::as_str).map(str::to_owned),
            flags: map.get("flags").and_then(Value::as_object).cloned().unwrap_or_default().into_iter().collect(),
        },
        value => Choice { value: value.clone(), ..Choice::default() },
    };
    let types = [AUTO, TEXT, INT, FLOAT, NUMBER, BOOLEAN, PATH, FlagType::ExistingPath];
    Flag {
        default: map.get("default").cloned().unwrap_or_default(),
        description: text("description").unwrap_or_default(),
        kind: text("type").map(|name| types.into_iter().find(|kind| decode::type_name(*kind) == name).unwrap()),
        required: map.get("required").is_some_and(|value| value == true),
        choices: map.get("choices").and_then(Value::as_array).into_iter().flatten().map(choice).collect(),
        allow_other: map.get("allow-other").is_some_and(|value| value == true),
        min: map.get("min").and_then(Value::as_f64),
        max: map.get("max").and_then(Value::as_f64),
        alias: text("alias"),
        arg_split: map.get("arg-split").cloned(),
        ..Flag::default()
    }
}

fn context(operation: &Operation) -> Context<'_> {
    Context { operation, stored: None, force: false, cwd: Path::new("/project"), home: Some(Path::new("/home/me")) }
}

/// Resolves words as a command line has them.
fn resolved(operation: &Operation, words: &[&str]) -> Result<Resolved, FlagError> {
    resolve(context(operation), &assignments(words)?.flags)
}

#[test]
fn words_are_assignments() {
    let pairs = assignments(&["a=1", "b=", "yes=1", "label=x", "home=/h", "c=d=e", "a=2", "@t.csv"]).unwrap();
    assert_eq!(pairs.files, ["t.csv"]);
    let expected = [("a", "1"), ("b", ""), ("yes", "1"), ("label", "x"), ("home", "/h"), ("c", "d=e"), ("a", "2")];
    assert_eq!(pairs.flags, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let wrong: [(&[&str], &str, &[&str]); 5] = [
        (&["a"], "invalid argument(s):\na\nexpected NAME=VALUE", &[]),
        (&["a", "b=1", "c"], "invalid argument(s):\na\nc\nexpected NAME=VALUE", &[]),
        (&["lr", "0.1"], "invalid argument(s):\nlr\n0.1\nexpected NAME=VALUE", &["Write 'lr=0.1' to set a flag."]),
        (&["=1"], "invalid argument(s):\n=1\nexpected NAME=VALUE", &[]),
        (&["@"], "invalid argument(s):\n@\nexpected NAME=VALUE", &[]),
    ];
    for (words, text, hints) in wrong {
        let error = assignments(words).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hints()),
            (text, hints.iter().map(|hint| (*hint).to_owned()).collect())
        );
    }
}

#[test]
fn every_flag_has_a_value() {
    let operation = operation(&json!({
        "lr": {"default": 0.1, "type": "float", "min": 0, "max": 1, "alias": "l"},
        "epochs": {"default": "3", "type": "int"},
        "data": {"default": "data/x.csv", "type": "path"},
        "opt": {"default": "adam", "choices": ["adam", {"value": "sgd", "alias": "s", "flags": {"lr": 0.5, "momentum": 0.9}}, 3]},
        "momentum": null,
        "nothing": null,
        "words": {"arg-split": true, "type": "int"},
        "parts": {"arg-split": ",", "type": "int"},
    }));
    let defaults = json!({
        "lr": 0.1, "epochs": 3, "data": "/project/data/x.csv", "opt": "adam", "momentum": null, "nothing": null,
        "words": null, "parts": null,
    });
    let cases: [(&[&str], Value); 11] = [
        (&[], json!({})),
        (&["lr=1"], json!({"lr": 1.0})),
        (&["lr=0.2", "lr=0.3"], json!({"lr": 0.3})),
        (&["l=0.2"], json!({"lr": 0.2})),
        (&["data=y"], json!({"data": "/project/y"})),
        (&["opt=s"], json!({"opt": "sgd", "lr": 0.5, "momentum": 0.9})),
        (&["opt=sgd", "lr=0.3"], json!({"opt": "sgd", "lr": 0.3, "momentum": 0.9})),
        (&["opt=3.0"], json!({"opt": 3.0})),
        (&["opt="], json!({"opt": ""})),
        (&["words=1 02 '3'"], json!({"words": "1 2 3"})),
        (&["parts=1,2,,03"], json!({"parts": "1,2,3"})),
    ];
    for (words, changes) in cases {
        let mut expected = defaults.clone();
        expected.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let resolved = resolved(&operation, words).unwrap();
        assert_eq!(json!(resolved.values), sorted(expected), "{words:?}");
    }
    let resolved = resolved(&operation, &["l=0.2", "opt=s"]).unwrap();
    assert_eq!(json!(resolved.user), json!({"lr": 0.2, "opt": "sgd"}));
}

fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

#[test]
fn wrong_flags_are_refused_and_taken_by_force() {
    let flags = json!({
        "lr": {"default": 0.1, "type": "float", "min": 0, "max": 1.5, "alias": "l"},
        "n": {"default": 1, "type": "int"},
        "up": {"default": "x", "required": true, "description": "Needed\nvery much"},
        "second-one": {"default": "x", "required": true},
        "opt": {"default": "adam", "choices": ["adam", {"value": "sgd", "description": "Plain"}, true]},
        "auto": {"min": 0},
        "file": {"type": "existing-path", "default": "/"},
    });
    let cases: [(&[&str], &str, &[&str]); 16] = [
        (&["lr=2"], "invalid value 2.0 for lr: out of range (greater than max 1.5)", &[]),
        (&["lr=-1"], "invalid value -1.0 for lr: out of range (less than min 0)", &[]),
        (&["lr=foo"], "invalid value foo for lr: invalid value for type 'float'", &[]),
        (&["n=1.5"], "invalid value 1.5 for n: invalid value for type 'int'", &[]),
        (&["auto=x"], "invalid value x for auto: not a number, and the flag has a min", &[]),
        (&["file=/no/such"], "invalid value /no/such for file: /no/such does not exist", &[]),
        (
            &["l=1", "lr=1"],
            "cannot specify both alias 'l' and name for flag 'lr'",
            &["Use --force-flags to skip this check."],
        ),
        (
            &["ln=1"],
            "unsupported flag 'ln'",
            &["Try 'rille run op --help-op' for a list of flags or use --force-flags to skip this check."],
        ),
        (
            &["auot=1"],
            "unsupported flag 'auot'",
            &[
                "Did you mean 'auto'?",
                "Try 'rille run op --help-op' for a list of flags or use --force-flags to skip this check.",
            ],
        ),
        (
            &["opt=adm"],
            "Unsupported value for 'opt' - supported values are:\n\n  adam\n  sgd   Plain\n  yes",
            &["Did you mean 'adam'?", "Run the command again using one of these options."],
        ),
        (
            &["opt=0"],
            "Unsupported value for 'opt' - supported values are:\n\n  adam\n  sgd   Plain\n  yes",
            &["Run the command again using one of these options."],
        ),
        (
            &["up=", "second-one=null"],
            "Operation requires the following missing flags:\n\n  second-one\n  up          Needed",
            &["Run the command again with these flags specified as NAME=VAL."],
        ),
        (&["n=[1,x]"], "invalid value x for n: invalid value for type 'int'", &[]),
        (&["n=[]"], "[] stands for no value for flag n", &[]),
        (&["n=range[0:1:0]"], "invalid function args in 'range[0:1:0]': the step is 0 for flag n", &[]),
        (&["n=rnge[1:2]"], "unknown function 'rnge' used for flag n", &["Did you mean 'range'?"]),
    ];
    let operation = operation(&flags);
    for (words, text, hints) in cases {
        let error = resolved(&operation, words).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.hints()),
            (text, hints.iter().map(|hint| (*hint).to_owned()).collect())
        );
    }
    let forced = Context { force: true, ..context(&operation) };
    let words = assignments(&["lr=2", "n=1.5", "up=", "opt=x", "zoo=1", "auto=x"]).unwrap().flags;
    let resolved = resolve(forced, &words).unwrap();
    let values =
        json!({"lr": 2.0, "n": 1.5, "up": "", "opt": "x", "zoo": 1, "auto": "x", "file": "/", "second-one": "x"});
    assert_eq!(json!(resolved.values), sorted(values));
    assert_eq!(resolved.forced, ["zoo"]);
    // A list is a batch all the same.
    let resolved = resolve(forced, &assignments(&["n=[1.5]"]).unwrap().flags).unwrap();
    assert_eq!(resolved.spread["n"], Spread::List(vec![json!(1.5)]));
}

#[test]
fn flags_of_resources_are_texts() {
    let mut operation = operation(&json!({}));
    let source = |value: Value| serde_json::from_value::<super::super::Source>(value).unwrap();
    operation.requires = vec![
        Resource {
            name: "upstream".to_owned(),
            sources: vec![source(json!({"operation": "upstream"}))],
            ..Resource::default()
        },
        Resource {
            name: "file:src.txt".to_owned(),
            sources: vec![source(json!({"file": "src.txt"}))],
            ..Resource::default()
        },
    ];
    let names: Vec<String> = resource_flags(&operation.requires).into_iter().collect();
    assert_eq!(names, ["file:src.txt", "operation:upstream", "src.txt", "upstream"]);
    let found = resolved(&operation, &["upstream=00123456", "src.txt='1'"]).unwrap();
    assert_eq!(json!(found.values), json!({"src.txt": "1", "upstream": "00123456"}));
    assert_eq!(found.forced, [""; 0]);
    let error = resolved(&operation, &["upstraem=1"]).unwrap_err();
    assert_eq!(error.hints()[0], "Did you mean 'upstream'?");
    let found = resolved(&operation, &["upstream=[a,b]"]).unwrap();
    assert_eq!(found.spread["upstream"], Spread::List(vec![json!("a"), json!("b")]));
}

#[test]
fn a_script_has_no_flags() {
    let mut operation = operation(&json!({}));
    operation.name = "pass.py".to_owned();
    operation.origin = Origin::Script(PathBuf::from("/project/pass.py"));
    let error = resolved(&operation, &["a=1"]).unwrap_err();
    assert_eq!(error.to_string(), "unsupported flag 'a'");
    assert!(error.hints()[0].contains("without a definition") && error.hints()[0].contains("--force-flags"));
}

#[test]
fn a_run_that_is_started_again_keeps_its_flags() {
    let operation = operation(&json!({
        "code": 0, "new": 5, "must": {"required": true},
        "opt": {"default": "adam", "choices": ["adam", {"value": "sgd", "flags": {"code": 9}}]},
    }));
    let stored: FlagValues =
        [("code".to_owned(), json!(11)), ("must".to_owned(), json!("x")), ("old".to_owned(), json!(1))].into();
    let again = |words: &[&str]| {
        let context = Context { stored: Some(&stored), ..context(&operation) };
        json!(resolve(context, &assignments(words).unwrap().flags).unwrap().values)
    };
    assert_eq!(again(&[]), json!({"code": 11, "must": "x", "new": 5, "old": 1, "opt": "adam"}));
    assert_eq!(again(&["code=22"]), json!({"code": 22, "must": "x", "new": 5, "old": 1, "opt": "adam"}));
    assert_eq!(again(&["opt=sgd"]), json!({"code": 9, "must": "x", "new": 5, "old": 1, "opt": "sgd"}));
}

#[test]
fn flags_can_be_looked_at() {
    let operation =
        operation(&json!({"lr": {"default": 0.1, "type": "float", "min": 0, "max": 1, "choices": [0.1, true]}}));
    let expected = "flags-dest:\nflags-import:\nflags:\n  lr:\n    default: 0.1\n    type: float\n    required: no\n    arg-name:\n    arg-skip:\n    \
                    arg-switch:\n    arg-split:\n    arg-encoding:\n    env-name:\n    env-encoding:\n    choices: ['0.1', 'yes']\n    \
                    allow-other: no\n    distribution:\n    max: 1\n    min: 0\n    null-label:\n";
    assert_eq!(test_text(&operation), expected);
}

#[test]
fn edited_flags_come_back() {
    let operation = operation(&json!({
        "lr": {"default": 0.1, "description": "Learning rate\nmore"}, "opt": {"default": "adam", "choices": ["adam", "sgd"]},
        "a": null, "t": "yes", "e": "", "s": "it's: a [b] ~", "m": "two\nlines", "h": "~/x", "num": "1_000", "sp": " x ", "b": true,
    }));
    let values: FlagValues = operation.flags.iter().map(|(name, flag)| (name.clone(), flag.default.clone())).collect();
    let text = edit_text(&values, Some(&operation));
    assert!(text.starts_with("# Editing flags for op\n\na: null\n"), "{text}");
    assert!(text.contains("\nlr: 0.1\n  # Learning rate\n  # Default: 0.1\n\n"), "{text}");
    assert!(text.contains("\nopt: adam\n  # Choices: adam, sgd\n  # Default: adam\n"), "{text}");
    let pairs = read_edited(&text, Some(&operation), false).unwrap().unwrap();
    assert_eq!(resolve(context(&operation), &pairs).unwrap().values, values);
    assert_eq!(read_edited(" \n# nothing\n", Some(&operation), false).unwrap(), None);
    let wrong = [
        (
            "\nlr: 0.1\noptt: x\n",
            "cannot read the edited flags on line 3: unsupported flag 'optt'; did you mean 'opt'?",
        ),
        ("- a\n", "cannot read the edited flags: expected NAME: VALUE on each line"),
    ];
    for (text, expected) in wrong {
        assert_eq!(read_edited(text, Some(&operation), false).unwrap_err().to_string(), expected);
    }
    let error = read_edited("lr: 0.1\nopt: 'x\n", Some(&operation), false).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the edited flags on line "), "{error}");
}

#[test]
fn lists_and_ranges_are_kept_beside_what_was_written() {
    let operation = operation(&json!({
        "lr": {"type": "float", "default": 0.1}, "opt": {"choices": ["adam", {"value": "sgd", "alias": "s", "flags": {"lr": 0.5}}]},
        "n": {"default": [1, 2]}, "r": {"default": "uniform[0:1]"}, "s": "data[0]",
    }));
    let found = resolved(&operation, &["lr=[1,2]", "opt=[s,adam]"]).unwrap();
    let list = |values: Value| Spread::List(values.as_array().unwrap().clone());
    assert_eq!(found.spread["lr"], list(json!([1.0, 2.0])), "each is of the flag's type");
    assert_eq!(found.spread["opt"], list(json!(["sgd", "adam"])));
    assert_eq!(found.spread["n"], list(json!([1, 2])), "a default may be a list");
    assert!(matches!(&found.spread["r"], Spread::Search(search) if search.range == Range::Integers(0, 1)));
    let names: Vec<&String> = found.spread.keys().collect();
    assert_eq!(names, ["lr", "n", "opt", "r"]);
    let kept = json!({"lr": [1.0, 2.0], "n": [1, 2], "opt": ["sgd", "adam"], "r": "uniform[0:1]", "s": "data[0]"});
    assert_eq!(json!(found.values), kept);
    // What goes with a choice goes with the trials that have it, unless the user has set it.
    let found = resolved(&operation, &["opt=[s,adam]", "n=1", "r=0"]).unwrap();
    let trial = |choice: &str| {
        let own = [("opt".to_owned(), json!(choice))].into();
        json!(trial(Some(&operation), &found, &own))
    };
    assert_eq!(trial("sgd"), json!({"lr": 0.5, "n": 1, "opt": "sgd", "r": 0, "s": "data[0]"}));
    assert_eq!(trial("adam"), json!({"lr": 0.1, "n": 1, "opt": "adam", "r": 0, "s": "data[0]"}));
    let found = resolved(&operation, &["n='[1,2]'", "r=[[1,2],3]"]).unwrap();
    assert_eq!(found.values["n"], json!("[1,2]"), "in quotes it is one value");
    assert_eq!(found.spread["r"], list(json!([[1, 2], 3])));
}

#[test]
fn rows_of_files_are_checked_as_flags_are() {
    let operation = operation(&json!({"lr": {"type": "float", "alias": "l"}, "n": {"min": 1, "max": 5}}));
    let text = |name: &str, text: &str| (name.to_owned(), Cell::Text(text.to_owned()));
    let found = row(context(&operation), vec![text("l", "1"), text("n", "[2,3]")]).unwrap();
    assert_eq!(json!(found.values), json!({"lr": 1.0, "n": [2, 3]}));
    assert_eq!(found.spread["n"], Spread::List(vec![json!(2), json!(3)]));
    let wrong = |cells| row(context(&operation), cells).unwrap_err().to_string();
    assert_eq!(wrong(vec![text("n", "7")]), "invalid value 7 for n: out of range (greater than max 5)");
    assert_eq!(wrong(vec![text("n", "[1,7]")]), "invalid value 7 for n: out of range (greater than max 5)");
    assert_eq!(wrong(vec![text("m", "7")]), "unsupported flag 'm'");
}
