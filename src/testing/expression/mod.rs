//! The language that chooses tests: `kind(tap) and not tag(slow)`.
//!
//! `not` binds before `and` before `or`; parentheses group. What stands in a predicate is a pattern: a whole word for
//! `kind`, `tag` and `resolver`, a part for `name` and `file`, and everywhere a glob if it holds `*` or `?`. `=text` is
//! the whole, `~text` a part, `#glob` a glob and `/regex/` a regular expression. A pattern without a predicate is the name of
//! a test, as in [`crate::model::NameFilter`], with or without its folder and file.

mod parse;
mod pattern;

use serde_json::Value;

use self::pattern::Pattern;
pub(super) use self::pattern::last_line;
use crate::model::{FilterMistake, Logic, NamePattern, Runnable, Tally};

/// A filter of tests.
#[derive(Clone, Debug)]
pub(crate) struct TestFilter {
    logic: Logic<Condition>,
}

/// A single condition, with its pattern as it was written.
#[derive(Clone, Debug)]
struct Condition {
    /// In a box, as it is large and a filter may be deep.
    predicate: Box<Predicate>,
    written: String,
}

/// What a filter asks about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    /// What is to be run; with its variant, if it has one.
    pub(crate) runnable: &'a Runnable,
    /// Who found it.
    pub(crate) resolver: &'a str,
    /// The reference that it was found for.
    pub(crate) reference: &'a str,
}

impl TestFilter {
    /// Reads a filter.
    pub(crate) fn parse(text: &str) -> Result<TestFilter, FilterMistake> {
        parse::parse(text).map(|logic| TestFilter { logic })
    }

    /// Returns whether a test is left in.
    pub(crate) fn matches(&self, candidate: &Candidate<'_>) -> bool {
        self.logic.holds(&|condition| holds(&condition.predicate, candidate))
    }

    /// Returns a tally for each condition, in which nothing is found yet.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.logic.conditions().into_iter().map(|condition| Tally::new([condition.written.as_str()])).collect()
    }

    /// Takes note of a test in the tallies of this filter.
    pub(crate) fn note(&self, candidate: &Candidate<'_>, tallies: &mut [Tally]) {
        for (condition, tally) in self.logic.conditions().into_iter().zip(tallies) {
            if !tally.has_met() {
                let names = names(&condition.predicate, candidate);
                tally.note(names.iter().map(String::as_str), |_| holds(&condition.predicate, candidate));
            }
        }
    }

    /// Returns what to say of the conditions that no test fitted.
    pub(crate) fn remarks(&self, tallies: &[Tally]) -> Vec<String> {
        let of = |(condition, tally): (&Condition, &Tally)| {
            let (one, several) = match *condition.predicate {
                Predicate::All | Predicate::None => return Vec::new(),
                Predicate::Named(_) | Predicate::Name(_) => ("name", "names"),
                Predicate::Kind(_) => ("kind", "kinds"),
                Predicate::File(_) => ("file", "files"),
                Predicate::Resolver(_) => ("resolver", "resolvers"),
                Predicate::Tag(..) => ("tag", "tags"),
                Predicate::Parameter(..) => ("parameter", "parameters"),
                Predicate::Variant(_) => ("variant", "variants"),
                Predicate::Dependency(_) => ("dependency", "dependencies"),
            };
            tally.remarks(&format!("no {one} fits -E"), several)
        };
        self.logic.conditions().into_iter().zip(tallies).flat_map(of).collect()
    }
}

/// A single condition.
#[derive(Clone, Debug)]
enum Predicate {
    All,
    None,
    /// The name, with or without folder and file.
    Named(NamePattern),
    Kind(Pattern),
    Name(Pattern),
    File(Pattern),
    Resolver(Pattern),
    /// A tag, and perhaps one of its values.
    Tag(Pattern, Option<Pattern>),
    /// A parameter of the test or of its variant, and perhaps its value.
    Parameter(Pattern, Option<Pattern>),
    Variant(Pattern),
    /// The kind or name of what must have passed before.
    Dependency(Pattern),
}

