//! One line of the Test Anything Protocol, without the indent of its subtest.

/// What a line is.
#[derive(Debug)]
pub(super) enum Line<'a> {
    /// `ok 1 - name # directive`
    Test(TestLine<'a>),
    /// `1..5`
    Plan(Plan),
    /// `Bail out!`, with the text after it.
    BailOut(&'a str),
    /// `TAP version 14`
    Version(u64),
    /// The beginning of a block of YAML, with its indent.
    Yaml(&'a str),
    /// Anything else: a comment, a pragma, what the program says beside.
    Text,
}

/// A test.
#[derive(Debug)]
pub(super) struct TestLine<'a> {
    pub(super) is_ok: bool,
    pub(super) number: Option<u64>,
    pub(super) name: &'a str,
    pub(super) directive: Option<Directive>,
}

/// How many tests there are to be.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) count: u64,
    pub(super) directive: Option<Directive>,
}

/// A directive, with what is said after it.
#[derive(Clone, Debug)]
pub(super) enum Directive {
    Skip(Option<String>),
    Todo,
}

impl<'a> Line<'a> {
    /// Reads a line that has no blanks at its end.
    pub(super) fn read(text: &'a str, has_yaml: bool) -> Self {
        let (is_ok, after) = match (text.strip_prefix("ok"), text.strip_prefix("not ok")) {
            (Some(after), _) => (true, after),
            (None, Some(after)) => (false, after),
            (None, None) => return Line::read_other(text, has_yaml),
        };
        // "okay" is a word of the program.
        if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return Line::Text;
        }
        let after = after.trim_start();
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = after.split_at(digits);
        let (name, directive) = part(rest);
        let name = name.trim();
        let name = name.strip_prefix('-').map_or(name, str::trim_start);
        // A number that is too large is out of order whatever it is.
        let number = (!number.is_empty()).then(|| number.parse().unwrap_or(u64::MAX));
        Line::Test(TestLine { is_ok, number, name, directive })
    }

    fn read_other(text: &'a str, has_yaml: bool) -> Self {
        if let Some(after) = text.strip_prefix("1..") {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (count, rest) = after.split_at(digits);
            if count.is_empty() {
                return Line::Text;
            }
            let (_, directive) = part(rest);
            return Line::Plan(Plan { count: count.parse().unwrap_or(u64::MAX), directive });
        }
        if let Some(reason) = text.strip_prefix("Bail out!") {
            return Line::BailOut(reason.trim());
        }
        if let Some(version) = text.strip_prefix("TAP version ") {
            let digits = version.len() - version.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            return version[..digits].parse().map_or(Line::Text, Line::Version);
        }
        let indent = text.len() - text.trim_start().len();
        if has_yaml && indent > 0 && text[indent..].starts_with("---") {
            return Line::Yaml(&text[..indent]);
        }
        Line::Text
    }
}

/// Parts a text at its first `#` that is not escaped, and reads the directive after it.
fn part(text: &str) -> (&str, Option<Directive>) {
    let mut is_escaped = false;
    let mark = text.char_indices().find(|(_, c)| {
        let found = *c == '#' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        found
    });
    let Some((at, _)) = mark else { return (text, None) };
    let after = text[at + 1..].trim_start();
    let (word, reason) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
    let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let begins = |name: &str| word.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let directive = if begins("skip") {
        Some(Directive::Skip(reason))
    } else if begins("todo") && !word[4..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        Some(Directive::Todo)
    } else {
        None
    };
    (&text[..at], directive)
}
