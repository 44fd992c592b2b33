//! The little language of a choice of sections: patterns with and, or, not and brackets.

use globset::{Glob, GlobMatcher};

/// How deep brackets may be nested.
const MAX_DEPTH: usize = 100;

/// A character's place, from 1, and what is wrong there.
pub(super) type Problem = (usize, String);

/// What a choice of sections says.
#[derive(Debug)]
pub(super) enum Expression {
    /// One of the names fits the pattern.
    Pattern(Pattern),
    /// All hold.
    And(Vec<Expression>),
    /// One holds.
    Or(Vec<Expression>),
    /// It does not hold.
    Not(Box<Expression>),
}

/// A pattern as it was written, and compiled.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    /// `None` where a quoted text is no pattern but can be a name: `'sweep['`.
    matcher: Option<GlobMatcher>,
}

impl Expression {
    /// Returns whether it holds for something with these names.
    pub(super) fn fits(&self, names: &[&str]) -> bool {
        match self {
            Expression::Pattern(pattern) => {
                let is_match = |name: &str| pattern.matcher.as_ref().is_some_and(|matcher| matcher.is_match(name));
                names.iter().any(|name| pattern.text == *name || is_match(name))
            }
            Expression::And(parts) => parts.iter().all(|part| part.fits(names)),
            Expression::Or(parts) => parts.iter().any(|part| part.fits(names)),
            Expression::Not(part) => !part.fits(names),
        }
    }

    /// Returns all patterns as they were written.
    pub(super) fn patterns(&self) -> Vec<&str> {
        match self {
            Expression::Pattern(pattern) => vec![&pattern.text],
            Expression::And(parts) | Expression::Or(parts) => parts.iter().flat_map(Expression::patterns).collect(),
            Expression::Not(part) => part.patterns(),
        }
    }

    /// Returns whether this very name stands in it, not just a pattern that fits.
    pub(super) fn names(&self, name: &str) -> bool {
        self.patterns().contains(&name)
    }
}

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Expression, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.chars().count() + 1, depth: 0 };
    let expression = parser.any()?;
    match parser.peek() {
        None => Ok(expression),
        Some((at, Token::Close)) => Err((*at, "this bracket was not opened".to_owned())),
        Some((at, _)) => Err((*at, "'and' or 'or' is missing; a name with spaces is put in quotes".to_owned())),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    And,
    Or,
    Not,
    /// A word as it was written.
    Word(String),
    /// What stood in quotes.
    Quoted(String),
}

/// Parts a text into its words, each with the place of its first character.
fn tokens(text: &str) -> Result<Vec<(usize, Token)>, Problem> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let place = at + 1;
        at += 1;
        let token = match character {
            _ if character.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            ',' => Token::Comma,
            '!' => Token::Not,
            '|' => Token::Or,
            '&' => Token::And,
            '\'' | '"' => Token::Quoted(quotation(&characters, &mut at, character)?),
            _ => {
                at -= 1;
                word(&characters, &mut at)
            }
        };
        found.push((place, token));
    }
    Ok(found)
}

fn quotation(characters: &[char], at: &mut usize, quote: char) -> Result<String, Problem> {
    let start = *at;
    let mut content = String::new();
    while let Some(&character) = characters.get(*at) {
        *at += 1;
        match character {
            '\\' => {
                content.extend(characters.get(*at));
                *at += 1;
            }
            _ if character == quote => return Ok(content),
            _ => content.push(character),
        }
    }
    Err((start, "this quotation is not closed".to_owned()))
}

