//! Renderers of a run's events: the console while it runs, its summary, `results.json`.
//!
//! Every report is made from events alone, by the same code while a run is under way and from the log of one that has
//! ended or was killed. Nothing here starts a process, reads a run directory or decides an outcome.

mod duration;
#[cfg(test)]
mod fixture;
mod row;
mod style;
mod summary;

pub(crate) use row::Row;
pub(crate) use style::{ColorChoice, Paint, clean};
pub(crate) use summary::{Counts, RunEnd, Summary};
