//! What the user sees on the way to a run.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use crate::engine;
use crate::job::operation::Audience;
use crate::job::operation::batch::Listed;
use crate::operation::{self, Notice};

/// Shows notices on standard error, and lets a background report its start.
pub(super) struct Terminal {
    /// Whether somebody waits for the start.
    pub(super) is_background: bool,
}

impl Audience for Terminal {
    fn notice(&mut self, notice: Notice) {
        show(&notice);
    }

    fn started(&self) {
        if self.is_background {
            engine::say_begun();
        }
    }
}

/// Shows a notice.
pub(super) fn show(notice: &Notice) {
    let text = match notice {
        Notice::Info(text) => format!("{text}\n"),
        Notice::Warning(text) => format!("WARNING: {text}\n"),
    };
    // With a closed terminal there is nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Says which trials there are already, and returns whether there are others.
pub(super) fn say_existing(operation: &str, trials: &[Listed]) -> bool {
    let found: Vec<&Listed> = trials.iter().filter(|trial| trial.is_found).collect();
    if found.is_empty() {
        return true;
    }
    let what = match trials.len() {
        1 => "the trial".to_owned(),
        count if count == found.len() => format!("all {count} trials"),
        count => format!("{} of {count} trials", found.len()),
    };
    let mut text = format!("Skipping {what} because the following runs match (--needed specified):\n");
    for trial in &found {
        let flags = operation::label(None, &trial.flags, &BTreeSet::new()).0;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}  {operation} ({flags})", trial.id);
    }
    // With a closed terminal there is nobody to tell.
    let _ = io::stderr().write_all(text.as_bytes());
    found.len() < trials.len()
}
