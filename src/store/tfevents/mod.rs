//! `TensorBoard`'s event files, in which scalars of a run are kept: those that Rille writes of an operation's output, and
//! those that the operation's own libraries write.

mod event;
mod files;
mod record;
mod summary;
mod wire;
mod writer;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use self::record::Next;

pub(crate) use self::event::Scalar;
pub(crate) use self::files::event_files;
pub(crate) use self::summary::{Damage, Point, ScalarSummaries, ScalarSummary};
pub(crate) use self::writer::ScalarWriter;

/// Bytes that are read at once.
const READ: usize = 64 << 10;

/// How far an event file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadTo {
    /// Bytes of whole records: where to go on when there are more.
    pub(crate) offset: u64,
    /// What is wrong there, if it is not just the end, or a record that is still being written.
    pub(crate) damage: Option<String>,
}

/// Reads all scalars of a run: of the event files in its directory, and of runs that it links to.
pub(crate) fn read_scalars(run: &Path) -> ScalarSummaries {
    let mut summaries = ScalarSummaries::default();
    for file in event_files(run) {
        let read = read_events(&file.path, 0, &mut |scalar| summaries.add(&file.prefix, scalar));
        let damage = match read {
            Ok(ReadTo { damage: None, .. }) => continue,
            Ok(ReadTo { offset, damage: Some(what) }) => Damage { path: file.path, offset, what },
            Err(error) => Damage { path: file.path, offset: 0, what: error.to_string() },
        };
        summaries.damages.push(damage);
    }
    summaries
}

/// Hands over the scalars of an event file, from `offset` on, where a record begins.
///
/// Ends without an error before what is torn or damaged. The error is one of reading.
pub(crate) fn read_events(path: &Path, offset: u64, heard: &mut dyn FnMut(Scalar)) -> io::Result<ReadTo> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    // What is written meanwhile is for the next time.
    let mut file = BufReader::with_capacity(READ, file.take(length.saturating_sub(offset)));
    let (mut offset, mut record) = (offset, Vec::new());
    loop {
        match record::next(&mut file, length.saturating_sub(offset), &mut record)? {
            Next::End => return Ok(ReadTo { offset, damage: None }),
            Next::Damaged(what) => return Ok(ReadTo { offset, damage: Some(what.to_owned()) }),
            Next::Record(bytes) => {
                if event::scalars(&record, heard).is_err() {
                    return Ok(ReadTo { offset, damage: Some("a record holds no event".to_owned()) });
                }
                offset += bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests;
