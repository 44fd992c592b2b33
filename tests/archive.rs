//! The archive of a run, read by other programs.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;

use crate::harness::{Project, needs};

/// A secret with characters that JSON, XML and URLs write in another way.
const SECRET: &str = "hun\"ter<2> & co/42";

/// Unpacks an archive with a program that is not ours; `None` if there is none.
fn unpack(project: &Project, name: &str) -> Option<PathBuf> {
    let target = project.path(format!("unpacked-{name}"));
    fs::create_dir(&target).expect("a folder can be made");
    let archive = project.path(name);
    let is_zip = archive.extension().is_some_and(|extension| extension == "zip");
    let mut command = if is_zip {
        let mut command = Command::new("python3");
        command.args(["-m", "zipfile", "-e"]).arg(&archive).arg(&target);
        command
    } else {
        let mut command = Command::new("sh");
        let script = "zstd -dc \"$1\" | tar -xf - -C \"$2\"";
        command.args(["-c", script, "sh"]).arg(&archive).arg(&target);
        command
    };
    let programs: &[&str] = if is_zip { &["python3"] } else { &["zstd", "tar"] };
    if !programs.iter().all(|program| needs(program)) {
        return None;
    }
    assert!(command.status().expect("it can be started").success(), "{name} cannot be unpacked");
    let mut entries = fs::read_dir(&target).expect("it can be listed");
    let top = entries.next().expect("one folder").expect("listed").path();
    assert!(entries.next().is_none(), "an archive has one folder");
    Some(top)
}

/// Returns the paths of all files below a folder, in order.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() && !path.is_symlink() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn project() -> Project {
    let body = "print(runtime.archive)\nruntime.job.name = 'night'\n\
                job.run { testscript = 'sub/leak.sh', taskid = 'leak', env = { TASK_TOKEN = 'task-token-1' },\n\
                  api_key = 'parameter-key-1', secret = { 'deep-secret-1' } }\n\
                job.run { testscript = 'say.lua', taskid = 'lua' }\n\
                job.run { testscript = '/bin/false', taskid = 'fail' }";
    let leak = "#!/bin/sh\necho \"it is $DB_PASSWORD.\"\necho \"$TASK_TOKEN\" >&2\necho \"basic $BASIC $PLACE_OF_KEY\"\n\
                mkfifo pipe; ln -s /nowhere link; mkdir empty; echo x > \"of $TASK_TOKEN\"; printf '\\377\\000%s' \"$TASK_TOKEN\" > bytes\n\
                head -c 3000000 /dev/zero > large; printf '%s' \"$DB_PASSWORD\" >> large\n";
    let basic = STANDARD.encode(format!("user:{SECRET}"));
    Project::new()
        .env("DB_PASSWORD", SECRET)
        .env("SMALL_TOKEN", "1")
        .env("RILLE_SECRETS_HIDE", "PLACE*")
        .env("PLACE_OF_KEY", "under the mat")
        .env("BASIC", basic)
        .main(body)
        .executable("sub/leak.sh", leak)
        .file("say.lua", "print(os.getenv 'DB_PASSWORD')")
}

#[test]
fn an_archive_holds_the_run_and_no_secret() {
    for name in ["run.zip", "run.tar.zst"] {
        let project = project();
        let ended = project.job(&["--archive", name, "--label", SECRET]);
        let path = project.path(name);
        ended.code(1).stdout_has(&format!("{}\n", path.display())).stderr_has(&format!("Archive: {}", path.display()));
        let run = project.the_run();
        assert!(run.text("tasks/1-leak/stdout").starts_with("it is ***."), "the run itself has its masks");
        let Some(top) = unpack(&project, name) else { continue };
        assert_eq!(top.file_name().unwrap().to_str().unwrap(), format!("night-{}", &run.id()[..8]));
        let needles = [
            SECRET.to_owned(),
            serde_json::to_string(SECRET).unwrap().trim_matches('"').to_owned(),
            "ter&lt;2&gt;".to_owned(),
            "task-token-1".to_owned(),
            "under the mat".to_owned(),
            "parameter-key-1".to_owned(),
            "deep-secret-1".to_owned(),
            STANDARD.encode(format!("user:{SECRET}"))[8..24].to_owned(),
        ];
        // The scripts of the user name what they say; everything else is of the run.
        for file in files(&top) {
            let bytes = if file.is_symlink() { Vec::new() } else { fs::read(&file).unwrap() };
            let text = [file.to_str().unwrap().as_bytes(), b"\n", &bytes].concat();
            for needle in &needles {
                let found = text.windows(needle.len()).any(|window| window == needle.as_bytes());
                assert!(!found, "{needle} is in {}", file.display());
            }
        }
        let read = |path: &str| String::from_utf8_lossy(&fs::read(top.join(path)).unwrap()).into_owned();
        assert!(read("tasks/1-leak/stdout").starts_with("it is ***.\nbasic "));
        assert_eq!(read("tasks/1-leak/stderr"), "***\n");
        assert_eq!(fs::read(top.join("tasks/1-leak/bytes")).unwrap(), b"\xff\0***");
        assert_eq!(fs::read(top.join("tasks/1-leak/large")).unwrap().len(), 3_000_000 + 3);
        assert!(top.join("tasks/1-leak/of ***").exists() && top.join("tasks/1-leak/empty").is_dir());
        assert!(read("job.log").contains("FAILED") && read("report.html").contains("<html"));
        assert!(read("jobfile/job.lua").contains("function main(runtime)"));
        assert!(read("testscripts/sub/leak.sh").contains("mkfifo") && read("testscripts/say.lua").contains("print"));
        assert!(read("archive-notes.txt").contains("tasks/1-leak/pipe: left out: a pipe\n"));
        assert!(read("archive-notes.txt").contains("/false: left out: a program in machine code\n"));
        assert!(read(".guild/attrs/env").contains("PATH:") && !read(".guild/attrs/env").contains("DB_PASSWORD"));
        assert!(!top.join(".guild/LOCK").exists() && !top.join(".guild/ballast").exists());
        let mut folder = top.into_os_string();
        folder.push("/");
        let shown = project.run(&["runs", "show", folder.to_str().unwrap()]);
        shown.code(0).stdout_has("Result: FAILED  3 tasks: 2 passed, 1 failed");
        project.run(&["runs", "info", folder.to_str().unwrap()]).code(0).stdout_has("status: error");
    }
}

