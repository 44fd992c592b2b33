//! Runs that earlier releases have made, in `tests/samples`: what can be done with a run can be done with them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::harness::{Project, Run};

/// The folders of the samples, one a release.
const RELEASES: [&str; 1] = ["runs-0.1.0"];

/// The folder that the samples were made in.
const LAB: &str = "/home/me/lab";

/// The door of a run of a sample, by what it was started with: its operation, and its label or tag.
const JOB: &str = "nightly.lua nightly";
const LOST: &str = "long.lua broken";
const OPERATION: &str = "net:train slow 0.2";
const STAGED: &str = "net:train later lr=0.3 name=first";
const TESTS: &str = "test ";
const WALKS: &str = "suite.lua ";

/// The runs of a sample as a list shows them.
const LISTED: &str = "\
1  long.lua     lost       broken
2  suite.lua    error
3  test         error
4  net:train    staged     later lr=0.3 name=first
5  net:train    completed  slow 0.2                 #best
6  nightly.lua  error      nightly                  #lab
";

/// Makes a project with the runs of a release in its home, as they are.
fn with_runs(release: &str) -> Project {
    let project = Project::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(release);
    copy(&sample.join("runs"), &project.home().join("runs"), &|bytes| bytes);
    project
}

/// The same with the project that they were started in, which is where they say that it is.
fn with_runs_here(release: &str) -> Project {
    let project = Project::new();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(release);
    let here = project.path("").display().to_string();
    let here = here.trim_end_matches('/');
    copy(&sample.join("runs"), &project.home().join("runs"), &|bytes| match String::from_utf8(bytes) {
        Ok(text) => text.replace(LAB, here).into_bytes(),
        Err(error) => error.into_bytes(),
    });
    copy(&sample.join("lab"), &project.path(""), &|bytes| bytes);
    project
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(Vec<u8>) -> Vec<u8>) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it is listed");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("it is known");
        if kind.is_symlink() {
            symlink(fs::read_link(&path).expect("it is a link"), &target).expect("a link can be made");
        } else if kind.is_dir() {
            copy(&path, &target, change);
        } else {
            let bytes = change(fs::read(&path).expect("it can be read"));
            // The process of that number is another's by now.
            let bytes = if entry.file_name() == "LOCK" { b"999999999".to_vec() } else { bytes };
            fs::write(&target, bytes).expect("a file can be written");
            fs::set_permissions(&target, entry.metadata().expect("it is known").permissions())
                .expect("a mode can be set");
        }
    }
}

/// Returns the run of a door.
fn run_of(project: &Project, door: &str) -> Run {
    let listed = project.run(&["runs", "--all", "--json"]).code(0).json();
    let is_it = |run: &&serde_json::Value| {
        let label = run["label"].as_str().unwrap_or_default();
        door == format!("{} {label}", run["operation"].as_str().expect("a text"))
    };
    let run =
        listed.as_array().expect("a list").iter().find(is_it).unwrap_or_else(|| panic!("no {door} in {listed:#}"));
    Run::at(run["path"].as_str().expect("a text").into(), project)
}

/// Returns the newest run.
fn newest(project: &Project) -> Run {
    project.runs().pop().expect("there is one")
}

#[test]
fn they_are_listed_as_what_they_are() {
    for release in RELEASES {
        let project = with_runs(release);
        for _ in 0..2 {
            let listed = project.run(&["runs", "--all", "--simplified"]);
            assert_eq!(listed.code(0).out(), LISTED);
            // Once more by the index.
            project.run(&["runs", "--all", "--json"]).code(0);
        }
        let completed = project.run(&["runs", "-F", "loss < 0.3 and lr = 0.2 and status = completed"]);
        completed.code(0).stdout_has("net:train");
    }
}

#[test]
fn what_is_recorded_is_shown() {
    for release in RELEASES {
        let project = with_runs(release);
        let info = |door: &str, part: &str| {
            let run = run_of(&project, door);
            project.run(&["runs", "info", &run.id(), "--deps", "--manifest", "--comments"]).code(0).stdout_has(part);
            project.run(&["runs", "info", &run.id(), "--json"]).code(0);
            run.id()
        };
        let job = info(JOB, &format!("from: script:{LAB} '' '' nightly.lua\nstatus: error\n"));
        let lost = info(LOST, "status: lost\n");
        let operation = info(OPERATION, "loss: 0.250000 (step 2)\n");
        let staged = info(STAGED, "status: staged\n");
        let tests = info(TESTS, "exit_status: 1\n");
        let walks = info(WALKS, "status: error\n");
        let show = |id: &str, part: &str| {
            project.run(&["runs", "show", id]).code(0).stdout_has(part);
            project.run(&["runs", "show", id, "--json"]).code(0);
        };
        show(&job, "Result: ERRORED  3 tasks: 1 passed, 2 errored");
        show(&lost, "Result: LOST  2 tasks: 1 passed, 1 without an end");
        show(&operation, "Result: PASSED");
        show(&tests, "Result: FAILED  2 tasks: 1 passed, 1 failed");
        show(&walks, "Ran 4 walks (2 errors)");
        for id in [&job, &lost, &operation, &tests, &walks] {
            let reports = ["--junit", "r.xml", "--tap", "r.tap", "--html", "r.html", "--json", "r.json"];
            project.run(&[&["runs", "report", id], &reports[..]].concat()).code(0);
        }
        project.run(&["runs", "cat", &operation, "--output"]).code(0).stdout_has("loss: 0.25 (step 2)\n");
        project.run(&["runs", "ls", &operation, "-g"]).code(0).stdout_has("model.txt");
        let compared = project.run(&["runs", "compare", "--columns", "=lr,loss", &operation, &staged, "--csv"]);
        compared.code(0).stdout_has(",completed,slow 0.2,0.2,first,2,0.25\n");
        project.run(&["runs", "diff", &operation, &staged, "--flags"]).code(0).stdout_has("lr: 0.3");
        project.run(&["jobs", "list"]).code(0);
        project.run(&["runs", "archive", &job, "job.zip"]).code(0);
    }
}

