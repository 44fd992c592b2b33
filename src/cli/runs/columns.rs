//! Columns of a comparison, as users name them: `[min|max|first|last|avg|total|count] SCALAR [step] [as NAME]`, `=FLAG`,
//! `.ATTRIBUTE`.

use serde_json::Value;

use super::list::{label_or_damage, local_time, short_id};
use crate::cli::Failure;
use crate::store::{Lookup, RunRow, ScalarRow};

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// What stands above it.
    pub(super) heading: String,
    /// Where its cells come from.
    pub(super) source: Source,
}

/// Where the cells of a column come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What every comparison shows of a run.
    Core(Core),
    /// A flag.
    Flag(String),
    /// An attribute.
    Attribute(String),
    /// A scalar, and whether it is the step that is shown.
    Scalar(Which, String, bool),
    /// The last step of all scalars.
    Step,
}

/// What every comparison shows of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Core {
    Run,
    Operation,
    Started,
    Time,
    Status,
    Label,
    SourceCode,
}

/// Which value of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Min,
    Max,
    First,
    Last,
    Avg,
    Total,
    Count,
}

/// The words for values of a scalar.
const WHICH: [(&str, Which); 7] = [
    ("min", Which::Min),
    ("max", Which::Max),
    ("first", Which::First),
    ("last", Which::Last),
    ("avg", Which::Avg),
    ("total", Which::Total),
    ("count", Which::Count),
];

/// The columns that every comparison begins with.
pub(super) const CORE: [(&str, Core); 6] = [
    ("run", Core::Run),
    ("operation", Core::Operation),
    ("started", Core::Started),
    ("time", Core::Time),
    ("status", Core::Status),
    ("label", Core::Label),
];

impl Column {
    /// Returns a column with the heading `name`.
    pub(super) fn new(name: &str, source: Source) -> Column {
        Column { heading: name.to_owned(), source }
    }

    /// Returns the columns of a list with commas between.
    pub(super) fn parse_list(text: &str) -> Result<Vec<Column>, Failure> {
        split_at_commas(text).into_iter().filter(|part| !part.trim().is_empty()).map(Column::parse).collect()
    }

    /// Returns the column that `text` names.
    pub(super) fn parse(text: &str) -> Result<Column, Failure> {
        let wrong = |what: &str| {
            Failure::usage(format!("'{}' is no column: {what}", text.trim())).hint(
                "a column is [min|max|first|last|avg|total|count] SCALAR [step], =FLAG or .ATTRIBUTE, with [as NAME].",
            )
        };
        let words = shlex::split(text).ok_or_else(|| wrong("a quote is not closed"))?;
        let mut words: &[String] = &words;
        let mut heading = None;
        if let [before @ .., word, name] = words
            && word == "as"
            && !before.is_empty()
        {
            heading = Some(name.clone());
            words = before;
        }
        if words.last().is_some_and(|word| word == "as") && words.len() > 1 {
            return Err(wrong("a name is missing after 'as'"));
        }
        let (source, default) = match words {
            [] => return Err(wrong("it is empty")),
            [flag] if flag.len() > 1 && flag.starts_with('=') => {
                (Source::Flag(flag[1..].to_owned()), flag[1..].to_owned())
            }
            [attr] if attr.len() > 1 && attr.starts_with('.') => {
                (Source::Attribute(attr[1..].to_owned()), attr[1..].to_owned())
            }
            [odd, ..] if odd.starts_with(['=', '.']) => return Err(wrong("one name follows = or .")),
            words => scalar(words).ok_or_else(|| {
                // Of words so short one letter is much, so that one slip is forgiven.
                let near = WHICH.into_iter().find(|(word, _)| strsim::osa_distance(&words[0], word) == 1);
                match near {
                    Some((near, _)) if words.len() > 1 => wrong(&format!("did you mean '{near}'?")),
                    _ => wrong("it has too many words"),
                }
            })?,
        };
        Ok(Column { heading: heading.unwrap_or(default), source })
    }

    /// Returns the value of a run in this column; null if it has none.
    pub(super) fn value(&self, row: &RunRow) -> Value {
        match &self.source {
            Source::Core(core) => core.value(row),
            Source::Flag(name) => row.flags().get(name).cloned().unwrap_or_default(),
            Source::Attribute(name) => match (name.as_str(), row.attribute(name)) {
                ("started" | "stopped" | "initialized", Some(time)) => {
                    local_time(time.as_i64().and_then(chrono::DateTime::from_timestamp_micros)).into()
                }
                (_, value) => value.map(std::borrow::Cow::into_owned).unwrap_or_default(),
            },
            Source::Step => {
                let scalars = row.scalars().iter().filter(|scalar| !is_of_system(scalar));
                scalars.map(|scalar| scalar.last.1).max().into()
            }
            Source::Scalar(which, name, is_step) => {
                row.scalar_row(name).map_or(Value::Null, |scalar| which.value(scalar, *is_step))
            }
        }
    }

