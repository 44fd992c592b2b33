//! The filter language: what it means, what it refuses and how, and that its text says what its tree does.

use std::collections::BTreeMap;

use chrono::Utc;
use proptest::prelude::*;
use serde_json::json;

use super::expr::{Condition, Expr, Literal, LiteralKind, Name, Order, Scope, Test};
use super::*;
use crate::model::Logic;

/// A run of plain values.
#[derive(Debug, Default)]
struct Row {
    attrs: BTreeMap<&'static str, Value>,
    flags: BTreeMap<&'static str, Value>,
    scalars: BTreeMap<&'static str, Value>,
}

impl Lookup for Row {
    fn attribute(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.attrs.get(name).map(Cow::Borrowed)
    }

    fn flag(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.flags.get(name).map(Cow::Borrowed)
    }

    fn scalar(&self, name: &str) -> Option<Cow<'_, Value>> {
        self.scalars.get(name).map(Cow::Borrowed)
    }

    fn names(&self) -> Vec<String> {
        self.attrs.keys().chain(self.flags.keys()).chain(self.scalars.keys()).map(|&name| name.to_owned()).collect()
    }
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 15, 30, 0).unwrap()
}

fn parse(text: &str) -> Result<Filter, Mistake> {
    Filter::parse(text, &now())
}

fn row() -> Row {
    let started = Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap().timestamp_micros();
    Row {
        attrs: BTreeMap::from([
            ("id", json!("0123456789abcdef")),
            ("status", json!("completed")),
            ("op", json!("train")),
            ("label", json!("The Best 100")),
            ("tags", json!(["best", "v2"])),
            ("marked", json!(false)),
            ("started", json!(started)),
        ]),
        flags: BTreeMap::from([
            ("lr", json!(0.1)),
            ("batch-size", json!(100)),
            ("name", json!("100")),
            ("on", json!(true)),
            ("nothing", json!(null)),
            ("label", json!("a flag")),
            ("sizes", json!([1, 2])),
        ]),
        scalars: BTreeMap::from([("loss", json!(0.25)), ("lr", json!(9)), ("train#acc", json!(0.5))]),
    }
}

#[test]
fn filters_mean_what_they_say() {
    let row = row();
    let cases = [
        ("status = completed", true),
        ("status=completed and lr>0.05", true),
        ("STATUS = completed", false),
        ("status != error and not status in [error, terminated]", true),
        ("status not in [error, completed]", false),
        ("lr = 0.1 AND loss < 0.3", true),
        ("lr = 1e-1", true),
        ("batch-size >= 100 and batch-size <= 100", true),
        ("batch-size <> 100", false),
        ("batch-size == 100.0", true),
        ("scalar:lr = 9 and flag:lr = .1", true),
        ("attr:lr is undefined", true),
        ("flag:label = 'a flag'", true),
        ("label contains best", true),
        ("label not contains best", false),
        ("not label contains worst", true),
        ("label contains 100", true),
        ("tags = best and tags = v2 and not tags = v", true),
        ("tags contains BEST and not tags contains bes", true),
        ("tags in [worst, v2]", true),
        ("name = 100 and name = '100'", true),
        ("batch-size = '100'", false),
        ("on = true and on != false and on is true", true),
        ("nothing = null and nothing is not undefined", true),
        ("gone is undefined and gone != 1 and not gone = 1 and not gone < 1 and not gone contains x", true),
        ("gone is not undefined", false),
        ("sizes = 2 and not sizes = 3", true),
        ("train#acc = 0.5", true),
        ("op > sing and op < 'u'", true),
        ("op < 3 or lr < abc or on > 1", false),
        ("id = 01234567 and id = 0123456789abcdef and not id = 0123", true),
        ("marked = false", true),
        ("started > 2026-11-01 and started < 'now'", true),
        ("started = today and started in 'last 3 days' and started in [yesterday, today]", true),
        ("started >= '2026-11-21 9:00' and not started > '9:00'", true),
        ("started = yesterday", false),
        ("op in []", false),
        ("op is train and op is not test", true),
    ];
    for (text, expected) in cases {
        let filter = parse(text).unwrap_or_else(|mistake| panic!("{mistake}"));
        assert_eq!(filter.matches(&row), expected, "{text}");
    }
}

