//! What is kept of the scalars of a run: of each its first, last, smallest and largest value, their sum and number.

use std::path::{Path, PathBuf};

use crate::store::tfevents::{self, Point, ScalarSummary};

/// A scalar of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScalarRow {
    /// The folder of its event file, relative to the run directory.
    pub(crate) prefix: String,
    /// Its name.
    pub(crate) tag: String,
    /// Its first value and the step of that.
    pub(crate) first: (f64, i64),
    /// The last.
    pub(crate) last: (f64, i64),
    /// The smallest.
    pub(crate) min: (f64, i64),
    /// The largest.
    pub(crate) max: (f64, i64),
    /// The sum of all values.
    pub(crate) total: f64,
    /// How many there are.
    pub(crate) count: u64,
}

/// How a scalar is stored: JSON has no infinity and no NaN, so values are their bits.
type Encoded = (String, String, [u64; 5], [i64; 4], u64);

impl ScalarRow {
    /// Returns whether it is meant by `tag` or `prefix#tag`.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.tag == name || name.split_once('#').is_some_and(|(prefix, tag)| self.prefix == prefix && self.tag == tag)
    }

    /// Returns its name as columns and scripts have it: `tag`, or `prefix#tag`.
    pub(crate) fn full_name(&self) -> String {
        if self.prefix.is_empty() { self.tag.clone() } else { format!("{}#{}", self.prefix, self.tag) }
    }

    /// Returns the mean.
    pub(crate) fn avg(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "so many values no run has")]
        let count = self.count as f64;
        self.total / count
    }

    fn encoded(&self) -> Encoded {
        let values = [self.first.0, self.last.0, self.min.0, self.max.0, self.total].map(f64::to_bits);
        let steps = [self.first.1, self.last.1, self.min.1, self.max.1];
        (self.prefix.clone(), self.tag.clone(), values, steps, self.count)
    }

    fn decoded((prefix, tag, values, steps, count): Encoded) -> ScalarRow {
        let [first, last, min, max, total] = values.map(f64::from_bits);
        let (first, last, min, max) = ((first, steps[0]), (last, steps[1]), (min, steps[2]), (max, steps[3]));
        ScalarRow { prefix, tag, first, last, min, max, total, count }
    }
}

/// Returns the scalars as they are stored.
pub(super) fn encode(scalars: &[ScalarRow]) -> String {
    let encoded: Vec<Encoded> = scalars.iter().map(ScalarRow::encoded).collect();
    serde_json::to_string(&encoded).unwrap_or_default()
}

/// Returns the scalars that were stored; `None` for what is damaged.
pub(super) fn decode(text: &str) -> Option<Vec<ScalarRow>> {
    let encoded: Vec<Encoded> = serde_json::from_str(text).ok()?;
    Some(encoded.into_iter().map(ScalarRow::decoded).collect())
}

/// Returns the scalars of a run, by prefix and tag. What cannot be read of them is left out.
pub(crate) fn read(run: &Path) -> Vec<ScalarRow> {
    let point = |point: Point| (point.value, point.step);
    let scalars = tfevents::read_scalars(run).scalars.into_iter();
    let row = |((prefix, tag), summary): ((String, String), ScalarSummary)| ScalarRow {
        prefix,
        tag,
        first: point(summary.first),
        last: point(summary.last),
        min: point(summary.min),
        max: point(summary.max),
        total: summary.total,
        count: summary.count,
    };
    scalars.map(row).collect()
}

/// Returns the event files of a run.
pub(super) fn event_files(run: &Path) -> Vec<PathBuf> {
    tfevents::event_files(run).into_iter().map(|file| file.path).collect()
}
