//! Reading an archive of a run again: its event log and its attributes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::archive_writer::Format;
use super::event_reader::EventReader;
use super::{Error, Result, attr, read_from};

/// Returns whether a file has the name of an archive.
pub(crate) fn is_archive(path: &Path) -> bool {
    Format::of(path).is_some()
}

/// Returns an attribute of the run in an archive.
pub(crate) fn archived_attribute(archive: &Path, name: &str) -> Result<Option<Value>> {
    let wanted = format!(".guild/attrs/{name}");
    let text = with_entry(archive, &wanted, |entry| {
        let mut text = String::new();
        entry.read_to_string(&mut text).map_err(Error::io("read", archive))?;
        Ok(text)
    })?;
    let decoded = text.map(|text| attr::decode::<Option<Value>>(&text)).transpose();
    decoded.map(Option::flatten).map_err(|what| Error::corrupt(archive, format!("attribute '{name}': {what}")))
}

/// Reads the event log of the run in an archive.
pub(crate) fn with_archived_log<T>(
    archive: &Path,
    read: impl FnOnce(EventReader<&mut dyn Read>) -> Result<T>,
) -> Result<T> {
    let found = with_entry(archive, ".guild/events.jsonl", |entry| read(read_from(entry, archive)))?;
    found.ok_or_else(|| Error::corrupt(archive, "it holds no event log"))
}

/// Calls `read` with the file `wanted` of the one folder in the archive, if it is there.
fn with_entry<T>(archive: &Path, wanted: &str, read: impl FnOnce(&mut dyn Read) -> Result<T>) -> Result<Option<T>> {
    let file = File::open(archive).map_err(Error::io("open", archive))?;
    let is_it = |name: &str| name.split_once('/').is_some_and(|(_, rest)| rest == wanted);
    let damaged = |error: &dyn std::fmt::Display| Error::corrupt(archive, error.to_string());
    if Format::of(archive) == Some(Format::Zip) {
        let mut zip = zip::ZipArchive::new(file).map_err(|error| damaged(&error))?;
        let names = zip.file_names().flatten();
        let Some(name) = names.map(std::borrow::Cow::into_owned).find(|name| is_it(name)) else { return Ok(None) };
        let mut entry = zip.by_name(&name).map_err(|error| damaged(&error))?;
        return read(&mut entry).map(Some);
    }
    let plain = zstd::Decoder::new(file).map_err(|error| damaged(&error))?;
    let mut tar = tar::Archive::new(plain);
    for entry in tar.entries().map_err(|error| damaged(&error))? {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        if is_it(&String::from_utf8_lossy(&entry.path_bytes())) {
            return read(&mut entry).map(Some);
        }
    }
    Ok(None)
}
