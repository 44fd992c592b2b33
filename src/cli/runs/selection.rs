//! Which runs a command of `rille runs` is about: the filter options, and the runs that are named.

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::Local;
use clap::Args;

use super::criteria::{OperationPattern, comments_match, label_matches};
use crate::cli::Failure;
use crate::cli::output::one_line;
use crate::store::{self, Filter, Home, RunInfo, RunRow, Status, TimeRange};

/// Options that leave runs out. Different ones must all hold; of one that is given several times, one must hold.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct RunFilter {
    /// Only runs for which this holds: NAME OPERATOR VALUE with and, or, not, ( ), as in 'status = completed and (lr > 0.1 or
    /// tag = best)'; operators: = != < <= > >= is, in [..], contains, is undefined; names: attributes, flags, scalars
    #[arg(short = 'F', long = "filter", value_name = "EXPR")]
    filter: Vec<String>,
    /// Only runs that were started then: after|before TIME, between TIME and TIME, last N hours|days, today, this week, 3 days
    /// ago [Guild: -Fs]
    #[arg(long, value_name = "RANGE")]
    started: Vec<String>,
    /// Only runs of this operation: OP, MODEL:OP, with *, or a regular expression with ^ or $ [Guild: -Fo]
    #[arg(long, value_name = "OP")]
    operation: Vec<String>,
    /// Only runs whose label contains TEXT; - for those without one [Guild: -Fl]
    #[arg(long, value_name = "TEXT", conflicts_with = "unlabeled")]
    label: Vec<String>,
    /// Only runs without a label [Guild: -Fu]
    #[arg(long)]
    unlabeled: bool,
    /// Only runs with this tag [Guild: -Ft]
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only runs with a comment that contains TEXT, in any case; - for those without one [Guild: -Fc]
    #[arg(long, value_name = "TEXT")]
    comment: Vec<String>,
    /// Only marked runs [Guild: -Fm]
    #[arg(long, conflicts_with = "unmarked")]
    marked: bool,
    /// Only runs that are not marked [Guild: -Fn]
    #[arg(long)]
    unmarked: bool,
    /// Only runs whose source code has a digest that begins so [Guild: -Fd]
    #[arg(long, value_name = "DIGEST")]
    digest: Vec<String>,
    /// Only runs of these statuses, a letter each: r)unning c)ompleted e)rror t)erminated p)ending s)taged l)ost corrupt (x)
    #[arg(short = 'S', value_name = "LETTERS")]
    letters: Vec<StatusLetters>,
    /// Only runs that run
    #[arg(long, overrides_with = "not_running")]
    running: bool,
    #[arg(long, hide = true)]
    not_running: bool,
    /// Only runs that have completed
    #[arg(long, overrides_with = "not_completed")]
    completed: bool,
    #[arg(long, hide = true)]
    not_completed: bool,
    /// Only runs that ended with an error
    #[arg(long, overrides_with = "not_error")]
    error: bool,
    #[arg(long, hide = true)]
    not_error: bool,
    /// Only runs that a signal has ended
    #[arg(long, overrides_with = "not_terminated")]
    terminated: bool,
    #[arg(long, hide = true)]
    not_terminated: bool,
    /// Only runs that are being prepared
    #[arg(long, overrides_with = "not_pending")]
    pending: bool,
    #[arg(long, hide = true)]
    not_pending: bool,
    /// Only runs that are staged
    #[arg(long, overrides_with = "not_staged")]
    staged: bool,
    #[arg(long, hide = true)]
    not_staged: bool,
    /// Only runs whose host died; all of these have their opposite, as --not-lost
    #[arg(long, overrides_with = "not_lost")]
    lost: bool,
    #[arg(long, hide = true)]
    not_lost: bool,
    /// Only runs whose files are damaged
    #[arg(long, overrides_with = "not_corrupt")]
    corrupt: bool,
    #[arg(long, hide = true)]
    not_corrupt: bool,
}

/// The letters of `-S`.
#[derive(Clone, Debug)]
struct StatusLetters(Vec<Status>);

impl FromStr for StatusLetters {
    type Err = String;

    fn from_str(letters: &str) -> Result<Self, Self::Err> {
        let status = |letter: char| {
            Ok(match letter {
                'r' => Status::Running,
                'c' => Status::Completed,
                'e' => Status::Error,
                't' => Status::Terminated,
                'p' => Status::Pending,
                's' => Status::Staged,
                'l' => Status::Lost,
                'x' => Status::Corrupt,
                other => return Err(format!("'{other}' is no letter of a status; they are r c e t p s l x")),
            })
        };
        letters.chars().map(status).collect::<Result<_, _>>().map(StatusLetters)
    }
}

/// Which runs are meant where none is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unnamed {
    /// The newest.
    Latest,
    /// All of them.
    All,
}

/// The filter options, checked.
pub(crate) struct Criteria<'a> {
    filter: &'a RunFilter,
    exprs: Vec<Filter>,
    started: Vec<TimeRange>,
    operations: Vec<OperationPattern>,
    wanted: Vec<Status>,
    unwanted: Vec<Status>,
}

