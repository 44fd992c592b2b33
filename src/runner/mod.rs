//! The inside of a task process: it takes its order, runs the script, and says how it ended. And runners: processes that
//! run one runnable and say so in the words of Avocado's nrunner.

mod app;
mod command;
mod error;
mod foreign;
mod install;
mod kinds;
mod line;
pub(crate) mod operation;
mod order;
mod relay;
mod scripted;
mod status;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

pub(crate) use self::app::{is_runner_name, main as runner_main, main_as_runner, run_command};
pub(crate) use self::command::RunnerArgs;
use self::line::TaskLine;
use crate::engine;
use crate::model::{Message, Order};
use crate::script::{self, HostLine, ScriptEnd, Stop};

/// The argument that makes the program run a runnable by a kind that is written in Lua.
pub(crate) const KIND_ROLE: &str = "--as-runner-kind";

/// Runs this process as a kind that is written in Lua. Returns the exit code.
pub(crate) fn kind_main() -> i32 {
    scripted::main()
}

/// Runs this process as a task: its standard input is the socket to the host. Returns the exit code where there was no
/// script to run, and leaves the process else.
pub(crate) fn main() -> i32 {
    // The name by which tools find the process; the full one is in its command line.
    let _ = rustix::thread::set_name(c"rille-task");
    restore_signals();
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            // The host sees the exit code; the text is for its log of the task.
            let _ = writeln!(io::stderr(), "rille: this process was to be a task of a run, but {error}");
            70
        }
    }
}

/// Gives the script the signals of any other program. Rust's own handler would take a SIGSEGV that somebody sends for a
/// false alarm and go on, and what the script starts would inherit that SIGPIPE is ignored.
fn restore_signals() {
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE] {
        // SAFETY: the default action is no code of this process, and no other thread runs yet.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn serve() -> io::Result<()> {
    let line = TaskLine::new(take_stdin()?);
    let order: Order = line.receive()?;
    open_stdin(&order)?;
    // A walk has nothing to clean up: a worker ends at once.
    let stop = if order.walk.is_some() { Stop::at_once() } else { Stop::listen()? };
    line.heed_with(&stop);
    let host: Rc<dyn HostLine> = Rc::new(line);
    if let Some(walks) = &order.walk {
        return report(&*host, script::run_worker(&order, walks, &host, &stop));
    }
    let script = script::run_script(&order, &host, &stop);
    if let Some(signal) = stop.stray_signal() {
        // Whoever sent it is to see what came of it, and so is the host.
        host.flush()?;
        engine::die_of(signal);
    }
    report(&*host, script.end.clone())?;
    // What it says from now on is of its finalisers.
    script::leave(0, || {
        script.close();
        let _ = host.flush();
    })
}

/// Moves the socket out of the way: the script and what it starts must not find it.
fn take_stdin() -> io::Result<UnixStream> {
    let socket: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    Ok(UnixStream::from(socket))
}

fn open_stdin(order: &Order) -> io::Result<()> {
    let path = order.stdin.clone().unwrap_or_else(|| "/dev/null".into());
    let file =
        File::open(&path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    rustix::stdio::dup2_stdin(file)?;
    Ok(())
}

fn report(host: &dyn HostLine, end: ScriptEnd) -> io::Result<()> {
    for text in end.remarks {
        host.tell(&Message::Remark { text })?;
    }
    host.tell(&Message::Finished { result: end.outcome, reason: end.reason, data: end.data })
}
