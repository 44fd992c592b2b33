//! Nothing outlives its task or its host, whatever it does to get away.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Project, Running, until};

/// A task that ignores every signal it can and scatters descendants: in its group, in sessions of their own, daemonised by
/// a double fork, and with an empty environment. Each writes a line to `ready` when it is there. The argument of `sleep`
/// tells them from the processes of other tests.
const ESCAPIST: &str = r#"#!/bin/bash
trap '' TERM INT HUP
nap="sleep 4000.$1"
(setsid bash -c "trap '' TERM INT HUP; echo session >> ready; $nap; :" &)
(setsid bash -c "(setsid bash -c 'trap \"\" TERM; echo daemon >> ready; exec $nap' &) &" &)
(env -i PATH="$PATH" setsid bash -c "trap '' TERM; echo hidden >> ready; exec $nap" &)
$nap &
echo task >> ready
while :; do $nap; done
"#;

/// How many lines that makes.
const ESCAPISTS: usize = 4;

/// Returns a number that no other test process of this machine uses, for the argument of `sleep`.
fn token(n: u32) -> String {
    format!("{:07}{n:03}", std::process::id())
}

/// Returns the processes whose command line has this argument, also those that have hidden everything else.
fn with_token(token: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("there is a /proc").flatten();
    let commands = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let commands = commands.map(|command| String::from_utf8_lossy(&command).replace('\0', " "));
    commands.filter(|command| command.contains(&format!("4000.{token}"))).collect()
}

#[track_caller]
fn assert_all_gone(token: &str, deadline: Duration) {
    let started = Instant::now();
    loop {
        let left = with_token(token);
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < deadline, "left after {deadline:?}: {left:#?}");
        // A busy wait would starve those who are to end.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn escapist(token: &str, keys: &str) -> Project {
    let task = format!("{{ testscript = 'escapist.sh', args = {{ '{token}' }}, cwd = '.', {keys} }}");
    Project::new()
        .executable("escapist.sh", ESCAPIST)
        .main(&format!("print(select('#', pcall(job.run, {task})))\nprint(job.run {{ testscript = '/bin/true' }})"))
}

fn wait_until_scattered(project: &Project) {
    let scattered = || {
        let lines = fs::read_to_string(project.path("ready")).ok()?.lines().count();
        (lines >= ESCAPISTS).then_some(())
    };
    until("all escapists", Duration::from_secs(30), scattered);
}

#[test]
fn past_its_time_limit_nothing_of_a_task_is_left() {
    let token = token(900);
    let project = escapist(&token, "max_runtime = 1.5");
    let ended = project.job(&["--grace", "0.5"]);
    assert!(with_token(&token).is_empty(), "{:#?}", with_token(&token));
    ended.code(1).outcomes("Task-1=errored Task-2=passed");
    ended.reason_has("Task-1", "exceeded its max_runtime of 1.5 s and was ended");
    let finished = &ended.the_run().events_of("task-finished")[0];
    assert_eq!(finished["exit"]["signal"], 9, "{finished}");
    assert!(finished["killed_leftovers"].as_u64() >= Some(3), "{finished}");
    // Limit and grace, and half a second to see that nothing is left.
    assert!(finished["seconds"].as_f64() < Some(2.5), "{finished}");
}

#[test]
fn past_its_time_limit_nothing_is_left_in_50_of_50_tries() {
    let tries: Vec<u32> = (500..550).collect();
    std::thread::scope(|scope| {
        for part in tries.chunks(25) {
            scope.spawn(move || part.iter().for_each(|n| outlast_a_limit(*n)));
        }
    });
}

/// The limit strikes wherever the escapists are on their way.
fn outlast_a_limit(n: u32) {
    let token = token(n);
    let limit = 0.02 * f64::from(n % 25 + 1);
    let ended = escapist(&token, &format!("max_runtime = {limit}")).job(&["--grace", "0.1"]);
    assert!(with_token(&token).is_empty(), "{:#?}", with_token(&token));
    ended.code(1).outcomes("Task-1=errored Task-2=passed");
}

#[test]
fn after_kill_9_of_either_half_of_the_host_nothing_is_left_in_50_of_50_tries() {
    let tries: Vec<u32> = (0..50).collect();
    std::thread::scope(|scope| {
        for part in tries.chunks(25) {
            scope.spawn(move || part.iter().for_each(|n| kill_a_host(*n)));
        }
    });
}

