//! Run directories that are made by hand, as another program or an accident may have left them.

use std::fs;
use std::path::{Path, PathBuf};

use super::Project;

/// A run directory under way: `Made::run(&project, "a", 1).attr("label", "x\n")`.
pub(crate) struct Made {
    path: PathBuf,
}

impl Made {
    /// Makes a completed run of Guild with this id, which was started `number` seconds after others.
    pub(crate) fn run(project: &Project, id: &str, number: u64) -> Self {
        Made::in_folder(&project.home().join("runs"), id, number)
    }

    /// The same in another folder of runs.
    pub(crate) fn in_folder(folder: &Path, id: &str, number: u64) -> Self {
        let made = Self { path: folder.join(id) };
        let started = 1_795_247_695_000_000 + number * 1_000_000;
        made.file(".guild/opref", "guildfile:/p/guild.yml 0123 '' train")
            .attr("id", id)
            .attr("initialized", started - 1)
            .attr("started", started)
            .attr("stopped", started + 65_000_000)
            .attr("exit_status", 0)
    }

    /// Writes an attribute, a YAML document.
    pub(crate) fn attr(self, name: &str, document: impl std::fmt::Display) -> Self {
        self.file(Path::new(".guild/attrs").join(name), format!("{document}\n"))
    }

    /// Writes a file of the run.
    pub(crate) fn file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        fs::write(path, content).expect("a file can be written");
        self
    }

    /// Writes an event file with the values of a scalar, for steps from 1 on.
    pub(crate) fn scalar(self, folder: &str, tag: &str, values: &[f32]) -> Self {
        let mut bytes = Vec::new();
        for (value, step) in values.iter().zip(1_u8..) {
            // Event { step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } } }, all shorter than 128 bytes.
            let length = |bytes: &[u8]| u8::try_from(bytes.len()).expect("it is short");
            let scalar = [&[0x0a, length(tag.as_bytes())], tag.as_bytes(), &[0x15], &value.to_le_bytes()].concat();
            let summary = [&[0x0a, length(&scalar)], &scalar[..]].concat();
            let event = [&[0x10, step, 0x2a, length(&summary)], &summary[..]].concat();
            let size = u64::from(length(&event)).to_le_bytes();
            for part in [&size[..], &event] {
                bytes.extend(part);
                bytes.extend(crc32c::crc32c(part).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes());
            }
        }
        self.file(Path::new(folder).join(format!("events.out.tfevents.1.{}", tag.replace('/', "_"))), bytes)
    }
}
