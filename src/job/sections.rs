//! Which sections of a testscript are run: expressions over the uids and groups of its testcases.
//!
//! `Ping`, `sweep*`, `sanity and not (slow or flaky)`, and the forms of aetest, `Or('a', 'b')`, `And(…)`, `Not(…)`. A
//! pattern is that of a shell; one that is exactly the name always fits, whatever `[` and `*` in it may mean.

mod parse;

use crate::model::{SectionChoice, may_be_behind, nearest};

use self::parse::Expression;

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

/// A choice of sections that can be asked.
#[derive(Debug, Default)]
pub(crate) struct SectionFilter {
    uids: Vec<Expression>,
    groups: Vec<Expression>,
    only: Option<Vec<String>>,
    text: String,
}

impl SectionFilter {
    /// Reads what a choice holds. Several expressions for one thing are alternatives.
    pub(crate) fn new(choice: &SectionChoice) -> Result<Self, BadExpression> {
        let given = [("uids", &choice.uids), ("groups", &choice.groups)];
        let text = given.iter().filter(|(_, texts)| !texts.is_empty());
        let text: Vec<String> = text.map(|(name, texts)| format!("{name} {}", texts.join(" or "))).collect();
        Ok(Self {
            uids: read("uids", &choice.uids)?,
            groups: read("groups", &choice.groups)?,
            only: choice.only.clone(),
            text: text.join(" and "),
        })
    }

    /// Returns whether a testcase is chosen. `base` is its name, `uid` that of one turn of its loop.
    pub(crate) fn fits(&self, uid: &str, base: &str, groups: &[String]) -> bool {
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        any(&self.uids, &[uid, base]) && any(&self.groups, &groups) && self.is_in_list(uid, base)
    }

    /// Returns whether common setup or cleanup is chosen: it is, unless an expression over uids names one of the two;
    /// then that decides about both.
    pub(crate) fn fits_common(&self, uid: &str) -> bool {
        let names_one = |expression: &Expression| expression.names(COMMON_SETUP) || expression.names(COMMON_CLEANUP);
        !self.uids.iter().any(names_one) || any(&self.uids, &[uid])
    }

    /// Returns what was asked for, and the nearest of the names that there are.
    pub(crate) fn nothing_fits(&self, names: &[&str]) -> String {
        let wanted: Vec<&str> = self.uids.iter().chain(&self.groups).flat_map(Expression::patterns).collect();
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

fn any(expressions: &[Expression], names: &[&str]) -> bool {
    expressions.is_empty() || expressions.iter().any(|expression| expression.fits(names))
}

fn read(option: &str, texts: &[String]) -> Result<Vec<Expression>, BadExpression> {
    let bad =
        |text: &str, (at, problem)| BadExpression { option: option.to_owned(), text: text.to_owned(), at, problem };
    texts.iter().map(|text| parse::parse(text).map_err(|problem| bad(text, problem))).collect()
}

/// Returns an expression that fits this pattern, whatever characters it is made of.
pub(crate) fn quoted(pattern: &str) -> String {
    format!("'{}'", pattern.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(uids: &[&str], groups: &[&str]) -> Result<SectionFilter, BadExpression> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        SectionFilter::new(&SectionChoice { uids: owned(uids), groups: owned(groups), ..SectionChoice::default() })
    }

    #[test]
    fn expressions_choose_by_uid() {
        let cases = [
            ("Ping", "Ping", true),
            ("Ping", "Pong", false),
            ("P*", "Pong", true),
            ("not P*", "Pong", false),
            ("!P*", "Tc", true),
            ("Tc[12]", "Tc2", true),
            ("Tc{1,3}", "Tc3", true),
            ("Ping or Pong", "Pong", true),
            ("Ping,Pong", "Pong", true),
            ("P* and not *ng", "Pong", false),
            ("(a or b) and not (b or c)", "a", true),
            ("(a or b) and not (b or c)", "b", false),
            ("a or b and c", "a", true),
            ("Or('Ping', \"Pong\")", "Pong", true),
            ("And('P*', Not('Ping'))", "Pong", true),
            ("And('P*', Not('Ping'))", "Ping", false),
            ("Not('a', 'b')", "b", false),
            ("'Ping the host'", "Ping the host", true),
            ("'it\\'s'", "it's", true),
            ("order", "order", true),
            ("nothing or android", "android", true),
            ("'and'", "and", true),
            ("(Ping)", "Ping", true),
            ("soak/a", "soak/a", true),
            ("soak*", "soak/a", true),
        ];
        for (text, uid, expected) in cases {
            assert_eq!(filter(&[text], &[]).unwrap().fits(uid, uid, &[]), expected, "{text} {uid}");
        }
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
            ("a and (b or c", "uids 'a and (b or c': at character 7: this bracket is not closed"),
            ("a b", "uids 'a b': at character 3: 'and' or 'or' is missing; a name with spaces is put in quotes"),
            ("", "uids '': at character 1: a pattern is missing"),
            ("a)", "uids 'a)': at character 2: this bracket was not opened"),
            ("or a", "uids 'or a': at character 1: a pattern is missing before 'or'"),
            ("'a", "uids ''a': at character 1: this quotation is not closed"),
            ("Or()", "uids 'Or()': at character 4: a pattern is missing"),
            (
                "é and x[",
                "uids 'é and x[': at character 7: error parsing glob 'x[': unclosed character class; missing ']'",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(filter(&[text], &[]).unwrap_err().to_string(), expected, "{text}");
        }
        let deep = "(".repeat(100_000);
        assert!(filter(&[&deep], &[]).unwrap_err().to_string().ends_with("brackets are nested too deep"));
    }

    #[test]
    fn nothing_found_names_the_nearest() {
        let names = ["Ping", "Traceroute"];
        let text = filter(&["Pnig or x"], &["sanity"]).unwrap().nothing_fits(&names);
        assert_eq!(text, "no testcase fits uids Pnig or x and groups sanity; did you mean 'Ping'?");
    }

    #[test]
    fn a_quoted_pattern_is_itself() {
        for name in ["it's", "a\\b", "a and b", "(x", "sweep[size=64]", "x["] {
            assert!(filter(&[&quoted(name)], &[]).unwrap().fits(name, name, &[]), "{name}");
        }
    }
}
