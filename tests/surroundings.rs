//! What a run inherits from whoever starts it: signals, descriptors, limits, `/proc`, namespaces, a home, names of files.
//! It is right, or it is refused with what is missing, and tasks find a clean state.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::harness::{DEADLINE, Ended, Project, Run, Running, needs, until};

const RILLE: &str = env!("CARGO_BIN_EXE_rille");

/// A job with a task of each sort and each end, whose output is compared.
const BODY: &str = r#"
  job.parallel {
    { testscript = "sh", args = { "-c", "grep -E '^Sig(Blk|Ign)' /proc/self/status; echo out; echo err >&2" }, taskid = "clean" },
    { testscript = "sh", args = { "-c", "exit 1" }, taskid = "bad" },
    { testscript = "sh", args = { "-c", "(sleep 1000 >&- 2>&- &) ; head -c 100000 /dev/zero" }, taskid = "leaves" },
    { testscript = "s.lua", taskid = "lua" },
    { testscript = "late.lua", taskid = "late", max_runtime = 0.3 },
  }"#;

const OUTCOMES: &str = "clean=passed bad=failed leaves=passed lua=passed late=errored";

fn project() -> Project {
    Project::new()
        .main(BODY)
        .file(
            "s.lua",
            "local pipe = io.popen('echo of a pipe') assert(pipe:read() == 'of a pipe') assert(pipe:close())",
        )
        .file("late.lua", "os.execute('sleep 1000')")
}

/// Checks that the run is as it always is.
#[track_caller]
fn is_right(what: &str, ended: &Ended) {
    assert_eq!(ended.exit_code(), Some(1), "{what}: {ended}");
    let run = ended.the_run();
    assert_eq!(run.outcomes(), OUTCOMES, "{what}: {ended}");
    let output = String::from_utf8(run.output("clean", "stdout")).expect("it is text");
    assert_eq!(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nout\n", "{what}: {ended}");
    assert_eq!(run.output("clean", "stderr"), b"err\n", "{what}");
    assert_eq!(run.output("leaves", "stdout").len(), 100_000, "{what}");
    assert_eq!(run.results()["run"]["exit_code"], 1, "{what}");
}

/// Starts the job by a shell that has done `before`.
fn after(project: &Project, before: &str) -> Ended {
    let mut shell = project.command("bash");
    shell.args(["-c", &format!("{before}\nexec \"$0\" run job.lua"), RILLE]);
    project.start_command(shell).wait()
}

/// Starts the job by a program with arguments of its own, which end where the command to be started begins.
fn by(project: &Project, program: &[&str]) -> Ended {
    let mut command = project.command(program[0]);
    command.args(&program[1..]).args([RILLE, "run", "job.lua"]);
    project.start_command(command).wait()
}

#[test]
fn ignored_and_blocked_signals_change_nothing() {
    let can_be = (1..=64).filter(|number| ![libc::SIGKILL, libc::SIGSTOP, 32, 33].contains(number));
    let all = can_be.map(|number| number.to_string()).collect::<Vec<_>>().join(",");
    let alone = [libc::SIGCHLD, libc::SIGPIPE, libc::SIGTERM, libc::SIGUSR1, libc::SIGXFSZ, libc::SIGALRM, 34, 64];
    for list in alone.map(|number| number.to_string()).into_iter().chain([all]) {
        for way in ["ignore", "block"] {
            let ended = by(&project(), &["env", &format!("--{way}-signal={list}")]);
            is_right(&format!("{way} {list}"), &ended);
        }
    }
}

#[test]
fn closed_streams_change_nothing() {
    for closed in ["0<&-", "1>&-", "2>&-", "0<&- 1>&-", "0<&- 2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"] {
        is_right(closed, &after(&project(), &format!("exec {closed}")));
    }
}

#[test]
fn descriptors_that_are_open_are_not_handed_on() {
    let project = project().main(r#"job.run { testscript = "sh", args = { "-c", "ls /proc/$$/fd" }, taskid = "a" }"#);
    let ended = after(&project, "exec 3</dev/null 9</dev/zero 77</dev/null 200>/dev/null");
    ended.code(0);
    assert_eq!(ended.the_run().output("a", "stdout"), b"0\n1\n2\n");
}

/// Checks that a run under a limit is right, or that no result of it is better than it was and it says which limit it was.
#[track_caller]
fn is_right_or_refused(what: &str, ended: &Ended, names: &str) {
    let code = ended.exit_code();
    assert!(!ended.err().contains("panicked"), "{what}: {ended}");
    match code {
        Some(1) => is_right(what, ended),
        Some(7) => assert!(ended.err().contains(names), "{what} is not named by {names}: {ended}"),
        _ => panic!("{what}: {ended}"),
    }
}

#[test]
fn under_a_limit_a_run_is_right_or_names_the_limit() {
    // Each number of descriptors in which a run begins and comes to something: one of them is the last, whatever it opens.
    let files = (7..36).chain([64]).map(|value| ("-n", value, "ulimit -n"));
    let memory = [30_000, 60_000, 120_000, 400_000].map(|value| ("-v", value, "memory"));
    let tried: Vec<(&str, i32, &str)> = files.chain(memory).collect();
    let (next, right) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((limit, value, names)) = tried.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let what = format!("ulimit {limit} {value}");
                    let ended = after(&project(), &what);
                    // The program itself may not even start, or not be able to say anything, where it has no room at all.
                    let has_begun = ended.exit_code().is_some_and(|code| code != 127) && !ended.err().is_empty();
                    if has_begun {
                        is_right_or_refused(&what, &ended, names);
                    }
                    right.fetch_add(usize::from(ended.exit_code() == Some(1)), Ordering::Relaxed);
                }
            });
        }
    });
    let right = right.into_inner();
    assert!(right >= 3, "only {right} were right: these limits are too low to show anything");
}

