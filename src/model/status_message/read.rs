//! Reads a line of JSON as a message.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Number;

use super::{Finished, Running, StatusKind, StatusMessage, TaskIdValue};
use crate::model::{Blob, TestStatus};

/// How much of a word is shown in a mistake.
const SHOWN: usize = 60;

/// Why a line is no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadMessage {
    /// It is no object.
    #[error("it is no message: it does not begin with '{{'")]
    NoObject,
    /// It is no JSON, or not of this form.
    #[error("it is no message: {0}")]
    Json(#[from] serde_json::Error),
    /// It does not say what it is.
    #[error("it has no 'status'")]
    NoStatus,
    /// It says that it is this.
    #[error("the status {0:?} is none of started, running and finished")]
    Status(String),
    /// It is an end without a result.
    #[error("it says 'finished' without a 'result'")]
    NoResult,
    /// Its result is this.
    #[error("the result {0:?} is no status of a test (unsupported status)")]
    Result(String),
    /// It is of a type that has no meaning.
    #[error("nobody knows messages of the type {0:?}")]
    Type(String),
    /// It brings a file and does not say which.
    #[error("it is of type 'file' and has no 'path'")]
    NoPath,
    /// A key has another value than it can have.
    #[error("its '{key}' is {no}")]
    Field {
        /// The key.
        key: &'static str,
        /// What it is not.
        no: &'static str,
    },
}

/// See [`StatusMessage::parse`].
pub(super) fn parse(line: &[u8]) -> Result<StatusMessage, BadMessage> {
    // Serde takes a list of the right values for an object as well.
    if line.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(BadMessage::NoObject);
    }
    let raw: Result<Raw<'_>, _> = serde_json::from_slice(line);
    match raw {
        Ok(raw) => raw.message(),
        // Python writes half of a pair for a byte that was no text; JSON here has no place for it.
        Err(error) if has_lone_surrogate(&error) => {
            let mended = without_lone_surrogates(line);
            let raw: Raw<'_> = serde_json::from_slice(&mended)?;
            raw.message()
        }
        Err(error) => Err(error.into()),
    }
}

/// The keys of a message that mean something.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw<'a> {
    #[serde(borrow)]
    status: Field<'a>,
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    job_id: Field<'a>,
    #[serde(borrow)]
    time: Field<'a>,
    #[serde(borrow)]
    output_dir: Field<'a>,
    #[serde(borrow, rename = "type")]
    what: Field<'a>,
    #[serde(borrow)]
    log: Field<'a>,
    #[serde(borrow)]
    log_only: Field<'a>,
    #[serde(borrow)]
    log_name: Field<'a>,
    #[serde(borrow)]
    log_level: Field<'a>,
    #[serde(borrow)]
    log_levelname: Field<'a>,
    #[serde(borrow)]
    encoding: Field<'a>,
    #[serde(borrow)]
    path: Field<'a>,
    #[serde(borrow)]
    result: Field<'a>,
    #[serde(borrow)]
    fail_reason: Field<'a>,
    #[serde(borrow)]
    returncode: Field<'a>,
    #[serde(borrow)]
    class_name: Field<'a>,
    #[serde(borrow)]
    fail_class: Field<'a>,
    #[serde(borrow)]
    traceback: Field<'a>,
}

/// A value of any sort.
#[derive(Default)]
enum Field<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    Number(Number),
    Bool(bool),
    /// A list, or an object that holds no bytes.
    Other,
}

impl Raw<'_> {
    fn message(self) -> Result<StatusMessage, BadMessage> {
        let status = self.status.text("status")?.ok_or(BadMessage::NoStatus)?;
        let kind = match status.as_str() {
            "started" => StatusKind::Started { output_dir: self.output_dir.text("output_dir")? },
            "running" => {
                let log = Payload {
                    what: self.what,
                    log: self.log,
                    log_only: self.log_only,
                    log_name: self.log_name,
                    log_level: self.log_level,
                    log_levelname: self.log_levelname,
                    path: self.path,
                };
                StatusKind::Running(log.running()?)
            }
            "finished" => {
                let word = self.result.text("result")?.ok_or(BadMessage::NoResult)?;
                let result: TestStatus = word.parse().map_err(|_| BadMessage::Result(shortened(&word)))?;
                StatusKind::Finished(Finished {
                    result,
                    fail_reason: self.fail_reason.words(),
                    returncode: self.returncode.int("returncode")?,
                    class_name: self.class_name.words(),
                    fail_class: self.fail_class.words(),
                    traceback: self.traceback.words(),
                })
            }
            other => return Err(BadMessage::Status(shortened(other))),
        };
        let id = match self.id {
            Field::Missing => None,
            Field::Number(number) => Some(TaskIdValue::Number(number)),
            other => other.text("id")?.map(TaskIdValue::Text),
        };
        Ok(StatusMessage {
            id,
            job_id: self.job_id.text("job_id")?,
            time: self.time.float("time")?,
            encoding: self.encoding.text("encoding")?,
            kind,
        })
    }
}

