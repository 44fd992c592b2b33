//! One line of TAP 14, without the indent of its subtest.

use std::borrow::Cow;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// `ok 1 - description # directive`
    Point(Point<'a>),
    /// `1..5 # comment`
    Plan(Plan<'a>),
    /// `Bail out!`, with the text after it.
    BailOut(Cow<'a, str>),
    /// `TAP version 14`
    Version(u64),
    /// `pragma +strict`: each key with whether it is switched on.
    Pragma(Vec<(&'a str, bool)>),
    /// `# Subtest: name`: what is indented below it is a subtest, which ends with the test point of this name.
    Subtest(Option<Cow<'a, str>>),
    /// Any other comment.
    Comment,
    /// What is no TAP.
    Text,
}

/// A test point.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Point<'a> {
    pub(super) is_ok: bool,
    pub(super) id: Option<u64>,
    pub(super) description: Cow<'a, str>,
    /// The description without what follows the mark of a directive that is not known, as in `# time=5ms`.
    pub(super) name: Cow<'a, str>,
    pub(super) directive: Option<Directive<'a>>,
    /// It ends with a brace: its subtest comes after it, and ends with the other brace.
    pub(super) opens_block: bool,
}

/// How many test points there are to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    pub(super) count: u64,
    pub(super) comment: Option<Cow<'a, str>>,
}

/// A directive, with what is said after it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Directive<'a> {
    Skip(Option<Cow<'a, str>>),
    Todo,
}

impl<'a> Line<'a> {
    /// Reads a line that has no blanks at its end.
    pub(super) fn read(text: &'a str) -> Self {
        match text.as_bytes() {
            [b'o', b'k', ..] => point(true, &text[2..]),
            [b'n', b'o', b't', b' ', b'o', b'k', ..] => point(false, &text[6..]),
            [b'1', b'.', b'.', ..] => plan(&text[3..]),
            [b'#', ..] => comment(&text[1..]),
            [b'p', ..] => text.strip_prefix("pragma ").and_then(pragma).map_or(Line::Text, Line::Pragma),
            [b'b' | b'B', ..] => {
                after_word(text, "bail out!").map_or(Line::Text, |reason| Line::BailOut(unescaped(reason.trim())))
            }
            [b't' | b'T', ..] => {
                after_word(text, "tap version ").and_then(|it| it.parse().ok()).map_or(Line::Text, Line::Version)
            }
            _ => Line::Text,
        }
    }
}

/// Returns the text after a prefix, whatever its case.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let start = text.get(..word.len())?;
    start.eq_ignore_ascii_case(word).then(|| &text[word.len()..])
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len())
}

fn point(is_ok: bool, after: &str) -> Line<'_> {
    // "okay" is a word of the program.
    if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return Line::Text;
    }
    let after = after.trim_start();
    let (digits, rest) = split_digits(after);
    let is_id = !digits.is_empty() && (rest.is_empty() || rest.starts_with(char::is_whitespace));
    // A number that is too large is in no plan.
    let id = is_id.then(|| digits.parse().unwrap_or(u64::MAX));
    let rest = if is_id { rest } else { after };
    let (rest, opens_block) = match rest.strip_suffix('{') {
        Some(start) if start.is_empty() || start.ends_with(char::is_whitespace) => (start.trim_end(), true),
        _ => (rest, false),
    };
    let (name, directive) = part(rest);
    let description = if directive.is_none() { rest } else { name };
    let [name, description] = [name, description].map(|text| unescaped(without_dash(text.trim())));
    Line::Point(Point { is_ok, id, description, name, directive, opens_block })
}

fn without_dash(text: &str) -> &str {
    match text.strip_prefix('-') {
        Some(after) if after.is_empty() || after.starts_with(char::is_whitespace) => after.trim_start(),
        _ => text,
    }
}

fn plan(after: &str) -> Line<'_> {
    let (digits, rest) = split_digits(after);
    let rest = rest.trim_start();
    if digits.is_empty() {
        return Line::Text;
    }
    let count = digits.parse().unwrap_or(u64::MAX);
    let comment = match rest.strip_prefix('#') {
        Some(comment) => comment.trim(),
        // Perl of old wrote the reason without the mark.
        None if rest.is_empty() || count == 0 => rest,
        None => return Line::Text,
    };
    Line::Plan(Plan { count, comment: Some(comment).filter(|comment| !comment.is_empty()).map(unescaped) })
}

