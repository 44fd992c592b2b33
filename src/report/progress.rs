//! The progress bar of a terminal: how many tasks are done, and which are running for how long.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthChar;

use super::canvas::Canvas;
use super::duration;
use super::style::{Paint, clean};
use super::summary::Summary;
use crate::model::{EventKind, Outcome, TaskNumber};

/// Running tasks that are listed.
const RUNNING: usize = 8;

/// How often the bar is drawn, at most, in a second.
const HERTZ: u8 = 10;

/// The time between two looks at the clock.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A bar that draws on a canvas.
pub(super) struct Progress {
    bar: ProgressBar,
    canvas: Canvas,
    running: BTreeMap<TaskNumber, Instant>,
    began: Instant,
    refreshed: Option<Instant>,
    drawn: bool,
    paused: bool,
    paint: Paint,
}

impl Progress {
    /// Makes a bar that is not drawn yet.
    pub(super) fn new(canvas: Canvas, paint: Paint, now: Instant) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(canvas.clone()), HERTZ);
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template = "[{bar:24}] {pos}/{len} {msg}";
        // The template is a constant; a test draws it.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        Progress {
            bar,
            canvas,
            running: BTreeMap::new(),
            began: now,
            refreshed: None,
            drawn: false,
            paused: false,
            paint,
        }
    }

    /// Takes note of who runs.
    pub(super) fn note(&mut self, event: &EventKind, now: Instant) {
        match event {
            EventKind::TaskStarted { task, .. } => {
                self.running.insert(*task, now);
            }
            EventKind::TaskFinished(finished) => {
                self.running.remove(&finished.task);
            }
            EventKind::Paused {} => self.paused = true,
            EventKind::Resumed {} => self.paused = false,
            _ => {}
        }
    }

    /// Returns whether the run stands still, so that the bar must go.
    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Brings the bar up to date, unless that was done a moment ago, and returns what is to be written for it.
    pub(super) fn refresh(&mut self, summary: &Summary, now: Instant) -> Vec<u8> {
        let due = self.refreshed.is_none_or(|before| now.duration_since(before) >= TICK);
        if self.paused || summary.counts.total == 0 || (self.drawn && !due) {
            return self.canvas.take();
        }
        if self.bar.is_finished() {
            self.bar.reset();
        }
        self.drawn = true;
        self.refreshed = Some(now);
        // These two do not draw; setting the length does, at the rate of the draw target.
        let bar = self.bar.clone().with_message(self.message(summary, now));
        bar.with_position(summary.counts.ended().into()).set_length(summary.counts.total.into());
        self.canvas.take()
    }

    /// Makes room for text where the bar is: `write` is given the bytes that take the bar away and writes them and the
    /// text. Returns what draws the bar again beneath it; nothing if `stays` is false.
    pub(super) fn around(&mut self, stays: bool, write: impl FnOnce(Vec<u8>)) -> Vec<u8> {
        if stays && self.drawn && !self.paused {
            let canvas = self.canvas.clone();
            self.bar.suspend(|| write(canvas.take()));
        } else {
            write(self.clear());
        }
        self.canvas.take()
    }

    /// Takes the bar away and returns what is to be written for that. The next refresh draws it again.
    pub(super) fn clear(&mut self) -> Vec<u8> {
        if self.drawn {
            self.bar.finish_and_clear();
            self.drawn = false;
        }
        self.canvas.take()
    }

    fn message(&self, summary: &Summary, now: Instant) -> String {
        let mut text = duration::clock(now.duration_since(self.began));
        for outcome in [Outcome::Passed, Outcome::Failed, Outcome::Errored, Outcome::Aborted, Outcome::Blocked] {
            let count = summary.counts.of(outcome);
            if count > 0 || outcome == Outcome::Passed {
                let _ = write!(text, ", {}", self.paint.outcome(outcome, format_args!("{count} {outcome}")));
            }
        }
        let width = usize::from(indicatif::TermLike::width(&self.canvas)).saturating_sub(1);
        for (task, since) in self.running.iter().take(RUNNING) {
            let id = summary.row(*task).map_or_else(String::new, |row| clean(row.id(), Paint::default()).into_owned());
            let line = format!("{:>10} {id}", duration::clock(now.duration_since(*since)));
            text.push('\n');
            text.push_str(fit(&line, width));
        }
        if self.running.len() > RUNNING {
            let _ = write!(text, "\n{:>10} and {} more", "", self.running.len() - RUNNING);
        }
        text
    }
}

/// Returns the beginning of a text that fits a number of columns.
fn fit(text: &str, width: usize) -> &str {
    let mut columns = 0;
    for (at, c) in text.char_indices() {
        columns += c.width().unwrap_or(0);
        if columns > width {
            return &text[..at];
        }
    }
    text
}
