//! What filters of names choose and refuse, and that their text says what they do.

use proptest::prelude::*;

use super::{FilterMistake, Logic, NameFilter, NamePattern, quoted_name};

fn parse(text: &str) -> Result<NameFilter, FilterMistake> {
    NameFilter::parse_with(text, &str::to_owned)
}

/// Filters, and which of some names they choose.
const CASES: [(&str, &str); 34] = [
    ("Ping", "Ping"),
    ("P*", "Ping Pong Ping[n=1]"),
    ("not P*", "Tc1 Tc2 soak/a and x[y"),
    ("!P*", "Tc1 Tc2 soak/a and x[y"),
    ("! P*", "Tc1 Tc2 soak/a and x[y"),
    ("Tc[12]", "Tc1 Tc2"),
    ("Tc{1,3}", "Tc1"),
    ("Tc?", "Tc1 Tc2"),
    ("Ping[n=1]", "Ping[n=1]"),
    ("Ping or Pong", "Ping Pong"),
    ("Ping OR Pong", "Ping Pong"),
    ("Ping,Pong", "Ping Pong"),
    ("Ping, Tc*", "Ping Tc1 Tc2"),
    ("Ping,!*", "Ping"),
    ("Ping|Pong", "Ping Pong"),
    ("Ping || Pong", "Ping Pong"),
    ("P* and not *ng", "Ping[n=1]"),
    ("P*&!*ng", "Ping[n=1]"),
    ("P* && not Ping", "Pong Ping[n=1]"),
    ("(Ping or Pong) and not (Pong or Tc1)", "Ping"),
    ("Ping or P* and Tc1", "Ping"),
    ("Or('Ping', \"Pong\")", "Ping Pong"),
    ("Or(Ping,Pong)", "Ping Pong"),
    ("or('Ping')", "Ping"),
    ("And('P*', Not('Ping'))", "Pong Ping[n=1]"),
    ("Not('P*', 'Tc*') and Not('and')", "soak/a x[y"),
    ("not (P* or Tc*) and not 'and'", "soak/a x[y"),
    ("Tc1 or Or('Ping', 'Pong') and Ping", "Ping Tc1"),
    ("And(P*, Or(Ping, Pong or Tc1))", "Ping Pong"),
    ("'and'", "and"),
    ("soak*", "soak/a"),
    ("'x['", ""),
    ("'x[y'", "x[y"),
    ("android", ""),
];

#[test]
fn filters_choose_names() {
    let names = ["Ping", "Pong", "Ping[n=1]", "Tc1", "Tc2", "soak/a", "and", "x[y"];
    for (text, expected) in CASES {
        let filter = parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
        let mut chosen: Vec<&str> = names.into_iter().filter(|name| filter.fits(&[name])).collect();
        let mut wanted: Vec<&str> = expected.split(' ').filter(|name| !name.is_empty()).collect();
        chosen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(chosen, wanted, "{text}");
        // What is printed chooses the same.
        assert_eq!(parse(&filter.to_string()).unwrap(), filter, "{text}: {filter}");
    }
}

#[test]
fn mistakes_have_places() {
    let cases = [
        ("", "it is empty", 0..1),
        ("a and", "a pattern is missing", 5..6),
        ("a and (b or c", "this parenthesis is not closed", 6..7),
        ("a b", "expected 'and' or 'or', and not 'b'; a name with blanks is put in quotes", 2..3),
        ("a adn b", "expected 'and' or 'or', and not 'adn'; did you mean 'and'?", 2..5),
        ("a)", "nothing is open that this would close", 1..2),
        ("or a", "a pattern is missing before 'or'", 0..2),
        ("a,,b", "a pattern is missing", 2..3),
        ("a,", "a pattern is missing", 2..3),
        ("!", "a pattern is missing", 1..2),
        ("'a", "the quote ' is not closed", 0..1),
        ("a or ''", "a pattern is empty", 5..7),
        ("Or()", "a pattern is missing", 3..4),
        ("Or(a", "this parenthesis is not closed", 2..3),
        ("sweep(3)", "a name with parentheses is put in quotes", 5..8),
        ("\u{e9} and x[", "it is no pattern: unclosed character class; missing ']'", 6..8),
    ];
    for (text, message, columns) in cases {
        let mistake = parse(text).unwrap_err();
        assert!(mistake.message.starts_with(message), "{text}: {}", mistake.message);
        assert_eq!(mistake.columns, columns, "{text}: {mistake}");
    }
    for deep in ["(", "not ", "Or("] {
        let mistake = parse(&deep.repeat(30_000)).unwrap_err();
        assert!(mistake.message.contains("nested more than"), "{deep}: {}", mistake.message);
    }
}

#[test]
fn a_filter_of_very_many_alternatives_is_read_and_asked() {
    for joint in [" or ", ",", " and "] {
        let text = vec!["a"; 50_000].join(joint);
        let filter = parse(&text).unwrap();
        assert!(filter.fits(&["a"]) && !filter.fits(&["b"]));
        assert_eq!(filter.patterns().len(), 50_000);
    }
}

fn logic() -> impl Strategy<Value = Logic<NamePattern>> {
    let pattern = "([a-zA-Z0-9*?_./=, ()'\"&|!\\\\-]|\u{e4}|and|or|not){1,6}";
    let leaf = pattern.prop_map(|text| Logic::Test(NamePattern::quoted(text).unwrap()));
    leaf.prop_recursive(5, 40, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            list.clone().prop_map(Logic::Or),
            list.prop_map(Logic::And),
            inner.prop_map(|inner| Logic::Not(inner.into()))
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_it_was(logic in logic()) {
        let filter = NameFilter { logic };
        let printed = filter.to_string();
        prop_assert_eq!(parse(&printed).unwrap(), filter, "{}", printed);
    }

    #[test]
    fn any_text_is_a_filter_or_a_mistake(text in "([a-z ()\\[\\]{}~=/'\"*,:&|!\\\\-]|and|not|Or\\(|\u{e4})*") {
        match parse(&text) {
            Ok(filter) => drop(filter.fits(&["a"])),
            Err(mistake) => prop_assert!(!mistake.to_string().is_empty()),
        }
    }

    #[test]
    fn a_quoted_name_is_itself(name in "[ -~\u{e4}]{1,12}") {
        prop_assert!(parse(&quoted_name(&name)).unwrap().fits(&[&name]));
    }
}
