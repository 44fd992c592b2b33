//! Which runs a command of `rille runs` is about: the filter options, and the runs that are named.

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args};

use super::criteria::{OperationPattern, comments_match, label_matches};
use crate::cli::Failure;
use crate::store::{self, Home, RunInfo, Status};

/// Options that leave runs out. Different ones must all hold; of one that is given several times, one must hold.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters")]
pub(crate) struct RunFilter {
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
    #[arg(long, overrides_with = "not_lost", action = ArgAction::SetTrue)]
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
#[expect(dead_code, reason = "the commands that select by it are being built")]
pub(crate) enum Unnamed {
    /// The newest.
    Latest,
    /// All of them.
    All,
}

/// The filter options, checked.
pub(crate) struct Criteria<'a> {
    filter: &'a RunFilter,
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
        Ok(Criteria { filter: self, operations, wanted, unwanted })
    }
}

impl Criteria<'_> {
    /// Returns whether the run is left in.
    pub(crate) fn allow(&self, run: &RunInfo) -> bool {
        let RunFilter { label, unlabeled, tag, comment, marked, unmarked, digest, .. } = self.filter;
        (self.wanted.is_empty() || self.wanted.contains(&run.status))
            && !self.unwanted.contains(&run.status)
            && (self.operations.is_empty()
                || run.operation.as_ref().is_some_and(|op| self.operations.iter().any(|pattern| pattern.matches(op))))
            && (label.is_empty() || label_matches(label, run.label.as_deref()))
            && (!unlabeled || label_matches(&["-".to_owned()], run.label.as_deref()))
            && (tag.is_empty() || tag.iter().any(|tag| run.tags.contains(tag)))
            && (!marked || run.marked)
            && !(*unmarked && run.marked)
            && (comment.is_empty() || comments_match(comment, store::attribute(&run.path, "comments").as_ref()))
            && (digest.is_empty() || {
                let own = store::attribute(&run.path, "sourcecode_digest");
                let own = own.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
                digest.iter().any(|beginning| own.starts_with(beginning.as_str()))
            })
    }
}

/// Returns the runs that `selectors` mean among those that `filter` leaves in, each once and in the order they are named.
///
/// A selector is an id or the beginning of one, a path, `latest`, the number that a run has in the list (newest first,
/// with the same filter), or a range of these, `a:b`, `a:`, `:b` or `:`. A number that the list does not have is the
/// beginning of an id. Where there is no selector, `unnamed` says which are meant; then there may be none.
#[expect(dead_code, reason = "the commands that select by it are being built")]
pub(crate) fn select_runs(
    home: &Home,
    selectors: &[String],
    filter: &RunFilter,
    unnamed: Unnamed,
) -> Result<Vec<RunInfo>, Failure> {
    let criteria = filter.checked()?;
    let mut listed: Option<Vec<RunInfo>> = None;
    let mut list = || -> Result<Vec<RunInfo>, Failure> {
        if listed.is_none() {
            let mut runs = store::list(home)?;
            runs.retain(|run| criteria.allow(run));
            listed = Some(runs);
        }
        Ok(listed.clone().unwrap_or_default())
    };
    if selectors.is_empty() {
        let mut runs = list()?;
        if unnamed == Unnamed::Latest {
            runs.truncate(1);
        }
        return Ok(runs);
    }
    let mut chosen: Vec<RunInfo> = Vec::new();
    for selector in selectors {
        match Selector::parse(selector) {
            Selector::Range(from, to) => {
                let runs = list()?;
                let to = to.unwrap_or(runs.len()).min(runs.len());
                let from = from.unwrap_or(1).max(1);
                if from > to {
                    return Err(no_such_number(selector, runs.len()));
                }
                chosen.extend_from_slice(&runs[from - 1..to]);
            }
            Selector::Number(number) if !home.runs_dir().join(selector).join(".guild").exists() => {
                let runs = list()?;
                match number.checked_sub(1).and_then(|at| runs.get(at)) {
                    Some(run) => chosen.push(run.clone()),
                    None => match home.find(selector) {
                        Ok(path) => chosen.push(named(&criteria, path)?),
                        Err(store::Error::NoSuchRun { near, .. }) if near.is_empty() => {
                            return Err(no_such_number(selector, runs.len()));
                        }
                        Err(error) => return Err(error.into()),
                    },
                }
            }
            Selector::Latest => {
                let run = list()?.into_iter().next();
                chosen.push(run.ok_or_else(|| Failure::usage("there is no run that the filter leaves in"))?);
            }
            Selector::Number(_) | Selector::Name => chosen.push(named(&criteria, home.find(selector)?)?),
        }
    }
    let mut seen: HashSet<PathBuf> = HashSet::new();
    chosen.retain(|run| seen.insert(run.path.clone()));
    Ok(chosen)
}

/// Returns the run in the directory `path`, which the user has named; it is an error if the filter leaves it out.
fn named(criteria: &Criteria<'_>, path: PathBuf) -> Result<RunInfo, Failure> {
    let run = store::summarise(&path);
    if criteria.allow(&run) {
        return Ok(run);
    }
    Err(Failure::usage(format!("run {} is left out by the filter", run.id)).hint("name it without a filter."))
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
