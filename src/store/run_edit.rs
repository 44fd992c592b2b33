//! Changing attributes of a run that exists, running or not, of Rille or of Guild.
//!
//! What is read, changed and written again is locked in between: two who add a tag at once leave both tags. The lock is a
//! `flock` on the folder `.guild`, so that it needs no file of its own, and goes with the process that holds it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::{Error, Result, attr, durable};

/// A run whose attributes nobody else changes while this lives.
#[derive(Debug)]
pub(crate) struct RunEdit {
    guild: PathBuf,
    _lock: File,
}

impl RunEdit {
    /// Begins to change the run in the directory `run`; waits for others that change it.
    pub(crate) fn begin(run: &Path) -> Result<RunEdit> {
        let guild = run.join(".guild");
        let lock = File::open(&guild).map_err(Error::io("open", &guild))?;
        lock.lock().map_err(Error::io("lock", &guild))?;
        // Who was waited for may have removed the run, or put another one in its place.
        let (held, there) = (lock.metadata(), fs::metadata(&guild).map_err(Error::io("open", &guild))?);
        let held = held.map_err(Error::io("read", &guild))?;
        if (held.dev(), held.ino()) != (there.dev(), there.ino()) {
            let gone = io::Error::new(io::ErrorKind::NotFound, "the run was removed meanwhile");
            return Err(Error::io("change", run)(gone));
        }
        Ok(RunEdit { guild, _lock: lock })
    }

    /// Returns an attribute; `None` if it is not there or null.
    pub(crate) fn attr(&self, name: &str) -> Result<Option<Value>> {
        let path = self.path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path)(error)),
        };
        let value: Value =
            attr::decode(&text).map_err(|error| Error::corrupt(&path, first_line(&error.to_string())))?;
        Ok((!value.is_null()).then_some(value))
    }

    /// Writes an attribute: a reader sees the old value or the new one, never half of either.
    pub(crate) fn set(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.path(name);
        let text = attr::encode(value).map_err(|error| Error::corrupt(&path, error.to_string()))?;
        let failed = || Error::io("write", &path);
        fs::create_dir_all(self.guild.join("attrs")).map_err(failed())?;
        let mut temporary = temporary(&self.guild).map_err(failed())?;
        temporary.write_all(text.as_bytes()).map_err(failed())?;
        durable::begin_to_write(temporary.as_file());
        temporary.persist(&path).map(drop).map_err(|error| failed()(error.error))
    }

    /// Removes an attribute, if it is there.
    pub(crate) fn unset(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path)(error)),
            _ => Ok(()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.guild.join("attrs").join(name)
    }
}

/// Makes a temporary file that is to become one in `.guild`, readable as any other. It is not made beside attributes: Guild
/// takes every file there for one.
pub(super) fn temporary(guild: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(".new-").permissions(fs::Permissions::from_mode(0o666)).tempfile_in(guild)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use serde_json::json;

    use super::*;

    fn run() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(".guild/attrs")).unwrap();
        dir
    }

    #[test]
    fn an_attribute_is_set_read_and_removed() {
        let run = run();
        let edit = RunEdit::begin(run.path()).unwrap();
        assert_eq!(edit.attr("label").unwrap(), None);
        edit.set("label", &"no").unwrap();
        assert_eq!(fs::read_to_string(run.path().join(".guild/attrs/label")).unwrap(), "\"no\"\n");
        assert_eq!(edit.attr("label").unwrap(), Some(json!("no")));
        edit.unset("label").unwrap();
        edit.unset("label").unwrap();
        assert_eq!(edit.attr("label").unwrap(), None);
        let left: Vec<_> = fs::read_dir(run.path().join(".guild")).unwrap().flatten().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_damaged_attribute_is_said_to_be_and_can_be_replaced() {
        let run = run();
        fs::write(run.path().join(".guild/attrs/label"), "a: [\n").unwrap();
        let edit = RunEdit::begin(run.path()).unwrap();
        assert!(matches!(edit.attr("label"), Err(Error::Corrupt { .. })));
        edit.set("label", &"x").unwrap();
        assert_eq!(edit.attr("label").unwrap(), Some(json!("x")));
    }

    #[test]
    fn no_change_is_lost() {
        let run = run();
        thread::scope(|scope| {
            for worker in 0..8 {
                let path = run.path();
                scope.spawn(move || {
                    for number in 0..25 {
                        let edit = RunEdit::begin(path).unwrap();
                        let value = edit.attr("tags").unwrap().unwrap_or_else(|| json!([]));
                        let mut tags = value.as_array().unwrap().clone();
                        tags.push(json!(format!("{worker}-{number}")));
                        edit.set("tags", &tags).unwrap();
                    }
                });
            }
        });
        let tags = RunEdit::begin(run.path()).unwrap().attr("tags").unwrap().unwrap();
        assert_eq!(tags.as_array().unwrap().len(), 200);
    }
}