/// Reads a word. Inside `[…]` and `{…}` it may hold anything: `sweep[size=64,mtu=(1)]`.
fn word(characters: &[char], at: &mut usize) -> Token {
    let start = *at;
    let mut closing = Vec::new();
    while let Some(&character) = characters.get(*at) {
        let is_inside = !closing.is_empty();
        match character {
            '[' => closing.push(']'),
            '{' => closing.push('}'),
            _ if closing.last() == Some(&character) => {
                closing.pop();
            }
            '(' | ')' | ',' | '|' | '&' | '\'' | '"' if !is_inside => break,
            _ if character.is_whitespace() && !is_inside => break,
            _ => {}
        }
        *at += 1;
    }
    let text: String = characters[start..*at].iter().collect();
    match text.as_str() {
        "and" | "And" | "AND" => Token::And,
        "or" | "Or" | "OR" => Token::Or,
        "not" | "Not" | "NOT" => Token::Not,
        _ => Token::Word(text),
    }
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&(usize, Token)> {
        self.tokens.get(self.next)
    }

    /// Takes the next word if it is this one.
    fn take(&mut self, token: &Token) -> bool {
        let is_it = self.peek().is_some_and(|(_, next)| next == token);
        self.next += usize::from(is_it);
        is_it
    }

    fn place(&self) -> usize {
        self.peek().map_or(self.end, |(at, _)| *at)
    }

    /// Reads alternatives, parted by `or` or commas.
    fn any(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) || self.take(&Token::Comma) {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn all(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.one()?];
        while self.take(&Token::And) {
            parts.push(self.one()?);
        }
        Ok(one_or(parts, Expression::And))
    }

    fn one(&mut self) -> Result<Expression, Problem> {
        let at = self.place();
        let is_call = matches!(self.tokens.get(self.next + 1), Some((_, Token::Open)));
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((at, "brackets are nested too deep".to_owned()));
        }
        let token = self.peek().map(|(_, token)| token.clone());
        self.next += 1;
        let expression = match token {
            Some(Token::And) if is_call => Expression::And(self.arguments()?),
            Some(Token::Or) if is_call => Expression::Or(self.arguments()?),
            Some(Token::Not) if is_call => Expression::Not(Box::new(Expression::Or(self.arguments()?))),
            Some(Token::Not) => Expression::Not(Box::new(self.one()?)),
            Some(Token::Open) => {
                let inner = self.any()?;
                self.close(at)?;
                inner
            }
            Some(Token::Word(text)) => pattern(at, text, false)?,
            Some(Token::Quoted(text)) => pattern(at, text, true)?,
            Some(Token::And) => return Err((at, "a pattern is missing before 'and'".to_owned())),
            Some(Token::Or) => return Err((at, "a pattern is missing before 'or'".to_owned())),
            Some(Token::Close | Token::Comma) | None => return Err((at, "a pattern is missing".to_owned())),
        };
        self.depth -= 1;
        Ok(expression)
    }

    /// Reads what stands in the brackets of `Or(…)`.
    fn arguments(&mut self) -> Result<Vec<Expression>, Problem> {
        let at = self.place();
        self.next += 1;
        let mut parts = vec![self.argument()?];
        while self.take(&Token::Comma) {
            parts.push(self.argument()?);
        }
        self.close(at)?;
        Ok(parts)
    }

    /// Reads one of them: commas part them, so `or` has to be written out.
    fn argument(&mut self) -> Result<Expression, Problem> {
        let mut parts = vec![self.all()?];
        while self.take(&Token::Or) {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expression::Or))
    }

    fn close(&mut self, opened: usize) -> Result<(), Problem> {
        if self.take(&Token::Close) {
            return Ok(());
        }
        match self.peek() {
            None => Err((opened, "this bracket is not closed".to_owned())),
            Some((at, _)) => Err((*at, "'and' or 'or' is missing; a name with spaces is put in quotes".to_owned())),
        }
    }
}

fn one_or(mut parts: Vec<Expression>, make: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 { parts.remove(0) } else { make(parts) }
}

fn pattern(at: usize, text: String, is_quoted: bool) -> Result<Expression, Problem> {
    if text.is_empty() {
        return Err((at, "a pattern is empty".to_owned()));
    }
    let matcher = match Glob::new(&text) {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(_) if is_quoted => None,
        Err(error) => return Err((at, error.to_string())),
    };
    Ok(Expression::Pattern(Pattern { text, matcher }))
}
