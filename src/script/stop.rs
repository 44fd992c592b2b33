//! A task that is asked to end: a signal to its process, or a word from its host, becomes an error in the user's code that
//! runs.
//!
//! The section that runs is ended by that error, and what must run after it, the cleanups, runs within the grace that the
//! host gives. So the error is raised in the user's own code only, again and again until somebody has taken note of it, and
//! not while a cleanup runs. Code of a coroutine meets it when it calls something of Rille's or goes back to who resumed it.
//!
//! The signal handler does what Lua allows it: it sets a hook, in which the error is raised.

use std::cell::RefCell;
use std::ffi::{CStr, OsStr, c_char, c_int};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitStatus;
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mlua::{Lua, ffi};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::ScriptError;
use super::task::HostLine;
use crate::engine;
use crate::model::{StopOrder, StopWord};

/// What asks a task to end.
const REQUESTS: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

/// The kind of the error by which a section ends that was asked to.
pub(crate) const STOPPED: &str = "stopped";

/// The kind where that was because of a time limit.
const TIMED_OUT: &str = "timeout";

/// How long after a signal the host's word is waited for that says why. It is sent before the signal, so only who was asked by
/// somebody else waits so long.
const PATIENCE: Duration = Duration::from_millis(200);

/// A longer wait is done in parts.
const LONGEST: Duration = Duration::from_hours(1);

/// The function that raises the error, in the registry of the VM.
const RAISE: &CStr = c"rille.stop";

// A signal handler has no other way to what it needs. A process has one task.
/// The signal that asked; 0 for none.
static ASKED: AtomicI32 = AtomicI32::new(0);
/// Somebody has taken note, and nothing more is raised.
static HEEDED: AtomicBool = AtomicBool::new(false);
/// So many cleanups run, one in the other.
static SHIELDS: AtomicU32 = AtomicU32::new(0);
/// The main thread of the VM.
static STATE: AtomicPtr<ffi::lua_State> = AtomicPtr::new(ptr::null_mut());
/// The end of a pipe that wakes who waits.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The handle of what is asked of this task.
pub(crate) struct Stop {
    /// Readable once the process was asked to end; `None` where that ends it at once, as the system does it.
    pipe: Option<OwnedFd>,
    order: RefCell<Option<StopOrder>>,
}

impl Stop {
    /// Listens to what asks this process to end, instead of ending.
    pub(crate) fn listen() -> io::Result<Rc<Self>> {
        let (reader, writer) = engine::wake_pipe()?;
        PIPE.store(writer.as_raw_fd(), Ordering::SeqCst);
        // The handler needs it as long as the process lives.
        std::mem::forget(writer);
        for signal in REQUESTS {
            engine::notice(signal, on_signal)?;
        }
        Ok(Rc::new(Self { pipe: Some(reader), order: RefCell::new(None) }))
    }

    /// Leaves it to the system: whoever asks this process to end, ends it.
    pub(crate) fn at_once() -> Rc<Self> {
        Rc::new(Self { pipe: None, order: RefCell::new(None) })
    }

    /// Returns whether this process is told when it is asked to end, instead of ending at once.
    pub(crate) fn is_told(&self) -> bool {
        self.pipe.is_some()
    }