#[test]
fn the_name_is_checked_before_anything_starts() {
    let project = project().file("there.zip", "old");
    fs::create_dir(project.path("folder.zip")).unwrap();
    let cases = [
        ("a.b", "the archive 'a.b' is neither a .zip nor a .tar.zst", "end its name in .zip or .tar.zst"),
        ("none/a.zip", "/none, does not exist", "make the folder first"),
        ("folder.zip", "folder.zip' is a folder", "FOLDER/run.zip"),
        ("there.zip", "there.zip' exists already", "move it away"),
    ];
    for (name, problem, hint) in cases {
        project.job(&["--archive", name]).code(2).stderr_has(problem).stderr_has(hint);
    }
    assert!(project.runs().is_empty());
    assert_eq!(project.read("there.zip"), "old");
}

#[test]
fn an_archive_that_cannot_be_written_spoils_the_run_in_every_report() {
    let body = "job.run { testscript = 'mv.sh', taskid = 'a' }";
    let project = Project::new().main(body).executable("mv.sh", "#!/bin/sh\nmv \"$GONE\" \"$GONE.away\"\n");
    let gone = project.path("gone");
    fs::create_dir(&gone).unwrap();
    let project = project.env("GONE", &gone);
    let ended = project.job(&["--archive", "gone/a.zip"]);
    ended.code(7).outcomes("a=passed").stderr_has("cannot write the archive").stderr_lacks("Archive: ");
    let run = project.the_run();
    assert_eq!((run.attr("exit_status"), run.results()["run"]["exit_code"].clone()), (7.into(), 7.into()));
    project.run(&["runs", "show", "latest"]).code(0).stdout_has("cannot write the archive");
    assert!(!project.path("gone.away/a.zip").exists());
}

#[test]
fn a_stopped_run_is_archived_and_its_archive_replaced_when_it_is_resumed() {
    let stay = "#!/bin/sh\n[ -e \"$GO\" ] && exit 0\necho ready > \"$GO.ready\"\nexec sleep 1000\n";
    let project = Project::new();
    let go = project.path("go");
    let project =
        project.env("GO", go).main("job.run { testscript = 'stay.sh', taskid = 'a' }").executable("stay.sh", stay);
    let running = project.start(&["run", "job.lua", "--archive", "a.zip"]);
    running.wait_for_file("go.ready");
    running.signal(Signal::INT);
    running.wait().code(130);
    let first = fs::read(project.path("a.zip")).unwrap();
    fs::write(project.path("go"), "").unwrap();
    project.run(&["run", "--resume", "latest"]).code(0).outcomes("a=passed");
    assert_ne!(fs::read(project.path("a.zip")).unwrap(), first);
}

#[test]
fn a_run_is_archived_later() {
    let project = project();
    project.job(&[]).code(1);
    let ended = project.run(&["runs", "archive", "latest", "later.tar.zst"]);
    ended.code(0).stdout(&format!("{}\n", project.path("later.tar.zst").display()));
    let Some(top) = unpack(&project, "later.tar.zst") else { return };
    assert!(top.join("jobfile/job.lua").exists() && top.join("testscripts/say.lua").exists());
    assert!(fs::read_to_string(top.join("tasks/1-leak/stdout")).unwrap().starts_with("it is ***."));
    project.run(&["runs", "archive", "latest", "later.tar.zst"]).code(2).stderr_has("exists already");
    let _listener = UnixListener::bind(project.the_run().path().join("socket")).unwrap();
    fs::write(project.path("job.lua"), "changed").unwrap();
    project.run(&["runs", "archive", "latest", "again.zip"]).code(0);
    let Some(top) = unpack(&project, "again.zip") else { return };
    let notes = fs::read_to_string(top.join("archive-notes.txt")).unwrap();
    assert!(notes.contains("socket: left out: a socket\n"), "{notes}");
    assert!(notes.contains("jobfile/job.lua: left out: it is not as it was when the run was made\n"), "{notes}");
}
