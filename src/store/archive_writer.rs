//! The two forms of an archive, written entry by entry.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use chrono::{DateTime, Datelike, Local, Timelike};
use tar::{EntryType, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::masked_reader::MaskedReader;
use crate::model::Masks;

/// The form of an archive, which its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `.zip`
    Zip,
    /// `.tar.zst`
    TarZst,
}

impl Format {
    /// Returns the form that a file of this name has.
    pub(super) fn of(path: &Path) -> Option<Format> {
        let name = path.file_name()?.as_bytes().to_ascii_lowercase();
        let ends = |end: &[u8]| name.len() > end.len() && name.ends_with(end);
        match () {
            () if ends(b".zip") => Some(Format::Zip),
            () if ends(b".tar.zst") => Some(Format::TarZst),
            () => None,
        }
    }
}

/// An archive that is being written.
pub(super) enum Writer {
    Zip(Box<ZipWriter<File>>),
    Tar(Box<tar::Builder<zstd::Encoder<'static, File>>>),
}

/// What is kept of an entry beside its name and content.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    mode: u32,
    modified: i64,
}

impl Stamp {
    /// Returns that of a file.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { mode: metadata.mode() & 0o7777, modified: metadata.mtime() }
    }

    /// Returns that of a file which is made for the archive.
    pub(super) fn now() -> Self {
        Self { mode: 0o644, modified: Local::now().timestamp() }
    }
}

impl Writer {
    pub(super) fn new(format: Format, file: File) -> io::Result<Self> {
        Ok(match format {
            Format::Zip => Writer::Zip(Box::new(ZipWriter::new(file))),
            Format::TarZst => Writer::Tar(Box::new(tar::Builder::new(zstd::Encoder::new(file, 0)?))),
        })
    }

    pub(super) fn folder(&mut self, name: &OsStr, stamp: Stamp) -> io::Result<()> {
        match self {
            Writer::Zip(zip) => Ok(zip.add_directory(name.to_string_lossy(), options(stamp))?),
            Writer::Tar(tar) => {
                tar.append_data(&mut header(stamp, EntryType::Directory, 0), Path::new(name), io::empty())
            }
        }
    }

    pub(super) fn link(&mut self, name: &OsStr, to: &OsStr, stamp: Stamp) -> io::Result<()> {
        match self {
            Writer::Zip(zip) => Ok(zip.add_symlink(name.to_string_lossy(), to.to_string_lossy(), options(stamp))?),
            Writer::Tar(tar) => {
                tar.append_link(&mut header(stamp, EntryType::Symlink, 0), Path::new(name), Path::new(to))
            }
        }
    }

    /// Adds what `content` holds, with the secrets masked. Returns the error that ended the reading of it early.
    pub(super) fn file(
        &mut self,
        name: &OsStr,
        stamp: Stamp,
        content: &mut (impl Read + Seek),
        masks: &Masks,
    ) -> io::Result<Option<io::Error>> {
        let length = content.seek(SeekFrom::End(0))?;
        content.rewind()?;
        let mut from = Lenient { from: content, error: None };
        match self {
            Writer::Zip(zip) => {
                let options = options(stamp).large_file(length > u64::from(u32::MAX) / 2);
                zip.start_file(name.to_string_lossy(), options)?;
                io::copy(&mut MaskedReader::new(masks, &mut from), zip)?;
            }
            Writer::Tar(tar) => {
                // The size comes first, and masks change it.
                let size = match masks.is_empty() {
                    true => length,
                    false => io::copy(&mut MaskedReader::new(masks, &mut from), &mut io::sink())?,
                };
                from.from.rewind()?;
                // A file that has changed in between must not break those that follow.
                let content = MaskedReader::new(masks, &mut from).chain(io::repeat(0)).take(size);
                tar.append_data(&mut header(stamp, EntryType::Regular, size), Path::new(name), content)?;
            }
        }
        Ok(from.error)
    }

    /// Writes what belongs to the end, and brings it to the disk.
    pub(super) fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Writer::Zip(zip) => zip.finish()?,
            Writer::Tar(tar) => tar.into_inner()?.finish()?,
        };
        file.flush()?;
        file.sync_data()
    }
}

fn options(stamp: Stamp) -> SimpleFileOptions {
    let options = SimpleFileOptions::default().unix_permissions(stamp.mode);
    let local = DateTime::from_timestamp(stamp.modified, 0).map(|time| time.with_timezone(&Local));
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let time = local.and_then(|time| {
        let year = u16::try_from(time.year()).ok()?;
        let (month, day) = (small(time.month()), small(time.day()));
        let (hour, minute, second) = (small(time.hour()), small(time.minute()), small(time.second()));
        zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
    });
    // The form knows no time before 1980.
    options.last_modified_time(time.unwrap_or_default())
}

fn header(stamp: Stamp, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stamp.mode);
    header.set_mtime(u64::try_from(stamp.modified).unwrap_or_default());
    header.set_size(size);
    header
}

/// Takes an error for the end, and keeps it: a file that cannot be read must not break the archive.
struct Lenient<R> {
    from: R,
    error: Option<io::Error>,
}

impl<R: Read> Read for Lenient<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.from.read(into) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.error.get_or_insert(error);
                Ok(0)
            }
            other => other,
        }
    }
}
