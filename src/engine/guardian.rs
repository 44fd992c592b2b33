//! The process that outlives the host: it ends whatever the host leaves, also after `kill -9` of the host.
//!
//! The process the user started becomes the guardian, a subreaper that holds no state, and its child is the host. Either
//! sees the death of the other at once: the guardian by SIGCHLD, the host by the end of the stream between them. The host
//! is in a process group of its own, so that a signal to the whole group of the user's process takes only one of the two.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpgid, getpid, kill_process, set_child_subreaper, setpgid, wait,
    waitid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::cgroup;
use super::children::ProcView;
use super::signals;
use crate::model::exit_code;

/// How long processes that do not die of SIGKILL (in an uninterruptible call) are waited for.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(5);

/// The host's tie to its guardian.
pub(crate) struct Guarded {
    pub(super) guardian: Pid,
    pub(super) stream: OwnedFd,
    pub(super) signals: OwnedFd,
    /// How `/proc` names processes.
    pub(super) view: ProcView,
}

impl Guarded {
    /// Returns the process that the user started.
    pub(crate) fn guardian_pid(&self) -> u32 {
        self.guardian.as_raw_nonzero().get().unsigned_abs()
    }
}

/// Splits this process, which must have no other thread, into guardian and host. Returns in the host only; the guardian
/// ends with the host's exit code.
pub(crate) fn split() -> io::Result<Guarded> {
    let view = ProcView::look().map_err(io::Error::other)?;
    signals::outlive_file_limit();
    let (guardian_end, host_end) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_child_subreaper(Some(getpid()))?;
    let watched = signals::for_guardian();
    let inherited = watched.block();
    let guardian = getpid();
    // SAFETY: the process has one thread, so the child finds no lock held by a thread that it does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(guardian_end);
            setpgid(None, None)?;
            set_child_subreaper(Some(getpid()))?;
            rustix::io::ioctl_fionbio(&host_end, true)?;
            let signals = signals::requests_into_pipe()?;
            inherited.set_as_mask();
            signals::for_host().block();
            share_memory();
            // As our own process is known outside of its namespace, so is the host by another number.
            let view = ProcView::look().unwrap_or(view);
            Ok(Guarded { guardian, stream: host_end, signals, view })
        }
        pid => {
            drop(host_end);
            let Some(host) = Pid::from_raw(pid) else { leave(exit_code::NO_RESULT) };
            // Both sides do this, so that neither has to wait for the other.
            let _ = setpgid(Some(host), Some(host));
            leave(guard(host, &guardian_end, &watched));
        }
    }
}

/// Has all threads take their memory from one place: a task's is asked for on the main thread and given back on the
/// supervisor's, and what one thread gives back no other thread's place can use again.
fn share_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call sets a limit; it takes effect for threads that are started later.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Serves until the host has ended and nothing is left of it; returns the exit code.
fn guard(host: Pid, stream: &OwnedFd, watched: &signals::SignalSet) -> i32 {
    let code = loop {
        match watched.wait() {
            libc::SIGCHLD => {
                if let Some(code) = reap_until(host) {
                    break code;
                }
            }
            libc::SIGCONT => {
                let _ = kill_process(host, Signal::CONT);
            }
            libc::SIGTTOU => {}
            signal => {
                let byte = u8::try_from(signal).unwrap_or_default();
                // A host that is gone needs no signals.
                let _ = send(stream, &[byte], SendFlags::NOSIGNAL);
            }
        }
    };
    cgroup::end_run(host, end_all_children);
    take_terminal_back(host);
    code
}

/// Reaps what has ended; returns the exit code if the host has.
///
/// Each call says whom it reaped. To ask first and reap then would lose the host's end: when the host is killed its
/// children become the guardian's before it is dead itself, so that it can die between the question and the reaping.
fn reap_until(host: Pid) -> Option<i32> {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid != host {
            continue;
        }
        return Some(status.exit_status().unwrap_or_else(|| {
            let signal = status.terminating_signal();
            let name = signal.and_then(signal_hook::low_level::signal_name).unwrap_or("a signal");
            complain(&format!(
                "rille: the host process was killed by {name}; its run is lost, and its tasks were ended\n"
            ));
            exit_code::NO_RESULT
        }));
    }
    None
}

