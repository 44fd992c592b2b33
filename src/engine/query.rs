//! Programs that are asked something on the way to a run: `git`, an interpreter. They are no tasks of the run: they have a
//! time limit, what they write is kept in memory up to a cap, and they end with their process group.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, bounded};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::piped_child::{Attendant, PipedChild};
use crate::model::Stream;

/// How soon it is noticed that nobody waits for the answer any more.
const ATTENTION: Duration = Duration::from_millis(50);

/// A program that is to be asked.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// Its name on the `PATH`, or its path.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// The folder that it works in.
    pub(crate) cwd: PathBuf,
    /// Variables on top of the host's.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// How many bytes of its output are kept. A program that writes more is ended.
    pub(crate) most: usize,
    /// Whether it is ended when this process is, however that comes: what may take long must not be left behind.
    pub(crate) ends_with_host: bool,
}

impl Query {
    /// Makes a query with the limits that suit a quick one.
    pub(crate) fn new(program: &str, args: &[&str], cwd: &std::path::Path) -> Query {
        Query {
            program: program.into(),
            args: args.iter().map(OsString::from).collect(),
            cwd: cwd.to_owned(),
            env: Vec::new(),
            limit: Duration::from_secs(30),
            most: 256 << 20,
            ends_with_host: false,
        }
    }

    /// Starts the program. Several can be under way at once.
    pub(crate) fn start(self) -> Asked {
        let (reply, answer) = bounded(1);
        let is_given_up = Arc::new(AtomicBool::new(false));
        let given_up = Arc::clone(&is_given_up);
        // A thread of its own is the parent: what the supervisor reaps of the host's main thread is not this.
        let spawned = thread::Builder::new().name("query".to_owned()).spawn(move || {
            // Who gave up waits for no answer.
            let _ = reply.send(ask(&self, &given_up));
        });
        Asked { answer, is_given_up, failed: spawned.err() }
    }
}

/// A program that works on its answer.
pub(crate) struct Asked {
    answer: Receiver<Result<Answer, QueryError>>,
    is_given_up: Arc<AtomicBool>,
    failed: Option<io::Error>,
}

/// What a program has answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// What it wrote to its standard output.
    pub(crate) stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Answer {
    /// Returns how the program failed, with the last line that it wrote about it; `None` if it did not.
    pub(crate) fn failure(&self) -> Option<String> {
        if self.status.success() {
            return None;
        }
        let text = String::from_utf8_lossy(&self.stderr);
        let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
        Some(last.unwrap_or_else(|| match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("it exited with code {code}"),
            (None, signal) => {
                let name = signal.and_then(signal_hook::low_level::signal_name);
                format!("it was killed by {}", name.unwrap_or("a signal"))
            }
        }))
    }
}

/// Why a program has not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryError {
    /// There is no such program.
    #[error("there is no such program")]
    NotFound,
    /// It could not be started or read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long, and was killed.
    #[error("it took longer than {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// It wrote too much, and was killed.
    #[error("it wrote more than {0} bytes")]
    TooMuch(usize),
    /// The run is to stop, so it was killed.
    #[error("it was interrupted")]
    Interrupted,
}

impl Asked {
    /// Waits for the answer. `is_interrupted` tells that it is not wanted any more.
    pub(crate) fn answer(self, is_interrupted: &dyn Fn() -> bool) -> Result<Answer, QueryError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        loop {
            match self.answer.recv_timeout(ATTENTION) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if is_interrupted() => self.is_given_up.store(true, Ordering::SeqCst),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("its watcher has died").into()),
            }
        }
    }
}

