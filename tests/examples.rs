//! What users copy from works as it is shown: the tours of README.md, and what is in examples/.
//!
//! In the tour a block that begins with `-- file: NAME` or `# file: NAME` is a file. In a `console` block a line after
//! `$ ` is a command, with `# exit N` behind it where N is not 0; below it stand lines of its output, in any order, `...`
//! for what is left out, and `^C` where an interrupt is sent.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use crate::harness::needs;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const RILLE: &str = env!("CARGO_BIN_EXE_rille");

/// A fenced block: the word behind its fence, and its text.
struct Block {
    language: String,
    text: String,
}

fn blocks(section: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let text = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        blocks.push(Block { language: language.to_owned(), text });
    }
    blocks
}

/// An empty home with a folder to work in, as a new user has it.
struct Desk {
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("tour")).unwrap();
        Self { home }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join("tour").join(name);
        fs::write(path, text).unwrap();
    }

    /// Makes a command as a user types it, with the programs in `path`. Its errors go where its output goes, which is
    /// returned.
    fn command(&self, typed: &str, path: &str) -> (Command, PipeReader) {
        let mut words = shlex::split(typed).unwrap();
        // As a shell reads it, NAME=VALUE before the program is for its environment.
        let is_variable = |word: &&String| word.split_once('=').is_some_and(|(name, _)| !name.contains(['/', '-']));
        let variables = words.iter().take_while(is_variable).count();
        let program = words.split_off(variables);
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = Command::new(if program[0] == "rille" { RILLE } else { program[0].as_str() });
        command.envs(words.iter().filter_map(|word| word.split_once('=')));
        command.args(&program[1..]).current_dir(self.home.path().join("tour"));
        command.env_remove("RILLE_HOME").env_remove("RILLE_PATH").env("HOME", self.home.path()).env("PATH", path);
        command.env("LANG", "C.UTF-8").env_remove("LC_ALL").env_remove("LC_CTYPE").env_remove("GITHUB_ACTIONS");
        command.stdin(Stdio::null()).stdout(writer.try_clone().unwrap()).stderr(writer).process_group(0);
        (command, reader)
    }

    /// Runs a command to its end. With `interrupt_after`, Ctrl-C is pressed once that line was written.
    fn run(&self, typed: &str, path: &str, interrupt_after: Option<&str>) -> (i32, String) {
        let (mut command, reader) = self.command(typed, path);
        let mut child = command.spawn().unwrap();
        // It holds the other end of the pipe.
        drop(command);
        let mut output = BufReader::new(reader);
        let mut text = String::new();
        if let Some(ready) = interrupt_after {
            while !text.lines().any(|line| line == ready) {
                assert!(output.read_line(&mut text).unwrap() > 0, "'{ready}' was never written:\n{text}");
            }
            // A terminal sends it to every process of the group.
            kill_process_group(Pid::from_child(&child), Signal::INT).unwrap();
        }
        output.read_to_string(&mut text).unwrap();
        (child.wait().unwrap().code().unwrap_or(-1), text)
    }

    /// Replaces what differs from run to run: the home, ids, times and the width of columns.
    fn same(&self, text: &str) -> String {
        let home = fs::canonicalize(self.home.path()).unwrap();
        let text = text.replace(&home.display().to_string(), "/home/me");
        [
            (r"\b[0-9a-f]{32}\b", "ID"),
            (r"\b[0-9a-f]{8}\b", "ID"),
            (r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?", "TIME"),
            (r"\[\d+ ", "[PID "),
            (r"\d+\.\d{2,3} ?s\b", "SECONDS"),
            (r"pid +\d+", "PID"),
            (r"[ \t]+", " "),
        ]
        .into_iter()
        .fold(text, |text, (pattern, by)| Regex::new(pattern).unwrap().replace_all(&text, by).into_owned())
    }
}

/// Runs the commands of a console block and compares what they write with what the block shows.
fn follow(desk: &Desk, block: &str) {
    for step in block.split("$ ").skip(1) {
        let mut lines = step.lines();
        let typed = lines.next().unwrap();
        let (command, code) =
            typed.split_once("# exit ").map_or((typed, 0), |(command, code)| (command, code.trim().parse().unwrap()));
        let shown: Vec<&str> = lines.filter(|line| !line.is_empty() && *line != "...").collect();
        let interrupt = shown.iter().position(|line| *line == "^C").map(|at| shown[at - 1]);

        let (exit, output) = desk.run(command, &path(), interrupt);
        assert_eq!(exit, code, "{command}\n{output}");
        let written = desk.same(&output);
        for line in shown.into_iter().filter(|line| *line != "^C") {
            let expected = desk.same(line);
            assert!(
                written.lines().any(|line| line.trim() == expected.trim()),
                "{command}\nshould have written\n{line}\nbut wrote\n{output}"
            );
        }
    }
}

/// Makes the files and runs the commands of a section of README.md.
fn tour(heading: &str, desk: &Desk) {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let tour = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let file = Regex::new(r"^(?:--|#) file: (\S+)\n").unwrap();
    for block in blocks(tour) {
        if let Some(name) = file.captures(&block.text) {
            desk.write(&name[1], &block.text[name[0].len()..]);
        } else if block.language == "console" {
            follow(desk, &block.text);
        }
    }
}

#[test]
fn the_tour_of_the_readme() {
    tour("A tour in", &Desk::new());
}

