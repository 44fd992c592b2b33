//! The local spawner with real processes and nothing around it: what is told, in which order, and who is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, kill_process, test_kill_process};

use super::*;
use crate::engine::spawner::{Left, What};
use crate::model::Exit;

/// What was told of an attempt.
#[derive(Debug, Default)]
struct Heard {
    pid: i32,
    output: Vec<u8>,
    exit: Option<Exit>,
    left: Option<Left>,
    not_started: Option<NotStarted>,
    /// The words of all news in their order; output counts once until something else comes.
    order: Vec<&'static str>,
}

struct Bench {
    local: Local,
    heard: BTreeMap<AttemptId, Heard>,
    started: Instant,
    folder: tempfile::TempDir,
}

fn note(heard: &mut BTreeMap<AttemptId, Heard>, id: AttemptId, news: &News<'_>) {
    let heard = heard.entry(id).or_default();
    let word = match news {
        News::Started { pid } => {
            heard.pid = *pid;
            "started"
        }
        News::NotStarted(why) => {
            heard.not_started = Some(why.clone());
            "not started"
        }
        News::Output { bytes, .. } => {
            heard.output.extend_from_slice(bytes);
            "output"
        }
        News::Said(_) => "said",
        News::Reported(_) => "reported",
        News::Heard => "heard",
        News::Exited(exit) => {
            heard.exit = Some(*exit);
            "exited"
        }
        News::Gone(left) => {
            heard.left = Some(*left);
            "gone"
        }
        News::Lost(_) => "lost",
    };
    if heard.order.last() != Some(&word) {
        heard.order.push(word);
    }
}

impl Bench {
    fn new() -> Self {
        // Orphans of killed owners become children of this process; so do those of other tests, which are left alone.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let around = Surroundings {
            run_id: "0123".to_owned(),
            directory: folder.path().to_owned(),
            started_in: folder.path().to_owned(),
            testbed_file: None,
            output_limit: 1 << 20,
            visible_gpus: None,
            synchro: Arc::default(),
            masks: crate::model::Masks::default(),
        };
        let local = Local::new(around, ProcView::look().unwrap(), None, false).unwrap();
        Self { local, heard: BTreeMap::new(), started: Instant::now(), folder }
    }

    fn start(&mut self, task: TaskNumber, program: &str, args: &[&str]) -> AttemptId {
        let id = AttemptId { task, ordinal: 1 };
        let start = Start {
            id,
            task_id: format!("t{task}"),
            what: What::Program { program: program.to_owned(), args: args.iter().map(|arg| (*arg).into()).collect() },
            parameters: vec![("PARAMETER".to_owned(), "p".into())],
            env: vec![("HOME".to_owned(), None), ("OWN".to_owned(), Some("o".into()))],
            is_bare: false,
            folder: self.folder.path().to_owned(),
            run: None,
            cwd: None,
            stdin: None,
            slots: BTreeMap::from([("rack-a".to_owned(), vec![0, 2])]),
            has_large_pipes: false,
        };
        let heard = &mut self.heard;
        self.local.start(start, &mut |id, news| note(heard, id, &news));
        id
    }

    fn sh(&mut self, task: TaskNumber, script: &str) -> AttemptId {
        self.start(task, "sh", &["-c", script])
    }

    /// Hears until what is wanted has come.
    fn until(&mut self, what: &str, is_there: impl Fn(&BTreeMap<AttemptId, Heard>) -> bool) {
        while !is_there(&self.heard) {
            let now = self.started.elapsed();
            assert!(now < Duration::from_mins(1), "{what} does not come: {:?}", self.heard);
            let due = self.local.due(now).map_or(Duration::from_secs(1), |due| due.saturating_sub(now));
            let timeout = Timespec::try_from(due.min(Duration::from_secs(1))).unwrap();
            {
                let wakes = self.local.wakes().unwrap();
                let _ = poll(&mut [PollFd::new(&wakes, PollFlags::IN)], Some(&timeout));
            }
            let heard = &mut self.heard;
            self.local.hear(self.started.elapsed(), &mut |id, news| note(heard, id, &news));
        }
    }

    fn until_gone(&mut self, id: AttemptId) -> &Heard {
        self.until("its end", |heard| heard[&id].left.is_some());
        &self.heard[&id]
    }

    fn until_file(&mut self, name: &str) -> String {
        let path = self.folder.path().join(name);
        let text = |path: &Path| fs::read_to_string(path).ok().filter(|text| text.ends_with('\n'));
        self.until(name, |_| text(&path).is_some());
        text(&path).unwrap().trim().to_owned()
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that nobody has waited for has ended all the same.
    !stat.is_empty() && !stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" Z"))
}

