//! Takes an archive apart into a folder. Nothing is written outside of it: names that lead out, links that do, and files
//! behind links are refused, as are devices.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use super::Count;
use super::unpack::{ArchiveKind, Budget, Limits};
use crate::model::{is_inside, link_stays};
use crate::operation::inside::make_parents;

/// Why an archive was not unpacked.
#[derive(Debug)]
pub(super) enum Problem {
    /// The disk does not take it.
    Io(io::Error),
    /// It would do harm.
    Refused(String),
    /// It cannot be read.
    Damaged(String),
}

type Done = Result<(), Problem>;

/// Unpacks the archive at `path` into a folder that is empty.
pub(super) fn unpack(
    path: &Path,
    kind: ArchiveKind,
    folder: &Path,
    limits: Limits,
    is_interrupted: &dyn Fn() -> bool,
) -> Done {
    let file = File::open(path).map_err(Problem::Io)?;
    let packed = Count::default();
    let mut unpacker = Unpacker { folder, budget: Budget::new(limits, &packed, is_interrupted) };
    let mut reader = BufReader::with_capacity(128 << 10, Counted { file, count: &packed });
    match kind {
        ArchiveKind::Zip => unpacker.zip(reader),
        ArchiveKind::Tar => {
            let mut magic = [0; 6];
            let length = read_up_to(&mut reader, &mut magic).map_err(damaged)?;
            let whole = io::Cursor::new(magic[..length].to_vec()).chain(reader);
            match &magic[..length] {
                [0x1f, 0x8b, ..] => unpacker.tar(flate2::read::MultiGzDecoder::new(whole)),
                [b'B', b'Z', b'h', ..] => unpacker.tar(bzip2::read::MultiBzDecoder::new(whole)),
                [0xfd, b'7', b'z', b'X', b'Z', 0] => unpacker.tar(liblzma::read::XzDecoder::new_multi_decoder(whole)),
                [0x28, 0xb5, 0x2f, 0xfd, ..] => unpacker.tar(zstd::stream::read::Decoder::new(whole).map_err(damaged)?),
                _ => unpacker.tar(whole),
            }
        }
        ArchiveKind::Gzip => {
            let stem = path.file_name().unwrap_or_default();
            let name = stem.as_bytes().strip_suffix(b".gz").unwrap_or(stem.as_bytes());
            let name = if name.is_empty() { b"data" } else { name };
            unpacker.budget.entry(0).map_err(Problem::Refused)?;
            unpacker.file(
                Path::new(std::ffi::OsStr::from_bytes(name)),
                0o644,
                &mut flate2::read::MultiGzDecoder::new(reader),
            )
        }
    }
}

struct Unpacker<'a> {
    folder: &'a Path,
    budget: Budget<'a>,
}