    /// Returns the number that a run is ordered by in this column.
    pub(super) fn number(&self, row: &RunRow) -> Option<f64> {
        if self.source == Source::Core(Core::Time) {
            return seconds(row).map(|seconds| {
                #[expect(clippy::cast_precision_loss, reason = "so long no run is")]
                let seconds = seconds as f64;
                seconds
            });
        }
        self.value(row).as_f64()
    }
}

/// Returns the scalar that words name, and its heading.
fn scalar(words: &[String]) -> Option<(Source, String)> {
    let qualifier = WHICH.into_iter().find(|(word, _)| words.len() > 1 && words[0] == *word);
    let (which, rest) = qualifier.map_or((Which::Last, words), |(_, which)| (which, &words[1..]));
    match rest {
        [name] => Some((Source::Scalar(which, name.clone(), false), name.clone())),
        [name, step] if step == "step" => Some((Source::Scalar(which, name.clone(), true), format!("{name} step"))),
        _ => None,
    }
}

/// Returns whether a scalar tells of the machine and not of the run.
pub(super) fn is_of_system(scalar: &ScalarRow) -> bool {
    scalar.tag.starts_with("sys/")
}

/// Splits at commas that are not in quotes.
fn split_at_commas(text: &str) -> Vec<&str> {
    let mut quote = None;
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, ',') => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

impl Which {
    fn value(self, scalar: &ScalarRow, is_step: bool) -> Value {
        let point = match self {
            Which::Min => scalar.min,
            Which::Max => scalar.max,
            Which::First => scalar.first,
            Which::Last => scalar.last,
            // These have no step of their own.
            Which::Avg | Which::Total | Which::Count if is_step => return Value::Null,
            Which::Avg => return scalar.avg().into(),
            Which::Total => return scalar.total.into(),
            Which::Count => return scalar.count.into(),
        };
        if is_step { point.1.into() } else { number(point.0) }
    }
}

/// Returns a number as JSON has it; what is none there is text.
fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::from)
}

impl Core {
    fn value(self, row: &RunRow) -> Value {
        let info = &row.info;
        match self {
            Core::Run => short_id(&info.id).into(),
            Core::Operation => info.operation.clone().into(),
            Core::Started => info.started.map(|time| local_time(Some(time))).into(),
            Core::Time => seconds(row).map(|s| format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)).into(),
            Core::SourceCode => row.digest().map(short_id).into(),
            Core::Status => info.status.name().into(),
            Core::Label if info.damage.is_some() => label_or_damage(info).into(),
            Core::Label => info.label.clone().into(),
        }
    }
}

/// Returns the whole seconds that a run took, or has taken up to now.
fn seconds(row: &RunRow) -> Option<i64> {
    let info = &row.info;
    let is_running = info.status == crate::store::Status::Running;
    let end = info.stopped.filter(|_| !is_running).or_else(|| is_running.then(chrono::Utc::now))?;
    Some((end - info.started?).num_seconds().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read() {
        let scalar = |which, name: &str, is_step| Source::Scalar(which, name.to_owned(), is_step);
        let cases = [
            ("loss", "loss", scalar(Which::Last, "loss", false)),
            ("min loss", "loss", scalar(Which::Min, "loss", false)),
            ("min loss step", "loss step", scalar(Which::Min, "loss", true)),
            ("step", "step", scalar(Which::Last, "step", false)),
            ("loss step", "loss step", scalar(Which::Last, "loss", true)),
            ("min step", "step", scalar(Which::Min, "step", false)),
            ("avg a/b#loss as 'mean loss'", "mean loss", scalar(Which::Avg, "a/b#loss", false)),
            ("min", "min", scalar(Which::Last, "min", false)),
            ("=lr as rate", "rate", Source::Flag("lr".to_owned())),
            (".stopped", "stopped", Source::Attribute("stopped".to_owned())),
        ];
        for (text, heading, source) in cases {
            let column = Column::parse(text);
            assert_eq!(column, Ok(Column::new(heading, source)), "{text}");
        }
        let list = Column::parse_list("=lr, 'a,b', max acc as \"best, acc\",").unwrap();
        assert_eq!(list.iter().map(|column| column.heading.as_str()).collect::<Vec<_>>(), ["lr", "a,b", "best, acc"]);
    }

    #[test]
    fn what_is_no_column_is_told_why() {
        let cases = [
            ("mim loss", "'mim loss' is no column: did you mean 'min'?"),
            ("loss a b", "'loss a b' is no column: it has too many words"),
            ("loss as", "'loss as' is no column: a name is missing after 'as'"),
            ("= lr", "'= lr' is no column: one name follows = or ."),
            ("'x", "''x' is no column: a quote is not closed"),
        ];
        for (text, message) in cases {
            assert_eq!(Column::parse(text).unwrap_err().message, message);
        }
    }
}
