//! What a task is made of, as one hash: by it a resumed run knows again the tasks that have not changed.
//!
//! Hashed are the bytes of the script and of the file for standard input, kind, path, parameters, arguments, environment,
//! working folder and choice of sections, and what all tasks of the run can see: the arguments that were handed on and the
//! testbed. Not hashed are limits, needs, labels, modules that a script requires, and files that it only names.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::Task;

/// A SHA-256.
type Hash = [u8; 32];

/// The hashes of a run's tasks. A file is read once, however many tasks are made of it.
#[derive(Debug)]
pub(super) struct Inputs {
    /// What all tasks see.
    common: Hash,
    files: Mutex<HashMap<PathBuf, (Stamp, Hash)>>,
}

/// By what a file is known not to have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Inputs {
    /// Makes the hashes of a run with these arguments handed on and this testbed.
    pub(super) fn new(argv: &[String], testbed: Option<&Value>) -> Self {
        let mut hasher = Sha256::new();
        texts(&mut hasher, argv);
        canonical(&mut hasher, testbed.unwrap_or(&Value::Null));
        Self { common: hasher.finalize().into(), files: Mutex::new(HashMap::new()) }
    }

    /// Returns the hash of a task in hexadecimal; `None` if it cannot be told what it is made of, since a file of it
    /// cannot be read. `has_testbed` says that its parameter `testbed` is that of the run.
    pub(super) fn of(&self, task: &Task, has_testbed: bool) -> Option<String> {
        let runnable = &task.runnable;
        let mut hasher = Sha256::new();
        hasher.update(b"rille inputs 1\0");
        hasher.update(self.common);
        text(&mut hasher, &runnable.kind);
        match runnable.uri.as_deref() {
            // A bare name is a program on the PATH, whatever that may be.
            Some(uri) if uri.contains('/') => {
                text(&mut hasher, uri);
                hasher.update(self.file(Path::new(uri)).ok()?);
            }
            uri => text(&mut hasher, uri.unwrap_or_default()),
        }
        count(&mut hasher, runnable.args.len());
        runnable.args.iter().for_each(|arg| bytes(&mut hasher, &arg.0));
        for (maps, map) in [&runnable.kwargs, &runnable.config].into_iter().enumerate() {
            let inherited = |name: &str| maps == 0 && has_testbed && name == "testbed";
            object(&mut hasher, map.iter().filter(|(name, _)| !inherited(name)));
        }
        count(&mut hasher, task.env.len());
        for (name, value) in &task.env {
            text(&mut hasher, name);
            hasher.update([u8::from(value.is_some())]);
            bytes(&mut hasher, value.as_ref().map_or(&[], |value| value.0.as_slice()));
        }
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.as_os_str().as_encoded_bytes().to_vec());
        bytes(&mut hasher, &path(&task.cwd).unwrap_or_default());
        if let Some(stdin) = &task.stdin {
            bytes(&mut hasher, stdin.as_os_str().as_encoded_bytes());
            hasher.update(self.file(stdin).ok()?);
        }
        // A choice has no maps, so that its JSON is always the same.
        bytes(&mut hasher, &serde_json::to_vec(&task.choice).ok()?);
        Some(hex(&hasher.finalize()))
    }

    /// Returns the hash of a file's bytes.
    fn file(&self, path: &Path) -> io::Result<Hash> {
        let stamp = Stamp::of(&path.metadata()?);
        if let Some((known, hash)) = self.files.lock().get(path)
            && *known == stamp
        {
            return Ok(*hash);
        }
        let file = File::open(path)?;
        // Of what is no regular file, a pipe or a device, nothing can be told beforehand.
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut hasher = Sha256::new();
        copy(file, &mut hasher)?;
        let hash: Hash = hasher.finalize().into();
        self.files.lock().insert(path.to_owned(), (stamp, hash));
        Ok(hash)
    }
}

impl Stamp {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Returns whether a parameter is a synchro object, or holds one: its state ends with the host.
pub(super) fn holds_synchro(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.contains_key("__synchro__") || map.values().any(holds_synchro),
        Value::Array(items) => items.iter().any(holds_synchro),
        _ => false,
    }
}

/// Returns bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn copy(mut from: impl Read, hasher: &mut Sha256) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn count(hasher: &mut Sha256, count: usize) {
    hasher.update((count as u64).to_le_bytes());
}

fn bytes(hasher: &mut Sha256, bytes: &[u8]) {
    count(hasher, bytes.len());
    hasher.update(bytes);
}

fn text(hasher: &mut Sha256, text: &str) {
    bytes(hasher, text.as_bytes());
}

fn texts(hasher: &mut Sha256, words: &[String]) {
    count(hasher, words.len());
    for word in words {
        text(hasher, word);
    }
}

