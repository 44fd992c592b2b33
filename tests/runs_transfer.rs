//! Runs in folders and zip files.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::Project;

fn with_runs() -> Project {
    let project = Project::new();
    project.handmade("aa11", 1, &[("out/a b", "text"), (".guild/attrs/label", "one\n")]);
    let run = project.handmade("bb22", 2, &[(".guild/attrs/exit_status", "1\n")]);
    symlink("../aa11/out/a b", run.path().join("upstream")).expect("it can be done");
    project
}

#[test]
fn runs_are_exported_to_a_folder_and_imported() {
    let project = with_runs();
    project.run(&["export", "there"]).code(0).stderr_has("Copying aa11").stderr_has("Exported 2 run(s) to there");
    let again = project.run(&["export", "there"]);
    again.code(0).stderr_has("aa11 exists, skipping").stderr_has("Exported 0 run(s)");
    assert!(project.path("there/.guild-nocopy").exists());
    assert_eq!(fs::read_link(project.path("there/bb22/upstream")).unwrap().to_str(), Some("../aa11/out/a b"));
    project.run(&["export", "copies", "-r", "bb22"]).code(0);
    assert!(project.path("copies/bb22/upstream").symlink_metadata().unwrap().is_file());

    let import = |args: &[&str]| project.run(&[&["--home", "home2", "import"], args].concat());
    let done = import(&["there", "-Sc", "--json"]).code(0).json();
    assert_eq!(done[0]["id"], "aa11", "{done}");
    assert_eq!(done.as_array().unwrap().len(), 1);
    import(&["there"]).code(0).stderr_has("aa11 exists, skipping").stderr_has("Imported 1 run(s) from there");
    let listed = project.run(&["--home", "home2", "runs", "--json"]).code(0).json();
    assert_eq!([&listed[0]["status"], &listed[1]["label"]], ["error", "one"]);
    assert_eq!(project.read("home2/runs/bb22/upstream"), "text");
    import(&["ther"]).code(2).stderr_has("archive 'ther' does not exist").stderr_has("did you mean there?");
    // A home is a source, too.
    import(&[project.home().to_str().unwrap()]).code(0).stderr_has("Imported 0 run(s)");
}

#[test]
fn moved_runs_are_no_longer_where_they_were() {
    let project = with_runs();
    project.run(&["export", "there", "-m"]).code(2).stderr_has("add -y");
    project.run(&["export", "there", "-m", "-y", "aa11"]).code(0).stderr_has("Moving aa11");
    project.run(&["export", "there.zip", "-m", "-y"]).code(0);
    assert!(project.runs().is_empty());
    project.run(&["import", "there", "-m", "-y"]).code(0).stderr_has("Moving aa11");
    assert!(!project.path("there/aa11").exists());
    project.run(&["import", "there.zip", "-m", "-y"]).code(2).stderr_has("cannot be moved out of a zip");
    project.run(&["import", "there.zip"]).code(0);
    assert_eq!(project.runs().len(), 2);
    assert!(!project.path("there/.rille").exists());
}

#[test]
fn runs_go_through_a_zip_that_grows() {
    let project = with_runs();
    project.run(&["export", "runs.zip", "aa11"]).code(0).stderr_has("Exported 1 run(s) to runs.zip");
    let second = project.run(&["export", "runs.zip"]);
    second.code(0).stderr_has("aa11 exists, skipping").stderr_has("Exported 1 run(s)");
    let done = project.run(&["--home", "home2", "import", "runs.zip", "--json"]).code(0).json();
    assert_eq!(done.as_array().unwrap().len(), 2, "{done}");
    assert_eq!(project.read("home2/runs/bb22/upstream"), "text");
    assert_eq!(project.read("home2/runs/aa11/.guild/attrs/label"), "one\n");
    let label = project.run(&["--home", "home3", "import", "runs.zip", "-Fl", "one", "--json"]).code(0).json();
    assert_eq!(label, json!([{"id": "aa11", "path": project.path("home3/runs/aa11"), "result": "copied"}]));
    let left: Vec<_> = fs::read_dir(project.path("home3/runs")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_zip_that_leads_out_is_refused_whole() {
    let project = Project::new();
    for (number, (name, link)) in
        [("../evil", None), ("aa11/../../evil", None), ("/tmp/evil", None), ("aa11/link", Some("../../../evil"))]
            .into_iter()
            .enumerate()
    {
        let path = project.path(format!("{number}.zip"));
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        let options = SimpleFileOptions::default();
        zip.start_file("aa11/.guild/opref", options).unwrap();
        zip.write_all(b"script:/a '' '' b").unwrap();
        match link {
            Some(to) => zip.add_symlink(name, to, options).unwrap(),
            None => {
                zip.start_file(name, options).unwrap();
                zip.write_all(b"evil").unwrap();
            }
        }
        zip.finish().unwrap();
        project.run(&["import", path.to_str().unwrap()]).code(7).stderr_has("leads out of it");
    }
    assert!(project.runs().is_empty());
    assert!(!project.path("evil").exists() && !project.home().join("evil").exists());
    fs::write(project.path("no.zip"), "no zip").unwrap();
    project.run(&["import", "no.zip"]).code(7).stderr_has("no.zip is damaged");
}

#[test]
fn an_export_into_itself_or_onto_a_file_is_refused() {
    let project = with_runs();
    let inside = project.home().join("runs/aa11/out");
    project.run(&["export", inside.to_str().unwrap()]).code(2).stderr_has("is in run aa11");
    fs::write(project.path("file"), "").unwrap();
    project.run(&["export", "file"]).code(2).stderr_has("neither a folder nor a .zip");
    project.run(&["export", "there", "-Fl", "nothing"]).code(0).stderr_has("Nothing to export.");
    assert!(!project.path("there").exists());
}
