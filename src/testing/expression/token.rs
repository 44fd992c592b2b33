//! The words and signs of a filter of tests.

use std::ops::Range;

use winnow::combinator::{alt, delimited, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, one_of, take_while};

use crate::model::{FilterMistake, LogicKind, Token, Tokens};

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or keyword. `&`, `|` and `!` are the keywords that they stand for.
    Word(String),
    /// A name with what stands in its parentheses.
    Predicate {
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
}

impl LogicKind for Kind {
    fn word(&self) -> Option<&str> {
        match self {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn is_open(&self) -> bool {
        *self == Kind::Open
    }

    fn is_close(&self) -> bool {
        *self == Kind::Close
    }
}

type Input<'a> = LocatingSlice<&'a str>;

/// Returns the words and signs of `source`.
pub(super) fn tokens(source: &str) -> Result<Tokens<'_, Kind>, FilterMistake> {
    Tokens::new(source, |input| token(source, input))
}

fn token<'a>(source: &'a str, input: &mut Input<'a>) -> Result<Token<Kind>, FilterMistake> {
    let at = source.len() - input.len();
    let first = input.chars().next().unwrap_or_default();
    let wrong = |span: Range<usize>, message: String| Err(FilterMistake::new(source, span, message));
    let Ok(token) = word(input) else {
        return wrong(at..at + first.len_utf8(), format!("'{}' is not expected", first.escape_debug()));
    };
    // A name with a parenthesis right behind it is a predicate; what is in it follows other rules.
    let name = match &token.kind {
        Kind::Word(name) if !matches!(name.as_str(), "and" | "or" | "not") => name.clone(),
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
    let kind = Kind::Predicate { name, length: token.span.len(), pattern, span };
    Ok(Token { kind, span: token.span.start..end })
}

fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn word(input: &mut Input<'_>) -> ModalResult<Token<Kind>> {
    let name = take_while(1.., |c: char| c.is_alphanumeric() || c == '_' || c == '-');
    let keyword = |name: &str| {
        let lower = name.to_lowercase();
        Kind::Word(if matches!(lower.as_str(), "and" | "or" | "not") { lower } else { name.to_owned() })
    };
    let sign = |word: &'static str| move |_: &str| Kind::Word(word.to_owned());
    alt((
        alt(("&&", "&")).map(sign("and")),
        alt(("||", "|")).map(sign("or")),
        "!".map(sign("not")),
        '('.value(Kind::Open),
        ')'.value(Kind::Close),
        name.map(keyword),
    ))
    .with_span()
    .map(|(kind, span)| Token { kind, span })
    .parse_next(input)
}

fn blank(input: &mut Input<'_>) -> ModalResult<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// Reads what stands in the parentheses of a predicate, and the one that closes it.
fn pattern(input: &mut Input<'_>) -> ModalResult<(String, Range<usize>)> {
    let quoted = |quote: char| {
        let escaped = preceded('\\', any);
        let inner =
            repeat(0.., alt((escaped, none_of([quote, '\\'])))).fold(String::new, |mut text: String, c: char| {
                text.push(c);
                text
            });
        delimited(quote, inner, quote)
    };
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
