//! Renderers of a run's events: the console while it runs, its summary, `results.json`.
//!
//! Every report is made from events alone, by the same code while a run is under way and from the log of one that has
//! ended or was killed. Nothing here starts a process, reads a run directory or decides an outcome.

mod canvas;
mod closing;
mod console;
mod duration;
#[cfg(test)]
mod fixture;
mod job_log;
mod lines;
mod live;
#[cfg(test)]
mod live_tests;
mod outlines;
mod progress;
mod renderer;
mod results_json;
mod row;
mod style;
mod summary;
mod tails;
mod tree;

pub(crate) use closing::{Closing, render};
pub(crate) use job_log::JobLog;
pub(crate) use lines::{Look, Verbosity, line};
pub(crate) use live::{Announcement, Live, LiveHandle, Settings};
pub(crate) use results_json::{schema, write};
pub(crate) use row::Row;
pub(crate) use style::{ColorChoice, Paint};
pub(crate) use summary::Summary;
pub(crate) use tails::telling_stream;
