//! When two walks fail in the same way: in the same action, with the same kind of error, raised at the same place with the same
//! message but for the values in it.
//!
//! An action that misses what another one should have done fails as well, and on one line there may be several checks; so the
//! message counts. The values in it are what options change: words with a number in them, and what is quoted.

use crate::model::RaisedError;

/// Bytes of a message that are compared.
const COMPARED: usize = 1000;

/// Words behind which a quoted word is a name in the program, which tells one mistake from another.
const NAMING: [&str; 9] =
    ["field", "local", "global", "upvalue", "method", "constant", "function", "invariant", "action"];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct WayOfFailing {
    action: Option<String>,
    kind: String,
    place: String,
    message: String,
}

impl WayOfFailing {
    /// Returns the way in which a walk failed: in this action, with this error.
    pub(crate) fn of(action: Option<&str>, error: Option<&RaisedError>) -> Self {
        let (kind, text) = error.map_or(("", ""), |error| (error.kind.as_str(), error.message.as_str()));
        let text = &text[..text.floor_char_boundary(COMPARED)];
        let (place, message) = parted(text);
        Self {
            action: action.map(str::to_owned),
            kind: kind.to_owned(),
            place: place.to_owned(),
            message: without_values(message),
        }
    }

    /// Returns whether two failures are at the same place, whatever their messages say: those of the same walk may hold what
    /// is another one in each process.
    pub(crate) fn is_at_place_of(&self, other: &Self) -> bool {
        let is_same = (&self.action, &self.kind, &self.place) == (&other.action, &other.kind, &other.place);
        is_same && (!self.place.is_empty() || self.message == other.message)
    }
}

/// Parts a message behind the file and the line with which it begins.
fn parted(text: &str) -> (&str, &str) {
    let first = text.lines().next().unwrap_or_default();
    let mut from = 0;
    while let Some(at) = first[from..].find(':') {
        let start = from + at + 1;
        let digits = first[start..].bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && first[start + digits..].starts_with(':') {
            return text.split_at(start + digits + 1);
        }
        from = start;
    }
    ("", text)
}

/// Returns a message with `#` for each word in which there is a number, and `''` for what is quoted.
fn without_values(text: &str) -> String {
    let plain = without_numbers(text);
    let words: Vec<&str> = plain.split_whitespace().map(|word| if word.contains('#') { "#" } else { word }).collect();
    words.join(" ")
}

fn without_numbers(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let before = plain.chars().next_back();
        let is_word = before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == '#');
        let quoted = matches!(first, '\'' | '"' | '`').then(|| quoted(rest)).flatten().filter(|_| !is_word);
        let number = number(rest, is_word);
        let taken = match (quoted, number) {
            (Some(length), _) => {
                let last = plain.trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
                plain.push_str(if NAMING.contains(&last) { &rest[..length] } else { "''" });
                length
            }
            (None, 0) => {
                plain.push(first);
                first.len_utf8()
            }
            (None, length) => {
                if before != Some('#') {
                    plain.push('#');
                }
                length
            }
        };
        rest = &rest[taken..];
    }
    plain
}

/// Returns how long the quoted text at the beginning is, its quotes included, if it has an end in the line.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next()?;
    let line = text.lines().next()?;
    let mut is_escaped = false;
    for (at, c) in line.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Returns how long the number at the beginning is: decimal with a sign, a fraction and an exponent, or hexadecimal.
fn number(text: &str, is_in_word: bool) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if let Some(hexadecimal) = text.strip_prefix("0x") {
        let length = hexadecimal.bytes().take_while(u8::is_ascii_hexdigit).count();
        return if length > 0 { length + 2 } else { 1 };
    }
    let sign = usize::from(!is_in_word && text.starts_with('-'));
    let mut length = digits(&text[sign..]);
    if length == 0 {
        return 0;
    }
    length += sign;
    if text[length..].starts_with('.') {
        match digits(&text[length + 1..]) {
            0 => {}
            fraction => length += fraction + 1,
        }
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        match digits(&exponent[sign..]) {
            0 => {}
            digits => length += 1 + sign + digits,
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn way(message: &str) -> WayOfFailing {
        let error = RaisedError { kind: "error".to_owned(), message: message.to_owned(), traceback: None };
        WayOfFailing::of(Some("A"), Some(&error))
    }

    #[test]
    fn what_options_change_does_not_tell_failures_apart() {
        let table = [
            ("suite.lua:3: too much: 17", "suite.lua:3: too much: -4.5e+3"),
            ("suite.lua:3: expected 'a b', got \"c\\\"d\"", "suite.lua:3: expected 'x', got \"\""),
            ("s.lua:1: table: 0x55d0c0ffee", "s.lua:1: table: 0x7f1"),
            ("took 3.25 s", "took 11 s"),
            ("its worker left with code 3", "its worker left with code 4"),
            ("s.lua:1: node7 is down", "s.lua:1: node12 is down"),
            ("s.lua:1: holds {}, not {worker-1-3/a 200}", "s.lua:1: holds {}, not {shrink-1-2-1/b 7}"),
        ];
        for (one, other) in table {
            assert_eq!(way(one), way(other));
        }
    }

    #[test]
    fn other_mistakes_are_told_apart() {
        let table = [
            ("suite.lua:3: too much", "suite.lua:4: too much"),
            ("suite.lua:3: too much", "suite.lua:3: attempt to compare nil with number"),
            ("a.lua:3: no", "b.lua:3: no"),
            (
                "a.lua:1: attempt to index a nil value (field 'socket')",
                "a.lua:1: attempt to index a nil value (field 'peer')",
            ),
            ("invariant 'sorted' does not hold", "invariant 'unique' does not hold"),
            ("it didn't open", "it didn't close"),
        ];
        for (one, other) in table {
            assert_ne!(way(one), way(other), "{one} and {other}");
        }
        let error = RaisedError { kind: "timeout".to_owned(), message: "no".to_owned(), traceback: None };
        assert_ne!(WayOfFailing::of(Some("A"), Some(&error)), way("no"));
        assert_ne!(WayOfFailing::of(Some("B"), Some(&error)), WayOfFailing::of(Some("A"), Some(&error)));
    }

    proptest! {
        #[test]
        fn any_message_has_a_way_and_numbers_do_not_matter(text in "\\PC{0,60}", one: i32, other: u32) {
            prop_assert_eq!(way(&format!("{text} {one} x")), way(&format!("{text} {other} x")));
        }
    }
}
