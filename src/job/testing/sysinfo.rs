//! What the machine is, before and after the tests of a run: files of the kernel, and what a few commands say.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::engine::{Asked, Query};
use crate::model::Masks;
use crate::store;

/// Files that are copied.
const FILES: [&str; 10] = [
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/modules",
    "/proc/mounts",
    "/proc/partitions",
    "/proc/uptime",
    "/proc/version",
    "/etc/os-release",
];

/// Commands whose output is kept; one that is not there is left out.
const COMMANDS: [&[&str]; 3] = [&["uname", "-a"], &["df", "-mP"], &["ip", "addr"]];

/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Bytes of a file or of the output of a command that are kept.
const MOST: u64 = 4 << 20;

/// Commands that are still at work.
pub(super) struct Collecting {
    folder: PathBuf,
    masks: Masks,
    asked: Vec<(String, Asked)>,
}

/// Begins to collect into `sysinfo/WHEN` of a run directory; `when` is `pre` or `post`.
pub(super) fn collect(directory: &Path, when: &str, masks: &Masks) -> store::Result<Collecting> {
    let folder = directory.join("sysinfo").join(when);
    fs::create_dir_all(&folder).map_err(store::Error::io("create", &folder))?;
    let ask = |words: &&[&str]| {
        let query = Query { limit: LIMIT, most: 4 << 20, ..Query::new(words[0], &words[1..], Path::new("/")) };
        (words.join(" "), query.start())
    };
    let asked = COMMANDS.iter().map(ask).collect();
    for file in FILES {
        let mut bytes = Vec::new();
        // What a machine does not have, or does not show, is left out.
        let read = File::open(file).and_then(|file| file.take(MOST).read_to_end(&mut bytes));
        if read.is_ok() {
            write(&folder, Path::new(file).file_name().unwrap_or_default().as_ref(), &masks.mask(&bytes))?;
        }
    }
    Ok(Collecting { folder, masks: masks.clone(), asked })
}

impl Collecting {
    /// Waits for the commands and keeps what they said.
    pub(super) fn finish(self, is_interrupted: &dyn Fn() -> bool) -> store::Result<()> {
        for (name, asked) in self.asked {
            if let Ok(answer) = asked.answer(is_interrupted) {
                write(&self.folder, Path::new(&name), &self.masks.mask(&answer.stdout))?;
            }
        }
        Ok(())
    }
}

fn write(folder: &Path, name: &Path, bytes: &[u8]) -> store::Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(store::Error::io("write", &path))
}