#[test]
fn an_attempt_is_told_from_its_start_to_its_end_in_order() {
    let mut bench = Bench::new();
    let id = bench.sh(1, "echo out; echo err >&2; exit 7");
    let heard = bench.until_gone(id);
    assert_eq!(heard.exit, Some(Exit::Code(7)));
    assert_eq!((heard.order.first(), heard.order.last()), (Some(&"started"), Some(&"gone")));
    let mut lines: Vec<&str> = std::str::from_utf8(&heard.output).unwrap().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["err", "out"]);
}

#[test]
fn a_program_finds_its_environment_and_clean_signals() {
    let mut bench = Bench::new();
    let script = "echo $PARAMETER $OWN ${HOME-none} $RILLE_TASK_ID $RILLE_SLOTS_RACK_A $RILLE_ATTEMPT; \
                  grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status | tr -d '\\n'";
    let id = bench.sh(1, script);
    let text = String::from_utf8(bench.until_gone(id).output.clone()).unwrap();
    let (first, signals) = text.split_once('\n').unwrap();
    assert_eq!(first, "p o none t1 0,2 1");
    let zero = "0000000000000000";
    assert!(
        signals.contains(&format!("SigBlk:\t{zero}")) && signals.contains(&format!("SigIgn:\t{zero}")),
        "{signals}"
    );
}

#[test]
fn what_cannot_be_started_says_why() {
    let mut bench = Bench::new();
    let id = bench.start(1, "no-such-program", &[]);
    let why = bench.heard[&id].not_started.clone();
    let wanted = "cannot start no-such-program: there is no program of that name on the PATH (";
    assert!(matches!(&why, Some(NotStarted::Task(why)) if why.starts_with(wanted)), "{why:?}");
    let id = bench.start(2, "/", &[]);
    assert!(matches!(&bench.heard[&id].not_started, Some(NotStarted::Task(why)) if why.contains("chmod +x")));
    assert!(bench.local.live.is_empty());
}

#[test]
fn what_is_left_is_told_and_killed_on_demand_whatever_it_hides_behind() {
    let mut bench = Bench::new();
    // In its group, in a session of its own, and with an empty environment.
    let script = "sleep 3001 & echo $! > one; setsid sh -c 'echo $$ > two; exec sleep 3001' & \
                  env -i setsid sh -c 'echo $$ > three; exec sleep 3001' & \
                  while ! [ -s two ] || ! [ -s three ]; do sleep 0.005; done";
    let id = bench.sh(1, script);
    let other = bench.sh(2, "sleep 3002");
    bench.until("its exit", |heard| heard[&id].exit.is_some());
    let pids = ["one", "two", "three"].map(|name| bench.until_file(name));
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    assert!(bench.heard[&id].left.is_none());
    bench.local.ask(id, Ask::Kill);
    assert_eq!(bench.until_gone(id).left.unwrap().killed, 3);
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{pids:?}");
    // Nobody else's was touched.
    assert!(is_alive(&bench.heard[&other].pid.to_string()));
    bench.local.ask(other, Ask::Signal(15));
    assert_eq!(bench.until_gone(other).exit, Some(Exit::Signal(15)));
}

#[test]
fn what_ends_by_itself_in_time_was_not_killed() {
    let mut bench = Bench::new();
    let id = bench.sh(1, "(sleep 0.2; echo late) &");
    let heard = bench.until_gone(id);
    assert_eq!(heard.left.unwrap().killed, 0);
    assert_eq!(heard.output, b"late\n");
    assert_eq!(heard.order, ["started", "exited", "output", "gone"]);
}