fn kill_a_host(n: u32) {
    let token = token(n);
    let project = escapist(&token, "");
    let running = project.start(&["run", "job.lua"]);
    wait_until_scattered(&project);
    let victim = if n.is_multiple_of(2) { running.pid() } else { inner_host(&running) };
    kill_process(Pid::from_raw(victim).expect("a pid"), Signal::KILL).expect("it is there");
    assert_all_gone(&token, Duration::from_secs(1));
    let ended = running.wait_only(Duration::from_secs(5));
    if !n.is_multiple_of(2) {
        ended.code(7).stderr_has("the host process was killed by SIGKILL");
    }
    // The other half may need another moment to end.
    let is_lost = || (project.run(&["runs", "--json"]).json()[0]["status"] == "lost").then_some(());
    until("the run to be lost", Duration::from_secs(5), is_lost);
}

/// Returns the process that runs the job: the child of the one that was started.
fn inner_host(running: &Running) -> i32 {
    let pid = running.pid();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("it has children");
    children.split_whitespace().next().expect("it has a child").parse().expect("a pid is a number")
}

#[test]
fn what_a_passed_task_leaves_behind_is_ended_and_told() {
    let token = token(901);
    let project = Project::new()
        .executable(
            "daemon.sh",
            "#!/bin/sh\nsetsid sh -c \"echo up >> up; exec sleep 4000.$1\" &\nuntil [ -s up ]; do :; done\n",
        )
        .main(&format!("job.run {{ testscript = 'daemon.sh', args = {{ '{token}' }}, taskid = 'd' }}"));
    let ended = project.job(&[]);
    assert!(with_token(&token).is_empty());
    ended.code(0).outcomes("d=passed").stderr_has("1 leftover process killed");
    assert_eq!(ended.the_run().task("d")["killed_leftovers"], 1);
}

#[test]
fn what_the_jobfile_itself_starts_lives_as_long_as_the_job() {
    let token = token(902);
    let project = Project::new().main(&format!(
        "os.execute('sleep 4000.{token} & echo $! > pid; (setsid sleep 4000.{token} & echo $! > pid2)')
         job.run {{ testscript = '/bin/true' }}
         job.run {{ testscript = '/bin/true' }}
         print(os.execute('kill -0 $(cat pid) && kill -0 $(cat pid2)'))"
    ));
    let ended = project.job(&[]);
    ended.code(0).stdout("true\texit\t0\n");
    assert!(with_token(&token).is_empty());
}

#[test]
fn a_hidden_orphan_of_one_task_does_not_cost_another_its_own() {
    let token = token(903);
    // The first task hides an orphan and ends; the second has a daemon of its own, which must live until it ends.
    let project = Project::new()
        .executable("hide.sh", "#!/bin/sh\n(env -i PATH=\"$PATH\" setsid sleep 4000.$1 &)\nuntil [ -s up ]; do :; done\necho x > hid\n")
        .executable(
            "keep.sh",
            "#!/bin/sh\n(setsid sh -c \"echo \\$\\$ > up; exec sleep 4000.$1\" &)\nuntil [ -s gone ]; do :; done\nkill -0 $(cat up)\n",
        )
        .main(&format!(
            "local keep = job.Task {{ testscript = 'keep.sh', args = {{ '{token}' }}, cwd = '.', taskid = 'keep' }}
             keep:start()
             job.run {{ testscript = 'hide.sh', args = {{ '{token}' }}, cwd = '.', taskid = 'hide' }}
             io.open('gone', 'w'):write('x\\n'):close()
             keep:wait()"
        ));
    project.job(&[]).code(0).outcomes("keep=passed hide=passed");
    assert!(with_token(&token).is_empty());
}

#[test]
fn a_death_by_signal_is_errored_by_name() {
    let project = Project::new()
        .executable("die.sh", "#!/bin/sh\nkill -$1 $$\n")
        .file("kill.lua", "os.execute('kill -KILL $PPID')")
        .main(
            "for _, name in ipairs { 'KILL', 'SEGV', 'TERM' } do
               print(job.run { testscript = 'die.sh', args = { name }, taskid = name })
             end
             print(job.run { testscript = 'kill.lua', taskid = 'lua' })",
        );
    let ended = project.job(&[]);
    ended.code(1).outcomes("KILL=errored SEGV=errored TERM=errored lua=errored");
    ended.reason_has("KILL", "killed by SIGKILL (signal 9)").reason_has("SEGV", "killed by SIGSEGV (signal 11)");
    ended.reason_has("TERM", "killed by SIGTERM (signal 15)").reason_has("lua", "killed by SIGKILL (signal 9)");
}

#[test]
fn a_task_that_heeds_the_request_to_end_is_not_passed_for_it() {
    let project = Project::new()
        .executable("polite.sh", "#!/bin/sh\ntrap 'echo bye; exit 0' TERM\necho up\nwhile :; do sleep 0.01; done\n")
        .main("print(pcall(job.run, { testscript = 'polite.sh', max_runtime = 0.5, taskid = 'p' }))");
    let ended = project.job(&[]);
    ended.code(1).outcomes("p=errored");
    assert_eq!(ended.the_run().output("p", "stdout"), b"up\nbye\n");
}
