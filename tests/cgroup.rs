//! Where the place of a run among the groups of processes (cgroup v2) is its own, each attempt has a group.

use std::fs;
use std::process::Command;

use crate::harness::{Ended, Project, skipped};

const RILLE: &str = env!("CARGO_BIN_EXE_rille");

/// How a group is handed to whoever is in it, as systemd does it.
const MARKED: &str = r#"python3 -c 'import os, sys; os.setxattr(sys.argv[1], "trusted.delegate", b"1")' "$group""#;

/// A group in a tree of its own mount.
struct Group {
    name: String,
    project: Project,
}

impl Group {
    /// Takes a name that nobody else has; `None`, said aloud, where no such group can be made.
    fn new(project: Project) -> Option<Self> {
        let name = format!("rille-test-{}", project.root().file_name().expect("it has a name").display());
        let group = Self { name, project };
        let tried = group.shell(MARKED, "true").output().expect("a shell can be started");
        if !tried.status.success() {
            let why = String::from_utf8_lossy(&tried.stderr);
            skipped(&format!("no group of processes can be made here: {}", why.trim()));
        }
        tried.status.success().then_some(group)
    }

    /// Returns a shell that does `what` in the group, which was handed over by `how`; then the file `left` lists which groups
    /// of runs are there, and the group is removed.
    fn shell(&self, how: &str, what: &str) -> Command {
        let script = format!(
            "set -e\ngroup=/sys/fs/cgroup/{}\nmount -t cgroup2 none /sys/fs/cgroup\nmkdir -p $group\n{how}\n\
             echo $$ >$group/cgroup.procs\nset +e\n{what}\ncode=$?\n(cd $group && ls -d rille-*) >left 2>/dev/null\n\
             echo $$ >/sys/fs/cgroup/cgroup.procs\nrmdir $group\nexit $code",
            self.name
        );
        let mut command = self.project.command("unshare");
        command.args(["--mount", "bash", "-c", &script, RILLE]);
        command
    }

    /// Runs the job to its end; nothing of it is in the group then.
    #[track_caller]
    fn run(&self, how: &str) -> Ended {
        let ended = self.project.start_command(self.shell(how, "\"$0\" run job.lua")).wait();
        assert_eq!(fs::read_to_string(self.project.path("left")).expect("it was listed"), "", "{ended}");
        ended
    }

    /// Returns in which group the task `a` was, as it has told.
    fn told(&self) -> String {
        let told = String::from_utf8(self.project.the_run().output("a", "stdout")).expect("it is text");
        let own =
            told.lines().find_map(|line| line.strip_prefix("0::/")).expect("the kernel has such groups").to_owned();
        fs::remove_dir_all(self.project.home()).expect("it is ours");
        own
    }
}

#[test]
fn each_attempt_has_a_group_where_groups_may_be_made_and_none_where_not() {
    let project = Project::new().main("job.run { testscript = 'cat', args = { '/proc/self/cgroup' }, taskid = 'a' }");
    let Some(group) = Group::new(project) else { return };
    group.run(MARKED).code(0).outcomes("a=passed");
    let told = group.told();
    let below = told.strip_prefix(&format!("{}/rille-", group.name)).unwrap_or_else(|| panic!("{told}"));
    let (host, attempt) = below.split_once('/').expect("the attempt's is below the run's");
    assert!(host.parse::<u32>().is_ok() && attempt == "1", "{told}");
    // The system's own, and one that takes no more groups.
    for how in ["true", &format!("{MARKED}; echo 0 >$group/cgroup.max.descendants")] {
        group.run(how).code(0).outcomes("a=passed");
        assert_eq!(group.told(), group.name, "{how}");
    }
}

#[test]
fn a_group_ends_whatever_its_attempt_has_started() {
    let project = Project::new().main(
        r#"local STORM = "import os, time\nwhile True:\n try: os.fork()\n except OSError: pass\n time.sleep(0.01)"
        job.parallel {
            { testscript = "sh", args = { "-c", "(setsid env -i sleep 1000 >/dev/null 2>&1 &); exit 0" }, taskid = "daemon" },
            { testscript = "sh", args = { "-c", "setsid sleep 1000 & kill -9 $PPID; sleep 1000" }, taskid = "orphan" },
            { testscript = "python3", args = { "-c", STORM }, taskid = "storm", max_runtime = 0.5 },
            { testscript = "sh", args = { "-c", "kill -STOP $$" }, taskid = "still", max_runtime = 0.5 },
            { testscript = "sh", args = { "-c", "exit 1" }, taskid = "bad" },
        }"#,
    );
    let Some(group) = Group::new(project) else { return };
    let ended = group.run(&format!("{MARKED}\nulimit -u 2000"));
    ended.code(1).outcomes("daemon=passed orphan=errored storm=errored still=errored bad=failed");
    let run = group.project.the_run();
    assert_eq!(run.task("daemon")["killed_leftovers"], 1, "{}", run.task("daemon"));
}

#[test]
fn the_group_that_a_killed_guardian_and_host_have_left_is_removed_by_the_next_run() {
    let project = Project::new().file("quick.lua", "function main() end");
    let up = project.path("up").display().to_string();
    let main = "job.run { testscript = 'sh', args = { '-c', 'echo >UP; exec sleep 1000' }, taskid = 'a' }";
    let project = project.main(&main.replace("UP", &up));
    let Some(group) = Group::new(project) else { return };
    // Neither sees the other die.
    let script = "\"$0\" run job.lua &\nuntil [ -s up ]; do sleep 0.005; done\nhost=$(cat /proc/$!/task/$!/children)\n\
                  kill -STOP $! $host\nkill -KILL $! $host\nwait\n(cd $group && ls -d rille-*) >before\n\"$0\" run quick.lua";
    let ended = group.project.start_command(group.shell(MARKED, script)).wait();
    let list = |name| fs::read_to_string(group.project.path(name)).expect("it was listed");
    assert!(list("before").starts_with("rille-"), "there is something to remove: {ended}");
    assert_eq!(list("left"), "", "{ended}");
}
