//! The names of tasks' folders in a run directory.
//!
//! A name begins with the task's number, so that no id, however odd, can be another's folder or leave the run directory.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use rustix::fs::OFlags;

use super::{Error, Result};
use crate::model::TaskNumber;

/// Bytes of an id that go into a folder's name; the number keeps names apart that are cut.
const ID_BYTES: usize = 80;

/// Returns the folder of a task, relative to the run directory: `tasks/<number>-<id made safe>`.
pub(crate) fn task_folder(number: TaskNumber, id: &str) -> String {
    let safe: String = (id.chars())
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '+' | '@') { c } else { '_' })
        .take(ID_BYTES)
        .collect();
    format!("tasks/{number}-{safe}")
}

/// Returns the name of the log in a task's folder: `debug.log` for a test, as Avocado has it, and `task.log` for a task of a
/// job.
pub(crate) fn log_name(task_folder: &str) -> &'static str {
    if task_folder.starts_with("tasks/") { "task.log" } else { "debug.log" }
}

/// Returns the folder of an attempt: the task's own for the first, and one beside it for each that follows.
pub(crate) fn attempt_folder(task_folder: &str, attempt: u32) -> String {
    match attempt {
        0 | 1 => task_folder.to_owned(),
        _ => format!("{task_folder}.attempt-{attempt}"),
    }
}

/// Returns whether a task is told where its log is, by `AVOCADO_TEST_LOGFILE`, and so may look for it.
pub(crate) fn is_told_of_log(task_folder: &str) -> bool {
    !task_folder.starts_with("tasks/")
}

/// Returns the folder for what an attempt's own folder does not take, relative to the run directory.
pub(crate) fn apart_folder(number: TaskNumber, attempt: u32) -> String {
    attempt_folder(&format!(".guild/tasks/{number}"), attempt)
}

/// Returns the name of a file of the engine where the task has taken the name itself.
pub(crate) fn name_beside(name: &str) -> String {
    format!("{name}.rille")
}

/// Takes the folder of a task away, with those of its further attempts, so that it can be run again in an empty one.
///
/// The folder is moved aside first: what cannot be removed, a folder that its task made unreadable, is left there.
pub(crate) fn discard(run: &Path, folder: &str) -> Result<()> {
    for attempt in 1.. {
        let path = run.join(attempt_folder(folder, attempt));
        match path.symlink_metadata() {
            Err(_) if attempt > 1 => break,
            Err(_) => continue,
            Ok(_) => {}
        }
        let aside = path.with_file_name(format!(".discarded-{}", uuid::Uuid::new_v4().simple()));
        fs::rename(&path, &aside).map_err(Error::io("move aside", &path))?;
        let _ = fs::remove_dir_all(&aside);
    }
    Ok(())
}

/// Bytes of output that are read for its last lines.
const TAIL_BYTES: u64 = 64 * 1024;

/// Returns the end of a file that a task wrote to, by its path relative to the run directory; `None` for nothing.
pub(crate) fn output_tail(run: &Path, relative: &str) -> Option<Vec<u8>> {
    let (_, length) = read_part(run, relative, 0, 0)?;
    let begin = length.saturating_sub(TAIL_BYTES);
    read_part(run, relative, begin, TAIL_BYTES).map(|(bytes, _)| bytes)
}

/// Returns so many bytes of a file of a run, from `begin` on, and the length of the whole file; `None` for what is no
/// regular file inside the run directory.
pub(crate) fn read_part(run: &Path, relative: &str, begin: u64, size: u64) -> Option<(Vec<u8>, u64)> {
    let relative = Path::new(relative);
    // An event log may come from anywhere and name any folder.
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    // What a task has put in the place of its file, a pipe for one, must not keep the reader.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(run.join(relative)).ok()?;
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let length = meta.len();
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(length.saturating_sub(begin))).ok()?);
    file.seek(SeekFrom::Start(begin)).ok()?;
    file.take(size).read_to_end(&mut bytes).ok()?;
    Some((bytes, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_ids_stay_inside() {
        let cases = [
            ("Task-1", "tasks/7-Task-1"),
            ("../../etc/passwd", "tasks/7-.._.._etc_passwd"),
            ("a\0b\u{1F600} c", "tasks/7-a_b__c"),
            ("", "tasks/7-"),
        ];
        for (id, folder) in cases {
            assert_eq!(task_folder(7, id), folder);
        }
        assert_eq!(task_folder(7, &"x".repeat(300)).len(), "tasks/7-".len() + ID_BYTES);
    }

    #[test]
    fn a_folder_goes_with_all_its_attempts_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let tasks = dir.path().join("tasks");
        for name in ["1-a/deep", "1-a.attempt-2", "1-a.attempt-3", "1-ab", "11-a"] {
            fs::create_dir_all(tasks.join(name)).unwrap();
        }
        discard(dir.path(), "tasks/1-a").unwrap();
        discard(dir.path(), "tasks/7-gone").unwrap();
        let mut left: Vec<_> = fs::read_dir(&tasks).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["1-ab", "11-a"]);
    }

    #[test]
    fn a_part_is_read_of_a_regular_file_inside_only() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::write(run.join("log"), "0123456789").unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        let pipe = run.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        let read = |path: &str, begin, size| read_part(&run, path, begin, size);
        assert_eq!(read("log", 2, 3), Some((b"234".to_vec(), 10)));
        assert_eq!(read("log", 8, 99), Some((b"89".to_vec(), 10)));
        assert_eq!(read("log", 99, 99), Some((Vec::new(), 10)));
        let absolute = folder.path().join("secret").display().to_string();
        for path in ["../secret", &absolute, "pipe", "", "none"] {
            assert_eq!(read(path, 0, 10), None, "{path}");
        }
    }

    #[test]
    fn each_attempt_has_its_own() {
        assert_eq!(attempt_folder("tasks/1-a", 1), "tasks/1-a");
        assert_eq!(attempt_folder("tasks/1-a", 3), "tasks/1-a.attempt-3");
    }
}
