//! The values of settings: what each may be, the same for a file, an environment variable and the schema.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::cli::test::time;
use crate::model::{Level, nearest, parse_size};
use crate::report;

/// A whole number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(!try_from)]
pub(crate) struct Positive(#[schemars(range(min = 1))] pub(crate) u32);

impl TryFrom<Json> for Positive {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        match whole(&value) {
            Some(number) if number >= 1 => Ok(Self(number)),
            _ => Err(format!("must be a whole number from 1, not {value}")),
        }
    }
}

/// A whole number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(!try_from)]
pub(crate) struct Count(pub(crate) u32);

impl TryFrom<Json> for Count {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        whole(&value).map(Self).ok_or_else(|| format!("must be a whole number from 0, not {value}"))
    }
}

/// The most times that a testcase is run again.
pub(crate) const MOST_RETRIES: u32 = 1000;

/// How often a testcase is run again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(!try_from)]
pub(crate) struct Retry(#[schemars(range(max = 1000))] pub(crate) u32);

impl TryFrom<Json> for Retry {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        let retries = whole(&value).filter(|retries| *retries <= MOST_RETRIES);
        retries.map(Self).ok_or_else(|| format!("must be a whole number from 0 to {MOST_RETRIES}, not {value}"))
    }
}

fn whole(value: &Json) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// True or false.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(!try_from)]
pub(crate) struct Switch(pub(crate) bool);

impl TryFrom<Json> for Switch {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        value.as_bool().map(Self).ok_or_else(|| format!("must be true or false, not {value}"))
    }
}

/// A number of seconds from 0; fractions are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(!try_from)]
pub(crate) struct Seconds(#[schemars(range(min = 0))] f64);

impl TryFrom<Json> for Seconds {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        let seconds = value.as_f64().filter(|seconds| Duration::try_from_secs_f64(*seconds).is_ok());
        seconds.map(Self).ok_or_else(|| format!("must be a number of seconds from 0, not {value}"))
    }
}

impl Seconds {
    /// Returns the time.
    pub(crate) fn duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0).unwrap_or(Duration::MAX)
    }
}

/// A number of seconds above 0; fractions are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json")]
#[schemars(!try_from)]
pub(crate) struct Limit(#[schemars(extend("exclusiveMinimum" = 0))] f64);

impl TryFrom<Json> for Limit {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        match Seconds::try_from(value.clone()) {
            Ok(Seconds(seconds)) if seconds > 0.0 => Ok(Self(seconds)),
            _ => Err(format!("must be a number of seconds above 0, not {value}")),
        }
    }
}

impl Limit {
    /// Returns the time.
    pub(crate) fn duration(self) -> Duration {
        Seconds(self.0).duration()
    }
}

/// A time above 0: a number of seconds, or a text with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct Deadline(f64);

impl TryFrom<Json> for Deadline {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        let seconds = match &value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => time(text.trim()).ok(),
            _ => None,
        };
        let seconds = seconds.filter(|seconds| *seconds > 0.0 && Duration::try_from_secs_f64(*seconds).is_ok());
        let wrong =
            || format!("must be a time above 0, seconds or a text such as \"90s\", \"5m\", \"2h\", not {value}");
        seconds.map(Self).ok_or_else(wrong)
    }
}

impl Deadline {
    /// Returns the seconds.
    pub(crate) const fn seconds(self) -> f64 {
        self.0
    }
}

impl JsonSchema for Deadline {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Deadline".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": "^\\s*[0-9.]+\\s*(s|m|h|d)?\\s*$" }
            ]
        })
    }
}

/// A number of bytes from 1024, or a text such as `64M`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct OutputLimit(pub(crate) u64);

impl TryFrom<Json> for OutputLimit {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        let size = amount(&value).filter(|size| *size >= 1024);
        size.map(Self).ok_or_else(|| format!("must be a size from 1K, such as \"64M\", not {value}"))
    }
}

