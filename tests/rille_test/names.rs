//! Names of tests that are no names of files: everything stays in the run directory.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::{ends, listed, names};

#[test]
fn odd_names_stay_inside_the_run_directory() {
    let odd =
        ["../../x", "/etc/passwd", "..", ".", "", "a\0b", "a\nb", "\u{1f600} smile", "by-status", "é\u{202e}", "-x"];
    let long = ["x".repeat(300), "\u{1f600}".repeat(300), format!("{}1", "x".repeat(299))];
    let all: Vec<&str> = odd.into_iter().chain(long.iter().map(String::as_str)).collect();
    let recipe = |name: &&str| {
        json!({"kind": "exec-test", "uri": "/bin/sh", "args": ["-c", "echo x > \"$AVOCADO_TEST_OUTPUTDIR/made\""],
               "identifier": name})
    };
    let project = listed(&all.iter().map(recipe).collect::<Vec<_>>());
    project.run(&["test", "list.json", "--disable-sysinfo"]).code(0);
    let run = project.the_run();
    assert_eq!(ends(&run).matches("=PASS").count(), all.len(), "{}", ends(&run));
    let folders: Vec<String> = names(&run, "test-results").into_iter().filter(|name| name != "by-status").collect();
    assert_eq!(folders.len(), all.len(), "{folders:#?}");
    for folder in &folders {
        assert!(folder.len() <= 255 && !folder.contains(['/', '\n']), "{folder}");
        assert!(run.has(format!("test-results/{folder}/made")), "{folder}");
        assert!(run.has(format!("test-results/by-status/PASS/{folder}/made")), "{folder}");
    }
    assert_eq!(left_outside(project.root()), ["home/latest", "home/runs", "io", "user", "work/list.json"]);
    for report in ["results.xml", "results.tap", "report.html"] {
        assert!(run.text(report).contains("passwd"), "{report}");
    }
    // The names are still what they were where they can be told.
    let tests = run.results();
    assert_eq!(
        (&tests["tests"][0]["name"], &tests["tests"][7]["name"]),
        (&json!("../../x"), &json!("\u{1f600} smile"))
    );
}

/// Returns what there is of the user and of the home, without what is in the run.
fn left_outside(root: &Path) -> Vec<String> {
    let names = |folder: &str| {
        let entries = fs::read_dir(root.join(folder)).into_iter().flatten();
        entries.map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let mut found: Vec<String> = names("")
        .into_iter()
        .flat_map(|folder| {
            let inside = if folder == "io" { Vec::new() } else { names(&folder) };
            if inside.is_empty() {
                vec![folder]
            } else {
                inside.iter().map(|name| format!("{folder}/{name}")).collect()
            }
        })
        .collect();
    found.sort();
    found
}
