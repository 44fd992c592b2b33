//! The words and signs of a filter.

use winnow::combinator::{alt, delimited, dispatch, fail, preceded, repeat};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, none_of, one_of, take_while};

use super::Mistake;
use crate::model::{LogicKind, Token, Tokens};

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A bare word: a name, a keyword, a number, or text.
    Word(String),
    /// Text in quotes.
    Quoted(String),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`.
    Sign(&'static str),
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `[`.
    OpenList,
    /// `]`.
    CloseList,
    /// `,`.
    Comma,
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

    fn is_comma(&self) -> bool {
        *self == Kind::Comma
    }
}

type Input<'a> = LocatingSlice<&'a str>;

/// Returns whether a bare word can hold the character.
pub(super) fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !"()[],<>=!'\"".contains(c)
}

/// Returns the words and signs of `source`.
pub(super) fn tokens(source: &str) -> Result<Tokens<'_, Kind>, Mistake> {
    Tokens::new(source, |input| {
        let at = source.len() - input.len();
        let first = input.chars().next().unwrap_or_default();
        token(input).map_err(|_| unexpected(source, at, first))
    })
}

/// Makes the mistake that no word and no sign begins at the character `first`.
fn unexpected(source: &str, at: usize, first: char) -> Mistake {
    let what = match first {
        quote @ ('\'' | '"') => format!("the quote {quote} is not closed"),
        '!' => "'!' is no operator; did you mean '!=' or 'not'?".to_owned(),
        other => format!("'{}' is not expected", other.escape_debug()),
    };
    Mistake::new(source, at..at + first.len_utf8(), what)
}

fn token(input: &mut Input<'_>) -> ModalResult<Token<Kind>> {
    alt((sign, quoted, take_while(1.., is_bare).map(|word: &str| Kind::Word(word.to_owned()))))
        .with_span()
        .map(|(kind, span)| Token { kind, span })
        .parse_next(input)
}

fn sign(input: &mut Input<'_>) -> ModalResult<Kind> {
    alt((
        // What other languages write is understood.
        alt(("==", "=")).value(Kind::Sign("=")),
        alt(("!=", "<>")).value(Kind::Sign("!=")),
        "<=".value(Kind::Sign("<=")),
        ">=".value(Kind::Sign(">=")),
        "<".value(Kind::Sign("<")),
        ">".value(Kind::Sign(">")),
        bracket,
        ','.value(Kind::Comma),
    ))
    .parse_next(input)
}

fn bracket(input: &mut Input<'_>) -> ModalResult<Kind> {
    alt(('('.value(Kind::Open), ')'.value(Kind::Close), '['.value(Kind::OpenList), ']'.value(Kind::CloseList)))
        .parse_next(input)
}

fn quoted(input: &mut Input<'_>) -> ModalResult<Kind> {
    let inside = |quote: char| {
        let text = repeat(0.., alt((escape, none_of([quote, '\\'])))).fold(String::new, |mut text, c| {
            text.push(c);
            text
        });
        delimited(quote, text, quote)
    };
    dispatch! { winnow::combinator::peek(any);
        '\'' => inside('\''),
        '"' => inside('"'),
        _ => fail,
    }
    .map(Kind::Quoted)
    .parse_next(input)
}

fn escape(input: &mut Input<'_>) -> ModalResult<char> {
    preceded('\\', alt(('n'.value('\n'), 't'.value('\t'), 'r'.value('\r'), one_of(|_: char| true)))).parse_next(input)
}
