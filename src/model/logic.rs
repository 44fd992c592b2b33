//! Conditions joined by `and`, `or` and `not`: what the languages that choose runs and tests have in common.
//!
//! `not` binds before `and` before `or`; parentheses group, and `And(a, b)`, `Or(a, b)` and `Not(a, b)`, none of them, say
//! the same. What a single condition looks like is each language's own.

use std::fmt;
use std::ops::Range;

use winnow::ModalResult;
use winnow::Parser as _;
use winnow::stream::LocatingSlice;
use winnow::token::take_while;

use super::{FilterMistake, nearest};

/// How deep a filter may be nested.
const MAX_DEPTH: usize = 128;

/// Conditions `T` and how they are joined. A list holds two or more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Logic<T> {
    /// One of them.
    Or(Vec<Logic<T>>),
    /// All of them.
    And(Vec<Logic<T>>),
    /// Not this.
    Not(Box<Logic<T>>),
    /// A single condition.
    Test(T),
}

impl<T> Logic<T> {
    /// Returns whether it holds, where `test` says so of the single conditions.
    pub(crate) fn holds(&self, test: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Logic::Or(parts) => parts.iter().any(|part| part.holds(test)),
            Logic::And(parts) => parts.iter().all(|part| part.holds(test)),
            Logic::Not(inner) => !inner.holds(test),
            Logic::Test(condition) => test(condition),
        }
    }

    /// Returns the single conditions in the order in which they are written.
    pub(crate) fn conditions(&self) -> Vec<&T> {
        match self {
            Logic::Or(parts) | Logic::And(parts) => parts.iter().flat_map(Logic::conditions).collect(),
            Logic::Not(inner) => inner.conditions(),
            Logic::Test(condition) => vec![condition],
        }
    }

    /// Returns the opposite if `is_negated`, else the same.
    pub(crate) fn negated_if(self, is_negated: bool) -> Self {
        if is_negated { Logic::Not(Box::new(self)) } else { self }
    }

    /// Returns the parts joined by `join`, or the only one.
    fn joined(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        if parts.len() == 1 { parts.remove(0) } else { join(parts) }
    }

    /// Returns how strongly it binds: the larger, the fewer parentheses it needs.
    const fn strength(&self) -> u8 {
        match self {
            Logic::Or(_) => 0,
            Logic::And(_) => 1,
            Logic::Not(_) => 2,
            Logic::Test(_) => 3,
        }
    }
}

impl<T: fmt::Display> Logic<T> {
    /// Writes it as an operand, in parentheses if it binds less than `least`.
    fn operand(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.strength() < least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl<T: fmt::Display> fmt::Display for Logic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = |parts: &[Self], word: &str, least: u8| {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    f.write_str(word)?;
                }
                part.operand(f, least)?;
            }
            Ok(())
        };
        match self {
            Logic::Or(parts) => list(parts, " or ", 1),
            Logic::And(parts) => list(parts, " and ", 2),
            Logic::Not(inner) => {
                f.write_str("not ")?;
                inner.operand(f, 2)
            }
            Logic::Test(condition) => condition.fmt(f),
        }
    }
}

/// What a word or sign of a language is, as far as joining conditions needs it.
pub(crate) trait LogicKind: Clone {
    /// Returns the bare word that it is. `and`, `or` and `not` are such.
    fn word(&self) -> Option<&str>;
    /// Returns whether it is `(`.
    fn is_open(&self) -> bool;
    /// Returns whether it is `)`.
    fn is_close(&self) -> bool;
    /// Returns whether it is `,`.
    fn is_comma(&self) -> bool;
    /// Outside of `And(…)`, `Or(…)` and `Not(…)` a comma is an `or`.
    const COMMA_IS_OR: bool = false;
    /// What is said besides where a word stands that nothing joins with the one before.
    const UNJOINED: &str = "";
}

/// A word or sign, and the bytes it stands in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<K> {
    /// What it is.
    pub(crate) kind: K,
    /// Where.
    pub(crate) span: Range<usize>,
}

/// The words and signs of a filter, read one by one.
pub(crate) struct Tokens<'a, K> {
    source: &'a str,
    list: Vec<Token<K>>,
    at: usize,
}

