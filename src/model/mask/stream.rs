//! Masking what comes in pieces.

use super::patterns::{Found, WINDOW};
use super::{MASK, Masks};

/// Masks one stream. What goes out is the same however the pieces were cut.
///
/// Only what may be the beginning of a secret is kept for the next piece; most often that is nothing. It is let go by
/// [`MaskStream::finish`], and where somebody waits for it by [`MaskStream::let_go`].
#[derive(Debug)]
pub(crate) struct MaskStream {
    masks: Masks,
    /// What is kept: the beginning of a secret.
    held: Vec<u8>,
    /// As many bytes of it are out, behind a mask or as they are.
    given: usize,
    /// As many bytes of it the last mask stands for.
    covered: usize,
}

impl MaskStream {
    /// Makes what masks a stream.
    pub(crate) const fn new(masks: Masks) -> MaskStream {
        MaskStream { masks, held: Vec::new(), given: 0, covered: 0 }
    }

    /// Takes the next bytes of the stream, and hands on what is known to be no beginning of a secret, in order.
    pub(crate) fn write(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
        if bytes.is_empty() {
            return;
        }
        if !self.held.is_empty() {
            let mut text = std::mem::take(&mut self.held);
            text.extend_from_slice(bytes);
            self.advance(&text, false, out);
        } else if self.masks.is_empty() {
            out(bytes);
        } else {
            self.advance(bytes, false, out);
        }
    }

    /// Hands on what is left: the stream has ended. Another may follow.
    pub(crate) fn finish(&mut self, out: &mut dyn FnMut(&[u8])) {
        if !self.held.is_empty() {
            let text = std::mem::take(&mut self.held);
            self.advance(&text, true, out);
        }
    }

    /// Returns whether something is kept that is not out in any form.
    pub(crate) fn is_holding(&self) -> bool {
        self.held.len() > self.given
    }

    /// Returns whether nothing of what came matters to what comes: another stream would go on in the same way.
    pub(crate) const fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Hands on what is kept although the stream goes on: nothing came for a while, and somebody may wait for it, as for a
    /// question. Should it become a secret after all, only the rest of that is masked; therefore nothing is let go that is
    /// more than half of one, unless it is shorter than any secret.
    pub(crate) fn let_go(&mut self, out: &mut dyn FnMut(&[u8])) {
        let kept = &self.held[self.covered..];
        let is_little = || {
            let shortest = self.masks.shared.patterns.read().shortest_with(&self.held);
            shortest.is_none_or(|shortest| kept.len() * 2 <= shortest)
        };
        if self.is_holding() && (kept.len() < WINDOW || is_little()) {
            out(&self.held[self.given..]);
            self.given = self.held.len();
        }
    }

    /// Hands on what of a text is decided, and keeps the rest. The text begins with what was kept.
    fn advance(&mut self, text: &[u8], is_whole: bool, out: &mut dyn FnMut(&[u8])) {
        // Nothing is locked while it is handed on.
        let Found { spans, open } = self.masks.shared.patterns.read().search(text, is_whole);
        let decided = open.unwrap_or(text.len());
        let (mut given, mut covered) = (self.given, self.covered);
        for span in spans {
            if span.start >= covered {
                if span.start > given {
                    out(&text[given..span.start]);
                }
                out(MASK.as_bytes());
            }
            covered = covered.max(span.end);
            given = given.max(covered);
        }
        if decided > given {
            out(&text[given..decided]);
            given = decided;
        }
        self.held.clear();
        self.held.extend_from_slice(&text[decided..]);
        self.given = given - decided;
        self.covered = covered.saturating_sub(decided);
    }
}
