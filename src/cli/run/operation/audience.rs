//! What the user sees on the way to a run.

use std::io::Write;

use crate::engine;
use crate::job::operation::Audience;
use crate::operation::Notice;

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
    let _ = std::io::stderr().write_all(text.as_bytes());
}
