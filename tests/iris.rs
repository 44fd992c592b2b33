//! Fisher's iris: the example runs by `rille.lua` and by `guild.yml`, and with Guild AI, to the same result.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::{Ended, Project, guild_program, needs};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/iris")
}

/// Returns a project with the example, but for one of its definitions.
fn without(definition: &str) -> Project {
    let files = fs::read_dir(example()).expect("it can be listed").map(|entry| entry.expect("it is listed").path());
    let name = |path: &Path| path.file_name().expect("a file has a name").to_string_lossy().into_owned();
    files
        .filter(|path| path.is_file() && name(path) != definition)
        .fold(Project::new(), |project, path| project.file(name(&path), fs::read(&path).expect("it can be read")))
}

/// What the model that was trained with these flags does, on the flowers that it has not seen.
const CONFUSION: &str = "kind,setosa,versicolor,virginica\nsetosa,15,0,0\nversicolor,0,11,4\nvirginica,0,1,14\n";

/// The end of what the training prints.
const TRAINED: &str = "loss: 0.267188 (step 200)\naccuracy: 0.933333 (step 200)\n";

/// Runs the three operations.
fn follow(run: impl Fn(&[&str]) -> Ended) {
    run(&["prepare"]).code(0).stdout_has("train_rows: 105\ntest_rows: 45\n");
    run(&["train", "lr=0.1"]).code(0).stdout_has(TRAINED);
    run(&["evaluate"]).code(0).stdout_has("test_accuracy: 0.888889\n");
}

#[test]
fn the_data_are_those_of_fisher() {
    let text = fs::read_to_string(example().join("iris.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("150,4,setosa,versicolor,virginica"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 150);
    for kind in ["0", "1", "2"] {
        assert_eq!(rows.iter().filter(|row| row.len() == 5 && row[4] == kind).count(), 50);
    }
    // As scikit-learn states them, in tenths and hundredths of a centimetre.
    let expected = [(43, 79, 584), (20, 44, 305), (10, 69, 376), (1, 25, 120)];
    for (at, (least, most, mean)) in expected.into_iter().enumerate() {
        let column: Vec<u32> = rows.iter().map(|row| row[at].replace('.', "").parse().unwrap()).collect();
        assert_eq!((column.iter().min(), column.iter().max()), (Some(&least), Some(&most)));
        assert!((column.iter().sum::<u32>() * 10).abs_diff(mean * 150) <= 150, "the mean of measure {at}");
    }
}

#[test]
fn iris_runs_by_either_definition() {
    if !needs("python3") {
        return;
    }
    for definition in ["rille.lua", "guild.yml"] {
        let project = without(definition);
        follow(|words| project.run(&[&["run"], words, &["-y"]].concat()));
        let runs = project.runs();
        assert_eq!(runs[2].text("confusion.csv"), CONFUSION, "without {definition}");
        assert_eq!(runs[1].attr("flags")["lr"], json!(0.1));
        let prepared = runs[0].id();
        assert_eq!(runs[1].attr("deps")["prepare"]["operation:prepare"]["config"], json!(prepared));
        // Another model is worse or better, and the run that used the first can be done again.
        project.run(&["run", "train", "lr=2", "epochs=20", "-y"]).code(0);
        project.run(&["run", "--restart", &runs[2].id(), "-y"]).code(0).stdout_has("test_accuracy: 0.888889\n");
        project.run(&["run", "train", "lr=-1", "-y"]).stderr_has("out of range (less than min 0)");
    }
}

#[test]
fn both_definitions_stand_side_by_side() {
    let project = without("README.md");
    let ended = project.run(&["ops"]);
    ended.code(0).stderr_lacks("WARNING");
    let out = ended.out();
    let names: Vec<&str> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(
        names,
        ["evaluate", "prepare", "study", "train", "iris:evaluate", "iris:prepare", "iris:study", "iris:train",]
    );
    let command = |name: &str| project.run(&["run", name, "--print-cmd", "lr=2"]).code(0).out();
    assert_eq!(command("train").replace(" train --epochs", " train -- --epochs"), command("iris:train"));
}

#[test]
fn iris_runs_with_guild() {
    let Some(guild) = guild_program() else { return };
    let project = without("rille.lua");
    fs::create_dir_all(project.home()).unwrap();
    follow(|words| {
        let mut command = project.command(&guild);
        command.env("GUILD_HOME", project.home()).env("LANG", "C.UTF-8").arg("run").args(words).arg("-y");
        project.start_command(command).wait()
    });
    // And each reads the runs of the other.
    let listed = project.run(&["runs", "--json"]);
    assert_eq!(listed.code(0).json().as_array().map(Vec::len), Some(3));
}

/// A run of each operation that the one program has made is started, restarted and taken as a prototype by the other.
#[test]
fn each_program_goes_on_with_the_runs_of_the_other() {
    let Some(guild) = guild_program() else { return };
    for maker_is_rille in [true, false] {
        for definition in ["rille.lua", "guild.yml"] {
            // Guild knows nothing of the other definition.
            if !maker_is_rille && definition == "rille.lua" {
                continue;
            }
            let other = if definition == "rille.lua" { "guild.yml" } else { "rille.lua" };
            let project = without(other);
            fs::create_dir_all(project.home()).unwrap();
            let by_rille = |words: &[&str]| project.run(&[&["run", "-y"], words].concat());
            let by_guild = |words: &[&str]| {
                let mut command = project.command(&guild);
                command.env("GUILD_HOME", project.home()).env("LANG", "C.UTF-8").args(["run", "-y"]).args(words);
                project.start_command(command).wait()
            };
            let make = |words: &[&str]| if maker_is_rille { by_rille(words) } else { by_guild(words) };
            let go_on = |words: &[&str]| if maker_is_rille { by_guild(words) } else { by_rille(words) };
            make(&["prepare"]).code(0);
            make(&["train", "lr=0.1"]).code(0);
            make(&["evaluate"]).code(0);
            make(&["train", "lr=0.1", "--stage"]).code(0);
            let id = |operation: &str, attribute: &str| {
                let runs = project.runs();
                let is = |run: &&crate::harness::Run| {
                    run.text(".guild/opref").ends_with(operation) && run.has(format!(".guild/{attribute}"))
                };
                runs.iter().find(is).unwrap_or_else(|| panic!("no run of {operation} with {attribute}")).id()
            };
            let staged = id("train", "STAGED");
            go_on(&["--start", &staged]).code(0).stdout_has(TRAINED);
            let ends = [("prepare", "test_rows: 45"), ("train", TRAINED), ("evaluate", "test_accuracy: 0.888889")];
            for (operation, end) in ends {
                let run = id(operation, "attrs/exit_status");
                go_on(&["--restart", &run]).code(0).stdout_has(end);
                let count = project.runs().len();
                go_on(&["--proto", &run]).code(0).stdout_has(end);
                assert_eq!(project.runs().len(), count + 1);
            }
            let listed = project.run(&["runs", "--json"]).code(0).json();
            let runs = listed.as_array().unwrap();
            assert_eq!(runs.len(), 7, "{listed:#}");
            assert!(runs.iter().all(|run| run["status"] == "completed"), "{listed:#}");
        }
    }
}