impl Unpacker<'_> {
    fn zip(&mut self, reader: impl Read + Seek) -> Done {
        let broken = |error: zip::result::ZipError| Problem::Damaged(error.to_string());
        let mut zip = zip::ZipArchive::new(reader).map_err(broken)?;
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).map_err(broken)?;
            let name = entry.name().map_err(broken)?.into_owned();
            let path = checked(Path::new(&name))?;
            self.budget.entry(entry.size()).map_err(Problem::Refused)?;
            let mode = entry.unix_mode().unwrap_or(0o644);
            let kind = mode & libc::S_IFMT;
            if entry.is_dir() {
                self.directory(&path)?;
            } else if entry.is_symlink() {
                let mut target = Vec::new();
                entry.by_ref().take(4096).read_to_end(&mut target).map_err(damaged)?;
                self.link(&path, Path::new(std::ffi::OsStr::from_bytes(&target)))?;
            } else if kind != 0 && kind != libc::S_IFREG {
                return Err(device(&path));
            } else {
                self.file(&path, mode, &mut entry)?;
            }
        }
        Ok(())
    }

    fn tar(&mut self, reader: impl Read) -> Done {
        let mut tar = tar::Archive::new(reader);
        for entry in tar.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let name = entry.path().map_err(damaged)?.into_owned();
            // `tar -c .` names the folder itself.
            if kind.is_dir() && name.components().all(|component| component == Component::CurDir) {
                continue;
            }
            let path = checked(&name)?;
            self.budget.entry(entry.size()).map_err(Problem::Refused)?;
            let mode = entry.header().mode().unwrap_or(0o644);
            if kind.is_dir() {
                self.directory(&path)?;
            } else if kind.is_symlink() {
                self.link(&path, &link_target(&entry)?)?;
            } else if kind.is_hard_link() {
                self.hard_link(&path, &checked(&link_target(&entry)?)?)?;
            } else if kind.is_file() || kind.is_gnu_sparse() || kind.is_contiguous() {
                self.file(&path, mode, &mut entry)?;
            } else {
                return Err(device(&path));
            }
        }
        Ok(())
    }

    fn directory(&self, path: &Path) -> Done {
        self.parents(path)?;
        match fs::create_dir(self.folder.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.kind(path) {
                Some(kind) if kind.is_dir() => Ok(()),
                _ => Err(Problem::Refused(format!("'{}' is in it twice, as a folder and not", path.display()))),
            },
            made => made.map_err(Problem::Io),
        }
    }

    fn file(&mut self, path: &Path, mode: u32, reader: &mut dyn Read) -> Done {
        self.parents(path)?;
        let full = self.folder.join(path);
        self.make_way(path)?;
        let mode = mode & 0o777 | 0o600;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&full).map_err(Problem::Io)?;
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(damaged(error)),
            };
            self.budget.add(count as u64).map_err(Problem::Refused)?;
            file.write_all(&buffer[..count]).map_err(Problem::Io)?;
        }
    }

    /// Makes a link. It must lead to inside of the archive, told from its text alone: its parents are no links.
    fn link(&self, path: &Path, target: &Path) -> Done {
        if !link_stays(path, target) {
            let text = format!("the link '{}' to '{}' leaves it", path.display(), target.display());
            return Err(Problem::Refused(text));
        }
        if target.as_os_str().is_empty() || target.as_os_str().as_bytes().contains(&0) {
            return Err(Problem::Refused(format!("the link '{}' leads nowhere", path.display())));
        }
        self.parents(path)?;
        self.make_way(path)?;
        symlink(target, self.folder.join(path)).map_err(Problem::Io)
    }

    /// Makes a second name for a file that was unpacked before.
    fn hard_link(&self, path: &Path, target: &Path) -> Done {
        let mut behind = PathBuf::new();
        for component in target.components() {
            behind.push(component);
            let is_last = behind == target;
            match self.kind(&behind) {
                Some(kind) if is_last && kind.is_file() || !is_last && kind.is_dir() => {}
                _ => {
                    return Err(Problem::Refused(format!(
                        "the link '{}' is to '{}', which is no file of it",
                        path.display(),
                        target.display()
                    )));
                }
            }
        }
        if path == target {
            return Ok(());
        }
        self.parents(path)?;
        self.make_way(path)?;
        fs::hard_link(self.folder.join(target), self.folder.join(path)).map_err(Problem::Io)
    }

    /// Takes away a file of the same name: the later one counts.
    fn make_way(&self, path: &Path) -> Done {
        match self.kind(path) {
            None => Ok(()),
            Some(kind) if kind.is_file() => fs::remove_file(self.folder.join(path)).map_err(Problem::Io),
            Some(_) => Err(Problem::Refused(format!("'{}' is in it twice, and not as a file", path.display()))),
        }
    }

    fn parents(&self, path: &Path) -> Done {
        make_parents(self.folder, path).map_err(|error| match error.kind() {
            // One of them is a link or a file.
            io::ErrorKind::Other => {
                Problem::Refused(format!("'{}' goes through what is no folder of it", path.display()))
            }
            _ => Problem::Io(error),
        })
    }

    fn kind(&self, path: &Path) -> Option<fs::FileType> {
        fs::symlink_metadata(self.folder.join(path)).ok().map(|metadata| metadata.file_type())
    }
}

/// Returns the path of an entry without dots, if it is one inside the archive.
fn checked(name: &Path) -> Result<PathBuf, Problem> {
    let has_up = name.components().any(|component| component == Component::ParentDir);
    if has_up || !is_inside(name) || name.as_os_str().as_bytes().contains(&0) {
        return Err(Problem::Refused(format!("its entry '{}' leads out of it", name.display())));
    }
    Ok(name.components().filter(|component| *component != Component::CurDir).collect())
}

fn link_target(entry: &tar::Entry<'_, impl Read>) -> Result<PathBuf, Problem> {
    let target = entry.link_name().map_err(damaged)?;
    target.map(std::borrow::Cow::into_owned).ok_or_else(|| Problem::Damaged("it has a link to nothing".to_owned()))
}

fn device(path: &Path) -> Problem {
    Problem::Refused(format!("'{}' is neither file, folder nor link", path.display()))
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn damaged(error: io::Error) -> Problem {
    Problem::Damaged(error.to_string())
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// A file whose bytes are counted as they are read.
struct Counted<'a> {
    file: File,
    count: &'a Count,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.count.add(count as u64);
        Ok(count)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}
