//! The list of tests in quarantine: they run, and are reported apart, and a failure of theirs does not fail the run; up to
//! a date.
//!
//! ```toml
//! [[quarantine]]
//! test = "tests/test_net.py::*"
//! until = 2026-12-31
//! reason = "the lab has no network on weekends"
//! ```

use chrono::NaiveDate;
use globset::{GlobBuilder, GlobMatcher};
use toml::{Table, Value};

use crate::model::{Tally, nearest};

/// The key of the list.
const LIST: &str = "quarantine";

/// The keys of an entry.
const KEYS: [&str; 3] = ["test", "until", "reason"];

/// The tests in quarantine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quarantine {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    pattern: String,
    matcher: GlobMatcher,
    until: NaiveDate,
    reason: Option<String>,
}

/// What is wrong with a list of tests in quarantine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuarantineError {
    /// It is no TOML.
    #[error("{}", .0.to_string().trim())]
    NoToml(#[from] toml::de::Error),
    /// A key means nothing.
    #[error("the key {key} is not known{}", hint(key, known))]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that mean something there.
        known: &'static [&'static str],
    },
    /// There is no list in it.
    #[error("there is no [[{LIST}]]")]
    NoList,
    /// The list is something else.
    #[error("{LIST} must be a list of tables, each with a head [[{LIST}]]")]
    NotList,
    /// An entry, counted from 1, is no table.
    #[error("entry {0} of {LIST} must be a table")]
    NoTable(usize),
    /// An entry is wrong.
    #[error("entry {number} of {LIST}: {source}")]
    Entry {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        source: Box<QuarantineError>,
    },
    /// The value of a key is no text.
    #[error("{0} must be text")]
    NoText(&'static str),
    /// An entry names no test.
    #[error("it needs test, the name of a test or a pattern for several")]
    NoTest,
    /// An entry has no end.
    #[error("it needs until, the last day of the quarantine, such as 2026-12-31")]
    NoEnd,
    /// The end of an entry is no day.
    #[error("until must be a day such as 2026-12-31, not {given}")]
    NoDay {
        /// What it is.
        given: String,
        /// Why it is none.
        source: chrono::ParseError,
    },
    /// The pattern of an entry is none.
    #[error("test is no pattern: {}", .0.kind())]
    NoPattern(#[from] globset::Error),
}

/// How a test stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is in quarantine up to this day, for a reason.
    Quarantined(String),
    /// Its quarantine has ended: what there is to say about that.
    Expired(String),
}

impl Quarantine {
    /// Reads the text of a list.
    pub(crate) fn read(text: &str) -> Result<Quarantine, QuarantineError> {
        let table: Table = text.parse()?;
        if let Some(key) = table.keys().find(|key| *key != LIST) {
            return Err(QuarantineError::UnknownKey { key: key.clone(), known: &[LIST] });
        }
        let list = match table.get(LIST) {
            None => return Err(QuarantineError::NoList),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(QuarantineError::NotList),
        };
        let entry = |(number, value): (usize, &Value)| {
            let table = value.as_table().ok_or(QuarantineError::NoTable(number))?;
            Entry::read(table).map_err(|source| QuarantineError::Entry { number, source: Box::new(source) })
        };
        Ok(Quarantine { entries: (1..).zip(list).map(entry).collect::<Result<_, _>>()? })
    }

    /// Returns what to say of the entries that none of these tests fits.
    pub(crate) fn unmet(&self, names: &[String]) -> Vec<String> {
        let mut tally = Tally::new(self.entries.iter().map(|entry| entry.pattern.as_str()));
        tally.note(names.iter().map(String::as_str), |place| {
            names.iter().any(|name| self.entries[place].matcher.is_match(name))
        });
        tally.remarks("no test of this run is the entry of --quarantine", "tests")
    }

