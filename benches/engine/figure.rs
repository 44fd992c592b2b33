//! A figure and how it is printed; medians.

use std::fmt;
use std::time::Duration;

/// One line of the report.
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: String,
    /// The number, with its unit.
    pub(crate) measured: String,
    /// What it is to be; empty if nothing is asked of it.
    pub(crate) floor: String,
    /// Whether it is; `None` if nothing is asked of it.
    pub(crate) is_met: Option<bool>,
    /// What the number was made of.
    pub(crate) detail: String,
}

impl Figure {
    /// Makes a figure that is to be at most `floor`, both in `unit`.
    pub(crate) fn at_most(name: &str, measured: f64, floor: f64, unit: &str, detail: String) -> Self {
        let is_met = Some(measured <= floor);
        let (measured, floor) = (format!("{measured:.2} {unit}"), format!("at most {floor} {unit}"));
        Self { name: name.to_owned(), measured, floor, is_met, detail }
    }

    /// Makes a figure that is to be at least `floor`, both in `unit`.
    pub(crate) fn at_least(name: &str, measured: f64, floor: f64, unit: &str, detail: String) -> Self {
        let is_met = Some(measured >= floor);
        let (measured, floor) = (format!("{measured:.0} {unit}"), format!("at least {floor} {unit}"));
        Self { name: name.to_owned(), measured, floor, is_met, detail }
    }

    /// Makes a figure that nothing is asked of.
    pub(crate) fn plain(name: &str, measured: String, detail: String) -> Self {
        Self { name: name.to_owned(), measured, floor: String::new(), is_met: None, detail }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.is_met {
            Some(true) => "ok",
            Some(false) => "SHORT",
            None => "-",
        };
        let Self { name, measured, floor, detail, .. } = self;
        write!(f, "{name:<44} {measured:>12}  {floor:<18} {verdict:<5}  {detail}")
    }
}

/// Pairs of neighbouring batches: what Rille took and what the bare loop took, in seconds for one task.
#[derive(Default)]
pub(crate) struct Pairs {
    ours: Vec<f64>,
    bare: Vec<f64>,
}

impl Pairs {
    /// Adds a pair: `ours` for so many tasks, `bare` for so many processes.
    pub(crate) fn add(&mut self, (ours, tasks): (Duration, u32), (bare, processes): (Duration, u32)) {
        self.ours.push(ours.as_secs_f64() / f64::from(tasks));
        self.bare.push(bare.as_secs_f64() / f64::from(processes));
    }

    /// Returns the figure: the median of the ratios.
    pub(crate) fn figure(&self, name: &str, floor: f64) -> Figure {
        let mut ratios: Vec<f64> = self.ours.iter().zip(&self.bare).map(|(ours, bare)| ours / bare).collect();
        let ratio = median(&mut ratios);
        let count = ratios.len();
        let (mut ours, mut bare) = (self.ours.clone(), self.bare.clone());
        let detail = format!(
            "rille {:.0} µs, bare {:.0} µs; middle half of {count} ratios {:.2} to {:.2}; quietest tenth {:.2}",
            median(&mut ours) * 1e6,
            median(&mut bare) * 1e6,
            ratios[count / 4],
            ratios[count * 3 / 4],
            // Both are sorted now. Other work on the machine only ever makes a batch slower.
            ours[count / 10] / bare[count / 10],
        );
        Figure::at_most(name, ratio, floor, "x bare", detail)
    }
}

/// Sorts the values, of which there must be one, and returns the median.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// Returns the load of the machine in the last minute: a measurement beside other work is known as such.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