#[test]
fn a_task_that_ends_its_parent_ends_itself_by_that_and_leaves_nothing() {
    for (signal, number) in [("KILL", 9), ("TERM", 15), ("USR1", 10), ("HUP", 1)] {
        let mut bench = Bench::new();
        let script = format!(
            "setsid sh -c 'echo $$ > hidden; exec sleep 3003' & while ! [ -s hidden ]; do sleep 0.005; done; \
             kill -{signal} $PPID; sleep 3003"
        );
        let id = bench.sh(1, &script);
        let other = bench.sh(2, "sleep 3004");
        let hidden = bench.until_file("hidden");
        let heard = bench.until_gone(id);
        assert_eq!(heard.exit, Some(Exit::Signal(number)), "{signal}");
        assert!(!is_alive(&hidden), "{signal}");
        assert!(is_alive(&bench.heard[&other].pid.to_string()), "{signal}");
        bench.local.ask(other, Ask::Kill);
        bench.until_gone(other);
    }
}

#[test]
fn a_task_that_stops_its_parent_is_heard_of_all_the_same() {
    let mut bench = Bench::new();
    let id = bench.sh(1, "kill -STOP $PPID; exit 3");
    assert_eq!(bench.until_gone(id).exit, Some(Exit::Code(3)));
}

#[test]
fn all_of_an_attempt_stands_still_and_goes_on() {
    let mut bench = Bench::new();
    let id = bench.sh(1, "setsid sh -c 'echo $$ > a; sleep 3005' & echo $$ > b; wait");
    let pids = ["a", "b"].map(|name| bench.until_file(name));
    let states = || -> Vec<String> {
        let state = |pid: &String| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit_once(") ").unwrap().1[..1].to_owned()
        };
        pids.iter().map(state).collect()
    };
    bench.local.ask(id, Ask::Stop);
    bench.until("a stop", |_| states()[1] == "T");
    bench.local.ask(id, Ask::Continue);
    bench.until("that it goes on", |_| states()[1] != "T");
    bench.local.ask(id, Ask::Kill);
    bench.until_gone(id);
}

#[test]
fn the_owner_of_a_host_that_is_gone_ends_its_tree() {
    // A host that is killed is a process of its own: it makes an owner, says who is there, and dies.
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "setsid sh -c 'echo $$ > {0}/hidden; exec sleep 3006' & echo $$ > {0}/task; sleep 3006",
        folder.path().display()
    );
    // SAFETY: the child does nothing that another thread's lock could hold up but to start its task, and is killed then.
    let host = unsafe { libc::fork() };
    if host == 0 {
        let mut bench = Bench::new();
        let id = bench.sh(1, &script);
        let _ = id;
        loop {
            // SAFETY: pause takes nothing and returns at a signal.
            unsafe { libc::pause() };
        }
    }
    let host = Pid::from_raw(host).unwrap();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok().filter(|text| text.ends_with('\n'));
    let deadline = Instant::now() + Duration::from_mins(1);
    while read("hidden").is_none() || read("task").is_none() {
        assert!(Instant::now() < deadline, "the task does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
    let pids = [read("hidden").unwrap(), read("task").unwrap()].map(|pid| pid.trim().to_owned());
    kill_process(host, Signal::KILL).unwrap();
    while pids.iter().any(|pid| is_alive(pid)) {
        assert!(Instant::now() < deadline, "{pids:?} live on");
        std::thread::sleep(Duration::from_millis(2));
    }
    rustix::process::waitpid(Some(host), rustix::process::WaitOptions::empty()).unwrap();
    assert!(test_kill_process(host).is_err());
}

#[test]
fn a_storm_of_forks_is_ended() {
    let mut bench = Bench::new();
    // Each lives for a moment, in a session of its own, and has made the next before it ends.
    let comet = "import os, time\nfor _ in range(4):\n    if os.fork() == 0: break\nwhile True:\n    if os.fork(): os._exit(0)\n    os.setsid()\n    time.sleep(0.0002)\n";
    let id = bench.start(1, "python3", &["-c", comet]);
    bench.until("its exit", |heard| heard[&id].exit.is_some());
    let asked = Instant::now();
    bench.local.ask(id, Ask::Kill);
    bench.until_gone(id);
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
}

#[test]
fn what_nobody_reads_is_held_and_not_lost() {
    let mut bench = Bench::new();
    let id = bench.sh(1, "echo one; while ! [ -e go ]; do sleep 0.005; done; echo two");
    bench.until("a line", |heard| heard[&id].output == b"one\n");
    bench.local.hold(id, Stream::Stdout, true);
    fs::write(bench.folder.path().join("go"), "").unwrap();
    assert_eq!(bench.until_gone(id).output, b"one\ntwo\n");
}