/// The keys of a message that says something.
struct Payload<'a> {
    what: Field<'a>,
    log: Field<'a>,
    log_only: Field<'a>,
    log_name: Field<'a>,
    log_level: Field<'a>,
    log_levelname: Field<'a>,
    path: Field<'a>,
}

impl Payload<'_> {
    fn running(self) -> Result<Running, BadMessage> {
        let Some(what) = self.what.text("type")? else { return Ok(Running::Heartbeat) };
        let log_only = matches!(self.log_only, Field::Bool(true));
        let log = || self.log.bytes();
        Ok(match what.as_str() {
            "log" => Running::Log {
                log: log()?,
                logger: self.log_name.text("log_name")?,
                level: self.log_level.int("log_level")?,
                levelname: self.log_levelname.text("log_levelname")?,
            },
            "stdout" => Running::Stdout { log: log()?, log_only },
            "stderr" => Running::Stderr { log: log()?, log_only },
            "whiteboard" => Running::Whiteboard { log: log()? },
            "output" => Running::Output { log: log()? },
            "file" => {
                let path = self.path.text("path")?.ok_or(BadMessage::NoPath)?;
                Running::File { path, log: log()? }
            }
            other => return Err(BadMessage::Type(shortened(other))),
        })
    }
}

impl Field<'_> {
    /// Returns text, also where it came as bytes.
    fn text(self, key: &'static str) -> Result<Option<String>, BadMessage> {
        match self {
            Field::Missing => Ok(None),
            Field::Text(text) => Ok(Some(text.into_owned())),
            Field::Bytes(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Field::Number(_) | Field::Bool(_) | Field::Other => Err(BadMessage::Field { key, no: "no text" }),
        }
    }

    /// Returns what there is for a human to read; of what is no text nothing.
    fn words(self) -> Option<String> {
        match self {
            Field::Number(number) => Some(number.to_string()),
            other => other.text("").ok().flatten(),
        }
    }

    fn bytes(self) -> Result<Vec<u8>, BadMessage> {
        match self {
            Field::Missing => Ok(Vec::new()),
            Field::Text(text) => Ok(text.into_owned().into_bytes()),
            Field::Bytes(bytes) => Ok(bytes),
            Field::Number(_) | Field::Bool(_) | Field::Other => {
                Err(BadMessage::Field { key: "log", no: "neither bytes nor text" })
            }
        }
    }

    fn int(self, key: &'static str) -> Result<Option<i64>, BadMessage> {
        match self {
            Field::Missing => Ok(None),
            Field::Number(number) if number.as_i64().is_some() => Ok(number.as_i64()),
            _ => Err(BadMessage::Field { key, no: "no whole number" }),
        }
    }

    fn float(self, key: &'static str) -> Result<Option<f64>, BadMessage> {
        match self {
            Field::Missing => Ok(None),
            Field::Number(number) => Ok(number.as_f64()),
            _ => Err(BadMessage::Field { key, no: "no number" }),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Missing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Field<'de>, E> {
        Ok(Field::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Field<'de>, E> {
        Ok(Field::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Field<'de>, E> {
        Ok(Number::from_f64(value).map_or(Field::Other, Field::Number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        let mut found = Field::Other;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key != Blob::ENCODED {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if let Field::Text(text) = map.next_value::<Field<'de>>()? {
                let bytes = STANDARD.decode(text.as_bytes());
                found = Field::Bytes(bytes.map_err(|error| A::Error::custom(format!("bad base 64: {error}")))?);
            }
        }
        Ok(found)
    }
}

/// Returns the beginning of a word that somebody else chose.
fn shortened(word: &str) -> String {
    let mut shown: String = word.chars().take(SHOWN).collect();
    if shown.len() < word.len() {
        shown.push('…');
    }
    shown
}

fn has_lone_surrogate(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    ["surrogate", "unexpected end of hex escape"].iter().any(|word| text.contains(word))
}

/// Replaces each half of a pair that stands alone by the sign for what is no text.
fn without_lone_surrogates(line: &[u8]) -> Vec<u8> {
    let unit = |at: usize| -> Option<u16> {
        let escape = line.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut mended = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        let length = match (line[at], unit(at)) {
            (b'\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            (b'\\', Some(0xd800..=0xdfff)) => {
                mended.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            (b'\\', _) => 2,
            _ => 1,
        };
        let end = (at + length).min(line.len());
        mended.extend_from_slice(&line[at..end]);
        at = end;
    }
    mended
}