#[test]
fn precedence_is_the_ordinary_one() {
    let cases = [
        // Guild reads the first as op = gen and (…).
        ("op = gen and status = staged or op = train", "op = gen and status = staged or op = train", true),
        ("op = train or op = gen and status = staged", "op = train or op = gen and status = staged", true),
        ("op = gen and (status = staged or op = train)", "op = gen and (status = staged or op = train)", false),
        ("not op = gen and op = train", "not op = gen and op = train", true),
        ("not (op = gen and op = train)", "not (op = gen and op = train)", true),
        ("((op = gen)) or (((op = train)))", "op = gen or op = train", true),
        ("a = 1 or (b = 1 or op = train)", "a = 1 or (b = 1 or op = train)", true),
    ];
    for (text, shown, expected) in cases {
        let filter = parse(text).unwrap();
        assert_eq!((filter.to_string().as_str(), filter.matches(&row())), (shown, expected), "{text}");
    }
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let cases = [
        ("", "it is empty; write for example: status = completed", "^"),
        ("foo", "'foo' is compared with nothing; write foo = VALUE, or foo is not undefined", "^^^"),
        (
            "a = 1 and foo",
            "'foo' is compared with nothing; write foo = VALUE, or foo is not undefined",
            "          ^^^",
        ),
        ("label contans best", "'contans' is no operator; did you mean 'contains'?", "      ^^^^^^^"),
        ("label likes best", "expected an operator after 'label': = != < <= > >= is in contains", "      ^^^^^"),
        ("a = 1 adn b = 2", "expected 'and' or 'or', and not 'adn'; did you mean 'and'?", "      ^^^"),
        ("a = 1 b = 2", "expected 'and' or 'or', and not 'b'", "      ^"),
        ("a = ", "a value is missing here", "   ^"),
        ("a = and b = 1", "expected a value; as text, 'and' needs quotes", "    ^^^"),
        ("a ! 1", "'!' is no operator; did you mean '!=' or 'not'?", "  ^"),
        ("(a = 1", "this parenthesis is not closed", "^"),
        ("a = 1)", "nothing is open that this would close", "     ^"),
        ("a in 3", "expected a list after 'in', such as [1, 2], and not '3'", "     ^"),
        ("a in [1, 2", "this list is not closed", "     ^"),
        ("a in [1 2]", "expected ',' or ']', and not '2'", "        ^"),
        ("a = [1]", "a list follows 'in'; expected one value", "    ^"),
        ("a = 'x", "the quote ' is not closed", "    ^"),
        ("falg:lr = 1", "'falg:' is no prefix: they are attr:, flag: and scalar:; did you mean 'flag:'?", "^^^^^"),
        ("flag: = 1", "a name is missing after 'flag:'", "^^^^^"),
        ("status = complted", "no status is called 'complted'; did you mean 'completed'?", "         ^^^^^^^^"),
        ("= 1", "expected the name of an attribute, flag or scalar, and not '='", "^"),
        ("not", "something is missing here: a condition, such as status = completed", "   ^"),
        ("a not = 1", "expected 'in' or 'contains' after 'not', and not '='", "      ^"),
        ("größe likes best", "expected an operator after 'größe': = != < <= > >= is in contains", "      ^^^^^"),
    ];
    for (text, message, carets) in cases {
        let mistake = parse(text).expect_err(text);
        assert_eq!(mistake.to_string(), format!("filter:1: {message}\n  {text}\n  {carets}"));
    }
    let mistake = parse("a = 1 and\n  started > soon").unwrap_err().to_string();
    let (first, rest) = mistake.split_once('\n').unwrap();
    assert!(first.starts_with("filter:2: 'soon' is no time; say "), "{first}");
    assert_eq!(rest, "    started > soon\n              ^^^^");
    let deep = format!("{}a = 1", "(".repeat(100_000));
    assert!(parse(&deep).unwrap_err().message.contains("nested more than"));
    assert!(parse(&"not ".repeat(100_000)).unwrap_err().message.contains("nested more than"));
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        "-?[0-9]{1,5}(\\.[0-9]{1,3})?(e-?[0-9])?".prop_map(|text| Literal::bare(&text)),
        "[a-z]{1,6}"
            .prop_filter("a bare word", |word| !super::expr::is_keyword(word))
            .prop_map(|word| Literal::bare(&word)),
        ".*".prop_map(Literal::quoted),
        "(true|null|and|3|-1e5|inf|nan|x y|\\[|a'b|\"\\\\)".prop_map(Literal::quoted),
    ]
}

fn name() -> impl Strategy<Value = Name> {
    let scope = prop_oneof![Just(Scope::Any), Just(Scope::Attr), Just(Scope::Flag), Just(Scope::Scalar)];
    let name = prop_oneof!["[a-d]", "[A-Za-z_./#-]{1,5}", "[^:]{1,6}", "(and|in|not|undefined)"];
    (scope, name)
        .prop_map(|(scope, name)| Name { scope, name })
        .prop_filter("values of these are checked", |name| !name.is_time() && name.name != "status")
}

