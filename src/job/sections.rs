//! Which sections of a testscript are run: filters over the uids and groups of its testcases.

use std::cell::RefCell;

use crate::model::{
    FilterMistake, NameFilter, NamePattern, SectionChoice, SectionTally, Tally, may_be_behind, nearest,
};

/// The uid of the section before all testcases.
const COMMON_SETUP: &str = "common_setup";
/// The uid of the section after all testcases.
const COMMON_CLEANUP: &str = "common_cleanup";

/// An expression that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{option} '{text}': at character {at}: {problem}")]
pub(crate) struct BadExpression {
    /// The option or key that it was given to.
    pub(crate) option: String,
    /// The expression.
    pub(crate) text: String,
    /// The character that could not be understood, from 1.
    pub(crate) at: usize,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// A choice of sections that can be asked, and what was found of it.
#[derive(Debug, Default)]
pub(crate) struct SectionFilter {
    uids: Vec<NameFilter>,
    groups: Vec<NameFilter>,
    only: Option<Vec<String>>,
    retry: Vec<(NameFilter, u32)>,
    text: String,
    tally: RefCell<Option<SectionTally>>,
}

impl SectionFilter {
    /// Reads what a choice holds. Several expressions for one thing are alternatives.
    pub(crate) fn new(choice: &SectionChoice) -> Result<Self, BadExpression> {
        let given = [("uids", &choice.uids), ("groups", &choice.groups)];
        let text = given.iter().filter(|(_, texts)| !texts.is_empty());
        let text: Vec<String> = text.map(|(name, texts)| format!("{name} {}", texts.join(" or "))).collect();
        let (retried, counts): (Vec<String>, Vec<u32>) = choice.retry_uids.iter().cloned().unzip();
        Ok(Self {
            uids: read("uids", &choice.uids, &str::to_owned)?,
            groups: read("groups", &choice.groups, &str::to_owned)?,
            only: choice.only.clone(),
            retry: read("retry", &retried, &str::to_owned)?.into_iter().zip(counts).collect(),
            text: text.join(" and "),
            tally: RefCell::default(),
        })
    }

    /// Returns what was asked for, of which nothing has been found yet.
    pub(crate) fn blank(&self) -> SectionTally {
        SectionTally { uids: blank(&self.uids), groups: blank(&self.groups), retry: blank_of(self.retry_filters()) }
    }

    /// Returns what was found among the sections that were asked about so far; `None` if there were none.
    pub(crate) fn tally(&self) -> Option<SectionTally> {
        self.tally.borrow().clone()
    }

    /// Takes note of a section. Every pattern is tried, whatever the others say.
    fn note(&self, uids: &[&str], groups: &[&str]) {
        if self.uids.is_empty() && self.groups.is_empty() {
            return;
        }
        let mut tally = self.tally.borrow_mut();
        let tally = tally.get_or_insert_with(|| self.blank());
        for (filters, names, tally) in [(&self.uids, uids, &mut tally.uids), (&self.groups, groups, &mut tally.groups)]
        {
            let patterns: Vec<_> = filters.iter().flat_map(NameFilter::patterns).collect();
            // The two are names for every script, whether or not it has them.
            let is_common = |text: &str| [COMMON_SETUP, COMMON_CLEANUP].contains(&text);
            tally.note(names.iter().copied(), |place| patterns[place].fits(names) || is_common(patterns[place].text()));
        }
    }

    fn retry_filters(&self) -> impl Iterator<Item = &NameFilter> {
        self.retry.iter().map(|(filter, _)| filter)
    }

    /// Returns how often the command line has a testcase of this uid, or base, run again; `None` if it does not say.
    pub(crate) fn retries(&self, uid: &str, base: &str) -> Option<u32> {
        if self.retry.is_empty() {
            return None;
        }
        let names = [uid, base];
        let patterns: Vec<_> = self.retry_filters().flat_map(NameFilter::patterns).collect();
        let mut tally = self.tally.borrow_mut();
        let tally = tally.get_or_insert_with(|| self.blank());
        tally.retry.note(names, |place| patterns[place].fits(&names));
        self.retry.iter().rev().find(|(filter, _)| filter.fits(&names)).map(|(_, retries)| *retries)
    }

    /// Returns whether a testcase is chosen. `base` is its name, `uid` that of one turn of its loop.
    pub(crate) fn fits(&self, uid: &str, base: &str, groups: &[String]) -> bool {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        self.note(&[uid, base], &groups);
        any(&self.uids, &[uid, base]) && any(&self.groups, &groups) && self.is_in_list(uid, base)
    }

    /// Returns whether common setup or cleanup is chosen: it is, unless an expression over uids names one of the two;
    /// then that decides about both.
    pub(crate) fn fits_common(&self, uid: &str) -> bool {
        self.note(&[uid], &[]);
        let names_one = |filter: &NameFilter| filter.names(COMMON_SETUP) || filter.names(COMMON_CLEANUP);
        !self.uids.iter().any(names_one) || any(&self.uids, &[uid])
    }

