//! What is expected of the run of a step: `expect`.

use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use serde_json::Value;
use similar::TextDiff;

use crate::operation::python_regex::from_python;

/// Why an expectation cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CheckError {
    /// It is neither about a file nor about the output.
    #[error("invalid check config - expected one of: file, output")]
    Neither,
    /// A regular expression that is none.
    #[error("invalid regular expression: '{0}': {1}")]
    Pattern(String, String),
    /// A pattern of paths that is none.
    #[error("invalid file pattern: '{0}': {1}")]
    Glob(String, String),
}

/// What was expected and is not so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckFailed {
    /// There is no such file.
    #[error("no files matching {0}")]
    NoFile(String),
    /// The text is not in it.
    #[error("could not find pattern '{0}' in {1}")]
    NotFound(String, String),
    /// It is not as the other.
    #[error("unexpected contents of {file}, compared with {other}:\n{diff}")]
    Differs {
        /// The file of the run.
        file: String,
        /// What it was compared with.
        other: String,
        /// How they differ.
        diff: String,
    },
    /// It cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, std::io::Error),
}

/// An expectation.
#[derive(Clone, Debug)]
pub(crate) enum Check {
    /// Files of the run.
    File {
        /// Which, as a pattern.
        glob: String,
        /// What each is to be the same as, relative to the run.
        compare_to: Option<String>,
        /// What each is to hold.
        contains: Option<Pattern>,
    },
    /// The output of the run.
    Output(Pattern),
}

/// A regular expression with its text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    regex: regex::Regex,
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

/// Lines of a difference that are shown.
const DIFF_LINES: usize = 40;

impl Check {
    /// Reads one item of `expect`.
    pub(super) fn read(data: &Value) -> Result<Check, CheckError> {
        let text = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(glob) = text("file") {
            if let Err(error) = matcher(&glob) {
                return Err(CheckError::Glob(glob, error.to_string()));
            }
            let contains = text("contains").map(Pattern::new).transpose()?;
            let compare_to = text("compare-to").or_else(|| text("compare_to"));
            return Ok(Check::File { glob, compare_to, contains });
        }
        match text("output") {
            Some(pattern) => Ok(Check::Output(Pattern::new(pattern)?)),
            None => Err(CheckError::Neither),
        }
    }

    /// Looks whether the run in this directory is as expected. `variable` is an environment variable, which paths may name.
    pub(crate) fn look(&self, run: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), CheckFailed> {
        match self {
            Check::Output(pattern) => pattern.find("the output", &read(&run.join(".guild/output"))?),
            Check::File { glob, compare_to, contains } => {
                let files = files(run, glob);
                if files.is_empty() {
                    return Err(CheckFailed::NoFile(glob.clone()));
                }
                for path in files {
                    let shown = path.strip_prefix(run).unwrap_or(&path).display().to_string();
                    let text = read(&path)?;
                    if let Some(other) = compare_to {
                        let other = with_variables(other, variable);
                        compare(&shown, &text, &other, &read(&run.join(&other))?)?;
                    }
                    if let Some(pattern) = contains {
                        pattern.find(&shown, &text)?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Pattern {
    fn new(text: String) -> Result<Pattern, CheckError> {
        let compiled =
            from_python(&text).and_then(|pattern| regex::Regex::new(&pattern).map_err(|error| error.to_string()));
        match compiled {
            Ok(regex) => Ok(Pattern { text, regex }),
            Err(error) => Err(CheckError::Pattern(text, error)),
        }
    }

    fn find(&self, what: &str, text: &str) -> Result<(), CheckFailed> {
        // To Python `$` is also before the last line's end.
        let is_there = self.regex.is_match(text) || self.regex.is_match(text.strip_suffix('\n').unwrap_or(text));
        match is_there {
            true => Ok(()),
            false => Err(CheckFailed::NotFound(self.text.clone(), what.to_owned())),
        }
    }
}

fn matcher(glob: &str) -> Result<globset::GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(glob).literal_separator(true).build()?.compile_matcher())
}

/// Returns the files of a run that a pattern names, in order.
fn files(run: &Path, glob: &str) -> Vec<PathBuf> {
    let direct = run.join(glob);
    if direct.is_file() {
        return vec![direct];
    }
    let Ok(matcher) = matcher(glob) else { return Vec::new() };
    let entries = ignore::WalkBuilder::new(run).standard_filters(false).hidden(false).build().flatten();
    let is_meant =
        |path: &Path| path.strip_prefix(run).is_ok_and(|relative| matcher.is_match(relative)) && path.is_file();
    let mut found: Vec<PathBuf> = entries.map(ignore::DirEntry::into_path).filter(|path| is_meant(path)).collect();
    found.sort();
    found
}

fn read(path: &Path) -> Result<String, CheckFailed> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => Err(CheckFailed::Unreadable(path.display().to_string(), error)),
    }
}

/// Returns a path with the variables that it names.
fn with_variables(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let lookup = |name: &str| Ok(variable(name));
    super::references::resolve(path, &lookup).unwrap_or_else(|_| path.to_owned())
}

fn compare(file: &str, text: &str, other: &str, expected: &str) -> Result<(), CheckFailed> {
    if text.replace("\r\n", "\n") == expected.replace("\r\n", "\n") {
        return Ok(());
    }
    let diff = TextDiff::from_lines(expected, text).unified_diff().header(other, file).to_string();
    let diff: Vec<&str> = diff.lines().take(DIFF_LINES).collect();
    Err(CheckFailed::Differs { file: file.to_owned(), other: other.to_owned(), diff: diff.join("\n") })
}
