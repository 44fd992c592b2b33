//! Where the socket of the shared objects is: in the run directory, or where its path is short enough.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with};

/// The longest path of a socket: the field of the address has 108 bytes, and the path ends with a NUL.
const LONGEST: usize = 107;

/// How many may stand in line to be let in.
const BACKLOG: i32 = 4096;

/// A socket in a folder that only its owner may enter. Both are removed when it is dropped.
pub(super) struct Place {
    folder: PathBuf,
    pub(super) socket: PathBuf,
}

impl Place {
    /// Makes a socket for the run with this directory, which listens.
    pub(super) fn make(run: &Path) -> io::Result<(Self, OwnedFd)> {
        let place = Self::folder(run)?;
        let address = SocketAddrUnix::new(&place.socket)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        bind(&listener, &address)?;
        fs::set_permissions(&place.socket, Permissions::from_mode(0o600))?;
        listen(&listener, BACKLOG)?;
        Ok((place, listener))
    }

    fn folder(run: &Path) -> io::Result<Self> {
        let folder = run.join("synchro");
        let fits = |folder: &Path| folder.join("socket").as_os_str().as_bytes().len() <= LONGEST;
        if fits(&folder) {
            DirBuilder::new().mode(0o700).create(&folder)?;
            return Ok(Self { socket: folder.join("socket"), folder });
        }
        let temporary = |base: &Path| {
            let private = Permissions::from_mode(0o700);
            tempfile::Builder::new().prefix("rille-").permissions(private).tempdir_in(base)
        };
        let made = temporary(&std::env::temp_dir()).ok().filter(|made| fits(made.path()));
        let made = match made {
            Some(made) => made,
            None => temporary(Path::new("/tmp"))?,
        };
        let folder = made.keep();
        Ok(Self { socket: folder.join("socket"), folder })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is not there any more need not be removed.
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_dir(&self.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_private_wherever_it_is_and_goes_with_its_folder() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("d".repeat(100));
        fs::create_dir(&deep).unwrap();
        for run in [base.path(), &deep] {
            let (place, listener) = Place::make(run).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&place.folder), mode(&place.socket)), (0o700, 0o600));
            assert_eq!(place.folder.starts_with(run), run == base.path());
            std::os::unix::net::UnixStream::connect(&place.socket).unwrap();
            let folder = place.folder.clone();
            drop((place, listener));
            assert!(!folder.exists());
        }
    }
}