/// Returns a desk with a copy of the files of an example.
fn desk_with(example: &str) -> Desk {
    let desk = Desk::new();
    for entry in fs::read_dir(Path::new(ROOT).join("examples").join(example)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, desk.home.path().join("tour").join(path.file_name().unwrap())).unwrap();
        }
    }
    desk
}

#[test]
fn the_tour_of_operations() {
    tour("A tour of operations", &desk_with("iris"));
}

#[test]
fn the_tour_of_tests() {
    if !needs("python3") {
        return;
    }
    tour("A tour of tests", &desk_with("tests"));
}

#[test]
fn the_tour_of_walks() {
    if !needs("python3") {
        return;
    }
    tour("A tour of walks", &desk_with("kv-walks"));
}

/// Runs the example with the programs in `path`. Returns its exit code and its tasks from results.json, as
/// `id result reason`.
fn hashes(path: &str) -> (i32, Vec<String>) {
    let desk = Desk::new();
    let (code, text) = desk.run(&format!("rille run '{ROOT}/examples/hashes/job.lua'"), path, None);
    let directory = text.lines().find_map(|line| line.strip_prefix("Run directory: ")).unwrap();
    let results = fs::read(Path::new(directory).join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap();
    let tell = |task: &serde_json::Value| {
        let (id, result) = (task["id"].as_str().unwrap(), &task["result"]);
        format!("{id} {} {}", result["value"].as_str().unwrap(), result["reason"].as_str().unwrap_or_default())
    };
    (code, results["tasks"].as_array().unwrap().iter().map(tell).collect())
}

/// Makes a folder with the programs of coreutils that the example asks for.
fn coreutils() -> TempDir {
    let programs = tempfile::tempdir().unwrap();
    for name in ["sha256sum", "sha512sum"] {
        std::os::unix::fs::symlink(find(name), programs.path().join(name)).unwrap();
    }
    programs
}

#[test]
fn hashes_by_every_program_agree() {
    let (code, tasks) = hashes(&path());
    let all = "compare passed all agree: sha256 by coreutils, openssl, python; sha512 by coreutils, openssl, python";
    assert_eq!((code, tasks.last().map(String::as_str)), (0, Some(all)), "{tasks:#?}");
    assert!(tasks.iter().all(|task| task.contains(" passed ")), "{tasks:#?}");
}

#[test]
fn hashes_skips_the_programs_that_are_missing() {
    let programs = coreutils();
    let (code, tasks) = hashes(&programs.path().display().to_string());
    let expected = [
        "sha256-coreutils passed ",
        "sha512-coreutils passed ",
        "sha256-openssl skipped openssl is not installed",
        "sha512-openssl skipped openssl is not installed",
        "sha256-python skipped python3 is not installed",
        "sha512-python skipped python3 is not installed",
        "compare skipped no two programs answered, so there is nothing to compare",
    ];
    assert_eq!((code, tasks.as_slice()), (0, expected.map(str::to_owned).as_slice()));
}

#[test]
fn hashes_fails_when_a_program_answers_otherwise() {
    let programs = coreutils();
    let openssl = programs.path().join("openssl");
    fs::write(&openssl, "#!/bin/sh\necho 'abad1dea *message'\n").unwrap();
    fs::set_permissions(&openssl, fs::Permissions::from_mode(0o755)).unwrap();
    let (code, tasks) = hashes(&programs.path().display().to_string());
    let told = |start: &str, end: &str| tasks.iter().any(|task| task.starts_with(start) && task.ends_with(end));
    assert_eq!(code, 1);
    assert!(told("sha256-openssl failed", "sha256 of the empty message, 'abc', the 448-bit message, one million 'a'"));
    assert!(told("compare failed", "openssl says abad1dea"), "{tasks:#?}");
}

/// Runs the device lab; returns its exit code, what it wrote, and results.json. `None` without python3.
fn device_lab(options: &str) -> Option<(i32, String, serde_json::Value)> {
    if !needs("python3") {
        return None;
    }
    let desk = Desk::new();
    let lab = format!("{ROOT}/examples/device-lab");
    let (code, text) = desk.run(&format!("rille run '{lab}/job.lua' -t '{lab}/lab.yaml' {options}"), &path(), None);
    let directory = text.lines().find_map(|line| line.strip_prefix("Run directory: ")).unwrap();
    assert!(fs::read_to_string(Path::new(directory).join("report.html")).unwrap().contains("server_web"));
    let results = fs::read(Path::new(directory).join("results.json")).unwrap();
    Some((code, text, serde_json::from_slice(&results).unwrap()))
}

#[test]
fn the_device_lab_passes() {
    let Some((code, text, results)) = device_lab("") else { return };
    assert_eq!(code, 0, "{text}");
    assert_eq!(results["counts"]["passed"], 4, "{results:#}");
    assert!(text.contains("9 requests, 67101 bytes came back\n") && text.contains("times of the tasks:\n"), "{text}");
}

#[test]
fn the_device_lab_with_a_fault_shows_where_it_is() {
    let Some((code, text, results)) = device_lab("--with-failure") else { return };
    assert_eq!(code, 1, "{text}");
    assert_eq!((&results["counts"]["passed"], &results["counts"]["failed"]), (&3.into(), &1.into()), "{results:#}");
    assert!(text.contains("packet[size=1500]") && text.contains("sent 65536 bytes, got 1024 back"), "{text}");
}

/// Returns the PATH of a user who has installed rille.
fn path() -> String {
    let own = Path::new(RILLE).parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap();
    let all = std::iter::once(own).chain(std::env::split_paths(&others));
    std::env::join_paths(all).unwrap().into_string().unwrap()
}

fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file()).unwrap()
}