    /// Returns how a test of this name stands on a day; `None` for one that is not in the list. Of several entries the one
    /// with the latest end counts.
    pub(crate) fn standing(&self, name: &str, today: NaiveDate) -> Option<Standing> {
        let entries = self.entries.iter().filter(|entry| entry.matcher.is_match(name));
        let entry = entries.max_by_key(|entry| entry.until)?;
        let Entry { until, pattern, .. } = entry;
        let reason = entry.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        Some(match *until >= today {
            true => Standing::Quarantined(format!("{until}{reason}")),
            false => Standing::Expired(format!(
                "the quarantine of '{pattern}' ended on {until}{reason}; mend the test, take the entry away, or give it a later end"
            )),
        })
    }
}

impl Entry {
    fn read(table: &Table) -> Result<Entry, QuarantineError> {
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(QuarantineError::UnknownKey { key: key.clone(), known: &KEYS });
        }
        let text = |key| match table.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(QuarantineError::NoText(key)),
        };
        let pattern = text("test")?.filter(|pattern| !pattern.is_empty());
        let pattern = pattern.ok_or(QuarantineError::NoTest)?;
        let until = match table.get("until") {
            None => return Err(QuarantineError::NoEnd),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Datetime(date)) => date.to_string(),
            Some(other) => other.to_string(),
        };
        let until = NaiveDate::parse_from_str(&until, "%Y-%m-%d")
            .map_err(|source| QuarantineError::NoDay { given: until, source })?;
        // Brackets are in the names of tests with parameters.
        let escaped = pattern.replace('[', "[[]");
        let glob = GlobBuilder::new(&escaped).literal_separator(false).build()?;
        Ok(Entry { pattern, matcher: glob.compile_matcher(), until, reason: text("reason")? })
    }
}

fn hint(key: &str, known: &[&str]) -> String {
    let near = nearest(key, known.iter().copied()).map(|near| format!("; did you mean {near}?"));
    near.unwrap_or_else(|| format!("; there are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_in_quarantine_up_to_a_day() {
        let list = Quarantine::read(
            "[[quarantine]]\ntest = \"tests/test_net.py::*\"\nuntil = 2026-06-30\nreason = \"no network\"\n\
             [[quarantine]]\ntest = \"a.py::t[x-1]\"\nuntil = \"2026-01-31\"\n",
        )
        .unwrap();
        let on = |name: &str, day: &str| list.standing(name, day.parse().unwrap());
        let quarantined = |text: &str| Some(Standing::Quarantined(text.to_owned()));
        assert_eq!(on("tests/test_net.py::T::test_a", "2026-06-30"), quarantined("2026-06-30: no network"));
        assert_eq!(on("a.py::t[x-1]", "2026-01-01"), quarantined("2026-01-31"));
        assert!(
            matches!(on("a.py::t[x-1]", "2026-02-01"), Some(Standing::Expired(text)) if text.contains("ended on 2026-01-31"))
        );
        assert_eq!(on("a.py::tx", "2026-01-01"), None);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("x = 1\n", "the key x is not known"),
            ("quarantin = []\n", "the key quarantin is not known; did you mean quarantine?"),
            ("", "there is no [[quarantine]]"),
            ("quarantine = 1\n", "quarantine must be a list of tables"),
            ("[[quarantine]]\nuntil = 2026-01-01\n", "entry 1 of quarantine: it needs test"),
            ("[[quarantine]]\ntest = \"a\"\n", "entry 1 of quarantine: it needs until"),
            ("[[quarantine]]\ntest = \"a\"\nuntil = \"soon\"\n", "entry 1 of quarantine: until must be a day"),
            (
                "[[quarantine]]\ntest = \"a\"\nuntil = 2026-01-01\nresaon = \"x\"\n",
                "entry 1 of quarantine: the key resaon is not known; did you mean reason?",
            ),
            ("[[quarantine\n", "TOML parse error"),
        ];
        for (text, expected) in cases {
            let error = Quarantine::read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
