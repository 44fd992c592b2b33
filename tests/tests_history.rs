//! What earlier runs of tests are good for: the order, flaky tests, a quarantine, and what makes a test fail.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use serde_json::Value;

use crate::harness::Project;

fn results(project: &Project) -> Value {
    serde_json::from_str(&std::fs::read_to_string(project.home().join("latest/results.json")).unwrap()).unwrap()
}

#[test]
fn flaky_tests_are_those_that_pass_in_some_runs() {
    let once = "#!/bin/sh\n[ -e again ] || { touch again; echo no; exit 1; }\n";
    let project = Project::new()
        .executable("once.sh", once)
        .executable("good.sh", "#!/bin/sh\n")
        .executable("bad.sh", "#!/bin/sh\nexit 1\n");
    project.run(&["runs", "flaky"]).code(0).stderr_has("no runs of tests");
    let run = |tests: &[&str]| project.run(&[&["test", "--disable-sysinfo", "-qq"], tests].concat());
    run(&["./once.sh", "./good.sh", "./bad.sh"]).code(1);
    // Names stay when a test is put in front.
    run(&["./good.sh", "./bad.sh", "./once.sh"]).code(1);
    let listed = project.run(&["runs", "flaky"]);
    let out = listed.code(0).out();
    assert_eq!(out.lines().count(), 2, "{out}");
    listed.stdout_has("./once.sh  1/2     50%").stdout_has("exit code 1");
    let all = project.run(&["runs", "flaky", "--all", "--json"]).json();
    let names: Vec<&str> = all.as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["./bad.sh", "./once.sh", "./good.sh"]);
    let once = &all[1];
    assert_eq!((&once["pass_rate"], &once["flaky"], &once["runs"]), (&0.5.into(), &true.into(), &2.into()));
    let oldest = project.runs().into_iter().find(|run| run.results()["tests"][0]["name"] == "./once.sh").unwrap();
    assert_eq!(once["first_failure"]["run"], oldest.path().file_name().unwrap().to_str().unwrap());
    project.run(&["runs", "flaky", "-n1"]).stderr_has("in the latest 1 runs");
}

#[test]
fn the_longest_come_first_when_asked_for() {
    let test = |seconds: &str| format!("#!/bin/sh\necho $0 >> order\nsleep {seconds}\n");
    let project =
        Project::new().executable("a.sh", test("0")).executable("b.sh", test("0.2")).executable("c.sh", test("0.5"));
    let run = |more: &[&str]| {
        let _ = std::fs::remove_file(project.path("order"));
        project
            .run(&[&["test", "./a.sh", "./b.sh", "./c.sh", "-j1", "--disable-sysinfo", "-qq"], more].concat())
            .code(0);
        project.read("order").replace("./", "").replace('\n', " ")
    };
    assert_eq!(run(&["--order=longest"]), "a.sh b.sh c.sh ");
    assert_eq!(run(&["--order=longest"]), "c.sh b.sh a.sh ");
    // The ids are those of the list.
    let found = results(&project);
    assert!(found["tests"].as_array().unwrap().iter().any(|test| test["id"] == "1-./a.sh"), "{found:#}");
    project.run(&["test", "./a.sh", "--order=longest", "--shuffle"]).code(2).stderr_has("cannot be used with");
}

