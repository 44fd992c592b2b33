//! Taking up the run of a directory that exists: one that is started again, or one that is staged.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{RunDir, run_id, spare_descriptors};
use crate::store::birth::lock_held;
use crate::store::lock::{self, Lock, Refused};
use crate::store::{Error, Result, status};

/// How long the guardian of a host that was killed is waited for. It ends when all tasks of the host have.
const GUARDIANS_PATIENCE: Duration = Duration::from_secs(10);

/// Why a staged run was passed over, for who looks at it; see [`RunDir::leave_staged`].
pub(crate) const WAITS: &str = "waits";

/// What its dependencies were then, for who starts it.
const WAITED_WITH: &str = "WAITS";

/// Returns what the dependencies of a staged run were when it could not be started for them; `None` if it was not tried.
pub(crate) fn waited_with(run: &Path) -> Option<String> {
    std::fs::read_to_string(run.join(".guild").join(WAITED_WITH)).ok()
}

/// Why a staged run could not be started yet.
#[derive(Clone, Debug)]
pub(crate) struct Waits {
    /// In words.
    pub(crate) reason: String,
    /// What its dependencies were: as long as they are, it is not worth another try.
    pub(crate) seen: String,
}

/// A staged run that others who look for some leave alone, as long as this lives. It keeps nobody from starting it: that
/// is what its lock is for, which who starts it has.
#[derive(Debug)]
pub(crate) struct Reserved(#[expect(dead_code, reason = "the lock is held as long as it is open")] File);

/// Why a staged run could not be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotReserved {
    /// Who stages it is not done yet.
    BeingStaged,
    /// It is staged no more, or somebody else has it.
    Gone,
}

/// Reserves the staged run in the directory `run`.
pub(crate) fn reserve(run: &Path) -> std::result::Result<Reserved, NotReserved> {
    let file = File::open(run.join(".guild/STAGED")).map_err(|_| NotReserved::Gone)?;
    match file.try_lock() {
        Ok(()) => Ok(Reserved(file)),
        // See [`RunDir::stage`].
        Err(_) if file.try_lock_shared().is_ok() => Err(NotReserved::BeingStaged),
        Err(_) => Err(NotReserved::Gone),
    }
}

impl RunDir {
    /// Takes up the run in the directory `path` again for the process `pid`, pending until [`RunDir::restart`].
    ///
    /// Fails at once if a live process holds it. What is left of a host that was killed, its guardian, is waited for:
    /// tasks of that host may still be there as long as it is.
    pub(crate) fn reopen(path: &Path, pid: u32) -> Result<RunDir> {
        RunDir::hold(path, pid)?.taken_up()
    }

    /// The same for a run that is staged, and is to be started only if it still is: `None` if it is not any more, which is
    /// looked at while nobody else can start it. It stays staged until [`RunDir::start`].
    pub(crate) fn claim(path: &Path, pid: u32) -> Result<Option<RunDir>> {
        let is_staged = || path.join(".guild/STAGED").exists();
        // What is not touched needs no lock, and leaves no trace of one.
        if !is_staged() {
            return Ok(None);
        }
        let run = RunDir::hold(path, pid)?;
        if !is_staged() {
            run.lock.release()?;
            return Ok(None);
        }
        run.taken_up().map(Some)
    }

    /// Gives up a run that was claimed and could not be started. It is staged as it was; where it waits for something, it
    /// says for what.
    pub(crate) fn leave_staged(self, waits: Option<&Waits>) -> Result<()> {
        self.remove("events.jsonl")?;
        if let Some(Waits { reason, seen }) = waits {
            self.write_attr(WAITS, reason)?;
            self.put(WAITED_WITH, seen.as_bytes())?;
        }
        self.remove("PENDING")?;
        self.free_ballast()?;
        self.lock.release()
    }

    /// Forgets that the run was staged, and that it waited.
    pub(super) fn forget_staging(&self) -> Result<()> {
        for name in ["STAGED", WAITED_WITH] {
            self.remove(name)?;
        }
        self.remove(&format!("attrs/{WAITS}"))
    }

    /// Takes the lock of a run that exists.
    fn hold(path: &Path, pid: u32) -> Result<RunDir> {
        let path = std::path::absolute(path).map_err(Error::io("find", path))?;
        let guild = path.join(".guild");
        let id = run_id(&path);
        let lock_path = guild.join("LOCK");
        if lock::is_held(&lock_path).map_err(Error::io("read", &lock_path))? {
            return Err(Error::Running { id });
        }
        let patience = Instant::now() + GUARDIANS_PATIENCE;
        while status::recorded_process_lives(&lock_path) {
            if Instant::now() > patience {
                return Err(lock_held(&path, &guild, lock::recorded_pid(&lock_path)));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let lock = match Lock::acquire(&lock_path, pid) {
            Ok(lock) => lock,
            Err(Refused::Held(_)) => return Err(Error::Running { id }),
            Err(Refused::Failed(error)) => return Err(error),
        };
        Ok(RunDir { path, guild, id, birth: None, lock, temporaries: AtomicU64::new(0), spare: Mutex::default() })
    }

    /// Makes a run pending whose lock was taken.
    fn taken_up(self) -> Result<RunDir> {
        *self.spare.lock() = spare_descriptors(&self.path)?;
        self.reserve_ballast()?;
        self.put("PENDING", b"")?;
        Ok(self)
    }
}
