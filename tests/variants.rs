//! `rille variants`, and tests as the variants of Avocado's multiplexer.

use crate::harness::Project;

const MUX: &str = "nap: !mux\n    little:\n        length: 1\n    big:\n        length: 9\n        !filter-out : /run/os/old\n\
                   os: !mux\n    new:\n        !include : part.yaml\n    old:\n";

#[test]
fn variants_are_shown_and_are_those_that_tests_run_as() {
    let project = Project::new()
        .file("mux.yaml", MUX)
        .file("part.yaml", "version: [1, 2]\n")
        .file("over.yaml", "nap:\n    !remove_node : little\n")
        .file("n.json", r#"[{"kind": "noop", "identifier": "n"}]"#);
    let shown = project.run(&["variants", "mux.yaml", "-c"]);
    let ids = |out: &str| {
        out.lines()
            .filter(|line| !line.starts_with(' '))
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let listed = ids(&shown.code(0).out());
    assert_eq!(listed.len(), 3, "{listed:?}");
    shown.stdout_has(": /run/nap/big, /run/os/new\n").stdout_has("    /run/nap/big:length ").stdout_has(" => 9\n");
    shown.stdout_has("    /run/os/new:version").stdout_has(" => [1, 2]\n");
    project.run(&["test", "n.json", "--variants", "mux.yaml", "--disable-sysinfo", "-qq"]).code(0);
    let results = project.the_run().results();
    let ran: Vec<String> = results["tests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|test| test["id"].as_str().unwrap().split_once(';').unwrap().1.to_owned())
        .collect();
    assert_eq!(ran, listed);
    // What is written as JSON is read again; trees are merged in their order.
    let dump = project.run(&["variants", "mux.yaml", "--json"]).out();
    std::fs::write(project.path("dump.json"), dump).unwrap();
    assert_eq!(ids(&project.run(&["variants", "dump.json"]).out()), listed);
    assert_eq!(ids(&project.run(&["variants", "mux.yaml", "over.yaml"]).out()).len(), 1);
    project.run(&["variants"]).code(4).stderr_has("no variants");
    project.run(&["variants", "mux.yml"]).code(2).stderr_has("did you mean mux.yaml?");
    std::fs::write(project.path("bad.yaml"), "a: !mux\n  b:\n    !inclde : x\n").unwrap();
    project.run(&["variants", "bad.yaml"]).code(2).stderr_has("did you mean !include?");
}
