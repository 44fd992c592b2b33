//! What many values of a scalar come to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::event::Scalar;

/// A value and its step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    /// The value.
    pub(crate) value: f64,
    /// The step.
    pub(crate) step: i64,
}

/// What all values of one scalar come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ScalarSummary {
    /// That of the smallest step; the first of several.
    pub(crate) first: Point,
    /// That of the largest step; the last of several.
    pub(crate) last: Point,
    /// The smallest; the first of several.
    pub(crate) min: Point,
    /// The largest; the first of several.
    pub(crate) max: Point,
    /// The sum.
    pub(crate) total: f64,
    /// How many there are.
    pub(crate) count: u64,
}

impl ScalarSummary {
    /// Takes a value in.
    pub(crate) fn add(&mut self, value: f64, step: i64) {
        let point = Point { value, step };
        if self.count == 0 {
            (self.first, self.last, self.min, self.max) = (point, point, point, point);
        }
        if step < self.first.step {
            self.first = point;
        }
        if step >= self.last.step {
            self.last = point;
        }
        // What is not a number is the least and the greatest only where there is nothing else.
        if value < self.min.value || (self.min.value.is_nan() && !value.is_nan()) {
            self.min = point;
        }
        if value > self.max.value || (self.max.value.is_nan() && !value.is_nan()) {
            self.max = point;
        }
        self.total += value;
        self.count += 1;
    }

    /// Returns the mean.
    pub(crate) fn avg(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "so many values no run has")]
        let count = self.count as f64;
        self.total / count
    }
}

/// A place in an event file from which on nothing can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The file.
    pub(crate) path: PathBuf,
    /// Bytes before the place.
    pub(crate) offset: u64,
    /// What is wrong.
    pub(crate) what: String,
}

/// The scalars of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ScalarSummaries {
    /// By prefix and tag.
    pub(crate) scalars: BTreeMap<(String, String), ScalarSummary>,
    /// What could not be read.
    pub(crate) damages: Vec<Damage>,
}

impl ScalarSummaries {
    /// Takes a value in.
    pub(crate) fn add(&mut self, prefix: &str, scalar: Scalar) {
        self.scalars.entry((prefix.to_owned(), scalar.tag)).or_default().add(scalar.value, scalar.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_order_values_and_not_their_arrival() {
        let mut summary = ScalarSummary::default();
        for (value, step) in [(3.0, 5), (f64::NAN, 6), (1.0, 2), (1.0, 9), (7.0, 2), (4.0, 9)] {
            summary.add(value, step);
        }
        let point = |value, step| Point { value, step };
        assert_eq!(summary.first, point(1.0, 2));
        assert_eq!(summary.last, point(4.0, 9));
        assert_eq!(summary.min, point(1.0, 2));
        assert_eq!(summary.max, point(7.0, 2));
        assert_eq!(summary.count, 6);
        assert!(summary.total.is_nan() && summary.avg().is_nan());
        let mut summary = ScalarSummary::default();
        summary.add(f64::NAN, 0);
        assert!(summary.min.value.is_nan());
        summary.add(-1.0, 1);
        assert_eq!((summary.min, summary.max), (point(-1.0, 1), point(-1.0, 1)));
    }
}
