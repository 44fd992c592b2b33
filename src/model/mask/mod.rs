//! Masks: what takes the place of secrets in all that is only read.
//!
//! Secrets are values, not names; which values are secret is decided elsewhere. Each is found as it is and in the forms in
//! which programs write values down, also where it comes in pieces. Where forms overlap or one holds another, one mask
//! stands for all of them together; every other byte stays as it is.

mod forms;
mod patterns;
mod sieve;
mod stream;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::RwLock;
use serde_json::Value as Json;

use self::patterns::Patterns;
pub(crate) use self::stream::MaskStream;
use super::{Key, Value};

/// What stands in the place of a secret.
pub(crate) const MASK: &str = "***";

/// The length of the shortest secret, in bytes, blanks around it left out. Shorter values, `1`, `yes` or `false`, stand
/// everywhere by chance.
pub(crate) const SHORTEST_SECRET: usize = patterns::WINDOW;

/// The masks of a run. A clone is another handle to the same: who writes anything of the run has one, and secrets that
/// become known while it goes on hold for all of them from then on.
#[derive(Clone, Default)]
pub(crate) struct Masks {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Whether there are patterns: without any nothing is locked.
    has_any: AtomicBool,
    patterns: RwLock<Patterns>,
}

impl Masks {
    /// Makes the masks of these secrets.
    pub(crate) fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Masks {
        let masks = Masks::default();
        masks.add(secrets);
        masks
    }

    /// Adds secrets. What is shorter than [`SHORTEST_SECRET`] is none, and neither is what has no letter and no digit, a
    /// mask for one. Of a secret of several lines each line that is long enough is one as well: it is logged line by line.
    pub(crate) fn add<S: AsRef<[u8]>>(&self, secrets: impl IntoIterator<Item = S>) {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for secret in secrets {
            let whole = secret.as_ref().trim_ascii();
            let lines = whole.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            values.extend(std::iter::once(whole).chain(lines).filter(|value| is_secret(value)).map(<[u8]>::to_vec));
        }
        if values.is_empty() {
            return;
        }
        let mut patterns = self.shared.patterns.write();
        for value in &values {
            patterns.add(value, forms::forms);
        }
        self.shared.has_any.store(true, Ordering::Release);
    }

    /// Returns whether nothing is secret.
    pub(crate) fn is_empty(&self) -> bool {
        !self.shared.has_any.load(Ordering::Acquire)
    }

    /// Returns a whole text with its secrets masked.
    pub(crate) fn mask<'a>(&self, text: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_empty() {
            return Cow::Borrowed(text);
        }
        let spans = self.shared.patterns.read().search(text, true).spans;
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = Vec::with_capacity(text.len());
        let mut at = 0;
        for span in spans {
            masked.extend_from_slice(&text[at..span.start]);
            masked.extend_from_slice(MASK.as_bytes());
            at = span.end;
        }
        masked.extend_from_slice(&text[at..]);
        Cow::Owned(masked)
    }

    /// Returns a text with its secrets masked. Where a secret that is no text begins or ends within a character, what is
    /// left of that is U+FFFD.
    pub(crate) fn mask_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.mask(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(masked) => Cow::Owned(match String::from_utf8(masked) {
                Ok(masked) => masked,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// Masks a text where it stands.
    pub(crate) fn mask_string(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask_text(text) {
            *text = masked;
        }
    }

    /// Masks the texts in a value, keys among them. Numbers stay what they are.
    pub(crate) fn mask_value(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Text(text) => self.mask_string(text),
            Value::Bytes(bytes) => {
                if let Cow::Owned(masked) = self.mask(bytes) {
                    *value = Value::of_bytes(&masked);
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Map(map) => {
                for value in map.values_mut() {
                    self.mask_value(value);
                }
                if map.keys().any(|key| key_bytes(key).is_some_and(|bytes| self.finds(bytes))) {
                    let entries = std::mem::take(map).into_iter();
                    let masked =
                        |key: Key| key_bytes(&key).map(|bytes| Key::of_bytes(&self.mask(bytes))).unwrap_or(key);
                    *map = entries.map(|(key, value)| (masked(key), value)).collect();
                }
            }
            Value::Object(object) => self.mask_value(&mut object.1),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Large(_) | Value::Float(_) | Value::Shared(_) => {
            }
        }
    }

    /// As [`Masks::mask_value`], for a value of JSON.
    pub(crate) fn mask_json(&self, value: &mut Json) {
        if self.is_empty() {
            return;
        }
        match value {
            Json::String(text) => self.mask_string(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Json::Object(map) => {
                map.values_mut().for_each(|value| self.mask_json(value));
                if map.keys().any(|name| self.finds(name.as_bytes())) {
                    let fields = std::mem::take(map).into_iter();
                    *map = fields.map(|(name, value)| (self.mask_text(&name).into_owned(), value)).collect();
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    /// Returns whether there is a secret in a text.
    pub(crate) fn finds(&self, text: &[u8]) -> bool {
        !self.is_empty() && !self.shared.patterns.read().search(text, true).spans.is_empty()
    }

    /// Returns whether there is a secret in a value, the names in it left aside.
    pub(crate) fn finds_in(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => self.finds(text.as_bytes()),
            Json::Array(items) => items.iter().any(|item| self.finds_in(item)),
            Json::Object(map) => map.values().any(|value| self.finds_in(value)),
            Json::Null | Json::Bool(_) | Json::Number(_) => false,
        }
    }

    /// Returns what masks a stream that comes in pieces.
    pub(crate) fn stream(&self) -> MaskStream {
        MaskStream::new(self.clone())
    }
}

/// Returns the bytes of a key that is a string.
fn key_bytes(key: &Key) -> Option<&[u8]> {
    match key {
        Key::Text(text) => Some(text.as_bytes()),
        Key::Bytes(bytes) => Some(bytes),
        Key::Integer(_) | Key::Float(_) | Key::Bool(_) => None,
    }
}

/// Returns whether a text is `masked`, or may be what that was before its secrets were masked: of what is only known with
/// its masks, names in a log among it, that is all that can be told.
pub(crate) fn may_be_behind(masked: &str, text: &str) -> bool {
    let mut parts: Vec<&str> = masked.split(MASK).collect();
    let (first, last) = (parts.remove(0), parts.pop());
    let Some(last) = last else { return masked == text };
    let inner = text.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    inner.is_some_and(|rest| parts.iter().try_fold(rest, |rest, part| Some(rest.split_once(part)?.1)).is_some())
}

/// Returns whether a value can be told from what stands somewhere by chance.
fn is_secret(value: &[u8]) -> bool {
    value.len() >= SHORTEST_SECRET && value.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
}

/// Says how many there are, and not what they are.
impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masks({} forms)", self.shared.patterns.read().len())
    }
}
