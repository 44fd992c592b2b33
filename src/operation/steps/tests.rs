//! Steps as command lines, their order, and what is expected of them.

use serde_json::json;

use super::graph::graph;
use super::*;

fn values(value: &Value) -> FlagValues {
    value.as_object().unwrap().clone().into_iter().collect()
}

fn planned(steps: &Value, flags: &Value, given: &[(&str, &str)]) -> Result<Pipeline, StepError> {
    let flags = values(flags);
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let tags = ["t".to_owned()];
    plan(steps.as_array().unwrap(), Parent { model: "m", flags: &flags, given: &given, label: Some("L"), tags: &tags })
}

fn lines(steps: &Value, flags: &Value, given: &[(&str, &str)]) -> Vec<String> {
    planned(steps, flags, given).unwrap().steps.iter().map(|step| crate::operation::join(&step.words)).collect()
}

#[test]
fn a_step_is_the_command_line_that_runs_it() {
    let flags = json!({"lr": 0.1, "on": true, "name": "a b", "none": null, "train:epochs": 3, "list": [1, 2]});
    let cases = [
        (json!("train"), "--label L --tag t m:train epochs=3"),
        (json!("other:train lr=1 --needed"), "--needed --label L --tag t other:train lr=1"),
        (json!("x --label own -t z a=b"), "--label own -t z --tag t m:x a=b"),
        (
            json!({"run": "x", "flags": {"lr": "${lr}", "on": "${on}", "n": "${none}", "s": "${name}!", "u": "${unknown}", "l": "${list}"}}),
            "--label L --tag t m:x 'l=[1,2]' lr=0.1 on=true 's=a b!' 'u=${unknown}'",
        ),
        (
            json!({"run": "x a=1", "flags": ["b=${lr}", "lr", "name"], "tags": ["p", "${name}"]}),
            "--label L --tag p --tag 'a b' m:x b=0.1 lr=0.1 'name=a b'",
        ),
        (
            json!({"run": "x", "flags": {"v": "1"}, "max-trials": 3, "optimizer": "random", "fail-on-trial-error": true, "gpus": 0, "random_seed": 5, "batch-tags": "q"}),
            "--gpus 0 --label L --max-trials 3 --optimizer random --random-seed 5 --fail-on-trial-error --tag t --batch-tag q m:x 'v=\"1\"'",
        ),
        (json!({"run": "x @t.csv n=1", "name": "train"}), "--label L --tag t m:x @t.csv epochs=3 n=1"),
    ];
    for (step, expected) in cases {
        assert_eq!(lines(&json!([step]), &flags, &[]), [expected], "{step}");
    }
    let given = [("train:lr", "[1,2]"), ("m:train:epochs", "9")];
    assert_eq!(lines(&json!(["train"]), &flags, &given), ["--label L --tag t m:train epochs=9 'lr=[1,2]'"]);
}

#[test]
fn steps_run_one_after_the_other_unless_they_say_what_they_need() {
    let needs = |steps: &Value| -> Vec<String> {
        let steps = planned(steps, &json!({}), &[]).unwrap().steps;
        steps.iter().map(|step| format!("{}: {}", step.link, step.needs.join(" "))).collect()
    };
    assert_eq!(needs(&json!(["a", "b", "a", "x:y"])), ["a: ", "b: a", "a_2: b", "x-y: a_2"]);
    let graph = json!([
        {"run": "a", "needs": []}, {"run": "b", "needs": []}, {"run": "c", "needs": ["a", "b"]},
        {"run": "d", "for_each": "a", "needs": "c"}, "e",
    ]);
    assert_eq!(needs(&graph), ["a: ", "b: ", "c: a b", "d: c a", "e: d"]);
}

