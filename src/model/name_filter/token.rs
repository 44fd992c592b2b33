//! The words and signs of a filter of names, and of predicates.

use std::ops::Range;

use winnow::combinator::{alt, delimited, fail, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, one_of, take, take_while};

use crate::model::{FilterMistake, LogicKind, Token, Tokens};

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FilterKind {
    /// A pattern or keyword. `&`, `|` and `!` are the keywords that they stand for.
    Word(String),
    /// A pattern in quotes, without them.
    Quoted(String),
    /// A name with what stands in its parentheses.
    Predicate {
        /// The name.
        name: String,
        /// How many bytes the name has.
        length: usize,
        /// The pattern, without quotes and blanks around it.
        pattern: String,
        /// The bytes that it stands in.
        span: Range<usize>,
    },
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `,`.
    Comma,
}

impl LogicKind for FilterKind {
    const COMMA_IS_OR: bool = true;
    const UNJOINED: &str = "; a name with blanks is put in quotes";

    fn word(&self) -> Option<&str> {
        match self {
            FilterKind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_open(&self) -> bool {
        *self == FilterKind::Open
    }

    fn is_close(&self) -> bool {
        *self == FilterKind::Close
    }

    fn is_comma(&self) -> bool {
        *self == FilterKind::Comma
    }
}

type Input<'a> = LocatingSlice<&'a str>;

/// Returns the words and signs of `source`.
pub(crate) fn filter_tokens(source: &str) -> Result<Tokens<'_, FilterKind>, FilterMistake> {
    Tokens::new(source, |input| token(source, input))
}

/// Returns whether a text means the same without quotes.
pub(super) fn is_bare(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.:/*?=#".contains(c);
    !text.is_empty() && text.chars().all(is_plain) && !is_keyword(text)
}

pub(super) fn is_keyword(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn token<'a>(source: &'a str, input: &mut Input<'a>) -> Result<Token<FilterKind>, FilterMistake> {
    let at = source.len() - input.len();
    let first = input.chars().next().unwrap_or_default();
    let wrong = |span: Range<usize>, message: String| Err(FilterMistake::new(source, span, message));
    let Ok(token) = word(input) else {
        // Every other character begins a word.
        return wrong(at..at + first.len_utf8(), format!("the quote {first} is not closed"));
    };
    // A name with a parenthesis right behind it is a predicate; what is in it follows other rules.
    let is_name = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let name = match &token.kind {
        FilterKind::Word(name) if is_name(name) && !is_keyword(name) => name.clone(),
        _ => return Ok(token),
    };
    let open = token.span.end;
    if !source[open..].starts_with('(') {
        return Ok(token);
    }
    let _: ModalResult<char> = any.parse_next(input);
    let Ok((pattern, span)) = pattern(input) else {
        let begin = open + 1 + blanks(&source[open + 1..]);
        return match source[begin..].chars().next() {
            Some(quote @ ('\'' | '"')) => wrong(begin..begin + 1, format!("the quote {quote} is not closed")),
            _ => wrong(open..open + 1, "this parenthesis is not closed".to_owned()),
        };
    };
    let end = source.len() - input.len();
    let kind = FilterKind::Predicate { name, length: token.span.len(), pattern, span };
    Ok(Token { kind, span: token.span.start..end })
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn word(input: &mut Input<'_>) -> ModalResult<Token<FilterKind>> {
    let sign = |word: &'static str| move |_: &str| FilterKind::Word(word.to_owned());
    alt((
        alt(("&&", "&")).map(sign("and")),
        alt(("||", "|")).map(sign("or")),
        "!".map(sign("not")),
        '('.value(FilterKind::Open),
        ')'.value(FilterKind::Close),
        ','.value(FilterKind::Comma),
        alt((quoted('\''), quoted('"'))).map(FilterKind::Quoted),
        bare.map(|word: &str| FilterKind::Word(word.to_owned())),
    ))
    .with_span()
    .map(|(kind, span)| Token { kind, span })
    .parse_next(input)
}

/// Reads a bare pattern. Inside `[…]` and `{…}` it may hold anything: `sweep[size=64,mtu=(1)]`.
fn bare<'a>(input: &mut Input<'a>) -> ModalResult<&'a str> {
    let mut closing = Vec::new();
    let goes_on = |character: &char| {
        match character {
            '[' => closing.push(']'),
            '{' => closing.push('}'),
            _ if closing.last() == Some(character) => drop(closing.pop()),
            _ if closing.is_empty() => return !character.is_whitespace() && !"(),|&'\"".contains(*character),
            _ => {}
        }
        true
    };
    let length = input.chars().take_while(goes_on).count();
    if length == 0 { fail.parse_next(input) } else { take(length).parse_next(input) }
}

fn blank(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// Reads a text in quotes; a backslash takes the next character as it is.
fn quoted<'a>(quote: char) -> impl FnMut(&mut Input<'a>) -> ModalResult<String> {
    move |input: &mut Input<'a>| {
        let escaped = preceded('\\', any);
        let inner =
            repeat(0.., alt((escaped, none_of([quote, '\\'])))).fold(String::new, |mut text: String, c: char| {
                text.push(c);
                text
            });
        delimited(quote, inner, quote).parse_next(input)
    }
}

/// Reads what stands in the parentheses of a predicate, and the one that closes it.
fn pattern(input: &mut Input<'_>) -> ModalResult<(String, Range<usize>)> {
    // Blanks before the end are no part of it.
    let regex = ('/', repeat::<_, _, (), _, _>(1.., alt((('\\', any).void(), none_of(['/', '\\']).void()))), '/')
        .take()
        .map(str::to_owned);
    let bare = repeat::<_, _, (), _, _>(0.., alt((('\\', one_of(['(', ')', '\\'])).void(), none_of([')']).void())))
        .take()
        .map(|text: &str| text.replace("\\(", "(").replace("\\)", ")"));
    blank(input)?;
    alt((
        (quoted('\'').with_span(), blank, ')').map(|(found, (), _)| found),
        (quoted('"').with_span(), blank, ')').map(|(found, (), _)| found),
        (regex.with_span(), blank, ')').map(|(found, (), _)| found),
        (none_of(['\'', '"', ')']), bare, ')').take().with_span().map(unclosed),
        ')'.with_span().map(|(_, span): (char, Range<usize>)| (String::new(), span.start..span.start)),
    ))
    .parse_next(input)
}

/// Takes the closing parenthesis and the blanks before it off a bare pattern.
fn unclosed((text, span): (&str, Range<usize>)) -> (String, Range<usize>) {
    let text = text.strip_suffix(')').unwrap_or(text).trim_end();
    (text.replace("\\(", "(").replace("\\)", ")"), span.start..span.start + text.len())
}