/// A whole number, or a text with K, M, G or T behind it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct Amount(pub(crate) u64);

impl TryFrom<Json> for Amount {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        amount(&value).map(Self).ok_or_else(|| format!("must be a whole number or a size such as \"4G\", not {value}"))
    }
}

fn amount(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => parse_size(text),
        _ => None,
    }
}

/// The schema of a size from `least` bytes.
fn size_schema(least: u64) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [
            { "type": "integer", "minimum": least },
            { "type": "string", "pattern": "^\\s*[0-9]+\\s*([Bb]|[KMGTkmgt]([Ii]?[Bb])?)?\\s*$" }
        ]
    })
}

/// Gives a type that is a number or a text the schema of one.
macro_rules! schema_of_size {
    ($type:ident, $least:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                size_schema($least)
            }
        }
    };
}
schema_of_size!(OutputLimit, 1024);
schema_of_size!(Amount, 0);

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json", rename_all = "lowercase")]
#[schemars(!try_from, rename_all = "lowercase")]
pub(crate) enum Color {
    /// On a terminal that can, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl TryFrom<Json> for Color {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        word(&value, &[("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)])
    }
}

impl Color {
    /// Returns what an option has chosen.
    pub(crate) const fn of(choice: report::ColorChoice) -> Self {
        match choice {
            report::ColorChoice::Auto => Self::Auto,
            report::ColorChoice::Always => Self::Always,
            report::ColorChoice::Never => Self::Never,
        }
    }

    /// Returns the choice as the console knows it.
    pub(crate) const fn choice(self) -> report::ColorChoice {
        match self {
            Self::Auto => report::ColorChoice::Auto,
            Self::Always => report::ColorChoice::Always,
            Self::Never => report::ColorChoice::Never,
        }
    }
}

/// How much the console says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Json", rename_all = "lowercase")]
#[schemars(!try_from, rename_all = "lowercase")]
pub(crate) enum Verbosity {
    /// Nothing, like `-qq`.
    Silent,
    /// Only what did not pass, like `-q`.
    Quiet,
    /// A line for each task.
    Normal,
    /// Also starts, and what tasks write, like `-v`.
    Verbose,
}

impl TryFrom<Json> for Verbosity {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        let words =
            [("silent", Self::Silent), ("quiet", Self::Quiet), ("normal", Self::Normal), ("verbose", Self::Verbose)];
        word(&value, &words)
    }
}

impl Verbosity {
    /// Returns it as the console knows it.
    pub(crate) const fn choice(self) -> report::Verbosity {
        match self {
            Self::Silent => report::Verbosity::Silent,
            Self::Quiet => report::Verbosity::Quiet,
            Self::Normal => report::Verbosity::Normal,
            Self::Verbose => report::Verbosity::Verbose,
        }
    }
}

fn word<T: Copy>(value: &Json, words: &[(&str, T)]) -> Result<T, String> {
    let found = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = value.as_str().and_then(|text| nearest(text, names.iter().copied()));
        let hint = hint.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        format!("must be one of {}, not {value}{hint}", names.join(", "))
    })
}

/// The name of the logger above all others.
const ROOT: &str = "root";

/// Levels of loggers by name; a quoted name and a table in a table mean the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Json")]
pub(crate) struct LogLevels(BTreeMap<String, Level>);

impl TryFrom<Json> for LogLevels {
    type Error = String;

    fn try_from(value: Json) -> Result<Self, String> {
        let mut levels = BTreeMap::new();
        collect_levels(&value, "", &mut levels)?;
        Ok(Self(levels))
    }
}

