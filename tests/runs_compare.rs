//! Runs that are selected by their values, and compared: tables, CSV and JSON.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use serde_json::json;

use crate::harness::{Made, Project};

/// Makes a project with three runs of scalars and a corrupt one, which is the newest.
fn project() -> Project {
    let project = Project::new();
    Made::run(&project, &"a".repeat(32), 1)
        .attr("flags", "lr: 0.1\nopt: adam")
        .attr("label", "one")
        .scalar(".guild", "loss", &[0.75, 0.5, 0.625])
        .scalar("logs/val", "acc", &[0.5, 0.875]);
    Made::run(&project, &"b".repeat(32), 2)
        .attr("flags", "lr: 0.2\nopt: adam")
        .attr("tags", "- x")
        .attr("sourcecode_digest", "abc123")
        .scalar(".guild", "loss", &[0.25])
        .scalar(".guild", "sys/cpu", &[9.0]);
    Made::run(&project, &"c".repeat(32), 3)
        .attr("flags", "opt: adam")
        .attr("exit_status", 1)
        .attr("label", "\"a,\\\"b\"");
    Made::run(&project, &"d".repeat(32), 4).attr("flags", "a: [");
    project
}

fn csv(project: &Project, args: &[&str]) -> String {
    project.run(&[&["runs", "compare", "--csv", "-"], args].concat()).code(0).out()
}

/// Times are local; the rows without those of the start.
fn without_start(csv: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = std::iter::once(head.clone()).chain(rows).collect();
    let keep = |row: Vec<String>| {
        let cells = row.into_iter().zip(&head).filter(|(_, head)| *head != "started").map(|(cell, _)| cell);
        cells.collect::<Vec<_>>().join("|")
    };
    rows.into_iter().map(keep).collect()
}

#[test]
fn csv_has_the_columns_of_guild() {
    let project = project();
    let text = csv(&project, &[]);
    assert!(text.starts_with("run,operation,started,time,status,label,lr,opt,step,logs/val#acc,loss\n"), "{text}");
    let rows = without_start(&text);
    assert!(rows[1].starts_with("dddddddd|train|0:01:05|corrupt|attribute 'flags': "), "{}", rows[1]);
    assert_eq!(
        rows[2..],
        [
            "cccccccc|train|0:01:05|error|a,\"b||adam|||",
            "bbbbbbbb|train|0:01:05|completed||0.2|adam|1||0.25",
            "aaaaaaaa|train|0:01:05|completed|one|0.1|adam|3|0.875|0.625",
        ]
    );
    let started = text.lines().nth(1).unwrap().split(',').nth(2).unwrap();
    assert!(started.len() == 19 && started.as_bytes()[10] == b' ', "{started}");
}

#[test]
fn columns_are_chosen_and_named() {
    let project = project();
    let columns = "=lr as rate, min loss as best, min loss step, max loss, first loss, avg loss as mean, total loss as sum, \
                   count loss as n, .sourcecode_digest, logs/val#acc";
    // Columns of one name are one: it shows the first value that there is.
    let rows = without_start(&csv(&project, &["3:4", "-cc", columns]));
    assert_eq!(
        rows,
        [
            "run|rate|best|loss step|loss|mean|sum|n|sourcecode_digest|logs/val#acc",
            "bbbbbbbb|0.2|0.25|1|0.25|0.25|0.25|1|abc123|",
            "aaaaaaaa|0.1|0.5|2|0.75|0.625|1.875|3||0.875",
        ]
    );
    let rows = without_start(&csv(&project, &["3", "-r", "-e", "-s", "-c", "max loss as m"]));
    assert_eq!(rows, ["run|sourcecode|lr|opt|step|loss|sys/cpu|m", "bbbbbbbb|abc123|0.2|adam|1|0.25|9.0|0.25"]);
    let rows = without_start(&csv(&project, &["3:4", "-u", "-r"]));
    assert_eq!(rows[0], "run|lr|step|logs/val#acc|loss");
    project.run(&["runs", "compare", "-c", "mim loss"]).code(2).stderr_has("did you mean 'min'?");
    project.run(&["runs", "compare", "-c", "a", "--strict-cols", "b"]).code(2);
}

#[test]
fn runs_are_ordered_by_a_column() {
    let project = project();
    let order = |args: &[&str]| {
        let rows = without_start(&csv(&project, args));
        rows[1..].iter().map(|row| row[..1].to_owned()).collect::<String>()
    };
    assert_eq!(order(&["--min", "loss"]), "badc");
    assert_eq!(order(&["--max", "loss"]), "abdc");
    assert_eq!(order(&["--max", "lr", "-n", "1"]), "b");
    assert_eq!(order(&["--min", "label", "3:4"]), "ab");
    assert_eq!(order(&["--max", "max loss", "-Fo", "train", "--completed"]), "ab");
    project.run(&["runs", "compare", "--min", "loos"]).code(2).stderr_has("hint: did you mean 'loss'?");
}

