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
fn links_that_lead_out_together_are_refused() {
    let project = Project::new();
    let victim = project.path("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("label"), "precious\n").unwrap();
    let path = project.path("chain.zip");
    let mut zip = ZipWriter::new(File::create(&path).unwrap());
    let options = SimpleFileOptions::default();
    zip.start_file("aa11/.guild/opref", options).unwrap();
    zip.write_all(b"script:/a '' '' b").unwrap();
    zip.add_symlink("aa11/d/e", "..", options).unwrap();
    let climb =
        format!("{}{}{}", "d/e/".repeat(12), "../".repeat(24), victim.display().to_string().trim_start_matches('/'));
    zip.add_symlink("aa11/k", climb.as_str(), options).unwrap();
    zip.add_symlink("aa11/.guild/attrs", format!("../{climb}"), options).unwrap();
    zip.finish().unwrap();
    project.run(&["import", "chain.zip"]).code(7).stderr_has("leads out of it");
    project.run(&["runs", "label", "aa11", "--set", "overwritten", "-y"]).code(2);
    assert!(project.runs().is_empty());
    assert_eq!(fs::read_to_string(victim.join("label")).unwrap(), "precious\n");
}

#[test]
fn a_run_of_a_folder_with_a_link_that_leads_out_is_refused_and_others_are_not() {
    let project = with_runs();
    project.run(&["export", "there"]).code(0);
    fs::write(project.path("data"), "of the user").unwrap();
    symlink(project.path("data"), project.path("there/aa11/data")).unwrap();
    let import = |args: &[&str]| project.run(&[&["--home", "home2", "import", "there"], args].concat());
    let refused = import(&[]);
    refused.code(1).stderr_has("data is a link that leads out of it, to ").stderr_has("skipping run aa11");
    refused.stderr_has("Imported 1 run(s) from there");
    assert!(!project.path("home2/runs/aa11").exists() && project.path("home2/runs/bb22").exists());
    import(&["aa11"]).code(7).stderr_has("hint: with -r what links lead to is copied in their place.");
    import(&["aa11", "-m", "-y"]).code(7);
    assert!(project.path("there/aa11/data").is_symlink());
    import(&["-r"]).code(0);
    assert!(project.path("home2/runs/aa11/data").symlink_metadata().unwrap().is_file());
    assert_eq!(project.read("home2/runs/aa11/data"), "of the user");
}

#[test]
fn a_zip_that_holds_too_much_is_refused_before_anything_is_written() {
    let project = with_runs();
    project.run(&["export", "runs.zip"]).code(0);
    let import = |args: &[&str]| project.run(&[&["--home", "home2", "import", "runs.zip"], args].concat());
    let refused = import(&["--max-entries", "3"]);
    refused.code(7).stderr_has("entries, and at most 3 are taken").stderr_has("--max-entries");
    assert!(!project.path("home2/runs").exists());
    import(&["--max-entries", "100", "--max-bytes", "1M"]).code(0);
    // A million entries are told by the end of the file, which is all that is read of it.
    let mut end = Vec::new();
    end.extend(b"PK\x06\x06");
    end.extend(44_u64.to_le_bytes());
    end.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    end.extend(1_000_000_u64.to_le_bytes());
    end.extend(1_000_000_u64.to_le_bytes());
    end.extend([0; 16]);
    end.extend(b"PK\x06\x07\0\0\0\0");
    end.extend(0_u64.to_le_bytes());
    end.extend(1_u32.to_le_bytes());
    end.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
    fs::write(project.path("runs.zip"), end).unwrap();
    import(&[]).code(7).stderr_has("runs.zip holds 1000000 entries, and at most 100000 are taken");
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