/// Kills every child of this process, and theirs, until there is none.
pub(super) fn end_all_children() {
    let view = ProcView::look();
    let started = Instant::now();
    while started.elapsed() < UNKILLABLE_AFTER {
        if let Ok(view) = view {
            children(view).into_iter().filter_map(Pid::from_raw).for_each(|child| {
                // It is a child that has not been reaped, so the number is its own.
                let _ = kill_process(child, Signal::KILL);
            });
        }
        loop {
            match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                Ok(Some(_)) => {}
                Err(Errno::CHILD) => return,
                Ok(None) | Err(_) => break,
            }
        }
        // The kernel takes a moment to end them; there is nothing to wait on that covers grandchildren to come.
        std::thread::sleep(Duration::from_micros(500));
    }
    complain("rille: some processes of the run cannot be killed (they wait for the kernel)\n");
}

/// Returns the children of all threads of this process.
fn children(view: ProcView) -> Vec<i32> {
    let mut children = Vec::new();
    for thread in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let list = thread.path().join("children").into_os_string().into_vec();
        if let Ok(list) = CString::new(list) {
            let _ = view.each_child(&list, |child| children.push(child));
        }
    }
    children
}

/// The host may have taken the terminal to read from it.
fn take_terminal_back(host: Pid) {
    let stdin = rustix::stdio::stdin();
    if tcgetpgrp(stdin).is_ok_and(|group| group == host)
        && let Ok(own) = getpgid(None)
    {
        let _ = tcsetpgrp(stdin, own);
    }
}

fn complain(text: &str) {
    // With a closed terminal there is nobody to tell.
    let _ = rustix::io::write(rustix::stdio::stderr(), text.as_bytes());
}

