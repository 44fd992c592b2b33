//! The options of `rille run` that want a report outside the run directory.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::Failure;
use crate::job::{Annotations, ReportCopy, ReportForm};

/// Where reports are wanted as well.
#[derive(Args, Debug)]
pub(crate) struct ReportOptions {
    /// Write JUnit XML to FILE too, for a CI server; results.xml in the run directory has the same
    #[arg(long, value_name = "FILE", visible_alias = "xunit")]
    junit: Option<PathBuf>,
    /// Write TAP 14 to FILE too; results.tap in the run directory has the same
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
    /// Write a page for a browser to FILE too; report.html in the run directory has the same
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write what went wrong as annotations at its lines for this CI; auto: for GitHub where `GITHUB_ACTIONS` is true
    #[arg(long, value_name = "CI", default_value = "auto", hide_possible_values = true)]
    annotations: Annotations,
}

impl ReportOptions {
    /// Returns what is wanted, or what is wrong with it: it is better known before the job than after it.
    pub(crate) fn checked(&self) -> Result<Vec<ReportCopy>, Failure> {
        self.wanted().map(|(name, form, path)| check(name, form, path)).collect()
    }

    /// Returns for which CI annotations are wanted.
    pub(crate) const fn annotations(&self) -> Annotations {
        self.annotations
    }

    /// Adds the options to those that the run records.
    pub(super) fn record(&self, options: &mut Map<String, Value>) {
        let all = [("junit", &self.junit), ("tap", &self.tap), ("html", &self.html)];
        for (name, path) in all {
            let path = path.as_ref().map(|path| path.to_string_lossy().into_owned());
            options.insert(name.to_owned(), path.into());
        }
    }

    fn wanted(&self) -> impl Iterator<Item = (&'static str, ReportForm, &Path)> {
        let all = [
            ("--junit", ReportForm::Junit, self.junit.as_deref()),
            ("--tap", ReportForm::Tap, self.tap.as_deref()),
            ("--html", ReportForm::Html, self.html.as_deref()),
        ];
        all.into_iter().filter_map(|(name, form, path)| Some((name, form, path?)))
    }
}

fn check(option: &str, form: ReportForm, path: &Path) -> Result<ReportCopy, Failure> {
    let shown = path.display();
    let wrong = |problem: String| Err(Failure::usage(format!("{option} {shown}: {problem}")));
    let path = match std::path::absolute(path) {
        Ok(path) => path,
        Err(error) => return wrong(format!("the path cannot be used: {error}")),
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    if path.is_dir() {
        return wrong("this is a folder; name a file".to_owned());
    }
    if !folder.is_dir() {
        return wrong(format!("there is no folder {}", folder.display()));
    }
    // Permissions alone do not tell: a file system may be read-only, or take no files at all.
    let tried = match path.exists() {
        true => OpenOptions::new().append(true).open(&path).map(drop),
        false => tempfile::NamedTempFile::new_in(folder).map(drop),
    };
    match tried {
        Ok(()) => Ok(ReportCopy { form, path }),
        Err(error) => wrong(format!("this cannot be written: {error}")),
    }
}
