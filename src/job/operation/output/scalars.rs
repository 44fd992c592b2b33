//! The scalars in an operation's output, into an event file as they come.

use std::path::Path;
use std::time::{Duration, Instant};

use super::queue::{Follow, WriteError};
use crate::model::Stream;
use crate::operation::{FoundScalar, ScalarPatterns, ScalarScan};
use crate::store::tfevents::{Scalar, ScalarWriter};

/// How long a scalar may wait while output comes without a pause.
const LATEST: Duration = Duration::from_millis(200);

/// See the module.
pub(super) struct Scalars {
    scan: ScalarScan,
    writer: ScalarWriter,
    written: Instant,
}

impl Scalars {
    /// Makes the event file in this folder, with the first scalar.
    pub(super) fn new(patterns: ScalarPatterns, folder: &Path) -> Self {
        Self { scan: ScalarScan::new(patterns), writer: ScalarWriter::new(folder), written: Instant::now() }
    }

    fn with_scan(
        &mut self,
        scan: impl FnOnce(&mut ScalarScan, &mut dyn FnMut(FoundScalar)),
        flush: bool,
    ) -> Result<(), WriteError> {
        let Self { scan: known, writer, written } = self;
        let mut done = Ok(());
        scan(known, &mut |FoundScalar { key, value, step }| {
            if done.is_ok() {
                done = writer.add(&Scalar { tag: key, value, step });
            }
        });
        if done.is_ok() && (flush || written.elapsed() >= LATEST) {
            *written = Instant::now();
            done = writer.flush();
        }
        done.map_err(|error| (writer.path().to_owned(), error))
    }
}

impl Follow for Scalars {
    fn take(&mut self, stream: Stream, bytes: &[u8], more: bool) -> Result<(), WriteError> {
        self.with_scan(|scan, found| scan.take(stream, bytes, found), !more)
    }

    fn finish(&mut self) -> Result<(), WriteError> {
        self.with_scan(ScalarScan::finish, true)
    }
}
