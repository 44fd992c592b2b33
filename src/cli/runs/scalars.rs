//! The scalars of a run, as commands show them.

use serde_json::{Map, Value, json};

use crate::store::RunInfo;
use crate::store::tfevents::{ScalarSummary, read_scalars};

/// A scalar of a run.
pub(super) struct Scalar {
    /// Its name: the tag, with the folder before it that the event file is in.
    pub(super) name: String,
    /// What its values come to.
    pub(super) summary: ScalarSummary,
}

/// Returns the scalars of a run by name; those of the system only if `all`.
pub(super) fn scalars_of(run: &RunInfo, all: bool) -> Vec<Scalar> {
    let found = read_scalars(&run.path).scalars.into_iter();
    let named = found.filter(|((_, tag), _)| all || !tag.starts_with("sys/")).map(|((prefix, tag), summary)| {
        let name = if prefix.is_empty() { tag } else { format!("{prefix}#{tag}") };
        Scalar { name, summary }
    });
    named.collect()
}

/// Returns scalars as JSON: numbers that JSON does not have as text.
pub(super) fn as_json(scalars: &[Scalar]) -> Value {
    let point = |value: f64| if value.is_finite() { json!(value) } else { json!(value.to_string()) };
    let one = |scalar: &Scalar| {
        let ScalarSummary { first, last, min, max, total, count } = scalar.summary;
        let value = json!({
            "value": point(last.value), "step": last.step, "first": point(first.value), "first_step": first.step,
            "min": point(min.value), "min_step": min.step, "max": point(max.value), "max_step": max.step,
            "avg": point(scalar.summary.avg()), "total": point(total), "count": count,
        });
        (scalar.name.clone(), value)
    };
    Value::Object(scalars.iter().map(one).collect::<Map<_, _>>())
}