fn holds(predicate: &Predicate, candidate: &Candidate<'_>) -> bool {
    let runnable = candidate.runnable;
    match predicate {
        Predicate::All => true,
        Predicate::None => false,
        Predicate::Named(pattern) => {
            let name = runnable.name();
            let behind = |sign: char| name.rsplit_once(sign).map_or(name.as_str(), |(_, rest)| rest);
            pattern.fits(&[&name, behind('/'), behind(':')])
        }
        Predicate::Kind(pattern) => pattern.matches(&runnable.kind),
        Predicate::Name(pattern) => pattern.matches(&runnable.name()),
        Predicate::File(pattern) => {
            let uri = runnable.uri.as_deref().unwrap_or_default();
            pattern.matches(uri) || pattern.matches(candidate.reference)
        }
        Predicate::Resolver(pattern) => pattern.matches(candidate.resolver),
        Predicate::Tag(name, value) => runnable.tags.iter().any(|(own, values)| {
            name.matches(own)
                && value.as_ref().is_none_or(|value| {
                    values.as_array().into_iter().flatten().filter_map(Value::as_str).any(|own| value.matches(own))
                })
        }),
        Predicate::Parameter(name, value) => {
            let holds = |(own, given): (&String, &Value)| {
                name.matches(own) && value.as_ref().is_none_or(|value| value.matches(&text(given)))
            };
            runnable.kwargs.iter().any(holds) || runnable.variant_parameters().iter().any(holds)
        }
        Predicate::Variant(pattern) => runnable.variant_id().is_some_and(|id| pattern.matches(id)),
        Predicate::Dependency(pattern) => runnable.required().iter().any(|required| {
            let name = required.kwargs.get("name").and_then(Value::as_str).or(required.uri.as_deref());
            pattern.matches(&required.kind) || name.is_some_and(|name| pattern.matches(name))
        }),
    }
}

