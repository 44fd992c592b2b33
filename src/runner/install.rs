//! `rille runner install DIR`: links under the names by which Avocado looks for runners.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::command::InstallArgs;
use super::error::InstallError;
use super::kinds::find_script;
use crate::model::Kind;

/// Makes the links; returns what is to be shown.
pub(super) fn install(args: &InstallArgs) -> Result<String, InstallError> {
    let program = std::env::current_exe().map_err(InstallError::NoProgram)?;
    let folder = &args.folder;
    fs::create_dir_all(folder).map_err(|source| InstallError::Folder { path: folder.clone(), source })?;
    let own = Kind::ALL.map(Kind::name).into_iter();
    for kind in &args.kind {
        if kind.is_empty() || kind.contains(['/', '\0']) {
            return Err(InstallError::NoKind(kind.clone()));
        }
        if !own.clone().any(|own| own == kind) && find_script(kind, Some(&folder.join("x"))).is_none() {
            return Err(InstallError::NoScript { kind: kind.clone(), folder: folder.clone() });
        }
    }
    let mut shown = String::new();
    for kind in own.chain(args.kind.iter().map(String::as_str)) {
        let path = folder.join(format!("avocado-runner-{kind}"));
        shown.extend([path.to_string_lossy().as_ref(), "\n"]);
        link(&program, &path, args.force).map_err(|source| InstallError::Link { path, source })?;
    }
    Ok(shown)
}

fn link(program: &Path, path: &Path, is_forced: bool) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) if fs::read_link(path).is_ok_and(|target| target == program) => return Ok(()),
        Ok(data) => {
            // A link to a program of this name is one of an earlier version.
            let is_own = data.is_symlink() && fs::read_link(path)?.file_name() == program.file_name();
            if !is_own && !is_forced {
                return Err(io::Error::other("there is something of that name already; --force replaces it"));
            }
            fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    symlink(program, path)
}
