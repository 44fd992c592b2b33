//! The language that chooses tests: `kind(tap) and not tag(slow)`.
//!
//! `not` binds before `and` before `or`; parentheses group. What stands in a predicate is a pattern: a whole word for
//! `kind`, `tag` and `resolver`, a part for `name` and `file`, and everywhere a glob if it holds `*` or `?`. `=text` is
//! the whole, `~text` a part, `#glob` a glob and `/regex/` a regular expression.

mod parse;
mod pattern;
mod token;

use serde_json::Value;

use self::pattern::Pattern;
use crate::model::{FilterMistake, Logic, Runnable};

/// A filter of tests.
#[derive(Clone, Debug)]
pub(crate) struct TestFilter {
    logic: Logic<Predicate>,
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
        self.logic.holds(&|predicate| holds(predicate, candidate))
    }
}

/// A single condition.
#[derive(Clone, Debug)]
enum Predicate {
    All,
    None,
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
            ("kind tap", "'kind' needs a pattern in parentheses: kind(…)", 0..4),
            ("kind(", "this parenthesis is not closed", 4..5),
            ("kind()", "a pattern is missing in 'kind(…)'", 0..6),
            ("all(x)", "'all' takes nothing: all()", 0..6),
            ("(kind(tap)", "this parenthesis is not closed", 0..1),
            ("kind(tap))", "nothing is open that this would close", 9..10),
            ("name(/(/)", "it is no regular expression: unclosed group", 5..8),
            ("name('x)", "the quote ' is not closed", 5..6),
            ("name(#[)", "it is no glob", 5..7),
            ("tag(:x)", "a name is missing before the colon", 4..6),
            ("tap", "there is no predicate 'tap'; did you mean 'tag'?", 0..3),
            ("kind(a) ; x", "';' is not expected", 8..9),
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

    proptest::proptest! {
        #[test]
        fn any_text_is_a_filter_or_a_mistake(text in "([a-z ()#~=/'*:&|!-]|and|not|kind\\(|\u{e4})*") {
            if let Err(mistake) = TestFilter::parse(&text) {
                assert!(!mistake.to_string().is_empty());
            }
        }
    }
}