#[test]
fn they_are_changed_moved_and_brought_elsewhere() {
    for release in RELEASES {
        let project = with_runs(release);
        project.run(&["runs", "label", "-y", "--set", "kept", &run_of(&project, JOB).id()]).code(0);
        project.run(&["runs", "tag", "-y", "--add", "kept", &run_of(&project, WALKS).id()]).code(0);
        project.run(&["runs", "mark", "-y", &run_of(&project, OPERATION).id()]).code(0);
        project.run(&["export", "all.zip"]).code(0).stderr_has("Exported 6 run(s)");
        project.run(&["--home", "second", "import", "all.zip"]).code(0).stderr_has("Imported 6 run(s)");
        project.run(&["export", "all"]).code(0);
        project.run(&["--home", "third", "import", "all"]).code(0).stderr_has("Imported 6 run(s)");
        let listed = |home: &str| project.run(&["--home", home, "runs", "--all", "--simplified"]).code(0).out();
        let first = listed(&project.home().display().to_string());
        assert_eq!((&listed("second"), &listed("third")), (&first, &first));
        project.run(&["runs", "rm", "-y", ":"]).code(0);
        project.run(&["runs", "restore", "-y"]).code(0);
        assert_eq!(listed(&project.home().display().to_string()), first);
    }
}

#[test]
fn they_are_gone_on_with_and_done_again() {
    for release in RELEASES {
        let project = with_runs_here(release);
        project.run(&["run", "--rerun", &run_of(&project, JOB).id()]).code(1);
        assert_eq!(newest(&project).outcomes(), "ping=errored steady=skipped faulty=errored");
        let lost = run_of(&project, LOST);
        let go = project.path("go");
        fs::write(&go, "").expect("it can be written");
        let mut resume = project.rille(&["run", "--resume", &lost.id()]);
        resume.env("GO", &go);
        project.start_command(resume).wait().code(0);
        // A script that is elsewhere is another: what had ended runs again as well.
        assert_eq!(lost.outcomes(), "done=passed open=passed");

        let staged = run_of(&project, STAGED);
        project.run(&["run", "--start", &staged.id(), "-y"]).code(0).stdout_has("loss: 0.25 (step 2)");
        assert_eq!((staged.attr("exit_status"), staged.text("model.txt")), (0.into(), "first\n".to_owned()));
        let operation = run_of(&project, OPERATION);
        project.run(&["run", "--restart", &operation.id(), "-y", "name=again"]).code(0);
        assert_eq!(operation.text("model.txt"), "again\n");
        project.run(&["run", "--proto", &operation.id(), "-y", "lr=0.4"]).code(0);
        assert_eq!(newest(&project).attr("flags")["lr"], 0.4);
        let needed = project.run(&["run", "train", "lr=0.4", "name=again", "-y", "--needed"]);
        needed.code(0).stderr_has("Skipping because the following runs match");

        project.run(&["replay", &run_of(&project, TESTS).id()]).code(1).stderr_has("2 tasks: 1 passed, 1 failed");
        let walks = run_of(&project, WALKS);
        let trace = walks.path().join("walks-1/failed.trace").display().to_string();
        project.run(&["replay", &trace, "3"]).code(1).stderr_has("no y");
        assert!(project.runs().iter().all(|run| !run.has(".guild/LOCK")));
    }
}

#[test]
fn a_log_of_a_newer_release_is_refused_and_its_run_marked() {
    let project = with_runs_here(RELEASES[0]);
    let run = run_of(&project, JOB);
    let log = run.path().join(".guild/events.jsonl");
    let text = fs::read_to_string(&log).expect("it can be read");
    fs::write(&log, text.replace("\"format\":1", "\"format\":99")).expect("it can be written");
    let id = run.id();
    let doors: [&[&str]; 5] = [
        &["runs", "show", &id],
        &["runs", "report", &id, "--tap", "t"],
        &["runs", "repair", "-y", &id],
        &["run", "--resume", &id],
        &["run", "--rerun", &id],
    ];
    for args in doors {
        let refused = project.run(args);
        refused.code(7).stderr_has("has event format 99, and this release reads formats up to 1");
        refused.stderr_has("hint: use the release of Rille that wrote it, or a newer one.");
    }
    let listed = project.run(&["runs", "--all", "-Sx"]);
    listed.code(0).stdout_has("event log: it has event format 99");
    assert_eq!(listed.out().lines().count(), 1);
}
