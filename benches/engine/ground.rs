//! Where benchmarks put their files, and what file system that is: it decides what a run costs that makes many files.
//!
//! What a user has is ext4 with its journal. Whatever the disk of this machine is, such a file system is made in an image
//! and mounted where nobody else sees it. Where that is not allowed the files are in memory.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Names the folder: of the second start of this program, or as somebody wants it.
const PLACE: &str = "RILLE_BENCH_DIR";

/// Says what its file system is, to the second start.
const KIND: &str = "RILLE_BENCH_FILE_SYSTEM";

/// Makes the file system, mounts it on the folder `$1`, and starts the benchmarks again.
const MOUNT: &str = r#"set -e
folder=$1
shift
truncate --size 8G "$folder.img"
mkfs.ext4 -q "$folder.img"
mount -o loop "$folder.img" "$folder"
rm "$folder.img"
exec "$@"
"#;

/// In memory.
const MEMORY: &str = "/dev/shm";

/// Starts this program again with its files on ground that is known, unless that was done; returns what it is.
pub(crate) fn choose() -> io::Result<String> {
    if std::env::var_os(PLACE).is_some() {
        let kind = std::env::var(KIND).ok();
        return Ok(kind.unwrap_or_else(|| kind_of(&place()).unwrap_or_else(|| "unknown".to_owned())));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ground");
    std::fs::create_dir_all(&folder)?;
    let again: Vec<OsString> = std::env::args_os().collect();
    let mount = ["--mount", "sh", "-c", MOUNT, "sh"];
    let tried = Command::new("unshare").args(mount).arg(&folder).arg("true").output();
    let why = match tried {
        Ok(tried) if tried.status.success() => {
            let mut command = Command::new("unshare");
            command.args(mount).arg(&folder).args(again).env(PLACE, &folder);
            return Err(command.env(KIND, "ext4 with a journal, in an image").exec());
        }
        Ok(tried) => String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("no image can be mounted here ({why}); the files are in memory");
    let memory = if Path::new(MEMORY).is_dir() { PathBuf::from(MEMORY) } else { std::env::temp_dir() };
    let Some(program) = again.first() else { return Err(io::Error::other("the program has no name")) };
    Err(Command::new(program).args(&again[1..]).env(PLACE, memory).exec())
}

/// Makes a folder there, which is removed when it is dropped.
pub(crate) fn folder() -> io::Result<TempDir> {
    TempDir::new_in(place())
}

fn place() -> PathBuf {
    std::env::var_os(PLACE).map_or_else(std::env::temp_dir, PathBuf::from)
}

/// Returns what the system calls the file system of a folder.
fn kind_of(folder: &Path) -> Option<String> {
    let output = Command::new("stat").args(["--file-system", "--format", "%T"]).arg(folder).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