/// Ends this process at once, without running anything of the other half that it was forked from.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: _exit takes any code and does not return.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use rustix::process::{WaitStatus, setsid, waitpid};

    use super::*;

    /// How long anything may take that should be there at once.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// Tells the process of one test from that of all.
    const ALONE: &str = "RILLE_TEST_ALONE";

    /// Returns whether the calling test has a process to itself; if not, it is run in one. What is forked holds whatever
    /// the process has open, so the locks of other tests too.
    #[track_caller]
    fn is_alone() -> bool {
        if std::env::var_os(ALONE).is_some() {
            return true;
        }
        let thread = std::thread::current();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", thread.name().expect("it has that of the test"), "--nocapture"]).env(ALONE, "1");
        let ended = command.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success() && said.contains("1 passed"), "{said}");
        false
    }

    /// Runs `body` in a process of its own, which has one thread, and ends with what it returns.
    fn fork(body: impl FnOnce() -> i32) -> Pid {
        // SAFETY: the C library makes its memory usable in the new process, and nothing is called there that takes
        // another lock. It leaves before anything of this one is dropped.
        match unsafe { libc::fork() } {
            0 => leave(body()),
            pid => Pid::from_raw(pid).expect("a process can be made"),
        }
    }

    /// Ends by a signal, or never.
    fn stay() -> i32 {
        loop {
            std::thread::sleep(DEADLINE);
        }
    }

    fn own_number() -> [u8; 4] {
        getpid().as_raw_nonzero().get().to_ne_bytes()
    }

    /// Guards a process that does what `host` says, which has the stream to its guardian, while `meanwhile` is done with the numbers of guardian and host. Returns
    /// how the guardian ended, when nothing is left of what it has guarded.
    fn guarded(host: impl FnOnce(UnixStream) -> i32, meanwhile: impl FnOnce(Pid, Pid)) -> WaitStatus {
        let (mut heard, test) = UnixStream::pair().unwrap();
        heard.set_read_timeout(Some(DEADLINE)).unwrap();
        let guardian = fork(|| {
            // Whoever started the tests may have had some ignored.
            (1..=libc::SIGRTMAX()).for_each(signals::set_default);
            set_child_subreaper(Some(getpid())).expect("it is allowed");
            let watched = signals::for_guardian();
            let inherited = watched.block();
            let (own, guardian) = UnixStream::pair().expect("a pair can be made");
            let pid = fork(|| {
                inherited.set_as_mask();
                let _ = setpgid(None, None);
                (&test).write_all(&own_number()).expect("it is heard");
                host(guardian)
            });
            guard(pid, &own.into(), &watched)
        });
        drop(test);
        let mut number = [0; 4];
        heard.read_exact(&mut number).unwrap();
        meanwhile(guardian, Pid::from_raw(i32::from_ne_bytes(number)).unwrap());
        let started = Instant::now();
        let ended = loop {
            if let Some((_, ended)) = waitpid(Some(guardian), WaitOptions::NOHANG).unwrap() {
                break ended;
            }
            if started.elapsed() > DEADLINE {
                let _ = kill_process(guardian, Signal::KILL);
                panic!("the guardian does not end");
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        // Whoever lives of them has the other end.
        assert_eq!(heard.read_to_end(&mut Vec::new()).map_err(|error| error.kind()), Ok(0), "somebody is left");
        ended
    }

    fn state_of(pid: Pid) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    #[test]
    fn the_guardian_ends_as_its_host_does() {
        if !is_alone() {
            return;
        }
        for code in [0, 1, 7, 255] {
            assert_eq!(guarded(|_| code, |_, _| ()).exit_status(), Some(code));
        }
        for signal in [Signal::KILL, Signal::TERM, Signal::ABORT] {
            let ended = guarded(|_| stay(), |_, host| kill_process(host, signal).unwrap());
            assert_eq!(ended.exit_status(), Some(exit_code::NO_RESULT), "{signal:?}");
        }
    }

    #[test]
    fn nothing_is_left_whatever_the_host_has_started_and_however_it_ends() {
        if !is_alone() {
            return;
        }
        let start_all = || {
            fork(stay);
            // One that hides, whose parent ends, and its own below it.
            fork(|| {
                let _ = setsid();
                fork(|| {
                    let _ = setsid();
                    fork(stay);
                    fork(|| 3);
                    stay()
                });
                0
            });
            // One that stands still, and one that heeds no signal.
            fork(|| {
                signals::stop_here();
                0
            });
            fork(|| {
                signals::block_all();
                stay()
            });
        };
        let ended = guarded(
            |_| {
                start_all();
                4
            },
            |_, _| (),
        );
        assert_eq!(ended.exit_status(), Some(4));
        let ended = guarded(
            |_| {
                start_all();
                let _ = kill_process(getpid(), Signal::KILL);
                stay()
            },
            |_, _| (),
        );
        assert_eq!(ended.exit_status(), Some(exit_code::NO_RESULT));
    }

    #[test]
    fn what_asks_the_run_to_stop_is_handed_on_and_ends_nobody() {
        if !is_alone() {
            return;
        }
        for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::TSTP] {
            let host = |mut guardian: UnixStream| {
                let mut asked = [0];
                let _ = guardian.read_exact(&mut asked);
                i32::from(asked[0])
            };
            let ended = guarded(host, |guardian, _| kill_process(guardian, signal).unwrap());
            assert_eq!(ended.exit_status(), Some(signal.as_raw()), "{signal:?}");
        }
    }

    #[test]
    fn a_host_that_stands_still_goes_on_with_its_guardian() {
        if !is_alone() {
            return;
        }
        let host = |_| {
            signals::stop_here();
            5
        };
        let ended = guarded(host, |guardian, host| {
            let started = Instant::now();
            while state_of(host) != Some('T') {
                assert!(started.elapsed() < DEADLINE, "the host does not stand still");
                std::thread::sleep(Duration::from_millis(2));
            }
            kill_process(guardian, Signal::CONT).unwrap();
        });
        assert_eq!(ended.exit_status(), Some(5));
    }
}