fn collect_levels(value: &Json, name: &str, levels: &mut BTreeMap<String, Level>) -> Result<(), String> {
    match value {
        Json::Object(fields) => {
            for (part, value) in fields {
                let inner = if name.is_empty() { part.clone() } else { format!("{name}.{part}") };
                collect_levels(value, &inner, levels)?;
            }
            Ok(())
        }
        Json::String(word) if !name.is_empty() => {
            let level = word.parse::<Level>().map_err(|error| format!("{name}: {error}"))?;
            levels.insert(name.to_owned(), level);
            Ok(())
        }
        other if name.is_empty() => Err(format!("must be a table such as {{ \"lib.part\" = \"DEBUG\" }}, not {other}")),
        other => Err(format!("{name}: must be the name of a level, such as \"DEBUG\", not {other}")),
    }
}

impl FromIterator<(String, Level)> for LogLevels {
    fn from_iter<I: IntoIterator<Item = (String, Level)>>(levels: I) -> Self {
        Self(levels.into_iter().collect())
    }
}

impl LogLevels {
    /// Returns the levels as tasks are told them, the root's under the empty name.
    pub(crate) fn levels(self) -> BTreeMap<String, Level> {
        self.0.into_iter().map(|(name, level)| (if name == ROOT { String::new() } else { name }, level)).collect()
    }
}

impl JsonSchema for LogLevels {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LogLevels".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Level::ALL.iter().flat_map(|level| [level.name(), lower(*level)]).collect();
        schemars::json_schema!({
            "type": "object",
            "additionalProperties": {
                "anyOf": [{ "enum": names }, { "$ref": "#/$defs/LogLevels" }]
            }
        })
    }
}

const fn lower(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
        Level::Critical => "critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn levels_may_be_nested_or_quoted() {
        let levels = LogLevels::try_from(json!({ "root": "warning", "lib": { "part": "DEBUG" }, "a.b": "Error" }));
        let levels = levels.unwrap().levels();
        assert_eq!(
            levels,
            [(String::new(), Level::Warning), ("a.b".into(), Level::Error), ("lib.part".into(), Level::Debug)].into()
        );
        let problem = |value: Json| LogLevels::try_from(value).unwrap_err();
        assert!(problem(json!({ "lib": "DEBGU" })).starts_with("lib: 'DEBGU' is no log level"));
        assert!(problem(json!({ "lib": 10 })).starts_with("lib: must be the name of a level"));
        assert!(problem(json!("DEBUG")).starts_with("must be a table"));
    }

    #[test]
    fn values_out_of_range_are_told_with_what_is_wanted() {
        let problems = [
            Positive::try_from(json!(0)).unwrap_err(),
            Count::try_from(json!(-1)).unwrap_err(),
            Count::try_from(json!(4_294_967_296_u64)).unwrap_err(),
            Seconds::try_from(json!("2")).unwrap_err(),
            Seconds::try_from(json!(-0.5)).unwrap_err(),
            Seconds::try_from(json!(1e300)).unwrap_err(),
            Limit::try_from(json!(0)).unwrap_err(),
            Deadline::try_from(json!("3 weeks")).unwrap_err(),
            Deadline::try_from(json!(0)).unwrap_err(),
            OutputLimit::try_from(json!("3")).unwrap_err(),
            Amount::try_from(json!(1.5)).unwrap_err(),
            Color::try_from(json!("alwys")).unwrap_err(),
            Verbosity::try_from(json!(true)).unwrap_err(),
        ];
        insta::assert_snapshot!(problems.join("\n"), @r#"
        must be a whole number from 1, not 0
        must be a whole number from 0, not -1
        must be a whole number from 0, not 4294967296
        must be a number of seconds from 0, not "2"
        must be a number of seconds from 0, not -0.5
        must be a number of seconds from 0, not 1e+300
        must be a number of seconds above 0, not 0
        must be a time above 0, seconds or a text such as "90s", "5m", "2h", not "3 weeks"
        must be a time above 0, seconds or a text such as "90s", "5m", "2h", not 0
        must be a size from 1K, such as "64M", not "3"
        must be a whole number or a size such as "4G", not 1.5
        must be one of auto, always, never, not "alwys"; did you mean "always"?
        must be one of silent, quiet, normal, verbose, not true
        "#);
    }
}
