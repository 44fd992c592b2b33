//! `rille runs archive`: packs a run into one file.

use std::path::{Path, PathBuf};

use clap::Args;
use sha2::{Digest, Sha256};

use crate::cli::output::write_out;
use crate::cli::run::bad_archive;
use crate::cli::{Failure, present_secrets};
use crate::model::{EventKind, Masks};
use crate::store::{self, ArchiveTarget, Home, Jobfile, Status};

/// Which run is packed, and where to.
#[derive(Args, Debug)]
pub(crate) struct ArchiveArgs {
    /// The run: its id, the beginning of it, `latest`, or the path of its directory
    #[arg(value_name = "RUN")]
    id: String,
    /// The archive to make, .zip or .tar.zst
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave the values of secrets as they are
    #[arg(long)]
    keep_secrets: bool,
}

/// Packs a run. Secret are the values that the environment has now.
pub(crate) fn main(args: &ArchiveArgs, home: &Home) -> Result<i32, Failure> {
    let target = ArchiveTarget::check(&args.file, None).map_err(|error| bad_archive(&error))?;
    let run = home.find(&args.id)?;
    let id = store::run_id(&run);
    if store::summarise(&run).status == Status::Running {
        return Err(store::Error::Running { id }.into());
    }
    let log = run.join(".guild").join("events.jsonl");
    if !log.exists() {
        return Err(Failure::usage(format!("run {id} is no run of a jobfile, so that it cannot be archived")));
    }
    let (mut name, mut file, mut hash) = (String::new(), String::new(), String::new());
    for event in store::read(&log)? {
        match event?.kind {
            EventKind::RunStarted(header) => (name, file, hash) = (header.name, header.file, header.file_hash),
            EventKind::JobRenamed { name: new } => name = new,
            _ => {}
        }
    }
    let source = std::fs::read(&file).ok().filter(|source| hash_of(source) == hash);
    let (mut secrets, keeps) = present_secrets(args.keep_secrets)?;
    let testbed = std::fs::read(run.join("testbed.json")).ok();
    if let Some(testbed) = testbed.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        secrets.add_values(&testbed);
    }
    let jobfile = Jobfile { path: Path::new(&file), source: source.as_deref() };
    let masks = if keeps { Masks::default() } else { secrets.archive_masks() };
    store::archive(&run, &target, &name, jobfile, &masks)?;
    write_out(&format!("{}\n", target.path().display()))?;
    Ok(0)
}

fn hash_of(source: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(source).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