/// Hashes a value so that the order in which a table was walked does not matter.
fn canonical(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Null => hasher.update(b"n"),
        Value::Bool(truth) => hasher.update(if *truth { b"t" } else { b"f" }),
        Value::Number(number) => {
            hasher.update(b"d");
            let mut digits = [0_u8; 64];
            let mut rest = &mut digits[..];
            // No number is longer.
            let _ = write!(rest, "{number}");
            let length = 64 - rest.len();
            bytes(hasher, &digits[..length]);
        }
        Value::String(string) => {
            hasher.update(b"s");
            text(hasher, string);
        }
        Value::Array(items) => {
            hasher.update(b"a");
            count(hasher, items.len());
            for item in items {
                canonical(hasher, item);
            }
        }
        Value::Object(map) => object(hasher, map.iter()),
    }
}

fn object<'a>(hasher: &mut Sha256, entries: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    hasher.update(b"o");
    count(hasher, entries.len());
    for (name, value) in entries {
        text(hasher, name);
        canonical(hasher, value);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::model::{Runnable, SectionChoice};

    /// Returns the hash of a task of this script with these parameters, changed by `change`.
    fn hash(inputs: &Inputs, script: &Path, kwargs: &Value, change: impl FnOnce(&mut Task)) -> Option<String> {
        let runnable = Runnable {
            kind: "lua".into(),
            uri: Some(script.display().to_string()),
            kwargs: kwargs.as_object().unwrap().clone(),
            ..Runnable::default()
        };
        let mut task = Task { id: "a".into(), runnable, ..Task::default() };
        change(&mut task);
        inputs.of(&task, false)
    }

    #[test]
    fn everything_a_task_is_made_of_counts_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("a.lua");
        fs::write(&script, "one").unwrap();
        let inputs = Inputs::new(&["--speed".into()], Some(&json!({"a": 1})));
        let plain = json!({"x": 1, "y": {"b": [1, 2], "a": null}});
        let same = hash(&inputs, &script, &plain, |_| {});
        assert_eq!(same.as_ref().map(String::len), Some(64));
        let walked = json!({"y": {"a": null, "b": [1, 2]}, "x": 1});
        assert_eq!(hash(&inputs, &script, &walked, |_| {}), same, "the order of a table does not count");
        assert_eq!(hash(&inputs, &script, &plain, |task| task.retries = 3), same);
        assert_eq!(hash(&inputs, &script, &plain, |task| task.id = "b".into()), same);

        let changes: [fn(&mut Task); 9] = [
            |task| task.runnable.kind = "exec-test".into(),
            |task| task.runnable.args = vec!["x".into()],
            |task| task.runnable.args = vec!["x".into(), "".into()],
            |task| drop(task.runnable.kwargs.insert("x".into(), json!("1"))),
            |task| drop(task.runnable.config.insert("x".into(), json!(1))),
            |task| drop(task.env.insert("A".into(), None)),
            |task| drop(task.env.insert("A".into(), Some("".into()))),
            |task| task.cwd = Some("/".into()),
            |task| task.choice = SectionChoice { only: Some(vec!["A".into()]), ..SectionChoice::default() },
        ];
        let mut seen = vec![same.clone()];
        for change in changes {
            let other = hash(&inputs, &script, &plain, change);
            assert!(other.is_some() && !seen.contains(&other), "{other:?}");
            seen.push(other);
        }
        for other in [Inputs::new(&[], Some(&json!({"a": 1}))), Inputs::new(&["--speed".into()], None)] {
            assert_ne!(hash(&other, &script, &plain, |_| {}), same);
        }
        fs::write(&script, "two").unwrap();
        assert_ne!(hash(&inputs, &script, &plain, |_| {}), same, "the file was changed behind the cache");
        fs::remove_file(&script).unwrap();
        assert_eq!(hash(&inputs, &script, &plain, |_| {}), None);
    }

    #[test]
    fn the_testbed_of_the_run_is_not_hashed_for_each_task() {
        let inputs = Inputs::new(&[], Some(&json!({"a": 1})));
        let task = |kwargs: Value| Task {
            runnable: Runnable { kwargs: kwargs.as_object().unwrap().clone(), ..Runnable::default() },
            ..Task::default()
        };
        let with = inputs.of(&task(json!({"testbed": {"a": 1}})), true);
        assert_eq!(with, inputs.of(&task(json!({})), true));
        assert_ne!(with, inputs.of(&task(json!({"testbed": {"a": 1}})), false), "its own is its own");
    }

    #[test]
    fn synchro_objects_are_found_wherever_they_are() {
        assert!(holds_synchro(&json!({"a": [1, {"b": {"__synchro__": "dict", "id": 3}}]})));
        assert!(!holds_synchro(&json!({"a": ["__synchro__", null]})));
    }
}
