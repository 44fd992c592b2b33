//! Run directories that a test writes itself, as they are on disk.

use std::fs;
use std::path::PathBuf;

use super::{Project, Run};

impl Project {
    /// Makes a completed run, started at this minute, with these files; a path in `.guild/attrs` replaces what a run has.
    pub(crate) fn handmade(&self, id: &str, minute: u64, files: &[(&str, &str)]) -> Run {
        let path = self.home().join("runs").join(id);
        let started = 1_795_000_000_000_000 + minute * 60_000_000;
        let opref = format!("script:{} '' '' train.py", self.path("").display()).replace("/ ", " ");
        let own = [
            (".guild/opref", opref),
            (".guild/attrs/id", format!("{id}\n")),
            (".guild/attrs/initialized", format!("{started}\n")),
            (".guild/attrs/started", format!("{started}\n")),
            (".guild/attrs/stopped", format!("{}\n", started + 1_000_000)),
            (".guild/attrs/exit_status", "0\n".to_owned()),
        ];
        let given = files.iter().map(|(name, text)| (*name, (*text).to_owned()));
        for (name, text) in own.into_iter().chain(given) {
            let file = path.join(name);
            fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder can be made");
            fs::write(file, text).expect("a file can be written");
        }
        Run::at(path, self)
    }

    /// Returns the path of a run in the trash.
    pub(crate) fn trashed(&self, name: &str) -> PathBuf {
        self.home().join("trash/runs").join(name)
    }
}