impl RunFilter {
    /// Returns the filter, if its patterns are such.
    pub(crate) fn checked(&self) -> Result<Criteria<'_>, Failure> {
        let switches = [
            (self.running, self.not_running, Status::Running),
            (self.completed, self.not_completed, Status::Completed),
            (self.error, self.not_error, Status::Error),
            (self.terminated, self.not_terminated, Status::Terminated),
            (self.pending, self.not_pending, Status::Pending),
            (self.staged, self.not_staged, Status::Staged),
            (self.lost, self.not_lost, Status::Lost),
            (self.corrupt, self.not_corrupt, Status::Corrupt),
        ];
        let mut wanted: Vec<Status> = self.letters.iter().flat_map(|letters| letters.0.iter().copied()).collect();
        wanted.extend(switches.iter().filter(|(is_wanted, ..)| *is_wanted).map(|(.., status)| *status));
        let unwanted = switches.iter().filter(|(_, is_unwanted, _)| *is_unwanted).map(|(.., status)| *status).collect();
        let operations = self.operation.iter().map(|text| OperationPattern::parse(text)).collect::<Result<_, _>>()?;
        let now = Local::now();
        let expr = |text: &String| Filter::parse(text, &now).map_err(|mistake| Failure::usage(mistake.to_string()));
        let exprs = self.filter.iter().map(expr).collect::<Result<_, _>>()?;
        let range =
            |text: &String| TimeRange::parse(text, &now).map_err(|what| Failure::usage(format!("--started: {what}")));
        let started = self.started.iter().map(range).collect::<Result<_, _>>()?;
        Ok(Criteria { filter: self, exprs, started, operations, wanted, unwanted })
    }
}

impl Criteria<'_> {
    /// Adds statuses, of which a run must have one.
    pub(crate) fn want(&mut self, statuses: &[Status]) {
        self.wanted.extend_from_slice(statuses);
    }

    /// Returns whether no run is left out.
    pub(crate) fn is_empty(&self) -> bool {
        let RunFilter { filter, label, unlabeled, tag, comment, marked, unmarked, digest, started, .. } = self.filter;
        [filter, label, tag, comment, digest, started].into_iter().all(Vec::is_empty)
            && !(*unlabeled || *marked || *unmarked)
            && self.operations.is_empty()
            && self.wanted.is_empty()
            && self.unwanted.is_empty()
    }

    /// Returns whether the run is left in.
    pub(crate) fn allow(&self, row: &RunRow) -> bool {
        let run = &row.info;
        let RunFilter { label, unlabeled, tag, comment, marked, unmarked, digest, .. } = self.filter;
        let started = run.started.map(|time| time.timestamp_micros());
        (self.wanted.is_empty() || self.wanted.contains(&run.status))
            && !self.unwanted.contains(&run.status)
            && (self.operations.is_empty()
                || run.operation.as_ref().is_some_and(|op| self.operations.iter().any(|pattern| pattern.matches(op))))
            && (label.is_empty() || label_matches(label, run.label.as_deref()))
            && (!unlabeled || label_matches(&["-".to_owned()], run.label.as_deref()))
            && (tag.is_empty() || tag.iter().any(|tag| run.tags.contains(tag)))
            && (!marked || run.marked)
            && !(*unmarked && run.marked)
            && (self.started.is_empty()
                || started.is_some_and(|started| self.started.iter().any(|range| range.contains(started))))
            && (comment.is_empty() || comments_match(comment, Some(row.comments())))
            && (digest.is_empty() || {
                let own = row.digest().unwrap_or_default();
                digest.iter().any(|beginning| own.starts_with(beginning.as_str()))
            })
            && self.exprs.iter().all(|expr| expr.matches(row))
    }
}

/// Returns the runs of a home that `criteria` leaves in, newest first. Names in a filter that no run has are told on standard
/// error.
pub(crate) fn filtered(home: &Home, criteria: &Criteria<'_>) -> Result<Vec<RunRow>, Failure> {
    let mut rows = store::rows(home)?;
    if !rows.is_empty() {
        for unknown in criteria.exprs.iter().flat_map(|expr| expr.unknown_names(&rows)) {
            eprintln!("WARNING: {}", one_line(&unknown));
        }
    }
    rows.retain(|row| criteria.allow(row));
    Ok(rows)
}

/// Returns the runs that `selectors` mean among those that `filter` leaves in, each once and in the order they are named.
///
/// A selector is an id or the beginning of one, a path, `latest`, the number that a run has in the list (newest first,
/// with the same filter), or a range of these, `a:b`, `a:`, `:b` or `:`. A number that the list does not have is the
/// beginning of an id. Where there is no selector, `unnamed` says which are meant; then there may be none.
pub(crate) fn select_runs(
    home: &Home,
    selectors: &[String],
    filter: &RunFilter,
    unnamed: Unnamed,
) -> Result<Vec<RunInfo>, Failure> {
    Ok(select_rows(home, selectors, filter, unnamed)?.into_iter().map(|row| row.info).collect())
}

