//! Renderers of a run's events: the console while it runs, its summary, `results.json`, JUnit, TAP and HTML.
//!
//! Every report is made from events alone, by the same code while a run is under way and from the log of one that has
//! ended or was killed. Nothing here starts a process, reads a run directory or decides an outcome.

mod annotations;
mod announcement;
mod avocado_json;
mod canvas;
mod closing;
mod console;
mod duration;
mod excerpt;
#[cfg(test)]
mod fixture;
mod html;
mod job_log;
mod junit;
mod lines;
mod live;
#[cfg(test)]
mod live_tests;
mod locale;
mod location;
mod not_good;
mod outlines;
mod plain;
mod problems;
mod progress;
mod renderer;
mod results_json;
mod row;
mod section_tree;
mod sections;
mod style;
mod summary;
mod tails;
mod tap;
mod tasks;
mod test_history;
mod test_names;
mod tree;
mod trials;
mod walks;

pub(crate) use annotations::{github as github_annotations, step_summary};
pub(crate) use announcement::Announcement;
pub(crate) use avocado_json::write as write_avocado_json;
pub(crate) use closing::{Closing, render};
pub(crate) use excerpt::ReadFile;
pub(crate) use html::{Folders, write as write_html};
pub(crate) use job_log::JobLog;
pub(crate) use junit::write as write_junit;
pub(crate) use lines::{Look, Verbosity, line};
pub(crate) use live::{Live, LiveHandle, Settings};
pub(crate) use results_json::{schema, write as write_json};
pub(crate) use row::Row;
pub(crate) use style::{ColorChoice, Paint};
pub(crate) use summary::Summary;
pub(crate) use tails::telling_stream;
pub(crate) use tap::write as write_tap;
pub(crate) use test_history::{TestHistory, TestRecord};
