//! A folder for sockets that only its owner may enter: in the run directory, or where the paths in it are short enough.

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

/// See the module. The folder is removed with its sockets when this is dropped.
pub(crate) struct PrivateFolder {
    path: PathBuf,
}

impl PrivateFolder {
    /// Makes a folder with this name for the run with this directory. Names in it may have `longest` bytes.
    pub(crate) fn make(run: &Path, name: &str, longest: usize) -> io::Result<Self> {
        let path = run.join(name);
        // It goes on command lines, and a client of Avocado's status server takes what has a colon for a host and a port.
        let fits = |folder: &Path| {
            let bytes = folder.as_os_str().as_bytes();
            bytes.len() + 1 + longest <= LONGEST && !bytes.contains(&b':') && folder.to_str().is_some()
        };
        if fits(&path) {
            match DirBuilder::new().mode(0o700).create(&path) {
                // One of a host that was killed, in a run that is gone on with.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    fs::remove_dir_all(&path)?;
                    DirBuilder::new().mode(0o700).create(&path)?;
                }
                made => made?,
            }
            return Ok(Self { path });
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
        Ok(Self { path: made.keep() })
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a socket with this name that listens. Returns its path as well.
    pub(crate) fn listen(&self, name: &str) -> io::Result<(PathBuf, OwnedFd)> {
        let path = self.path.join(name);
        let address = SocketAddrUnix::new(&path)?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        bind(&listener, &address)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        listen(&listener, BACKLOG)?;
        Ok((path, listener))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What is not there any more need not be removed.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sockets_are_private_wherever_they_are_and_go_with_their_folder() {
        let base = tempfile::tempdir().unwrap();
        let (deep, colon) = (base.path().join("d".repeat(100)), base.path().join("a:b"));
        fs::create_dir(&deep).unwrap();
        fs::create_dir(&colon).unwrap();
        for run in [base.path(), &deep, &colon] {
            let folder = PrivateFolder::make(run, "sockets", "socket".len()).unwrap();
            let (socket, listener) = folder.listen("socket").unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&folder.path), mode(&socket)), (0o700, 0o600));
            assert_eq!(folder.path.starts_with(run), run == base.path());
            std::os::unix::net::UnixStream::connect(&socket).unwrap();
            let path = folder.path.clone();
            drop((folder, listener));
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_a_killed_host_left_is_cleared_away() {
        let run = tempfile::tempdir().unwrap();
        fs::create_dir(run.path().join("sockets")).unwrap();
        fs::write(run.path().join("sockets/7"), "").unwrap();
        let folder = PrivateFolder::make(run.path(), "sockets", 1).unwrap();
        folder.listen("7").unwrap();
    }
}