#[test]
fn a_limit_on_the_size_of_files_ends_a_task_and_not_the_run() {
    // In blocks of 1,024 bytes: the event log fits, what the tasks write does not.
    let project = project().main(
        r#"job.parallel {
            { testscript = "sh", args = { "-c", "head -c 300000 /dev/zero" }, taskid = "much" },
            { testscript = "sh", args = { "-c", "echo small" }, taskid = "small" },
        }"#,
    );
    let ended = after(&project, "ulimit -f 100");
    ended.code(0).outcomes("much=passed small=passed");
    let run = ended.the_run();
    let kept = run.task("much")["stdout"].clone();
    let size = fs::metadata(run.path().join("tasks/1-much/stdout")).expect("it is there").len();
    assert!(size <= 100 * 1024, "{size} bytes");
    assert_eq!(kept["bytes"], 300_000, "{kept}");
    assert!(kept["left_out"].as_u64().is_some_and(|bytes| bytes >= 300_000 - size), "{kept}");
    // Then even what it says has no file.
    after(&project, "ulimit -f 0").code(7);
}

#[test]
fn tasks_wait_for_room_among_the_processes() {
    if !needs("setpriv") || !needs("prlimit") {
        return;
    }
    let tasks = "for i = 1, 40 do list[i] = { testscript = 'sh', args = { '-c', 'sleep 0.2' } } end";
    let project = Project::new().main(&format!("local list = {{}} {tasks} job.parallel(list)"));
    // The limit counts all processes of a user and is not the superuser's: it is a user of its own.
    let start = |limit: &str, number: u32| {
        let mut command = project.command("prlimit");
        command.arg(format!("--nproc={limit}"));
        if rustix::process::geteuid().is_root() {
            open_to_all(&project);
            let user = (50_000 + std::process::id() % 9000 + number).to_string();
            command = project.command("setpriv");
            command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "prlimit"]);
            command.arg(format!("--nproc={limit}"));
        }
        let program = project.path("rille");
        if !program.exists() {
            fs::copy(RILLE, &program).expect("it can be copied");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        }
        command.arg(program).args(["run", "job.lua", "--run-dir"]).arg(project.path(format!("run-{limit}")));
        project.start_command(command).wait()
    };
    if rustix::process::geteuid().is_root() {
        start("30", 0).code(0).stderr_has("40 passed");
        // Not even the host and its threads.
        for limit in ["1", "2", "3", "4", "5"] {
            let ended = start(limit, 10_000);
            ended.code(7).stderr_has("ulimit -u is");
            assert!(!ended.err().contains("panicked"), "{limit}: {ended}");
        }
    }
}

/// Lets every user into a project.
fn open_to_all(project: &Project) {
    let mut chmod = project.command("chmod");
    chmod.args(["-R", "a+rwX"]).arg(project.root());
    project.start_command(chmod).wait().code(0);
}

/// Whether namespaces can be made here.
fn may_unshare(project: &Project) -> Option<Vec<&'static str>> {
    let mut base = vec!["unshare"];
    if !rustix::process::geteuid().is_root() {
        base.extend(["--user", "--map-root-user"]);
    }
    let mut command = project.command(base[0]);
    command.args(&base[1..]).args(["--mount", "--pid", "--fork", "true"]);
    let tried = project.start_command(command).wait();
    if tried.exit_code() != Some(0) {
        crate::harness::skipped(&format!("namespaces cannot be made here: {}", tried.err().trim()));
        return None;
    }
    Some(base)
}

#[test]
fn in_namespaces_of_processes_nobody_else_is_hit() {
    let project = project();
    let Some(base) = may_unshare(&project) else { return };
    let innocent = std::process::Command::new("sleep").arg("1000").spawn();
    let mut innocent = innocent.expect("it can be started");
    // With a `/proc` of its own, and with that of outside, whose numbers are others'. In both the run is process 1.
    for namespace in [&["--mount", "--pid", "--fork", "--mount-proc"][..], &["--pid", "--fork"]] {
        let ended = by(&project, &[&base[..], namespace].concat());
        is_right(&format!("{namespace:?}"), &ended);
        fs::remove_dir_all(project.home()).expect("it is ours");
    }
    // Beside a process 1 that is somebody else.
    let namespace = ["--mount", "--pid", "--fork", "--mount-proc", "bash", "-c", "\"$0\" \"$@\"; exit $?"];
    is_right("not as process 1", &by(&project, &[&base[..], &namespace].concat()));
    assert!(innocent.try_wait().expect("it is ours").is_none(), "somebody else was ended");
    innocent.kill().expect("it is ours");
    innocent.wait().expect("it is ours");
}