impl<'a, K: LogicKind> Tokens<'a, K> {
    /// Parts `source` into words and signs; `token` reads the one that begins where its input stands.
    pub(crate) fn new(
        source: &'a str,
        token: impl Fn(&mut LocatingSlice<&'a str>) -> Result<Token<K>, FilterMistake>,
    ) -> Result<Self, FilterMistake> {
        let mut input = LocatingSlice::new(source);
        let mut list = Vec::new();
        loop {
            let _: ModalResult<&str> = take_while(0.., char::is_whitespace).parse_next(&mut input);
            if input.is_empty() {
                return Ok(Self { source, list, at: 0 });
            }
            list.push(token(&mut input)?);
        }
    }

    /// Returns the next one and goes past it.
    pub(crate) fn next(&mut self) -> Option<Token<K>> {
        let token = self.list.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Returns the next one.
    pub(crate) fn peek(&self) -> Option<&Token<K>> {
        self.list.get(self.at)
    }

    /// Goes past the keyword if it is next.
    pub(crate) fn take(&mut self, keyword: &str) -> bool {
        let word = self.peek().and_then(|token| token.kind.word());
        let is_next = word.is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes past a comma if it is next.
    fn take_comma(&mut self) -> bool {
        let is_next = self.peek().is_some_and(|token| token.kind.is_comma());
        self.at += usize::from(is_next);
        is_next
    }

    /// Goes past `and`, `or` or `not` with a parenthesis behind it, and past that; returns the word in small letters and where
    /// it opens.
    fn take_call(&mut self) -> Option<(String, Range<usize>)> {
        let word = self.peek()?.kind.word()?.to_lowercase();
        let open = self.list.get(self.at + 1).filter(|token| token.kind.is_open())?.span.clone();
        if !matches!(word.as_str(), "and" | "or" | "not") {
            return None;
        }
        self.at += 2;
        Some((word, open))
    }

    /// Makes a mistake.
    pub(crate) fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> FilterMistake {
        FilterMistake::new(self.source, span, message)
    }

    /// Makes the mistake that something is missing at the end.
    pub(crate) fn missing(&self, message: &str) -> FilterMistake {
        let end = self.source.trim_end().len();
        self.wrong(end..end, message)
    }

    /// Makes the mistake that `token` stands where something else is expected, one of `words` perhaps.
    pub(crate) fn expected(&self, token: &Token<K>, expected: &str, words: &[&'static str]) -> FilterMistake {
        let written = &self.source[token.span.clone()];
        let near = token.kind.word().and_then(|word| near_word(word, words));
        let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        self.wrong(token.span.clone(), format!("{expected}, and not {}{hint}", shown(written)))
    }
}

/// Returns what is written in quotes, unless it has some.
fn shown(written: &str) -> String {
    if written.starts_with(['\'', '"']) { written.to_owned() } else { format!("'{written}'") }
}

/// Returns the word that `word` is most like. Of short words one letter is much, so one slip is always forgiven.
pub(crate) fn near_word<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let one_slip = || words.iter().copied().find(|known| strsim::osa_distance(&lower, known) == 1);
    nearest(&lower, words.iter().copied()).or_else(one_slip)
}

/// Reads a single condition, whose first word or sign is given; `None` at the end of the filter.
pub(crate) type ReadCondition<'r, K, T> =
    &'r mut dyn FnMut(&mut Tokens<'_, K>, Option<Token<K>>) -> Result<Logic<T>, FilterMistake>;

/// Returns the tree of a filter. Of an empty one `example` is said to be missing.
pub(crate) fn parse_logic<K: LogicKind, T>(
    mut tokens: Tokens<'_, K>,
    example: &str,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    if tokens.peek().is_none() {
        return Err(tokens.missing(&format!("it is empty; write for example: {example}")));
    }
    let logic = any(&mut tokens, 0, K::COMMA_IS_OR, condition)?;
    match tokens.next() {
        None => Ok(logic),
        Some(token) if token.kind.is_close() => Err(tokens.wrong(token.span, "nothing is open that this would close")),
        Some(token) => Err(unjoined(&tokens, &token, "expected 'and' or 'or'")),
    }
}

fn unjoined<K: LogicKind>(tokens: &Tokens<'_, K>, token: &Token<K>, expected: &str) -> FilterMistake {
    let mut mistake = tokens.expected(token, expected, &["and", "or"]);
    mistake.message.push_str(K::UNJOINED);
    mistake
}

/// Reads alternatives.
fn any<K: LogicKind, T>(
    tokens: &mut Tokens<'_, K>,
    depth: usize,
    comma_is_or: bool,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    let mut parts = vec![all(tokens, depth, condition)?];
    while tokens.take("or") || comma_is_or && tokens.take_comma() {
        parts.push(all(tokens, depth, condition)?);
    }
    Ok(Logic::joined(parts, Logic::Or))
}

fn all<K: LogicKind, T>(
    tokens: &mut Tokens<'_, K>,
    depth: usize,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    let mut parts = vec![one(tokens, depth, condition)?];
    while tokens.take("and") {
        parts.push(one(tokens, depth, condition)?);
    }
    Ok(Logic::joined(parts, Logic::And))
}

fn one<K: LogicKind, T>(
    tokens: &mut Tokens<'_, K>,
    depth: usize,
    condition: ReadCondition<'_, K, T>,
) -> Result<Logic<T>, FilterMistake> {
    if depth > MAX_DEPTH {
        let span = tokens.peek().map_or(0..0, |token| token.span.clone());
        return Err(tokens.wrong(span, format!("it is nested more than {MAX_DEPTH} deep")));
    }
    if let Some((word, opened)) = tokens.take_call() {
        let mut parts = vec![any(tokens, depth + 1, false, condition)?];
        while tokens.take_comma() {
            parts.push(any(tokens, depth + 1, false, condition)?);
        }
        close(tokens, opened)?;
        return Ok(match word.as_str() {
            "and" => Logic::joined(parts, Logic::And),
            "or" => Logic::joined(parts, Logic::Or),
            _ => Logic::Not(Box::new(Logic::joined(parts, Logic::Or))),
        });
    }
    if tokens.take("not") {
        return Ok(Logic::Not(Box::new(one(tokens, depth + 1, condition)?)));
    }
    match tokens.next() {
        Some(token) if token.kind.is_open() => {
            let inner = any(tokens, depth + 1, K::COMMA_IS_OR, condition)?;
            close(tokens, token.span)?;
            Ok(inner)
        }
        token => condition(tokens, token),
    }
}

/// Reads the parenthesis that closes the one at `opened`.
fn close<K: LogicKind>(tokens: &mut Tokens<'_, K>, opened: Range<usize>) -> Result<(), FilterMistake> {
    match tokens.next() {
        Some(other) if other.kind.is_close() => Ok(()),
        None => Err(tokens.wrong(opened, "this parenthesis is not closed")),
        Some(other) => Err(unjoined(tokens, &other, "expected 'and', 'or' or ')'")),
    }
}
