//! Commands and environments by tables.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "it is what a command asks")]
fn python() -> Result<String, String> {
    Ok("/py".to_owned())
}

const PLACES: Places<'_> = Places { python_exe: &python, rille_exe: "/rille" };

fn record(op_cmd: &Value) -> OpRecord {
    serde_json::from_value(json!({"op-cmd": op_cmd})).unwrap()
}

fn flags(values: &Value) -> FlagValues {
    values.as_object().unwrap().clone().into_iter().collect()
}

/// Returns the words of a command whose flags are passed in these ways.
fn args(cmd_args: &Value, cmd_flags: &Value, values: &Value, dest: &str) -> Vec<String> {
    let record = record(&json!({"cmd-args": cmd_args, "cmd-flags": cmd_flags, "flags-dest": dest}));
    command(&record, &flags(values), PLACES).unwrap().args
}

#[test]
fn flags_are_arguments() {
    let cases = [
        // How it is passed, its value, its arguments, and those of a global variable.
        (json!({}), json!(0.1), vec!["--x", "0.1"], vec!["--x", "0.1"]),
        (json!({}), json!(1e-5), vec!["--x", "1e-05"], vec!["--x", "1.0e-05"]),
        (json!({}), json!("a b"), vec!["--x", "a b"], vec!["--x", "a b"]),
        (json!({}), json!("1"), vec!["--x", "1"], vec!["--x", "'1'"]),
        (json!({}), json!(true), vec!["--x", "1"], vec!["--x", "true"]),
        (json!({}), json!(false), vec!["--x", ""], vec!["--x", "false"]),
        (json!({}), json!(""), vec!["--x", ""], vec!["--x", "''"]),
        (json!({}), json!(null), vec![], vec![]),
        (json!({"arg-name": "X-y"}), json!(1), vec!["--X-y", "1"], vec!["--X-y", "1"]),
        (json!({"arg-skip": true}), json!(1), vec![], vec![]),
        (json!({"arg-switch": true}), json!(true), vec!["--x"], vec!["--x"]),
        (json!({"arg-switch": true}), json!(false), vec![], vec![]),
        (json!({"arg-switch": false}), json!(false), vec!["--x"], vec!["--x"]),
        (json!({"arg-switch": 1}), json!(1.0), vec!["--x"], vec!["--x"]),
        (json!({"arg-switch": "on", "arg-name": "n"}), json!("on"), vec!["--n"], vec!["--n"]),
        (
            json!({"arg-split": true}),
            json!("1 'b c' yes"),
            vec!["--x", "1", "b c", "yes"],
            vec!["--x", "[1, \"b c\", true]"],
        ),
        (json!({"arg-split": "shlex"}), json!("a b"), vec!["--x", "a", "b"], vec!["--x", "[\"a\", \"b\"]"]),
        (
            json!({"arg-split": ","}),
            json!("a,b c,,d"),
            vec!["--x", "a", "b c", "d"],
            vec!["--x", "[\"a\", \"b c\", \"d\"]"],
        ),
        (json!({"arg-split": true}), json!(""), vec![], vec![]),
        (json!({"arg-split": true}), json!("it's"), vec!["--x", "it's"], vec!["--x", "[\"it's\"]"]),
        (json!({"arg-split": false}), json!("a b"), vec!["--x", "a b"], vec!["--x", "a b"]),
        (json!({"arg-encoding": {"true": "on", "2": "two"}}), json!(true), vec!["--x", "on"], vec!["--x", "true"]),
        (json!({"arg-encoding": {"true": "on", "2": "two"}}), json!(2), vec!["--x", "two"], vec!["--x", "2"]),
    ];
    for (passing, value, expected, global) in cases {
        let cmd_flags = json!({"x": passing});
        let values = json!({"x": value});
        assert_eq!(args(&json!([FLAG_ARGS]), &cmd_flags, &values, "args"), expected, "{passing} {value}");
        assert_eq!(args(&json!([FLAG_ARGS]), &cmd_flags, &values, "globals"), global, "{passing} {value}");
        assert_eq!(args(&json!([FLAG_ARGS]), &cmd_flags, &values, "dict:p"), global, "{passing} {value}");
        // Where the command asks for them it gets them, wherever else they go.
        for dest in ["none", "config:c.yml", "env"] {
            assert_eq!(args(&json!([FLAG_ARGS]), &cmd_flags, &values, dest), expected, "{passing} {value} {dest}");
        }
    }
}