#[test]
fn without_proc_nothing_runs_and_it_is_said() {
    let project = project();
    let Some(base) = may_unshare(&project) else { return };
    for hide in
        ["mount -t tmpfs tmpfs /proc", "mount --bind /proc/1/root/proc /mnt 2>/dev/null; mount -t tmpfs tmpfs /proc"]
    {
        let script = format!("{hide} || exit 99\nexec \"$0\" \"$@\"");
        let ended = by(&project, &[&base[..], &["--mount", "bash", "-c", &script]].concat());
        ended.code(7).stderr_has("/proc");
        assert!(!project.home().join("runs").exists() || project.runs().is_empty(), "{ended}");
    }
}

#[test]
fn without_a_home_a_run_has_its_place_by_name() {
    let project = project();
    let start = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = project.rille(&[&["run", "job.lua"], args].concat());
        command.env_remove("HOME").env_remove("RILLE_HOME").envs(variables.iter().copied());
        project.start_command(command).wait()
    };
    start(&[], &[]).code(2).stderr_has("--home");
    let place = project.path("place").display().to_string();
    start(&[("RILLE_HOME", &place)], &[]).code(1);
    start(&[], &["--run-dir", "here"]).code(1);
    assert!(project.path("here/results.json").exists());
    assert_eq!(fs::read_dir(project.path("place/runs")).expect("it is there").flatten().count(), 1);
}

#[test]
fn a_locale_changes_nothing_and_a_folder_whose_name_is_no_text_is_told() {
    let odd = OsStr::from_bytes(b"odd \xff\n'name");
    for locale in ["C", "POSIX", "xx_XX.ISO-8859-1", ""] {
        let project = project();
        let mut command = project.rille(&["run", "job.lua", "--run-dir"]);
        command.arg(project.path(odd)).env("LC_ALL", locale).env("LANG", locale);
        // The place of the run may have any name: tasks are told of it as it is.
        let ended = project.start_command(command).wait();
        let run = Run::at(project.path(odd), &project);
        assert_eq!(run.outcomes(), OUTCOMES, "{locale}: {ended}");
        // A script in such a folder cannot be named in what is recorded, and is refused by its name.
        let folder = project.path("beside").join(odd);
        fs::create_dir_all(&folder).expect("it can be made");
        for file in ["job.lua", "s.lua", "late.lua"] {
            fs::rename(project.path(file), folder.join(file)).expect("it can be moved");
        }
        let mut command = project.command(RILLE);
        command.current_dir(&folder).args(["run", "job.lua"]).env("LC_ALL", locale).env("LANG", locale);
        let ended = project.start_command(command).wait();
        ended.code(1).outcomes("clean=passed bad=failed leaves=passed lua=errored late=errored");
        ended.reason_has("lua", "is not valid UTF-8");
    }
}

/// Starts the job with a console that nobody reads, and waits until `event` is in the log.
fn unread(project: &Project, args: &[&str], event: &str) -> (Running, (std::io::PipeReader, std::io::PipeReader)) {
    let mut command = project.rille(args);
    let (out, out_end) = std::io::pipe().expect("there are pipes");
    let (err, err_end) = std::io::pipe().expect("there are pipes");
    command.stdout(out_end).stderr(err_end);
    let running = project.start_as_it_is(command);
    let is_there = || {
        let run = project.runs().pop()?;
        let text = fs::read_to_string(run.path().join(".guild/events.jsonl")).ok()?;
        text.contains(event).then_some(())
    };
    until(&format!("{event} in the log"), DEADLINE, is_there);
    (running, (out, err))
}

#[test]
fn a_console_that_nobody_reads_does_not_make_deaf() {
    let flood = "sh', args = { '-c', 'yes | head -c 3000000' }, taskid = 'flood'";
    // The signal comes after everything has ended, while a task runs, and while main does something else.
    for (body, event, code) in [
        (format!("job.run {{ testscript = '{flood} }}"), "run-finished", 0),
        (
            format!("job.parallel {{ {{ testscript = '{flood} }}, {{ testscript = 'sleep', args = {{ '1000' }} }} }}"),
            "\"outcome\":\"passed\"",
            130,
        ),
        (format!("job.run {{ testscript = '{flood} }} while true do end"), "\"outcome\":\"passed\"", 130),
    ] {
        let project = Project::new().main(&body);
        let (running, reader) = unread(&project, &["run", "job.lua", "-v"], event);
        running.signal(rustix::process::Signal::INT);
        let ended = running.wait();
        drop(reader);
        assert_eq!(ended.exit_code(), Some(code), "{body}: {ended}");
        let run = project.the_run();
        assert_eq!(run.results()["run"]["exit_code"], code, "{body}");
        assert_eq!(run.output("flood", "stdout").len(), 3_000_000, "{body}");
        let log = run.text("job.log");
        assert!(log.contains("flood"), "the log of the job is written without a console: {log}");
    }
}
