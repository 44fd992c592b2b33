//! What a read of a pipe or a socket brings.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// So many bytes came, and there may be more.
    Bytes(usize),
    /// Nothing is there now.
    Dry,
    /// Nothing more will come.
    Closed,
}

impl Flow {
    /// Reads once from a descriptor that does not block.
    pub(super) fn read(from: impl AsFd, buffer: &mut [u8]) -> io::Result<Self> {
        loop {
            return match rustix::io::read(&from, &mut *buffer) {
                Ok(0) => Ok(Self::Closed),
                Ok(count) => Ok(Self::Bytes(count)),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Ok(Self::Dry),
                Err(error) => Err(error.into()),
            };
        }
    }
}