#[test]
fn references_are_put_in() {
    let values = json!({"a": 1, "b": true, "n": null, "t": "x ${a}", "s": "p q"});
    let cases = [
        ("${a}", "1"),
        ("--n=${a}-${s}", "--n=1-p q"),
        ("${b}${n}|", "1|"),
        ("${t}", "x 1"),
        (r"\${a}", "${a}"),
        ("$a {a} ${}", "$a {a} ${}"),
        ("${a", "${a"),
        ("${python_exe} ${rille_exe} ${project_dir}", "/py /rille /p"),
        ("héé${a}é", "héé1é"),
    ];
    let one = |text: &str| {
        let record = record(&json!({"cmd-args": [text], "cmd-env": {"PROJECT_DIR": "/p"}}));
        command(&record, &flags(&values), PLACES).map(|command| command.args[0].clone())
    };
    for (text, expected) in cases {
        assert_eq!(one(text).unwrap(), expected, "{text}");
    }
    assert_eq!(one("${zz}").unwrap_err(), "invalid setting for operation: command contains invalid reference 'zz'");
    assert_eq!(
        one("${python_ex}").unwrap_err(),
        "invalid setting for operation: command contains invalid reference 'python_ex'; did you mean '${python_exe}'?"
    );
    let record = record(&json!({"cmd-args": ["${a}"]}));
    let error = command(&record, &flags(&json!({"a": "${b}", "b": "${a}"})), PLACES).unwrap_err();
    assert_eq!(error, "invalid setting for operation: references of the command go round in a circle: a -> b -> a");
}

#[test]
fn all_flags_stand_where_the_command_says_so() {
    let cmd_flags = json!({"lr": {}, "bar": {}, "res": {"arg-skip": true}});
    let values = json!({"lr": 0.1, "bar": "x", "res": "y", "up": "run"});
    let cases = [
        (json!(["sh", "x.sh"]), vec!["sh", "x.sh"]),
        (json!(["p", FLAG_ARGS, "end"]), vec!["p", "--bar", "x", "--lr", "0.1", "end"]),
        (json!(["p", "--lr", "9", FLAG_ARGS]), vec!["p", "--lr", "9", "--bar", "x"]),
        (json!(["p", FLAG_ARGS, "--lr", "9"]), vec!["p", "--bar", "x", "--lr", "0.1", "--lr", "9"]),
    ];
    for (cmd_args, expected) in cases {
        assert_eq!(args(&cmd_args, &cmd_flags, &values, "args"), expected);
    }
    let record = record(&json!({"cmd-args": ["p", "--lr", "9", FLAG_ARGS], "cmd-flags": cmd_flags}));
    let notices = command(&record, &flags(&values), PLACES).unwrap().notices;
    let text = "ignoring flag 'lr=0.1' because it's shadowed in the operation cmd as --lr";
    assert_eq!(notices, [Notice::Warning(text.to_owned())]);
}

fn variables(record: &OpRecord, values: &Value) -> Result<BTreeMap<String, Option<String>>, String> {
    let process = Process {
        run_id: "abc",
        run_dir: Path::new("/home/runs/abc"),
        home: Path::new("/home"),
        operation: "m:op",
        cwd: Path::new("/cwd"),
        python_path: Some("/mine:/mine"),
        log_level: None,
        gpus: Some(""),
    };
    environment(record, &flags(values), &process)
}

