//! The inside of the process in which a kind that is written in Lua runs a runnable. Its standard input is the socket to
//! its runner.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;

use serde_json::Value;

use crate::engine::IncomingLines;
use crate::script;

/// Runs it, and returns the exit code.
pub(super) fn main() -> i32 {
    super::restore_signals();
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            // The runner sees the exit code; the text is in what it hears of this process.
            let _ = writeln!(io::stderr(), "rille: this process was to run a kind written in Lua, but {error}");
            70
        }
    }
}

fn serve() -> io::Result<()> {
    let socket = super::take_stdin()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut incoming = IncomingLines::of_any_length();
    let order: Value = serde_json::from_slice(incoming.wait_for_next(&socket)?.unwrap_or_default())?;
    let part = |key: &str| order.get(key).cloned().unwrap_or_default();
    let script = part("script");
    let socket = Rc::new(RefCell::new(socket));
    let lines = Rc::clone(&socket);
    let say: script::Say = Rc::new(move |line| {
        // A runner that is gone is told nothing.
        let _ = send(&mut lines.borrow_mut(), line);
    });
    let end =
        script::run_kind(Path::new(script.as_str().unwrap_or_default()), &part("runnable"), &part("output_dir"), &say);
    // What was printed by the standard library of Lua comes before the end.
    // SAFETY: a null pointer stands for every stream.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    send(&mut socket.borrow_mut(), &end.to_string())
}

fn send(socket: &mut UnixStream, line: &str) -> io::Result<()> {
    socket.write_all((line.to_owned() + "\n").as_bytes())
}
