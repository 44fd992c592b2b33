//! The page that a worker shares with the host: the worker maps it, the host reads the file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::model::{WALK_PAGE_SIZE, WalkPage};
use crate::walk::Page;

/// The page of one worker.
#[derive(Debug)]
pub(super) struct PageFile {
    path: PathBuf,
    file: File,
}

impl PageFile {
    /// Makes an empty page in a folder.
    pub(super) fn make(folder: &Path, worker: u32) -> io::Result<Self> {
        let path = folder.join(format!("page-{worker}"));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        file.write_all_at(&[0; WALK_PAGE_SIZE], 0)?;
        Ok(Self { path, file })
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it. One that cannot be read is as if the worker had written nothing.
    pub(super) fn read(&self) -> Page {
        let mut bytes = [0; WALK_PAGE_SIZE];
        if self.file.read_exact_at(&mut bytes, 0).is_err() {
            return Page::default();
        }
        let word = |word: WalkPage| {
            let at = word as usize * 8;
            let bytes: [u8; 8] = bytes[at..at + 8].try_into().expect("a word has 8 bytes");
            u64::from_ne_bytes(bytes)
        };
        Page {
            current: word(WalkPage::Current).checked_sub(1),
            ended: word(WalkPage::Ended),
            actions: word(WalkPage::Actions),
            begun: word(WalkPage::Begun),
        }
    }
}
