//! Who works on a run: the process that may be signalled to end it, and nobody else.

use std::fs;
use std::path::Path;

use super::{attribute, host, lock, run_id, status};

/// Who works on a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Worker {
    /// Nobody: it is not running.
    Nobody,
    /// This process of this machine.
    Process {
        /// The process that a user would signal: the one that was started, for a run of Guild the operation.
        pid: u32,
        /// The process that holds the run, for a run of Rille: its host.
        holder: Option<u32>,
    },
    /// A process that the host of the run's batch looks after. It may not have been started yet, or be over.
    Trial(Option<u32>),
    /// A process on another machine, or where this machine cannot see it. Holds what is known of the place.
    Elsewhere(String),
}

/// Returns who works on the run in the directory `run`.
///
/// A run of Rille is held by a `flock`, and the kernel tells by whom: the pid in `LOCK` must be that process or its
/// parent. A trial is held by the host of its batch, and the pid is of its own process. A run of Guild has nothing but the pid, so that process must be older than the file, and have the id of the run
/// in its environment, as Guild gives it to every operation.
pub(crate) fn worker(run: &Path) -> Worker {
    let guild = run.join(".guild");
    if let Ok(remote) = fs::read_to_string(guild.join("LOCK.remote")) {
        return Worker::Elsewhere(remote.trim().to_owned());
    }
    let path = guild.join("LOCK");
    let recorded = lock::recorded_pid(&path);
    let place = || {
        let named = attribute(run, "host").and_then(|host| host.as_str().map(str::to_owned));
        named.filter(|name| *name != host()).unwrap_or_else(|| "a place that cannot be seen from here".to_owned())
    };
    if lock::is_held(&path).unwrap_or(false) {
        return match lock::holder_by_kernel(&path) {
            Some(holder) if is_trial_of(run, holder) => {
                Worker::Trial(recorded.filter(|pid| is_operation(*pid, &run_id(run))))
            }
            Some(holder) => {
                let is_known = |pid: &u32| *pid == holder || parent(holder) == Some(*pid);
                let pid = recorded.filter(is_known).unwrap_or(holder);
                Worker::Process { pid, holder: Some(holder) }
            }
            None => Worker::Elsewhere(place()),
        };
    }
    if status::derive(&guild, attribute(run, "exit_status").and_then(|status| status.as_i64()))
        != super::Status::Running
    {
        return Worker::Nobody;
    }
    match recorded {
        Some(pid) if is_operation(pid, &run_id(run)) => Worker::Process { pid, holder: None },
        _ => Worker::Elsewhere(place()),
    }
}

/// Returns whether a run is a trial of a batch that the process `holder` runs. A trial that is started for itself is none.
fn is_trial_of(run: &Path, holder: u32) -> bool {
    let batch = attribute(run, "batch").and_then(|batch| batch.as_str().map(str::to_owned));
    let lock = batch.zip(run.parent()).map(|(batch, runs)| runs.join(batch).join(".guild/LOCK"));
    lock.and_then(|lock| lock::holder_by_kernel(&lock)) == Some(holder)
}

/// Returns the parent of a process.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the parent is the second field behind it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Returns whether a process was started for the run with this id.
fn is_operation(pid: u32, id: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let wanted = format!("RUN_ID={id}");
    environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::made::new_run;

    #[test]
    fn a_run_of_rille_is_worked_on_by_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let me = std::process::id();
        let run = new_run(dir.path());
        assert_eq!(worker(dir.path()), Worker::Process { pid: me, holder: Some(me) });
        // A number that means another process is not believed.
        fs::write(dir.path().join(".guild/LOCK"), "1").unwrap();
        assert_eq!(worker(dir.path()), Worker::Process { pid: me, holder: Some(me) });
        run.conclude(0, 1).unwrap();
        run.release().unwrap();
        assert_eq!(worker(dir.path()), Worker::Nobody);
    }

    #[test]
    fn a_trial_is_worked_on_by_its_own_process_and_never_by_the_host_of_its_batch() {
        let dir = tempfile::tempdir().unwrap();
        let (batch, path) = (dir.path().join("b"), dir.path().join("t"));
        let (_held, trial) = (new_run(&batch), new_run(&path));
        let me = std::process::id();
        assert_eq!(worker(&path), Worker::Process { pid: me, holder: Some(me) });
        trial.write_attr("batch", &"b").unwrap();
        // This process is none of an operation.
        assert_eq!(worker(&path), Worker::Trial(None));
        trial.name_process(1).unwrap();
        assert_eq!(fs::read_to_string(path.join(".guild/LOCK")).unwrap(), format!("{:<10}", 1));
        assert_eq!(worker(&path), Worker::Trial(None));
        assert_eq!(worker(&batch), Worker::Process { pid: me, holder: Some(me) });
    }

    #[test]
    fn a_pid_alone_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let guild = dir.path().join(".guild");
        fs::create_dir_all(guild.join("attrs")).unwrap();
        fs::write(guild.join("opref"), "script:/a '' '' b").unwrap();
        fs::write(guild.join("LOCK"), std::process::id().to_string()).unwrap();
        assert!(matches!(worker(dir.path()), Worker::Elsewhere(_)));
        fs::write(guild.join("attrs/exit_status"), "0\n").unwrap();
        assert_eq!(worker(dir.path()), Worker::Nobody);
        fs::write(guild.join("LOCK.remote"), "far\n").unwrap();
        assert_eq!(worker(dir.path()), Worker::Elsewhere("far".to_owned()));
    }
}
