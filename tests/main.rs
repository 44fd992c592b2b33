//! Tests that start the real program. They are one binary, with a module a part.
//!
//! [`harness`] has what they share: a project of their own, whole-output comparison, runs as they are on disk, waiting
//! with a deadline, and a look for processes that were left behind.

mod harness;

mod jobfile;
mod processes;
mod runtime;
mod signals;
mod tasks;
