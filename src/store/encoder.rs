//! Attributes as text, made once where many runs have the same: those of the trials of a batch.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::attr::{self, AttrError};

/// See the module.
#[derive(Default)]
pub(crate) struct Encoder {
    /// What was encoded last under a name.
    known: Mutex<HashMap<String, (Value, String)>>,
}

impl Encoder {
    /// Returns the text of an attribute.
    pub(super) fn encode(&self, name: &str, value: &impl Serialize) -> Result<String, AttrError> {
        let value = serde_json::to_value(value)?;
        if let Some((known, text)) = self.known.lock().get(name)
            && *known == value
        {
            return Ok(text.clone());
        }
        let text = attr::encode(&value)?;
        self.known.lock().insert(name.to_owned(), (value, text.clone()));
        Ok(text)
    }

    /// Returns the text of a map of which few entries differ from run to run.
    pub(super) fn encode_map(&self, name: &str, map: &BTreeMap<String, String>) -> Result<String, AttrError> {
        if map.is_empty() {
            return attr::encode(&json!({}));
        }
        let mut text = String::new();
        for (key, value) in map {
            text.push_str(&self.encode(&format!("{name}.{key}"), &json!({ key: value }))?);
        }
        Ok(text)
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_text_is_the_same_as_without(entries in proptest::collection::btree_map("[A-Za-z_:# ]{1,8}", "[ -~\n\t\u{e9}]{0,20}", 0..6)) {
            let encoder = Encoder::default();
            for _ in 0..2 {
                proptest::prop_assert_eq!(encoder.encode_map("env", &entries).unwrap(), attr::encode(&entries).unwrap());
                proptest::prop_assert_eq!(encoder.encode("flags", &entries).unwrap(), attr::encode(&entries).unwrap());
            }
            let other = json!({"a": entries.len()});
            proptest::prop_assert_eq!(encoder.encode("flags", &other).unwrap(), attr::encode(&other).unwrap());
        }
    }
}
