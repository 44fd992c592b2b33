//! The source code of a run: what is copied, where to, and what is recorded of it.
#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::fs;
use std::os::unix::fs::symlink;

use crate::harness::{Project, needs};

/// Returns the copies that the manifest of the one run tells of.
fn copies(project: &Project) -> Vec<String> {
    let manifest = project.the_run().text(".guild/manifest");
    let word = |line: &str| line.split(' ').nth(1).map(str::to_owned);
    manifest.lines().filter(|line| line.starts_with("s ")).filter_map(word).collect()
}

/// Runs git in the project, which knows nothing of the machine's settings.
fn git(project: &Project, args: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
    let output = project.command("git").args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_script_is_copied_with_its_like_and_runs_without_the_project() {
    let project = Project::new().file("run.sh", "cat \"$(dirname \"$0\")/lib/words\"\n").file("lib/words", "hi\n");
    project.run(&["run", "run.sh", "-y", "--stage"]).code(0);
    let run = project.the_run();
    assert_eq!(copies(&project), [".guild/sourcecode/lib/words", ".guild/sourcecode/run.sh"]);
    assert_eq!(run.attr("sourcecode_digest").as_str().map(str::len), Some(32));
    fs::remove_dir_all(project.path("lib")).unwrap();
    fs::remove_file(project.path("run.sh")).unwrap();
    project.run(&["run", "--start", &run.id(), "-y"]).code(0).stdout("hi\n");
}

#[test]
fn an_exec_operation_has_its_files_in_the_run_directory() {
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: cat words\n  sourcecode: ['words', 'data']\n")
        .file("words", "hi\n")
        .file("other", "")
        .file("data/x.bin", "\0");
    project.run(&["run", "op", "-y"]).code(0).stdout("hi\n");
    assert_eq!(copies(&project), ["data/x.bin", "words"]);
}

#[test]
fn inside_a_repository_git_says_what_source_code_is() {
    if !needs("git") {
        return;
    }
    let project = Project::new()
        .file("guild.yml", "op:\n  exec: 'true'\n")
        .file(".gitignore", "*.log\n")
        .file(".guildignore", "*.md\n")
        .file("a.py", "")
        .file("picture.png", "\u{1}")
        .file("x.log", "")
        .file("notes.md", "");
    git(&project, &["init", "-q"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "first"]);
    symlink("nowhere", project.path(".#a.py")).unwrap();
    project.run(&["run", "op", "-y"]).code(0);
    assert_eq!(copies(&project), ["a.py", "guild.yml", "picture.png"]);
    let commit = project.the_run().attr("vcs_commit").as_str().unwrap().to_owned();
    assert!(commit.starts_with("git:") && commit.ends_with('*') && commit.len() == 45, "{commit}");

    let listing = project.run(&["run", "op", "--test-sourcecode"]);
    listing.code(0).stdout_has("gitignore + guildignore patterns").stdout_has("Selected for copy:\n  a.py");
    listing.stdout_has("  x.log").stdout_has("  notes.md");
}

#[test]
fn a_clean_commit_has_no_star() {
    if !needs("git") {
        return;
    }
    let project = Project::new().file("guild.yml", "op:\n  exec: 'true'\n");
    git(&project, &["init", "-q"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "first"]);
    project.run(&["run", "op", "-y"]).code(0);
    let commit = project.the_run().attr("vcs_commit").as_str().unwrap().to_owned();
    assert!(commit.starts_with("git:") && commit.len() == 44, "{commit}");
}

#[test]
fn a_repository_that_git_cannot_read_is_told_of_and_does_no_harm() {
    let project =
        Project::new().file("guild.yml", "op:\n  exec: 'true'\n").file(".git/HEAD", "nonsense").file("a.py", "");
    let ended = project.run(&["run", "op", "-y"]);
    ended.code(0).stderr_has("WARNING: git does not tell which files");
    assert_eq!(copies(&project), ["a.py", "guild.yml"]);
}

#[test]
fn no_source_code_is_none() {
    let cases = [("op:\n  exec: 'true'\n  sourcecode: no\n", "0"), ("op:\n  exec: 'true'\n", "1")];
    for (yml, none) in cases {
        let project = Project::new().file("guild.yml", yml).file("a.py", "").env("NO_SOURCECODE", none);
        project.run(&["run", "op", "-y"]).code(0);
        assert!(copies(&project).is_empty());
        assert_eq!(project.the_run().attr("sourcecode_digest"), serde_json::Value::Null);
    }
}

#[test]
fn a_wrong_rule_is_told_and_nothing_is_run() {
    let project = Project::new().file("guild.yml", "op:\n  exec: touch ran\n  sourcecode:\n    - inclde: a\n");
    let ended = project.run(&["run", "op", "-y"]);
    assert_ne!(ended.exit_code(), Some(0));
    ended.stderr_has("inclde").stderr_has("include");
    assert!(project.runs().iter().all(|run| !run.has("ran")));
}
