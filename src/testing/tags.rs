//! Choosing tests by their tags, as `-t` does: `a,b` is both, a second `-t` is or, `-x` is not, `key:value` and
//! `key:-value`.

use serde_json::{Map, Value};

use crate::model::{Runnable, Tally};

/// Which tests are left by their tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TagFilter {
    /// A test is left if one of these holds for it.
    alternatives: Vec<Vec<Condition>>,
    /// Tests without any tag are left.
    include_empty: bool,
    /// A test without the key of a `key:value` is left.
    include_empty_key: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Has(String),
    HasNot(String),
    Is(String, String),
    /// It has the key, and not this value.
    IsNot(String, String),
    /// It has not this value, nor perhaps the key.
    Lacks(String, String),
}

impl Condition {
    /// Returns the tag that it names, with or without a value.
    fn named(&self) -> String {
        match self {
            Condition::Has(name) | Condition::HasNot(name) => name.clone(),
            Condition::Is(key, value) | Condition::IsNot(key, value) | Condition::Lacks(key, value) => {
                format!("{key}:{value}")
            }
        }
    }

    /// Returns whether a test has the tag that it names.
    fn is_met(&self, tags: &Map<String, Value>) -> bool {
        match self {
            Condition::Has(name) | Condition::HasNot(name) => tags.contains_key(name),
            Condition::Is(key, value) | Condition::IsNot(key, value) | Condition::Lacks(key, value) => {
                tags.get(key).is_some_and(|values| has(values, value))
            }
        }
    }
}

/// A `-t` that chooses nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TagError {
    /// It names no tag.
    #[error("'{0}' names no tag; write for example -t fast,net:ip")]
    NoTag(String),
    /// A tag in it lacks its name or its value.
    #[error("a name is missing in '{tag}' of -t '{text}'")]
    NoName {
        /// That tag.
        tag: String,
        /// The whole.
        text: String,
    },
}

impl TagFilter {
    /// Reads the values of all `-t`.
    pub(crate) fn new(texts: &[String], include_empty: bool, include_empty_key: bool) -> Result<TagFilter, TagError> {
        let alternatives = texts.iter().map(|text| {
            let tags = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
            let conditions = tags.map(|tag| condition(tag, text)).collect::<Result<Vec<_>, _>>()?;
            match conditions.is_empty() {
                true => Err(TagError::NoTag(text.clone())),
                false => Ok(conditions),
            }
        });
        Ok(TagFilter { alternatives: alternatives.collect::<Result<_, _>>()?, include_empty, include_empty_key })
    }

    /// Returns whether a test is left.
    pub(crate) fn matches(&self, runnable: &Runnable) -> bool {
        let tags = &runnable.tags;
        if self.alternatives.is_empty() {
            return true;
        }
        if tags.is_empty() {
            return self.include_empty;
        }
        self.alternatives.iter().any(|conditions| conditions.iter().all(|condition| self.holds(condition, tags)))
    }

    /// Returns a tally of the tags that are named, of which none is found yet.
    pub(crate) fn tally(&self) -> Tally {
        let words: Vec<String> = self.alternatives.iter().flatten().map(Condition::named).collect();
        Tally::new(words.iter().map(String::as_str))
    }

    /// Takes note of the tags of a test.
    pub(crate) fn note(&self, runnable: &Runnable, tally: &mut Tally) {
        let of = |(name, values): (&String, &Value)| match values.as_array() {
            Some(values) => values.iter().filter_map(Value::as_str).map(|value| format!("{name}:{value}")).collect(),
            None => vec![name.clone()],
        };
        let names: Vec<String> = runnable.tags.iter().flat_map(of).collect();
        let conditions: Vec<&Condition> = self.alternatives.iter().flatten().collect();
        tally.note(names.iter().map(String::as_str), |place| conditions[place].is_met(&runnable.tags));
    }