#[test]
fn what_is_wrong_with_steps_is_told() {
    let cases = [
        (json!([3]), "step 1: expected the name of an operation or a map, found 3"),
        (json!(["a", {"name": "x"}]), "step 2 must define run"),
        (json!([{"run": "a 'b"}]), "step 1: run 'a 'b': a single quote is not closed"),
        (
            json!(["train", {"run": "b", "needs": "trian"}]),
            "step 'b' needs 'trian', which is no step of this pipeline; did you mean 'train'?",
        ),
        (json!([{"run": "a", "needs": "a"}]), "steps need each other: a -> a"),
        (
            json!([{"run": "a", "needs": "c"}, {"run": "b", "needs": "a"}, {"run": "c", "needs": "b"}, {"run": "d", "needs": "c"}]),
            "steps need each other: a -> c -> b -> a",
        ),
        (json!([{"run": "a", "flags": ["lr"]}]), "step 1: flags: the pipeline has no flag 'lr' to hand on"),
        (
            json!([{"run": "a", "expect": {"outputs": "x"}}]),
            "step 'a': invalid check config - expected one of: file, output",
        ),
        (json!([{"run": "a", "expect": [{"output": "("}]}]), "step 'a': invalid regular expression: '(': "),
    ];
    for (steps, expected) in cases {
        let error = planned(&steps, &json!({}), &[]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let odd = planned(&json!([{"run": "a", "max_trails": 3}]), &json!({}), &[]).unwrap();
    assert_eq!(odd.remarks, ["step 1: unknown key 'max-trails' is ignored; did you mean 'max-trials'?"]);
}

#[test]
fn a_large_graph_is_planned_and_drawn_at_once() {
    let steps: Vec<Value> = (0..10_000)
        .map(|n| json!({"run": "a", "name": format!("s{n}"), "needs": (0..n).rev().take(3).map(|n| format!("s{n}")).collect::<Vec<_>>()}))
        .collect();
    let pipeline = planned(&Value::from(steps), &json!({}), &[]).unwrap();
    assert_eq!(pipeline.steps[9_999].needs, ["s9998", "s9997", "s9996"]);
}

#[test]
fn expectations_look_at_output_and_files() {
    let run = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(run.path().join(".guild")).unwrap();
    std::fs::create_dir_all(run.path().join("out")).unwrap();
    std::fs::write(run.path().join(".guild/output"), "loss: 0.5\n").unwrap();
    std::fs::write(run.path().join("out/a.txt"), "one\ntwo\n").unwrap();
    std::fs::write(run.path().join("same.txt"), "one\r\ntwo\r\n").unwrap();
    let cases = [
        (json!({"output": "loss: (\\d)"}), ""),
        (json!({"output": "loss: 0.5$"}), ""),
        (json!({"output": "acc"}), "could not find pattern 'acc' in the output"),
        (json!({"file": "out/*.txt"}), ""),
        (json!({"file": "*.txt", "contains": "two"}), ""),
        (json!({"file": "none*"}), "no files matching none*"),
        (json!({"file": "out/a.txt", "contains": "three"}), "could not find pattern 'three' in out/a.txt"),
        (json!({"file": "out/a.txt", "compare-to": "${WHERE}/same.txt"}), ""),
        (
            json!({"file": "out/a.txt", "compare-to": ".guild/output"}),
            "unexpected contents of out/a.txt, compared with .guild/output:\n--- .guild/output\n+++ out/a.txt\n",
        ),
    ];
    for (expect, expected) in cases {
        let variable = |name: &str| (name == "WHERE").then(|| ".".to_owned());
        let found = Check::read(&expect).unwrap().look(run.path(), &variable);
        let text = found.map_or_else(|error| error.to_string(), |()| String::new());
        assert!(text == expected || !expected.is_empty() && text.starts_with(expected), "{expect}: {text}");
    }
}

#[test]
fn a_pipeline_is_drawn() {
    let steps = json!([{"run": "a", "needs": []}, {"run": "b", "for-each": "a"}]);
    let steps = planned(&steps, &json!({}), &[]).unwrap().steps;
    assert_eq!(
        graph("p", &steps, GraphForm::Mermaid),
        "flowchart TD\n    s1[\"a\"]\n    s2[\"b\"]\n    s1 -- each --> s2\n"
    );
    assert_eq!(
        graph("p", &steps, GraphForm::Dot),
        "digraph \"p\" {\n    \"a\";\n    \"b\";\n    \"a\" -> \"b\" [label=\"each\"];\n}\n"
    );
    let text = graph("p", &steps, GraphForm::Text);
    assert_eq!(
        text,
        "p\n  a  rille run --label L --tag t m:a\n  b  rille run --label L --tag t m:b  (after a)  (for each trial of a)\n"
    );
}