fn comment(after: &str) -> Line<'_> {
    let Some(name) = after.strip_prefix(" Subtest") else { return Line::Comment };
    match name.strip_prefix(':') {
        Some(name) if name.is_empty() || name.starts_with(' ') => {
            Line::Subtest(Some(name.trim()).filter(|name| !name.is_empty()).map(unescaped))
        }
        None if name.is_empty() => Line::Subtest(None),
        _ => Line::Comment,
    }
}

fn pragma(keys: &str) -> Option<Vec<(&str, bool)>> {
    let key = |text: &'_ str| -> Option<(usize, bool)> {
        let is_on = text.starts_with('+');
        let name = text.strip_prefix(['+', '-'])?;
        let is_key = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        is_key.then_some((text.len() - name.len(), is_on))
    };
    keys.split(',').map(str::trim).map(|text| key(text).map(|(at, is_on)| (&text[at..], is_on))).collect()
}

/// Parts a text where its directive begins, one that is not known as well.
///
/// That is at a `#` that is not escaped, with blanks on both sides: what follows it is the directive, or there is none, and
/// any word that begins with the name of a directive is that one. A `#` with a blank on one side only is looked at as well,
/// but in a text like `#42` or in an address it means something else.
fn part(text: &str) -> (&str, Option<Directive<'_>>) {
    let mut is_escaped = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c == '#' && !is_escaped {
            let after = &text[at + 1..];
            let (follows_blank, precedes_blank) =
                (before.is_whitespace(), after.is_empty() || after.starts_with(char::is_whitespace));
            let found = match (follows_blank, precedes_blank) {
                (_, true) => directive(after.trim_start(), false),
                (true, false) => directive(after, true),
                (false, false) => None,
            };
            match found {
                Some(found) => return (&text[..at], Some(found)),
                None if follows_blank && precedes_blank => return (&text[..at], None),
                None => {}
            }
        }
        is_escaped = c == '\\' && !is_escaped;
        before = c;
    }
    (text, None)
}

/// Reads a directive; `is_exact` if its first word must be the name of one and nothing more.
fn directive(text: &str, is_exact: bool) -> Option<Directive<'_>> {
    let (word, reason) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let is = |name: &str| match is_exact {
        true => word.trim_end_matches(':').eq_ignore_ascii_case(name),
        false => after_word(word, name).is_some(),
    };
    if is("skip") {
        let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
        return Some(Directive::Skip(reason.map(unescaped)));
    }
    is(super::TO_DO).then_some(Directive::Todo)
}

/// Takes the backslashes away by which `#` and `\` are escaped.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        plain.push(match chars.peek() {
            Some(next @ ('\\' | '#')) if c == '\\' => {
                let next = *next;
                chars.next();
                next
            }
            _ => c,
        });
    }
    Cow::Owned(plain)
}

impl Point<'_> {
    /// Returns how it is shown; `number` is its place if it says none.
    pub(super) fn shown(&self, number: u64) -> String {
        let number = self.id.unwrap_or(number);
        match &*self.description {
            "" => number.to_string(),
            description => format!("{number} ({description})"),
        }
    }

    /// Returns the same for longer than its line.
    pub(super) fn into_owned(self) -> Point<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let directive = self.directive.map(|directive| match directive {
            Directive::Skip(reason) => Directive::Skip(reason.map(owned)),
            Directive::Todo => Directive::Todo,
        });
        Point { description: owned(self.description), name: owned(self.name), directive, ..self }
    }
}

impl Plan<'_> {
    /// Returns why nothing is run: the comment of a plan without tests, less the directive that it may begin with.
    pub(super) fn reason(&self) -> Option<String> {
        let comment = self.comment.as_deref()?;
        let Some(after) = after_word(comment, "skip") else { return Some(comment.to_owned()) };
        let reason = after.split_once(char::is_whitespace).map_or("", |(_, reason)| reason.trim());
        (!reason.is_empty()).then(|| reason.to_owned())
    }
}