#[test]
fn a_quarantined_test_runs_counts_apart_and_fails_no_run_until_its_day() {
    let list = |until: &str| format!("[[quarantine]]\ntest = \"./bad*\"\nuntil = {until}\nreason = \"flaky rack\"\n");
    let project = Project::new()
        .executable("bad.sh", "#!/bin/sh\nexit 1\n")
        .executable("good.sh", "#!/bin/sh\n")
        .file("on.toml", list("9999-12-31"))
        .file("over.toml", list("2001-01-01"))
        .file("other.toml", list("2001-01-01").replace("./bad*", "./good*"))
        .file("wrong.toml", "[[quarantine]]\ntest = \"x\"\n");
    let run = |file: &str| {
        project.run(&["test", "./bad.sh", "./good.sh", "--disable-sysinfo", "--failfast", "-j1", "--quarantine", file])
    };
    let ended = run("on.toml");
    ended.code(0).stderr_has("1 task: 1 passed; 1 in quarantine: 1 failed");
    ended.stderr_has("in quarantine until 9999-12-31: flaky rack");
    let found = results(&project);
    assert_eq!((&found["total"], &found["failures"], &found["quarantined"]), (&2.into(), &0.into(), &1.into()));
    assert_eq!(found["tests"][0]["status"], "FAIL");
    let folder = project.home().join("latest");
    let tap = std::fs::read_to_string(folder.join("results.tap")).unwrap();
    let directive = concat!("TO", "DO");
    assert!(tap.contains(&format!("not ok 1 - ./bad.sh # {directive} in quarantine until 9999-12-31")), "{tap}");
    let xml = std::fs::read_to_string(folder.join("results.xml")).unwrap();
    assert!(xml.contains("tests=\"2\" skipped=\"1\" failures=\"0\" errors=\"0\""), "{xml}");
    // Once it has ended, the test counts again, and the entry is to go, whatever the test does.
    run("over.toml").code(1).stderr_has("the quarantine of './bad*' ended on 2001-01-01");
    let good = project.run(&["test", "./good.sh", "--disable-sysinfo", "--quarantine", "other.toml"]);
    good.code(1).stderr_has("1 task: 1 passed; 1 preparation: 1 failed");
    // An entry for no test of the run is named, with the nearest of them.
    std::fs::write(project.path("slip.toml"), list("9999-12-31").replace("./bad*", "./god.sh") + &list("9999-12-31"))
        .unwrap();
    let slip = project.run(&["test", "./bad.sh", "./good.sh", "--disable-sysinfo", "--quarantine", "slip.toml"]);
    slip.code(0).stderr_has("no test of this run is the entry of --quarantine './god.sh'; did you mean './good.sh'?");
    slip.stderr_lacks("'./bad*'");
    // No test is in quarantine by its own word.
    let own = r#"[{"kind": "exec-test", "uri": "./bad.sh", "tags": {"rille.quarantine": ["9999-12-31"]}}]"#;
    std::fs::write(project.path("own.json"), own).unwrap();
    project.run(&["test", "own.json", "--disable-sysinfo", "-qq"]).code(1);
    project
        .run(&["test", "./good.sh", "--quarantine", "wrong.toml"])
        .code(2)
        .stderr_has("entry 1 of quarantine: it needs until");
    project.run(&["test", "./good.sh", "--quarantine", "ovr.toml"]).code(2).stderr_has("did you mean over.toml?");
}

#[test]
fn the_fewest_tests_are_found_after_which_another_fails() {
    let mut project = Project::new();
    for n in 1..=9 {
        project = project.executable(format!("t{n}.sh"), format!("#!/bin/sh\ntouch mark{n}\n"));
    }
    let last = "#!/bin/sh\nif [ -e mark3 ] && [ -e mark6 ]; then code=1; else code=0; fi\nrm -f mark*\nexit $code\n";
    let project = project.executable("u.sh", last).executable("v.sh", "#!/bin/sh\nexit 1\n");
    let all: Vec<String> = (1..=9).map(|n| format!("./t{n}.sh")).chain(["./u.sh".into(), "./v.sh".into()]).collect();
    let bisect = |name: &str| {
        let words = ["test".to_owned(), "--bisect".to_owned(), name.to_owned()];
        project.run(&words.into_iter().chain(all.iter().cloned()).collect::<Vec<_>>())
    };
    bisect("./u.sh").code(1).stdout("./u.sh passes by itself, and fails after 2 tests:\n    ./t3.sh\n    ./t6.sh\n");
    bisect("./v.sh").code(1).stdout("./v.sh fails by itself.\n");
    bisect("./t9.sh").code(0).stdout("./t9.sh passes by itself, and after the 8 tests before it.\n");
    bisect("./t99.sh").code(2).stderr_has("did you mean './t9.sh'?");
    assert!(project.runs().is_empty(), "tries are kept nowhere");
}