#[test]
fn the_environment_says_what_runs_and_with_which_flags() {
    let mut record = record(&json!({
        "cmd-args": [],
        "cmd-env": {
            "A": "x is ${b}", "B": "${b}", "C": "${n}", "D": true, "E": null, "F": 0.5, "PROJECT_DIR": "/p", "RUN_ID": "no",
            "FLAGS_DEST": "globals", "FLAG_A_B": "weaker", "PYTHONPATH": "/given",
        },
        "cmd-flags": {"b": {"env-name": "BEE"}, "e": {"env-encoding": {"1": "one"}}},
    }));
    record.sourcecode.dest = Some(".guild/sourcecode".to_owned());
    record.rest.insert("python-path".to_owned(), json!(["src"]));
    let found = variables(&record, &json!({"b": true, "n": null, "a-b": 1e-5, "e": 1, "é.x": "y"})).unwrap();
    let dir = "/home/runs/abc";
    let python = format!("{dir}:{dir}/.guild/sourcecode/src:{dir}/.guild/sourcecode:{dir}/.guild/python:/given:/mine");
    let expected = [
        ("A", "x is true"),
        ("B", "1"),
        ("BEE", "1"),
        ("C", ""),
        ("CMD_DIR", "/cwd"),
        ("CUDA_VISIBLE_DEVICES", ""),
        ("D", "1"),
        ("E", ""),
        ("F", "0.5"),
        ("FLAGS_DEST", "globals"),
        ("FLAG_A_B", "1e-05"),
        ("FLAG_E", "one"),
        ("FLAG_N", ""),
        ("FLAG___X", "y"),
        ("GUILD_HOME", "/home"),
        ("GUILD_OP", "m:op"),
        ("GUILD_SOURCECODE", "/home/runs/abc/.guild/sourcecode"),
        ("LOG_LEVEL", "20"),
        ("PROJECT_DIR", "/p"),
        ("PYTHONPATH", &python),
        ("RILLE_HOME", "/home"),
        ("RILLE_OP", "m:op"),
        ("RILLE_RUN_DIR", dir),
        ("RILLE_RUN_ID", "abc"),
        ("RILLE_SOURCECODE", "/home/runs/abc/.guild/sourcecode"),
        ("RUN_DIR", dir),
        ("RUN_ID", "abc"),
    ];
    let expected: BTreeMap<String, Option<String>> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect();
    assert_eq!(found, expected);
}

#[test]
fn variables_that_cannot_be_are_refused() {
    let cases = [
        (
            json!({"A": "${learn}"}),
            json!({"lern": 1}),
            "the environment variable A contains invalid reference 'learn'; did you mean '${lern}'?",
        ),
        (
            json!({"A": "${x}"}),
            json!({"x": "${x}"}),
            "references of the environment variable A go round in a circle: x -> x",
        ),
    ];
    for (env, values, expected) in cases {
        let record = record(&json!({"cmd-args": [], "cmd-env": env}));
        assert_eq!(variables(&record, &values).unwrap_err(), format!("invalid setting for operation: {expected}"));
    }
    let nul = record(&json!({"cmd-args": [], "cmd-env": {"A": "a\u{0}b"}}));
    assert!(variables(&nul, &json!({})).unwrap_err().contains("'A' cannot be set"));
}

#[test]
fn variables_are_written_for_a_shell() {
    let variables: BTreeMap<String, Option<String>> = [
        ("A", Some("it's $HOME")),
        ("B", Some("")),
        ("BASH_FUNC_x%%", Some("() { :; }")),
        ("PWD", Some("/x")),
        ("_", Some("/bin/env")),
        ("GONE", None),
        ("L", Some("a\nb")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
    .collect();
    let set = variables.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    let text = env_file(&set.collect(), ["MY_TOKEN", "no name"].into_iter());
    let expected = "# MY_TOKEN is secret and not kept\nexport A='it'\"'\"'s $HOME'\nexport B=''\nexport L='a\nb'\n";
    assert_eq!(text, expected);
    assert!(env_text(&variables).starts_with("A='it'\"'\"'s $HOME'\nB=\nBASH_FUNC_x%%='() { :; }'\nL="));
}
