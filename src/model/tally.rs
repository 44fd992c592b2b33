//! What was asked for by name and what there was: so that nothing that was asked for in vain stays untold.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::nearest;

/// How many names are listed.
const LISTED: usize = 12;

/// Words that were asked for, and the names among which they were looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    words: Vec<Word>,
    names: BTreeSet<String>,
    /// There are names besides those that are kept.
    has_more: bool,
}

/// One word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Word {
    text: String,
    is_met: bool,
    /// The name that it is most like, of those that are not kept.
    near: Option<String>,
}

impl Tally {
    /// Begins with words of which none was met.
    pub(crate) fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Tally {
        let word = |text: &str| Word { text: text.to_owned(), is_met: false, near: None };
        Tally { words: words.into_iter().map(word).collect(), names: BTreeSet::new(), has_more: false }
    }

    /// Returns whether nothing was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Takes note of names; `fits` says of a word, by its place, whether one of them fits.
    pub(crate) fn note<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, mut fits: impl FnMut(usize) -> bool) {
        if self.words.iter().all(|word| word.is_met) {
            return;
        }
        for name in names {
            if !self.names.contains(name) {
                self.names.insert(name.to_owned());
            }
        }
        for (place, word) in self.words.iter_mut().enumerate() {
            word.is_met = word.is_met || fits(place);
        }
    }

    /// Takes over what another tally of the same words has found.
    pub(crate) fn merge(&mut self, other: &Tally) {
        for (word, found) in self.words.iter_mut().zip(&other.words).filter(|(word, found)| word.text == found.text) {
            word.is_met |= found.is_met;
            word.near = word.near.take().or_else(|| found.near.clone());
        }
        self.names.extend(other.names.iter().cloned());
        self.has_more |= other.has_more;
    }

    /// Counts every word as met: nobody can tell.
    pub(crate) fn meet_all(&mut self) {
        for word in &mut self.words {
            word.is_met = true;
        }
    }

    /// Returns the same with no more names than are listed, each word with the name that it is most like.
    pub(crate) fn brief(mut self) -> Tally {
        let names = std::mem::take(&mut self.names);
        for word in self.words.iter_mut().filter(|word| !word.is_met && word.near.is_none()) {
            word.near = near_name(&word.text, &names).map(str::to_owned);
        }
        self.has_more |= names.len() > LISTED;
        self.names = names.into_iter().take(LISTED).collect();
        self
    }

    /// Returns the same without names, each word with the name that it is most like.
    pub(crate) fn nears(self) -> Tally {
        Tally { names: BTreeSet::new(), has_more: false, ..self.brief() }
    }

    /// Returns whether a word was met.
    pub(crate) fn has_met(&self) -> bool {
        self.words.iter().any(|word| word.is_met)
    }

    /// Returns the words that were not met, each with the name that it is most like.
    pub(crate) fn unmet(&self) -> Vec<(&str, Option<&str>)> {
        let unmet = self.words.iter().filter(|word| !word.is_met);
        unmet.map(|word| (word.text.as_str(), self.near(word))).collect()
    }

    fn near<'a>(&'a self, word: &'a Word) -> Option<&'a str> {
        near_name(&word.text, &self.names).or(word.near.as_deref())
    }

    /// Returns what to say of each word that was not met. `subject` says of what: `no task fits --taskid`; `kind` what the
    /// names are: `ids`.
    pub(crate) fn remarks(&self, subject: &str, kind: &str) -> Vec<String> {
        let remark = |(word, near): (&str, Option<&str>)| {
            let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            format!("{subject} '{word}'{near}{}", self.there_are(kind, near.is_empty()))
        };
        self.unmet().into_iter().map(remark).collect()
    }

    /// Returns the names there are, as the end of a sentence.
    fn there_are(&self, kind: &str, is_joined: bool) -> String {
        let names: Vec<&str> = self.names.iter().take(LISTED).map(String::as_str).collect();
        let has_more = self.names.len() > names.len() || self.has_more;
        let joint = if is_joined { "; " } else { " " };
        match names.is_empty() {
            true => format!("{joint}there are no {kind}"),
            false => format!("{joint}the {kind} are {}{}", names.join(", "), if has_more { ", …" } else { "" }),
        }
    }
}

/// Returns the name that may be meant. Of short names one letter is much, so one slip is forgiven, as is the case.
fn near_name<'a>(word: &str, names: &'a BTreeSet<String>) -> Option<&'a str> {
    let names = || names.iter().map(String::as_str);
    let in_case = || names().find(|name| name.to_lowercase() == word.to_lowercase());
    let one_slip = || names().find(|name| name.chars().count() > 2 && strsim::osa_distance(word, name) == 1);
    nearest(word, names()).or_else(in_case).or_else(one_slip)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn noted(words: &[&str], names: &[&str]) -> Tally {
        let mut tally = Tally::new(words.iter().copied());
        for name in names {
            tally.note([*name], |place| words[place] == *name);
        }
        tally
    }

    #[test]
    fn what_was_not_met_is_told_with_the_nearest_and_the_names_there_are() {
        let tally = noted(&["conect", "send", "xyz"], &["send", "connect"]);
        let expected = [
            "no task fits 'conect'; did you mean 'connect'? the ids are connect, send",
            "no task fits 'xyz'; the ids are connect, send",
        ];
        assert_eq!(tally.remarks("no task fits", "ids"), expected);
        assert_eq!(tally.brief().remarks("no task fits", "ids"), expected);
        assert_eq!(noted(&["tpa", "A"], &["a", "tap"]).unmet(), [("tpa", Some("tap")), ("A", Some("a"))]);
        assert_eq!(noted(&["a"], &[]).remarks("no task fits", "ids"), ["no task fits 'a'; there are no ids"]);
        assert!(noted(&[], &["a"]).remarks("no task fits", "ids").is_empty());
    }

    #[test]
    fn a_long_list_is_cut_and_keeps_its_near_miss() {
        let names: Vec<String> = (10..40).map(|number| format!("n{number}")).chain(["sanity".to_owned()]).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut whole = Tally::new(["santy"]);
        whole.merge(&noted(&["santy"], &names).brief());
        let remark = "no group fits 'santy'; did you mean 'sanity'? the groups are n10, n11, n12, n13, n14, n15, n16, n17, \
                      n18, n19, n20, n21, …";
        assert_eq!(whole.remarks("no group fits", "groups"), [remark]);
        whole.merge(&noted(&["santy"], &["santy"]));
        assert!(whole.has_met() && whole.remarks("", "").is_empty());
    }
}