    /// Returns what was asked for, and the nearest of the names that there are.
    pub(crate) fn nothing_fits(&self, names: &[&str]) -> String {
        let patterns = self.uids.iter().chain(&self.groups).flat_map(NameFilter::patterns);
        let wanted: Vec<&str> = patterns.map(NamePattern::text).collect();
        let listed = self.only.iter().flatten().map(String::as_str);
        let near = wanted.into_iter().chain(listed).find_map(|word| nearest(word, names.iter().copied()));
        let text = match (self.text.is_empty(), &self.only) {
            (false, _) => format!("no testcase fits {}", self.text),
            (true, Some(only)) => format!("there is no testcase {}", only.join(", ")),
            (true, None) => "no testcase is chosen".to_owned(),
        };
        near.map_or_else(|| text.clone(), |near| format!("{text}; did you mean '{near}'?"))
    }

    fn is_in_list(&self, uid: &str, base: &str) -> bool {
        // The uids of a rerun are those of a log, where secrets are masked.
        let is_one = |one: &String| one == base || may_be_behind(one, uid);
        self.only.as_ref().is_none_or(|only| only.iter().any(is_one))
    }
}

fn any(filters: &[NameFilter], names: &[&str]) -> bool {
    filters.is_empty() || filters.iter().any(|filter| filter.fits(names))
}

fn blank(filters: &[NameFilter]) -> Tally {
    blank_of(filters.iter())
}

fn blank_of<'a>(filters: impl Iterator<Item = &'a NameFilter>) -> Tally {
    Tally::new(filters.flat_map(NameFilter::patterns).map(NamePattern::text))
}

/// Reads the filters that were given to an option or key; their patterns are first changed in this way.
pub(super) fn read(
    option: &str,
    texts: &[String],
    change: &dyn Fn(&str) -> String,
) -> Result<Vec<NameFilter>, BadExpression> {
    let bad = |text: &String, mistake: FilterMistake| BadExpression {
        option: option.to_owned(),
        text: text.clone(),
        at: mistake.character(text),
        problem: mistake.message,
    };
    texts.iter().map(|text| NameFilter::parse_with(text, change).map_err(|mistake| bad(text, mistake))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(uids: &[&str], groups: &[&str]) -> Result<SectionFilter, BadExpression> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        SectionFilter::new(&SectionChoice { uids: owned(uids), groups: owned(groups), ..SectionChoice::default() })
    }

    #[test]
    fn a_turn_of_a_loop_is_chosen_by_its_name_and_that_of_its_testcase() {
        for (text, expected) in
            [("sweep", true), ("sweep[size=64]", true), ("sweep[size=65]", false), ("sweep[a=1,b=2]", false)]
        {
            assert_eq!(filter(&[text], &[]).unwrap().fits("sweep[size=64]", "sweep", &[]), expected, "{text}");
        }
        assert!(filter(&["sweep[a=1,b=(2)]"], &[]).unwrap().fits("sweep[a=1,b=(2)]", "sweep", &[]));
    }

    #[test]
    fn groups_and_uids_must_both_fit_and_lists_are_alternatives() {
        let groups = ["sanity".to_owned(), "slow".to_owned()];
        assert!(filter(&["a", "b"], &["sanity and slow"]).unwrap().fits("b", "b", &groups));
        assert!(!filter(&["a"], &["sanity and slow"]).unwrap().fits("b", "b", &groups));
        assert!(!filter(&[], &["sanity and not slow"]).unwrap().fits("b", "b", &groups));
        assert!(!filter(&[], &["sanity"]).unwrap().fits("b", "b", &[]));
        assert!(filter(&[], &["not sanity"]).unwrap().fits("b", "b", &[]));
    }

    #[test]
    fn common_sections_run_unless_one_of_them_is_named() {
        let cases = [
            ("Tc1", true, true),
            ("Or('common_setup','Tc1')", true, false),
            ("not common_cleanup", true, false),
            ("Tc1 or common_*", true, true),
        ];
        for (text, setup, cleanup) in cases {
            let filter = filter(&[text], &[]).unwrap();
            assert_eq!(
                (filter.fits_common(COMMON_SETUP), filter.fits_common(COMMON_CLEANUP)),
                (setup, cleanup),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_expression_is_told_with_its_place() {
        let cases = [
            ("a and", "uids 'a and': at character 6: a pattern is missing"),
            ("a\nand (b or c", "uids 'a\nand (b or c': at character 7: this parenthesis is not closed"),
        ];
        for (text, expected) in cases {
            assert_eq!(filter(&[text], &[]).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_found_names_the_nearest() {
        let names = ["Ping", "Traceroute"];
        let text = filter(&["Pnig or x"], &["sanity"]).unwrap().nothing_fits(&names);
        assert_eq!(text, "no testcase fits uids Pnig or x and groups sanity; did you mean 'Ping'?");
    }

    #[test]
    fn every_pattern_is_tried_on_every_section() {
        let filter = filter(&["Png and P*", "Ping"], &["sanity and not slwo"]).unwrap();
        assert_eq!(filter.tally(), None);
        assert!(filter.fits("Ping[n=1]", "Ping", &["sanity".to_owned(), "slow".to_owned()]));
        assert!(filter.fits_common(COMMON_SETUP));
        let SectionTally { uids, groups, .. } = filter.tally().unwrap();
        let expected = ["no testcase fits 'Png'; did you mean 'Ping'? the uids are Ping, Ping[n=1], common_setup"];
        assert_eq!(uids.remarks("no testcase fits", "uids"), expected);
        let expected = ["no testcase fits 'slwo'; did you mean 'slow'? the groups are sanity, slow"];
        assert_eq!(groups.remarks("no testcase fits", "groups"), expected);
    }
}
