//! Which walk runs, noted where the coordinator finds it when this process has died: a page of memory that both map.
//!
//! It is noted for every walk, so it is done by a raw C function: a call into Rust by way of mlua would cost more than a
//! short walk.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use mlua::{Function, Lua, MultiValue, Value, ffi};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::model::{WALK_PAGE_SIZE, WalkPage};

/// What a walk did that ends it, also where it went on as if nothing had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It called `os.exit` with this code.
    Exit(i32),
    /// It took longer than it may.
    Late,
}

/// What a walk is called.
pub(super) const WALK: &str = "the walk";

/// What a serial action is called.
pub(super) const SERIAL: &str = "the serial action";

/// The page, and what the functions need that write it. It does not move, since they hold its address.
pub(super) struct Shared {
    map: *mut c_void,
    /// The id of the first walk of the present call, and how many portions of the order ended before it.
    first: Cell<u64>,
    base: Cell<u64>,
    /// What runs, as it is called where it takes too long.
    subject: Cell<&'static str>,
    /// What the walk that runs is to be failed for.
    broken: Cell<Option<Broken>>,
    /// When each walk of the present call was begun, in nanoseconds.
    begun: RefCell<Vec<u64>>,
}

impl Shared {
    /// Maps the page.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() < WALK_PAGE_SIZE as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared page is too short"));
        }
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a new mapping, used through atomics alone and unmapped when this is dropped.
        let map = unsafe { mmap(ptr::null_mut(), WALK_PAGE_SIZE, access, flags, &file, 0)? };
        let (first, base) = (Cell::new(0), Cell::new(0));
        let subject = Cell::new(WALK);
        Ok(Self { map, first, base, subject, broken: Cell::new(None), begun: RefCell::default() })
    }

    fn word(&self, word: WalkPage) -> &AtomicU64 {
        // SAFETY: the mapping holds 8 such words, is aligned to a page and lives as long as this.
        unsafe { &*self.map.cast::<AtomicU64>().add(word as usize) }
    }

    /// Returns the walk that runs.
    pub(super) fn current(&self) -> Option<u64> {
        self.word(WalkPage::Current).load(Ordering::Relaxed).checked_sub(1)
    }

    /// Returns when the walk that runs was begun; 0 while none runs or nobody wants to know.
    pub(super) fn begun_at(&self) -> u64 {
        self.word(WalkPage::Begun).load(Ordering::Relaxed)
    }

    /// Prepares a call that runs walks from `first` on, after `base` portions of the order.
    pub(super) fn set(&self, first: u64, base: u64) {
        self.subject.set(WALK);
        self.first.set(first);
        self.base.set(base);
        self.begun.borrow_mut().clear();
    }

    /// Notes that no walk runs.
    pub(super) fn idle(&self, ended: u64) {
        self.word(WalkPage::Begun).store(0, Ordering::Relaxed);
        self.word(WalkPage::Ended).store(ended, Ordering::Relaxed);
        self.word(WalkPage::Current).store(0, Ordering::Release);
    }

    /// Notes how many actions have been run in all.
    pub(super) fn set_actions(&self, actions: u64) {
        self.word(WalkPage::Actions).store(actions, Ordering::Relaxed);
    }

    /// Notes what the walk that runs is to be failed for; the first reason stands.
    pub(super) fn break_walk(&self, broken: Broken) {
        if self.broken.get().is_none() {
            self.broken.set(Some(broken));
        }
    }

    /// Returns whether the walk that runs is to be failed.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get().is_some()
    }

    /// Returns what runs, or ran last: `the walk`.
    pub(super) fn subject(&self) -> &'static str {
        self.subject.get()
    }

    /// Notes that a walk of its own begins, or another `subject`, of which the time is taken if it has a limit.
    pub(super) fn start_single(&self, subject: &'static str, is_timed: bool) {
        self.subject.set(subject);
        self.word(WalkPage::Begun).store(if is_timed { monotonic() } else { 0 }, Ordering::Relaxed);
    }

    /// Returns and forgets what the walk is to be failed for.
    pub(super) fn take_broken(&self) -> Option<Broken> {
        self.broken.take()
    }

    /// Returns the times at which the walks of the present call were begun.
    pub(super) fn times(&self) -> Vec<u64> {
        self.begun.borrow().clone()
    }

    /// Makes the function that is called when a walk begins, with its id; `is_timed` to note the time as well.
    pub(super) fn begin_function(&self, lua: &Lua, is_timed: bool) -> mlua::Result<Function> {
        let shared = ptr::from_ref(self).cast_mut().cast::<c_void>();
        let function = if is_timed { begin_timed } else { begin };
        // SAFETY: one light userdata is pushed and taken into the closure, which is left for the caller.
        let made: Value = unsafe {
            lua.exec_raw((), |state| {
                ffi::lua_pushlightuserdata(state, shared);
                ffi::lua_pushcclosure(state, function, 1);
            })?
        };
        match made {
            Value::Function(function) => Ok(function),
            other => Err(mlua::Error::runtime(format!("a {} in place of a function", other.type_name()))),
        }
    }

    /// Returns the value that is raised to end a walk which went on as if nothing had been.
    pub(super) fn sentinel(&self) -> Value {
        Value::LightUserData(mlua::LightUserData(ptr::from_ref(self).cast_mut().cast()))
    }

    /// Returns whether what a protected call returned is the sentinel.
    pub(super) fn is_sentinel(&self, returned: &MultiValue) -> bool {
        returned.front().is_some_and(|value| *value == self.sentinel())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this size, and nothing refers to it any more: the VM is gone before.
        let _ = unsafe { munmap(self.map, WALK_PAGE_SIZE) };
    }
}

/// Returns the time of the monotonic clock, in nanoseconds.
pub(super) fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Notes that a walk begins. Returns whether the one before is to be failed first; then nothing is noted.
unsafe fn note(state: *mut ffi::lua_State, is_timed: bool) -> bool {
    // SAFETY: the upvalue is the address of a `Shared` that outlives the VM, and nothing else runs in this thread.
    let shared = unsafe { &*ffi::lua_touserdata(state, ffi::lua_upvalueindex(1)).cast::<Shared>() };
    // SAFETY: the generated code passes an integer; anything else is read as 0.
    let id = unsafe { ffi::lua_tointegerx(state, 1, ptr::null_mut()) }.cast_unsigned();
    if shared.broken.get().is_some() {
        return true;
    }
    if is_timed {
        let now = monotonic();
        shared.begun.borrow_mut().push(now);
        shared.word(WalkPage::Begun).store(now, Ordering::Relaxed);
    }
    let ended = shared.base.get() + id.wrapping_sub(shared.first.get());
    shared.word(WalkPage::Ended).store(ended, Ordering::Relaxed);
    shared.word(WalkPage::Current).store(id + 1, Ordering::Release);
    false
}

unsafe extern "C-unwind" fn begin(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with the upvalue that `begin_function` has set; nothing here is to be dropped.
    unsafe {
        if note(state, false) {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
            ffi::lua_error(state);
        }
    }
    0
}

unsafe extern "C-unwind" fn begin_timed(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as in `begin`.
    unsafe {
        if note(state, true) {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
            ffi::lua_error(state);
        }
    }
    0
}