fn test() -> impl Strategy<Value = Test> {
    let order =
        prop_oneof![Just(Order::Less), Just(Order::LessOrEqual), Just(Order::Greater), Just(Order::GreaterOrEqual)];
    prop_oneof![
        Just(Test::Undefined),
        literal().prop_map(Test::Equal),
        literal().prop_map(Test::NotEqual),
        (order, literal()).prop_map(|(order, value)| Test::Order(order, value)),
        prop::collection::vec(literal(), 0..4).prop_map(Test::In),
        literal().prop_map(Test::Contains),
    ]
}

#[test]
fn names_that_no_run_has_are_told() {
    let cases: [(&str, &[&str]); 6] = [
        ("lr > 0 or not loss < 1 or label = x or stopped is undefined", &[]),
        ("epochz = 1", &["no run has 'epochz' of --filter"]),
        ("lsos < 1 and lsos > 0", &["no run has 'lsos' of --filter; did you mean 'loss'?"]),
        ("flag:loss = 1", &["no run has 'flag:loss' of --filter"]),
        ("Or(lr = 1, attr:lr = 1)", &["no run has 'attr:lr' of --filter"]),
        ("x is undefined", &["no run has 'x' of --filter"]),
    ];
    let rows = [
        Row { flags: BTreeMap::from([("lr", json!(1))]), ..Row::default() },
        Row { scalars: BTreeMap::from([("loss", json!(0.5))]), ..Row::default() },
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap().unknown_names(&rows), expected, "{text}");
    }
}

fn expr() -> impl Strategy<Value = Expr> {
    (name(), test()).prop_map(|(name, test)| Logic::Test(Condition { name, test })).prop_recursive(5, 40, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Logic::Or(vec![left, right])),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| Logic::And(vec![left, right])),
            inner.prop_map(|inner| Logic::Not(inner.into())),
        ]
    })
}

/// Words of a condition over the flags a, b, c, d, with the value that its text has by the rules of arithmetic: `or` adds,
/// `and` multiplies.
fn arithmetic(words: &[(bool, usize, bool)], truths: [bool; 4]) -> (String, bool) {
    let mut text = String::new();
    let mut sum = false;
    let mut product = true;
    for (index, (is_negated, flag, is_and)) in words.iter().enumerate() {
        if index > 0 {
            text += if *is_and { " and " } else { " or " };
            if !is_and {
                sum |= product;
                product = true;
            }
        }
        text += if *is_negated { "not " } else { "" };
        text += ["a", "b", "c", "d"][*flag];
        text += " = 1";
        product &= truths[*flag] != *is_negated;
    }
    (text, sum | product)
}

proptest! {
    #[test]
    fn the_text_says_what_the_tree_does(expr in expr()) {
        let filter = Filter { expr };
        let text = filter.to_string();
        prop_assert_eq!(parse(&text).map_err(|mistake| TestCaseError::fail(mistake.to_string()))?, filter, "{}", text);
    }

    #[test]
    fn and_binds_more_than_or(
        words in prop::collection::vec((any::<bool>(), 0..4_usize, any::<bool>()), 1..12),
        truths in any::<[bool; 4]>(),
    ) {
        let (text, expected) = arithmetic(&words, truths);
        let flags = ["a", "b", "c", "d"].into_iter().zip(truths.map(|truth| json!(u8::from(truth)))).collect();
        prop_assert_eq!(parse(&text).unwrap().matches(&Row { flags, ..Row::default() }), expected, "{}", text);
    }

    #[test]
    fn no_text_is_too_much(text in "[ a-c=<>!()\\[\\],'\"\\\\é\n]{0,40}|.*") {
        match parse(&text) {
            Ok(filter) => { let _ = filter.matches(&row()); }
            Err(mistake) => prop_assert!(mistake.to_string().starts_with("filter:")),
        }
    }
}

#[test]
fn a_bare_number_keeps_its_text() {
    assert_eq!(Literal::bare("007").kind, LiteralKind::Number(7.0));
    assert_eq!(parse("x = 007").unwrap().to_string(), "x = 007");
}

#[test]
fn fuzz_of_filters() {
    let now = chrono::DateTime::UNIX_EPOCH;
    let corpus: [&[u8]; 3] = [
        b"loss < 0.5 and (op = train or not completed)",
        b"'a b' in [1, 'x', 2.5] and started today",
        b"started after 2 days ago",
    ];
    crate::fuzz::fuzz(&corpus, |input| drop(Filter::parse(&String::from_utf8_lossy(input), &now)));
}