fn ask(query: &Query, is_given_up: &AtomicBool) -> Result<Answer, QueryError> {
    let mut command = Command::new(&query.program);
    command.args(&query.args).current_dir(&query.cwd).envs(query.env.iter().map(|(name, value)| (name, value)));
    if query.ends_with_host {
        // The thread that asks is the parent that counts, and lives as long as it waits.
        let end = || Ok(set_parent_process_death_signal(Some(Signal::KILL))?);
        // SAFETY: between fork and exec it does nothing but one system call.
        unsafe { command.pre_exec(end) };
    }
    let child = PipedChild::spawn(command.stdin(Stdio::null())).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if query.cwd.is_dir() => QueryError::NotFound,
        _ => QueryError::Io(error),
    })?;
    let deadline = Instant::now() + query.limit;
    let mut heard = Heard { query, is_given_up, deadline, stdout: Vec::new(), stderr: Vec::new() };
    let status = child.attend(&mut heard)?;
    Ok(Answer { status, stdout: heard.stdout, stderr: heard.stderr })
}

/// What was heard of a program so far, and how long it may go on.
struct Heard<'a> {
    query: &'a Query,
    is_given_up: &'a AtomicBool,
    deadline: Instant,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Attendant for Heard<'_> {
    type Error = QueryError;

    fn turn(&mut self, _child: &PipedChild) -> Result<Instant, QueryError> {
        let now = Instant::now();
        if self.deadline <= now {
            return Err(QueryError::TimedOut(self.query.limit));
        }
        if self.is_given_up.load(Ordering::SeqCst) {
            return Err(QueryError::Interrupted);
        }
        Ok(self.deadline.min(now + ATTENTION))
    }

    fn output(&mut self, stream: Stream, bytes: &[u8]) -> Result<(), QueryError> {
        let kept = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if kept.len() + bytes.len() > self.query.most {
            return Err(QueryError::TooMuch(self.query.most));
        }
        kept.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    fn ask(script: &str, change: impl FnOnce(&mut Query)) -> Result<Answer, QueryError> {
        let mut query = Query::new("sh", &["-c", script], Path::new("/"));
        change(&mut query);
        query.start().answer(&|| false)
    }

    #[test]
    fn both_outputs_and_the_end_are_told() {
        let answer = ask("pwd; echo \"$X\" >&2; exit 3", |query| query.env = vec![("X".into(), "y".into())]).unwrap();
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (b"/\n".as_slice(), b"y\n".as_slice()));
        assert_eq!((answer.status.code(), answer.failure().as_deref()), (Some(3), Some("y")));
        let big = ask("head -c 1000000 /dev/zero", |_| ()).unwrap();
        assert_eq!((big.stdout.len(), big.failure()), (1_000_000, None));
        assert_eq!(ask("kill -9 $$", |_| ()).unwrap().failure().as_deref(), Some("it was killed by SIGKILL"));
    }

    #[test]
    fn a_program_that_is_not_there_is_told_from_one_that_fails() {
        let query = Query::new("no-such-program", &[], Path::new("/"));
        assert!(matches!(query.start().answer(&|| false), Err(QueryError::NotFound)));
        let nowhere = Query::new("sh", &[], Path::new("/no/such/folder"));
        assert!(matches!(nowhere.start().answer(&|| false), Err(QueryError::Io(_))));
    }

    #[test]
    fn what_takes_too_long_or_writes_too_much_is_killed_with_its_group() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("pid");
        let script = format!("sleep 1000 & echo $! > '{}'; wait", note.display());
        let error = ask(&script, |query| query.limit = Duration::from_millis(500)).unwrap_err();
        assert_eq!(error.to_string(), "it took longer than 0.5 s");
        let pid: i32 = std::fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        // It was killed, but dies when it is its turn.
        if let Ok(pidfd) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
            let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
            assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "process {pid} lives on");
        }
        assert!(matches!(ask("yes", |query| query.most = 1000), Err(QueryError::TooMuch(1000))));
    }

    #[test]
    fn nobody_waits_for_what_a_child_left_running() {
        // The second one writes for ever.
        for script in ["sleep 1000 & echo $!", "yes >&2 & echo $!"] {
            let begun = Instant::now();
            let answer = ask(script, |_| ()).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(100), "{script}");
            let pid: i32 = String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap();
            let _ = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }

    #[test]
    fn a_query_can_be_given_up() {
        let query = Query::new("sleep", &["1000"], Path::new("/"));
        assert!(matches!(query.start().answer(&|| true), Err(QueryError::Interrupted)));
    }
}