#[test]
fn the_columns_of_an_operation_stand_for_its_scalars() {
    let project = project();
    Made::run(&project, &"e".repeat(32), 5)
        .attr("compare", "- loss\n- max acc as best_acc")
        .scalar(".guild", "loss", &[1.0, 2.0])
        .scalar(".guild", "acc", &[0.5, 0.25])
        .scalar(".guild", "other", &[7.0]);
    let rows = without_start(&csv(&project, &["1", "-r"]));
    assert_eq!(rows, ["run|loss|best_acc", "eeeeeeee|2.0|0.5"]);
    assert_eq!(without_start(&csv(&project, &["1", "-r", "-p"])), ["run", "eeeeeeee"]);
}

#[test]
fn tables_json_and_files_say_the_same() {
    let project = project();
    let table = project.run(&["runs", "compare", "3:4", "-r"]).code(0).out();
    let cells: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["run", "lr", "opt", "step", "logs/val#acc", "loss"]);
    assert_eq!(cells[1], ["bbbbbbbb", "0.2", "adam", "1", "0.25"]);
    let json = project.run(&["runs", "compare", "--json", "4", "-r"]).code(0).json();
    let expected = json!([{
        "id": "a".repeat(32), "run": "aaaaaaaa", "lr": 0.1, "opt": "adam", "step": 3, "logs/val#acc": 0.875, "loss": 0.625,
    }]);
    assert_eq!(json, expected);
    project.run(&["runs", "compare", "--csv", "out.csv"]).code(0).stdout("").stderr_has("4 runs written to out.csv");
    assert_eq!(project.read("out.csv"), csv(&project, &[]));
    project.run(&["runs", "compare", "--csv", "no/out.csv"]).code(1).stderr_has("cannot write no/out.csv");
    let empty = Project::new();
    empty.run(&["runs", "compare"]).code(0).stdout("").stderr_has("no runs");
}

#[test]
fn a_run_is_selected_by_its_values() {
    let project = project();
    let selected = |args: &[&str]| project.run(&[&["runs", "select"], args].concat()).code(0).out();
    assert_eq!(selected(&["--min", "loss", "-s"]), "bbbbbbbb\n");
    assert_eq!(selected(&["--max", "loss"]), "a".repeat(32) + "\n");
    assert_eq!(selected(&["--max", "=lr", "-s"]), "bbbbbbbb\n");
    assert_eq!(selected(&["--min", "loss", "-A", "-s"]), "bbbbbbbb\naaaaaaaa\n");
    assert_eq!(selected(&["--max", "min loss", "-a", "label"]), "one\n");
    assert_eq!(
        selected(&["--min", "loss", "-p"]),
        format!("{}\n", project.home().join("runs").join("b".repeat(32)).display())
    );

    project.run(&["runs", "select", "--min", "gone"]).code(1).stderr_has("none of 4 runs has a value of 'gone'");
    project.run(&["runs", "select", "a", "-a", "gone"]).code(1).stderr_has("has no attribute 'gone'");
    project.run(&["runs", "select", "--min", "a", "--max", "b"]).code(2);
}

#[test]
fn event_files_that_are_damaged_leave_a_row() {
    let project = project();
    Made::run(&project, &"e".repeat(32), 5).file(".guild/events.out.tfevents.1.x", vec![0x5a; 100]);
    let rows = without_start(&csv(&project, &["1", "-r"]));
    assert_eq!(rows, ["run", "eeeeeeee"]);
    assert_eq!(project.run(&["runs", "--all"]).code(0).out().lines().count(), 5);
}

#[test]
fn scalars_are_listed_and_batches_left_out() {
    let project = project();
    Made::run(&project, &"f".repeat(32), 6).file(".guild/proto/.guild/opref", "x");
    let scalars = |args: &[&str]| project.run(&[&["runs", "compare", "--print-scalars"], args].concat()).code(0).out();
    let newest = "[dddddddd] train\n[cccccccc] train\n[bbbbbbbb] train\n  loss: 0.250000 (step 1)\n  sys/cpu: 9.000000 (step 1)\n";
    let all = format!("{newest}[aaaaaaaa] train\n  logs/val#acc: 0.875000 (step 2)\n  loss: 0.625000 (step 3)\n");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&scalars(&[])), sorted(&all));
    assert_eq!(scalars(&["--include-batch", "-n", "1"]), "[ffffffff] train\n");
    assert_eq!(without_start(&csv(&project, &["-r", "--include-batch"])).len(), 6);
    assert_eq!(without_start(&csv(&project, &["-r"])).len(), 5);
    project.run(&["runs", "compare", "--tool", "hiplot"]).code(2).stderr_has("rille does not show runs in 'hiplot'");
    project.run(&["runs", "publish", "--template", "t"]).code(2).stderr_has("rille has no templates of pages");
}