/// The same with everything that a filter can ask of them.
pub(crate) fn select_rows(
    home: &Home,
    selectors: &[String],
    filter: &RunFilter,
    unnamed: Unnamed,
) -> Result<Vec<RunRow>, Failure> {
    let criteria = filter.checked()?;
    if selectors.is_empty() {
        return Ok(match unnamed {
            Unnamed::Latest if criteria.is_empty() => store::newest(home, 1)?.runs,
            Unnamed::Latest => filtered(home, &criteria)?.into_iter().take(1).collect(),
            Unnamed::All => filtered(home, &criteria)?,
        });
    }
    let mut listed = Listed { home, criteria: &criteria, paths: None };
    let mut chosen: Vec<PathBuf> = Vec::new();
    let mut seen: HashSet<PathBuf> = HashSet::new();
    for selector in selectors {
        let found = listed.find(selector)?;
        chosen.extend(found.into_iter().filter(|path| seen.insert(path.clone())));
    }
    let rows = chosen.into_iter().map(|path| {
        let row = store::row(&path);
        if criteria.allow(&row) {
            return Ok(row);
        }
        Err(Failure::usage(format!("run {} is left out by the filter", row.info.id)).hint("name it without a filter."))
    });
    rows.collect()
}

/// The list that numbers count in. It is made when the first number asks for it.
struct Listed<'a> {
    home: &'a Home,
    criteria: &'a Criteria<'a>,
    paths: Option<Vec<PathBuf>>,
}

impl Listed<'_> {
    fn paths(&mut self) -> Result<&[PathBuf], Failure> {
        if self.paths.is_none() {
            self.paths = Some(if self.criteria.is_empty() {
                store::newest_paths(self.home, usize::MAX)?.0
            } else {
                filtered(self.home, self.criteria)?.into_iter().map(|row| row.info.path).collect()
            });
        }
        Ok(self.paths.as_deref().unwrap_or_default())
    }

    /// Returns the runs that a selector means.
    fn find(&mut self, selector: &str) -> Result<Vec<PathBuf>, Failure> {
        match Selector::parse(selector) {
            Selector::Range(from, to) => {
                let paths = self.paths()?;
                let to = to.unwrap_or(paths.len()).min(paths.len());
                let from = from.unwrap_or(1).max(1);
                // All of nothing is nothing.
                if from > to && selector != ":" {
                    return Err(no_such_number(selector, paths.len()));
                }
                Ok(paths.get(from - 1..to).unwrap_or_default().to_vec())
            }
            Selector::Number(number) if !self.home.runs_dir().join(selector).join(".guild").exists() => {
                let paths = self.paths()?;
                if let Some(path) = number.checked_sub(1).and_then(|at| paths.get(at)) {
                    return Ok(vec![path.clone()]);
                }
                let runs = paths.len();
                match self.home.find(selector) {
                    Ok(path) => Ok(vec![path]),
                    Err(store::Error::NoSuchRun { near, .. }) if near.is_empty() => Err(no_such_number(selector, runs)),
                    Err(error) => Err(error.into()),
                }
            }
            // Without a filter as everywhere, with its errors.
            Selector::Latest if !self.criteria.is_empty() => match self.paths()?.first() {
                Some(path) => Ok(vec![path.clone()]),
                None => Err(Failure::usage("the filter leaves no run in")),
            },
            Selector::Number(_) | Selector::Latest | Selector::Name => Ok(vec![self.home.find(selector)?]),
        }
    }
}

fn no_such_number(selector: &str, runs: usize) -> Failure {
    let there_are = match runs {
        0 => "there are no runs".to_owned(),
        1 => "there is one run".to_owned(),
        runs => format!("there are {runs} runs"),
    };
    Failure::usage(format!("no run matches '{selector}': {there_are}"))
        .hint("numbers are those of 'rille runs', with the same filter: 1 is the newest.")
}

/// What a selector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Number(usize),
    Range(Option<usize>, Option<usize>),
    Latest,
    Name,
}

impl Selector {
    fn parse(text: &str) -> Selector {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { text.parse::<usize>().ok() } else { None }
        };
        if text == "latest" {
            return Selector::Latest;
        }
        if let Some((from, to)) = text.split_once(':') {
            let side = |text: &str| if text.is_empty() { Some(None) } else { number(text).map(Some) };
            return match (side(from), side(to)) {
                (Some(from), Some(to)) => Selector::Range(from, to),
                _ => Selector::Name,
            };
        }
        number(text).map_or(Selector::Name, Selector::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_told_apart() {
        let cases = [
            ("1", Selector::Number(1)),
            ("2:4", Selector::Range(Some(2), Some(4))),
            (":", Selector::Range(None, None)),
            ("3:", Selector::Range(Some(3), None)),
            (":3", Selector::Range(None, Some(3))),
            ("a:3", Selector::Name),
            ("latest", Selector::Latest),
            ("12ab", Selector::Name),
            ("99999999999999999999999", Selector::Name),
            ("", Selector::Name),
        ];
        for (text, selector) in cases {
            assert_eq!(Selector::parse(text), selector, "{text}");
        }
    }
}
