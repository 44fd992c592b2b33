//! The language that chooses runs: `status = completed and (lr > 0.1 or tag = best)`.
//!
//! It is Guild's, with the ordinary precedence: `not` before `and` before `or`. A name is looked for among the attributes
//! of a run, then its flags, then its scalars; `attr:`, `flag:` and `scalar:` say which. Comparing what cannot be compared
//! is false. The time now comes by argument.

mod compare;
mod expr;
mod parse;
mod times;
mod token;

use std::borrow::Cow;

use chrono::{DateTime, TimeZone};
use serde_json::Value;

use self::expr::{Condition, Expr, Name};
pub(crate) use self::times::TimeRange;
pub(crate) use crate::model::FilterMistake as Mistake;
use crate::model::Tally;

/// What a filter asks about.
pub(crate) trait Lookup {
    /// Returns an attribute; those that every run has by the names that a user gives them. Times are microseconds since
    /// 1970.
    fn attribute(&self, name: &str) -> Option<Cow<'_, Value>>;
    /// Returns the value of a flag.
    fn flag(&self, name: &str) -> Option<Cow<'_, Value>>;
    /// Returns the last value of a scalar.
    fn scalar(&self, name: &str) -> Option<Cow<'_, Value>>;
    /// Returns the names of what it has: attributes, flags and scalars.
    fn names(&self) -> Vec<String>;
}

/// A filter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    expr: Expr,
}

impl Filter {
    /// Returns the filter that `text` is; words like `today` are taken to be said at `now`.
    pub(crate) fn parse<Tz: TimeZone>(text: &str, now: &DateTime<Tz>) -> Result<Filter, Mistake> {
        let read_time = |text: &str| times::parse(text, now);
        parse::parse(text, &read_time).map(|expr| Filter { expr })
    }

    /// Returns which of its names no run has. Attributes that a run can have without it being told are had by all.
    pub(crate) fn unknown_names<'a, R: Lookup + 'a>(
        &self,
        runs: impl IntoIterator<Item = &'a R> + Clone,
    ) -> Vec<String> {
        let mut names: Vec<&Name> = Vec::new();
        for Condition { name, .. } in self.expr.conditions() {
            if !name.is_common() && !names.contains(&name) {
                names.push(name);
            }
        }
        let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut tally = Tally::new(shown.iter().map(String::as_str));
        for run in runs.clone() {
            tally.note([], |place| compare::value(names[place], run).is_some());
        }
        if !tally.unmet().is_empty() {
            for run in runs {
                let names = run.names();
                tally.note(names.iter().map(String::as_str), |_| false);
            }
        }
        let unknown = |(name, near): (&str, Option<&str>)| {
            let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            format!("no run has '{name}' of --filter{near}")
        };
        tally.unmet().into_iter().map(unknown).collect()
    }

    /// Returns whether a run is left in.
    pub(crate) fn matches(&self, run: &dyn Lookup) -> bool {
        compare::holds(&self.expr, run)
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.expr.fmt(f)
    }
}

#[cfg(test)]
mod tests;
