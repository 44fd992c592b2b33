//! The status of a run, derived from its files each time it is asked for. Nothing stores it.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::lock;

/// What has become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// A live process works on it.
    Running,
    /// Ended with exit status 0.
    Completed,
    /// Ended with another exit status, or, for a run of Guild, without one.
    Error,
    /// Was ended by a signal.
    Terminated,
    /// Is ready to be started later.
    Staged,
    /// Is being prepared, or waits for a queue.
    Pending,
    /// Its host died before it could write how the run ended.
    Lost,
    /// Its files do not hold what they should.
    Corrupt,
}

impl Status {
    /// Every status.
    pub(crate) const ALL: [Status; 8] = [
        Status::Running,
        Status::Completed,
        Status::Error,
        Status::Terminated,
        Status::Staged,
        Status::Pending,
        Status::Lost,
        Status::Corrupt,
    ];

    /// Returns the lower-case name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Error => "error",
            Status::Terminated => "terminated",
            Status::Staged => "staged",
            Status::Pending => "pending",
            Status::Lost => "lost",
            Status::Corrupt => "corrupt",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Status::ALL
            .into_iter()
            .find(|status| status.name() == word)
            .ok_or_else(|| format!("the statuses are {}", Status::ALL.map(Status::name).join(", ")))
    }
}

/// Returns the status of the run whose `.guild` is `guild` and whose attribute `exit_status` is `exit_status`.
///
/// The order is Guild's (`run.py`), so that its runs show what Guild shows, with what Rille knows better put in:
///
/// 1. `LOCK.remote`: a copy of a run that runs elsewhere.
/// 2. The `flock`: it cannot lie. A run that its host prepares is running, too.
/// 3. `STAGED`, and `PENDING` for a run of Guild.
/// 4. `exit_status`. It comes before everything about a dead host: once it is there, the run was at its end. (Who starts
///    a run again removes it first.)
/// 5. A run of Rille without one is lost, also where it is still marked `PENDING`.
/// 6. A run of Guild without one is running if the pid in its `LOCK` is, and else in error.
pub(crate) fn derive(guild: &Path, exit_status: Option<i64>) -> Status {
    let has = |name: &str| guild.join(name).exists();
    let lock = guild.join("LOCK");
    if has("LOCK.remote") || lock::is_held(&lock).unwrap_or(false) {
        return Status::Running;
    }
    // The ballast is there from before the first event to the end.
    let is_ours = has("events.jsonl") || has("ballast");
    if !is_ours && has("PENDING") {
        return Status::Pending;
    }
    if has("STAGED") {
        return Status::Staged;
    }
    match exit_status {
        Some(0) => Status::Completed,
        Some(..0) => Status::Terminated,
        None if is_ours => Status::Lost,
        None if recorded_process_lives(&lock) => Status::Running,
        Some(_) | None => Status::Error,
    }
}

/// Returns whether the process that a run names in its `LOCK` is alive. The file is written after the process has
/// started; one that started later has only been given the same number.
pub(super) fn recorded_process_lives(lock: &Path) -> bool {
    let written = || fs::metadata(lock).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok();
    let Some(started) = lock::recorded_pid(lock).and_then(process_start) else { return false };
    // The start of the machine is known to the second only.
    written().is_some_and(|written| started <= written + Duration::from_secs(2))
}

/// Returns when the process was started, since 1970; `None` if there is no such process, or it has ended.
fn process_start(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, in parentheses, is a name that may hold anything. The state is the third, the start the 22nd.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // One that nobody has waited for has ended all the same.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    let ticks: u64 = fields.nth(18)?.parse().ok()?;
    let system = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = system.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs(boot) + Duration::from_millis(ticks * 1000 / per_second))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::SystemTime;

    use super::*;
    use crate::store::lock::Lock;

    /// Derives the status of a `.guild` that holds these files.
    fn check(files: &[(&str, &str)], exit_status: Option<i64>) -> Status {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        derive(dir.path(), exit_status)
    }

    #[test]
    fn runs_of_guild_show_what_guild_shows() {
        let me = std::process::id().to_string();
        let alive = ("LOCK", me.as_str());
        let dead = ("LOCK", "999999999");
        let cases = [
            (check(&[], None), Status::Error),
            (check(&[], Some(0)), Status::Completed),
            (check(&[], Some(1)), Status::Error),
            (check(&[], Some(-15)), Status::Terminated),
            (check(&[alive], None), Status::Running),
            (check(&[dead], None), Status::Error),
            (check(&[("LOCK", "")], None), Status::Error),
            (check(&[alive], Some(0)), Status::Completed),
            (check(&[("PENDING", ""), alive], Some(0)), Status::Pending),
            (check(&[("PENDING", ""), ("STAGED", "")], None), Status::Pending),
            (check(&[("STAGED", "")], None), Status::Staged),
            (check(&[("LOCK.remote", "far"), ("PENDING", "")], Some(0)), Status::Running),
        ];
        for (number, (found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found, expected, "case {number}");
        }
    }

    #[test]
    fn a_pid_that_was_given_again_is_not_running() {
        let dir = tempfile::tempdir().unwrap();
        let lock = dir.path().join("LOCK");
        fs::write(&lock, std::process::id().to_string()).unwrap();
        let before = SystemTime::now() - Duration::from_hours(24 * 365 * 30);
        File::options().write(true).open(&lock).unwrap().set_modified(before).unwrap();
        assert_eq!(derive(dir.path(), None), Status::Error);
    }

    #[test]
    fn a_run_of_rille_whose_host_is_gone_is_lost() {
        let me = std::process::id().to_string();
        let lock = ("LOCK", me.as_str());
        let log = ("events.jsonl", "");
        let cases = [
            (check(&[log], None), Status::Lost),
            (check(&[log, lock], None), Status::Lost),
            (check(&[log, lock, ("PENDING", "")], None), Status::Lost),
            (check(&[("ballast", ""), lock, ("PENDING", "")], None), Status::Lost),
            (check(&[log, ("STAGED", "")], None), Status::Staged),
            (check(&[log, lock], Some(0)), Status::Completed),
            (check(&[log], Some(-9)), Status::Terminated),
        ];
        for (number, (found, expected)) in cases.into_iter().enumerate() {
            assert_eq!(found, expected, "case {number}");
        }
    }

    #[test]
    fn a_run_whose_lock_is_held_is_running_whatever_else_is_there() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["events.jsonl", "PENDING", "STAGED"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let lock = Lock::acquire(&dir.path().join("LOCK"), 1).ok().unwrap();
        assert_eq!(derive(dir.path(), Some(0)), Status::Running);
        drop(lock);
        assert_eq!(derive(dir.path(), None), Status::Staged);
    }

    #[test]
    fn words_are_understood() {
        for status in Status::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        assert!("done".parse::<Status>().unwrap_err().contains("running, completed"));
    }
}