    /// Returns what is readable when a wait is to be given up; `None` where nothing can come any more that ends one: later
    /// signals change nothing. What has come before the wait begins is readable too.
    pub(crate) fn wakes(&self) -> Option<BorrowedFd<'_>> {
        let pipe = self.pipe.as_ref().filter(|_| ASKED.load(Ordering::SeqCst) == 0 || is_pending());
        pipe.map(AsFd::as_fd)
    }

    /// Waits so long, or until this process is asked to end.
    pub(crate) fn wait(&self, time: Duration) {
        let until = Instant::now().checked_add(time);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) || self.is_pending() {
                return;
            }
            let part = left.unwrap_or(LONGEST).min(LONGEST);
            let mut wakes: Vec<PollFd<'_>> =
                self.wakes().iter().map(|pipe| PollFd::from_borrowed_fd(*pipe, PollFlags::IN)).collect();
            let limit = Timespec::try_from(part).unwrap_or_default();
            // An interrupted wait goes on.
            let _ = poll(&mut wakes, Some(&limit));
        }
    }

    /// Takes in the host's word that the task is to end.
    pub(crate) fn told(&self, order: StopOrder) {
        self.order.borrow_mut().get_or_insert(order);
        if self.pipe.is_some() {
            ask(libc::SIGTERM);
        }
    }

    /// Returns whether the code that runs now is to be ended.
    pub(crate) fn is_pending(&self) -> bool {
        self.pipe.is_some() && is_pending()
    }

    /// Runs a command of the shell, unless the task is to end.
    pub(crate) fn run_shell(&self, command: &[u8], host: &dyn HostLine) -> mlua::Result<ExitStatus> {
        if self.is_pending() {
            return Err(mlua::Error::external(self.error(host)));
        }
        let asked = || self.is_pending().then(|| ASKED.load(Ordering::SeqCst));
        Ok(engine::run_shell(OsStr::from_bytes(command), &asked)?)
    }

    /// Ends this process if it is left to the system to end it and the host wants it to end. Called after a program has died
    /// of SIGINT: while it ran, this process was deaf to it.
    pub(crate) fn die_with_program(&self) {
        if self.pipe.is_none() && self.order.borrow().is_some() {
            engine::die_of(libc::SIGINT);
        }
    }

    /// Returns the signal of somebody else than the host that asked, if it was that.
    pub(crate) fn stray_signal(&self) -> Option<i32> {
        let signal = ASKED.load(Ordering::SeqCst);
        (signal != 0 && self.order.borrow().is_none()).then_some(signal)
    }

    /// Returns the error that the user's code is ended by. The host is heard for its word first.
    pub(crate) fn error(&self, host: &dyn HostLine) -> ScriptError {
        if self.order.borrow().is_none() {
            host.listen(PATIENCE);
        }
        match &*self.order.borrow() {
            Some(StopOrder { word, text }) => {
                let kind = match word {
                    StopWord::Aborted => STOPPED,
                    StopWord::TimedOut => TIMED_OUT,
                };
                ScriptError { kind, message: text.clone(), place: None, bytes: None }
            }
            None => {
                let signal = ASKED.load(Ordering::SeqCst);
                let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
                ScriptError {
                    kind: STOPPED,
                    message: format!("the task was ended by {name}"),
                    place: None,
                    bytes: None,
                }
            }
        }
    }

    /// Takes note that the code which ran has been ended; returns why. Nothing is raised any more.
    pub(crate) fn heed(&self, host: &dyn HostLine) -> Option<String> {
        if !self.is_pending() {
            return None;
        }
        HEEDED.store(true, Ordering::SeqCst);
        Some(self.error(host).message)
    }

    /// Keeps code from being ended that must run: a cleanup. Taken back by the same call with false.
    #[expect(clippy::unused_self, reason = "who has no handle has no say")]
    pub(crate) fn shield(&self, is_on: bool) {
        match is_on {
            true => SHIELDS.fetch_add(1, Ordering::SeqCst),
            false => SHIELDS.fetch_sub(1, Ordering::SeqCst),
        };
        arm();
    }

    /// Has errors raised in this VM from now on.
    pub(crate) fn attach(self: &Rc<Self>, lua: &Lua, host: &Rc<dyn HostLine>) -> mlua::Result<()> {
        if self.pipe.is_none() {
            return Ok(());
        }
        let (stop, host) = (Rc::clone(self), Rc::clone(host));
        let raise = lua.create_function(move |_, ()| -> mlua::Result<()> {
            match stop.is_pending() {
                true => Err(mlua::Error::external(stop.error(&*host))),
                false => Ok(()),
            }
        })?;
        lua.set_named_registry_value(&RAISE.to_string_lossy(), raise)?;
        // SAFETY: the main thread of a VM lives as long as the VM, which is as long as this process runs its script.
        unsafe {
            lua.exec_raw::<()>((), |state| {
                ffi::lua_rawgeti(state, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_MAINTHREAD);
                STATE.store(ffi::lua_tothread(state, -1), Ordering::SeqCst);
                ffi::lua_pop(state, 1);
            })?;
        }
        arm();
        Ok(())
    }

    /// Raises nothing any more: the script has come to its end.
    #[expect(clippy::unused_self, reason = "who has no handle has no say")]
    pub(crate) fn detach(&self) {
        STATE.store(ptr::null_mut(), Ordering::SeqCst);
        HEEDED.store(true, Ordering::SeqCst);
    }
}

fn is_pending() -> bool {
    ASKED.load(Ordering::SeqCst) != 0 && !HEEDED.load(Ordering::SeqCst) && SHIELDS.load(Ordering::SeqCst) == 0
}

/// Has the hook called at the next instruction, if there is anything to raise.
fn arm() {
    let state = STATE.load(Ordering::SeqCst);
    if !state.is_null() && is_pending() {
        let events = ffi::LUA_MASKCALL | ffi::LUA_MASKRET | ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
        // SAFETY: the state is that of the VM of this process, and Lua allows this call in a signal handler.
        unsafe { ffi::lua_sethook(state, Some(on_hook), events, 1) };
    }
}

extern "C" fn on_signal(signal: c_int) {
    ask(signal);
}

/// Asks the task to end; the first to ask gives the signal. It may be called in a signal handler.
fn ask(signal: c_int) {
    let _ = ASKED.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst);
    arm();
    let pipe = PIPE.load(Ordering::SeqCst);
    if pipe >= 0 {
        // SAFETY: the descriptor is never closed. The number of the last error belongs to the code that was interrupted.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            libc::write(pipe, [1_u8].as_ptr().cast(), 1);
            *errno = before;
        }
    }
}

/// Raises the error if the code that runs is the user's.
unsafe extern "C-unwind" fn on_hook(state: *mut ffi::lua_State, activation: *mut ffi::lua_Debug) {
    // SAFETY: Lua calls a hook with a state that runs and the record of the function in it; the strings in the record live as
    // long as that function. What is called may raise, which leaves this function by Lua's own way: nothing here has to be
    // dropped.
    unsafe {
        if !is_pending() {
            return ffi::lua_sethook(state, None, 0, 0);
        }
        let is_known = ffi::lua_getinfo(state, c"S".as_ptr(), activation) != 0;
        if is_known && is_users((*activation).source) && ffi::lua_checkstack(state, 2) != 0 {
            ffi::lua_getfield(state, ffi::LUA_REGISTRYINDEX, RAISE.as_ptr());
            ffi::lua_call(state, 0, 0);
        }
        // Something that must not be ended runs just now; the hook is called again soon enough.
    }
}

/// Returns whether a chunk of this name is a file of the user's, or what was typed at a prompt.
///
/// # Safety
/// The name is a string with an end, or nothing.
unsafe fn is_users(name: *const c_char) -> bool {
    if name.is_null() {
        return false;
    }
    // SAFETY: see above.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    !(name.starts_with(b"=[rille") || name.starts_with(b"=[C]") || name.starts_with(b"=__mlua"))
}