    fn holds(&self, condition: &Condition, tags: &Map<String, Value>) -> bool {
        match condition {
            Condition::Has(name) => tags.contains_key(name),
            Condition::HasNot(name) => !tags.contains_key(name),
            Condition::Is(key, value) => match tags.get(key) {
                None => self.include_empty_key,
                Some(values) => has(values, value),
            },
            Condition::IsNot(key, value) => match tags.get(key) {
                None => self.include_empty_key,
                Some(values) => !has(values, value),
            },
            Condition::Lacks(key, value) => !tags.get(key).is_some_and(|values| has(values, value)),
        }
    }
}

/// Returns whether the values of a tag hold this one.
pub(super) fn has(values: &Value, wanted: &str) -> bool {
    values.as_array().is_some_and(|values| values.iter().any(|value| value.as_str() == Some(wanted)))
}

fn condition(tag: &str, text: &str) -> Result<Condition, TagError> {
    let missing = || Err(TagError::NoName { tag: tag.to_owned(), text: text.to_owned() });
    if let Some(name) = tag.strip_prefix('-') {
        return match name.split_once(':') {
            // The original looks for a tag of this whole name, which no test has.
            Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                Ok(Condition::Lacks(key.to_owned(), value.to_owned()))
            }
            None if !name.is_empty() => Ok(Condition::HasNot(name.to_owned())),
            _ => missing(),
        };
    }
    let Some((key, value)) = tag.split_once(':') else { return Ok(Condition::Has(tag.to_owned())) };
    match value.strip_prefix('-') {
        _ if key.is_empty() => missing(),
        Some("") => missing(),
        None if value.is_empty() => missing(),
        Some(value) => Ok(Condition::IsNot(key.to_owned(), value.to_owned())),
        None => Ok(Condition::Is(key.to_owned(), value.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::TagFilter;
    use crate::model::Runnable;

    fn matches(tags: &str, filters: &[&str], empty: bool, empty_key: bool) -> bool {
        let filters: Vec<String> = filters.iter().map(|&filter| filter.to_owned()).collect();
        let runnable = Runnable::try_from(json!({"kind": "noop", "tags": tags})).unwrap();
        TagFilter::new(&filters, empty, empty_key).unwrap().matches(&runnable)
    }

    #[test]
    fn tags_choose_as_in_the_original() {
        let cases: [(&str, &[&str], bool); 22] = [
            ("a,b", &[], true),
            ("", &[], true),
            ("a,b", &["a"], true),
            ("a,b", &["a,b"], true),
            ("a", &["a,b"], false),
            ("a", &["b", "a"], true),
            ("a", &["-b"], true),
            ("a,b", &["-b"], false),
            ("a,b", &["a,-b"], false),
            ("", &["-b"], false),
            ("arch:x86,arch:arm", &["arch:arm"], true),
            ("arch:x86", &["arch:arm"], false),
            ("arch:x86", &["arch:-arm"], true),
            ("arch:arm", &["arch:-arm"], false),
            ("a", &["arch:-arm"], false),
            ("a", &["arch:arm"], false),
            ("arch:x86", &["arch"], true),
            ("arch", &["arch:x86"], false),
            ("arch:x86,a", &["arch:x86,a", "b"], true),
            ("a", &["-arch:x86"], true),
            ("arch:arm", &["-arch:x86"], true),
            ("arch:arm,arch:x86", &["-arch:x86"], false),
        ];
        for (tags, filters, expected) in cases {
            assert_eq!(matches(tags, filters, false, false), expected, "{tags} {filters:?}");
        }
        assert!(matches("", &["a"], true, false));
        assert!(!matches("b", &["arch:x86"], false, false) && matches("b", &["arch:x86"], false, true));
        assert!(matches("b", &["arch:-x86"], false, true));
    }

    #[test]
    fn a_filter_that_means_nothing_is_refused() {
        for text in ["", ",", "-", ":x", "x:", "x:-", "-a:"] {
            assert!(TagFilter::new(&[text.to_owned()], false, false).is_err(), "{text}");
        }
    }
}
