//! The reports of a run, written into its directory and to where the command line wants them as well.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Door;
use super::run::Run;
use crate::report::{self, ReadFile, Summary};
use crate::store::{self, RunDir};

/// A form of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportForm {
    /// `results.json`, for programs.
    Json,
    /// `results.xml`, for CI servers.
    Junit,
    /// `results.tap`, for consumers of TAP.
    Tap,
    /// `report.html`, for people.
    Html,
}

/// For which CI faults are written to the console as annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Annotations {
    /// For the CI in which the run is, if it is one that is known.
    #[default]
    Auto,
    /// For GitHub.
    Github,
    /// For none.
    None,
}

impl Annotations {
    /// Returns whether GitHub's are to be written. Who wants a silent console, and has not asked for them, has none.
    pub(super) fn are_for_github(self, verbosity: report::Verbosity) -> bool {
        match self {
            Annotations::Auto => {
                verbosity > report::Verbosity::Silent
                    && std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
            }
            Annotations::Github => true,
            Annotations::None => false,
        }
    }
}

/// Adds the summary of a run to the page of its step, where GitHub names a file for that.
pub(super) fn add_step_summary(summary: &Summary) -> io::Result<()> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
    io::Write::write_all(&mut file, report::step_summary(summary).as_bytes())
}

/// A report that is wanted outside the run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportCopy {
    /// Which.
    pub(crate) form: ReportForm,
    /// Where.
    pub(crate) path: PathBuf,
}

impl ReportForm {
    /// Every form, the one that others rely on first.
    pub(crate) const ALL: [ReportForm; 4] = [ReportForm::Json, ReportForm::Junit, ReportForm::Tap, ReportForm::Html];

    /// Returns the name of the report in a run directory.
    pub(crate) const fn file_name(self) -> &'static str {
        match self {
            ReportForm::Json => "results.json",
            ReportForm::Junit => "results.xml",
            ReportForm::Tap => "results.tap",
            ReportForm::Html => "report.html",
        }
    }

    /// Writes the report of the run in `directory`. `still_running` says that the host of the run is alive, `read` reads the
    /// files of its tasks. `copy` is the path that the report will have outside of the directory.
    pub(crate) fn write(
        self,
        summary: &Summary,
        directory: &Path,
        still_running: bool,
        copy: Option<&Path>,
        read: ReadFile<'_>,
        to: impl io::Write,
    ) -> io::Result<()> {
        match self {
            ReportForm::Json if is_of_tests(summary) => report::write_avocado_json(summary, directory, read, to),
            ReportForm::Json => report::write_json(summary, to),
            ReportForm::Junit => report::write_junit(summary, still_running, read, to),
            ReportForm::Tap => report::write_tap(summary, still_running, to),
            ReportForm::Html => {
                let folder = copy.and_then(|copy| std::path::absolute(copy).ok()?.parent().map(Path::to_owned));
                let run = std::path::absolute(directory)?;
                let folders = folder.as_deref().map(|page| report::Folders { page, run: &run });
                report::write_html(summary, still_running, folders, read, to)
            }
        }
    }
}

/// Returns whether a run came by the door of tests, so that its results have Avocado's keys.
fn is_of_tests(summary: &Summary) -> bool {
    summary.header.as_ref().is_some_and(|header| header.door == Door::Test.name())
}

/// Writes every report into the run directory, then those that are wanted elsewhere.
pub(super) fn write(run: &Run, held: &RunDir, copies: &[ReportCopy]) -> store::Result<()> {
    let directory = run.directory();
    let read = |path: &str, begin: u64, size: u64| {
        let (part, length) = store::read_part(directory, path, begin, size)?;
        Some((run.masks().mask(&part).into_owned(), length))
    };
    run.with_summary(|summary| {
        for form in ReportForm::ALL {
            held.write_file_with(form.file_name(), |file| form.write(summary, directory, false, None, &read, file))?;
        }
        copies.iter().try_for_each(|copy| {
            let written = fs::File::create(&copy.path)
                .and_then(|file| copy.form.write(summary, directory, false, Some(&copy.path), &read, file));
            written.map_err(store::Error::io("write", &copy.path))
        })
    })
}

/// Takes the reports away that say of the run what is no longer so, all but `results.json`: where a disk is full,
/// they may not be written again, and the record needs their room.
pub(super) fn drop_all(held: &RunDir) {
    for form in ReportForm::ALL.into_iter().filter(|form| *form != ReportForm::Json) {
        // What cannot be removed is written over, or told of as such.
        let _ = held.remove_file(form.file_name());
    }
}
