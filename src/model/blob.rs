//! Bytes in a JSON document: as a string where they are UTF-8, else in the form that Avocado gives them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The key under which bytes that are not UTF-8 stand, in base 64. It is that of Avocado's status messages.
const ENCODED: &str = "__base64_encoded__";

/// Bytes that were written by somebody, of any content.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Blob(pub(crate) Vec<u8>);

impl Blob {
    /// The one key of the JSON object that stands for bytes which are not UTF-8.
    pub(crate) const ENCODED: &str = ENCODED;
}

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

/// Shows the bytes as text; those that are not UTF-8 are replaced.
impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// As an argument or a variable of a program.
impl AsRef<OsStr> for Blob {
    fn as_ref(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(ENCODED, &STANDARD.encode(&self.0))?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a string, or bytes as {{\"{ENCODED}\": …}}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Blob, E> {
        Ok(Blob(text.as_bytes().to_vec()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Blob, E> {
        Ok(Blob(text.into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Blob, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key == ENCODED => STANDARD.decode(text).map(Blob).map_err(A::Error::custom),
            _ => Err(A::Error::custom(format!("an object here has the one key {ENCODED}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went() {
        for (bytes, json) in [(&b"plain \xc3\xa9"[..], "\"plain é\""), (b"\xff\0", "{\"__base64_encoded__\":\"/wA=\"}")]
        {
            let blob = Blob(bytes.to_vec());
            let text = serde_json::to_string(&blob).unwrap();
            assert_eq!(text, json);
            assert_eq!(serde_json::from_str::<Blob>(&text).unwrap(), blob);
        }
        assert!(serde_json::from_str::<Blob>("{\"other\":\"x\"}").is_err());
        assert!(serde_json::from_str::<Blob>("3").is_err());
    }
}
