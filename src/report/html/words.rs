//! Text in a page: escaped, so that nothing a task says is taken for markup.

use std::fmt::{self, Display, Write};

/// Text that is shown as it is.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['<', '>', '&', '"', '\'']) {
            f.write_str(&rest[..at])?;
            match rest.as_bytes()[at] {
                b'<' => f.write_str("&lt;")?,
                b'>' => f.write_str("&gt;")?,
                b'&' => f.write_str("&amp;")?,
                b'"' => f.write_str("&quot;")?,
                _ => f.write_str("&#39;")?,
            }
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

/// Text of which only the beginning is shown.
pub(super) struct Cut<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// Bytes of it that are shown.
    pub(super) room: usize,
}

impl Display for Cut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.len() <= self.room {
            return Escaped(self.text).fmt(f);
        }
        let end = self.text.floor_char_boundary(self.room);
        Escaped(&self.text[..end]).fmt(f)?;
        f.write_char('…')
    }
}