/// Returns what a predicate looks at.
fn names(predicate: &Predicate, candidate: &Candidate<'_>) -> Vec<String> {
    let runnable = candidate.runnable;
    match predicate {
        Predicate::All | Predicate::None => Vec::new(),
        Predicate::Named(_) | Predicate::Name(_) => vec![runnable.name()],
        Predicate::Kind(_) => vec![runnable.kind.clone()],
        Predicate::File(_) => vec![runnable.uri.clone().unwrap_or_else(|| candidate.reference.to_owned())],
        Predicate::Resolver(_) => vec![candidate.resolver.to_owned()],
        Predicate::Tag(..) => {
            let of = |(name, values): (&String, &Value)| match values.as_array() {
                Some(values) => {
                    values.iter().filter_map(Value::as_str).map(|value| format!("{name}:{value}")).collect()
                }
                None => vec![name.clone()],
            };
            runnable.tags.iter().flat_map(of).collect()
        }
        Predicate::Parameter(..) => {
            runnable.kwargs.keys().cloned().chain(runnable.variant_parameters().keys().cloned()).collect()
        }
        Predicate::Variant(_) => runnable.variant_id().map(str::to_owned).into_iter().collect(),
        Predicate::Dependency(_) => runnable.required().into_iter().map(|required| required.kind).collect(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Candidate, TestFilter};
    use crate::model::Runnable;

    #[test]
    fn filters_choose() {
        let runnable: Runnable = serde_json::from_value(json!({
            "kind": "python-unittest", "uri": "sub/a.py:Login.test_ok", "kwargs": {"mode": "fast", "n": 5,
            "tags": {"slow": null, "net": ["eth", "ip"]}, "dependencies": [{"type": "package", "name": "gcc"}],
            "variant": {"paths": ["/"], "variant_id": "v1-ab", "variant": [["/", [["/", "speed", "100"]]]]}},
        }))
        .unwrap();
        let candidate = Candidate { runnable: &runnable, resolver: "python-unittest", reference: "sub/a.py" };
        let cases = [
            ("kind(python-unittest)", true),
            ("kind(python)", false),
            ("kind(python*)", true),
            ("kind(~python)", true),
            ("kind(=python)", false),
            ("kind(/^py.*test$/)", true),
            ("kind(#*unit*)", true),
            ("kind('python-unittest')", true),
            ("name(Login)", true),
            ("name(=Login)", false),
            ("name(*test_ok)", true),
            ("name(/Login\\.test_(ok|bad)/)", true),
            ("file(sub/)", true),
            ("resolver(python-unittest)", true),
            ("tag(slow)", true),
            ("tag(slo)", false),
            ("tag(net:ip)", true),
            ("tag(net:wifi)", false),
            ("tag(net:*)", true),
            ("tag(slow:*)", false),
            ("param(mode)", true),
            ("param(mode=fast)", true),
            ("param(n=5)", true),
            ("param(speed=100)", true),
            ("param(speed=200)", false),
            ("variant(v1*)", true),
            ("dependency(package) and dependency(gcc)", true),
            ("all()", true),
            ("none()", false),
            ("not none()", true),
            ("kind(tap) or tag(slow) and not name(x)", true),
            ("(kind(tap) or tag(slow)) and none()", false),
            ("kind(tap) | tag(slow) & ! none()", true),
            ("NOT kind(tap) AND tag(slow)", true),
            ("Or(kind(tap), tag(slow))", true),
            ("And(kind(tap), tag(slow))", false),
            ("Not(kind(tap), name(x))", true),
            ("kind(tap), tag(slow)", true),
            ("Or('x', \"Login.test_ok\")", true),
            ("a.py:Login.test_ok", true),
            ("sub/*", true),
            ("Login*, !*", true),
            ("Login", false),
            ("'kind'", false),
        ];
        for (filter, expected) in cases {
            let parsed = TestFilter::parse(filter).unwrap_or_else(|mistake| panic!("{mistake}"));
            assert_eq!(parsed.matches(&candidate), expected, "{filter}");
        }
    }

    #[test]
    fn mistakes_have_carets() {
        let cases = [
            ("", "it is empty", 0..1),
            ("knd(tap)", "there is no predicate 'knd'; did you mean 'kind'?", 0..3),
            ("kind(tap) und tag(x)", "expected 'and' or 'or', and not 'und'; did you mean 'and'?", 10..13),
            ("kind(tap) and", "something is missing here", 13..14),
            ("kind tap", "'kind' needs a pattern in parentheses: kind(…); as the name", 0..4),
            ("kind(", "this parenthesis is not closed", 4..5),
            ("kind()", "a pattern is missing in 'kind(…)'", 0..6),
            ("all(x)", "'all' takes nothing: all()", 0..6),
            ("(kind(tap)", "this parenthesis is not closed", 0..1),
            ("kind(tap))", "nothing is open that this would close", 9..10),
            ("name(/(/)", "it is no regular expression: unclosed group", 5..8),
            ("name('x)", "the quote ' is not closed", 5..6),
            ("name(#[)", "it is no glob", 5..7),
            ("tag(:x)", "a name is missing before the colon", 4..6),
            ("tga(x)", "there is no predicate 'tga'; did you mean 'tag'?", 0..3),
            ("kind(a) ; x", "expected 'and' or 'or', and not ';'", 8..9),
            ("a b", "expected 'and' or 'or', and not 'b'; a name with blanks is put in quotes", 2..3),
        ];
        for (filter, message, columns) in cases {
            let mistake = TestFilter::parse(filter).unwrap_err();
            assert!(mistake.message.starts_with(message), "{filter}: {}", mistake.message);
            assert_eq!(mistake.columns, columns, "{filter}: {mistake}");
        }
        let deep = "(".repeat(10_000);
        assert!(TestFilter::parse(&deep).unwrap_err().message.contains("nested more than"));
        assert!(TestFilter::parse(&"not ".repeat(10_000)).unwrap_err().message.contains("nested more than"));
        let shown = TestFilter::parse("kind(tap)\n and nmae(x)").unwrap_err().to_string();
        assert_eq!(shown, "filter:2: there is no predicate 'nmae'; did you mean 'name'?\n   and nmae(x)\n       ^^^^");
    }

    #[test]
    fn conditions_that_no_test_fits_are_told_with_what_there_is() {
        let runnable: Runnable =
            serde_json::from_value(json!({"kind": "tap", "uri": "a.sh", "kwargs": {"tags": {"net": ["ip"]}}})).unwrap();
        let candidate = Candidate { runnable: &runnable, resolver: "exec-test", reference: "a.sh" };
        let cases: [(&str, &[&str]); 5] = [
            ("kind(tpa) or kind(tap)", &["no kind fits -E 'tpa'; did you mean 'tap'? the kinds are tap"]),
            ("not tag(nte:ip)", &["no tag fits -E 'nte:ip'; did you mean 'net:ip'? the tags are net:ip"]),
            (
                "a.hs,b*",
                &[
                    "no name fits -E 'a.hs'; did you mean 'a.sh'? the names are a.sh",
                    "no name fits -E 'b*'; the names are a.sh",
                ],
            ),
            ("variant(x)", &["no variant fits -E 'x'; there are no variants"]),
            ("none() or all()", &[]),
        ];
        for (filter, expected) in cases {
            let filter = TestFilter::parse(filter).unwrap();
            let mut tallies = filter.tallies();
            filter.note(&candidate, &mut tallies);
            assert_eq!(filter.remarks(&tallies), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_filter_or_a_mistake(text in "([a-z ()#~=/'*:&|!-]|and|not|kind\\(|\u{e4})*") {
            if let Err(mistake) = TestFilter::parse(&text) {
                assert!(!mistake.to_string().is_empty());
            }
        }
    }
}
