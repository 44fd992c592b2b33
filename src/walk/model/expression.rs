//! Constraints as they are written: the words and signs of all the languages, and how they are joined.

use winnow::Parser as _;
use winnow::ascii::digit1;
use winnow::combinator::{alt, delimited, opt, preceded};
use winnow::error::ContextError;
use winnow::token::{any, take_till, take_while};

use super::condition::Condition;
use super::{Model, ModelError, ModelValue, Problem, same_text};

/// How deep conditions may be nested.
const DEEPEST: usize = 200;

/// A word or sign.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// A name in brackets.
    Name(String),
    /// A text in quotes.
    Text(String),
    /// A bare word or a number.
    Word(String),
    Sign(&'static str),
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    line: usize,
}

impl Token {
    fn shown(&self) -> String {
        match &self.kind {
            Kind::Name(name) => format!("[{name}]"),
            Kind::Text(text) => format!("\"{text}\""),
            Kind::Word(word) => format!("'{word}'"),
            Kind::Sign(sign) => format!("'{sign}'"),
        }
    }
}

/// Signs, the longer ones first, and what they mean.
const SIGNS: [(&str, &str); 26] = [
    ("<=>", "<=>"),
    ("<->", "<=>"),
    ("=>", "=>"),
    ("->", "=>"),
    ("<>", "<>"),
    ("!=", "<>"),
    ("==", "="),
    ("<=", "<="),
    (">=", ">="),
    ("&&", "and"),
    ("||", "or"),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("!", "not"),
    ("&", "and"),
    ("|", "or"),
    ("(", "("),
    (")", ")"),
    ("{", "{"),
    ("}", "}"),
    (",", ","),
    (";", ";"),
    ("+", "+"),
    ("*", "*"),
    ("%", "%"),
];

/// Reads constraints of a model.
pub(super) struct Expressions<'a> {
    model: &'a Model,
    tokens: Vec<Token>,
    at: usize,
    last_line: usize,
    depth: usize,
    /// What is odd, with the line.
    pub(super) warnings: Vec<(usize, String)>,
}

fn token(input: &mut &str) -> Result<Kind, ContextError> {
    let name = delimited('[', take_till(0.., [']', '\n']), ']').map(|name: &str| Kind::Name(name.trim().to_owned()));
    let text = delimited('"', take_till(0.., ['"', '\n']), '"').map(|text: &str| Kind::Text(text.to_owned()));
    let number = (opt('-'), digit1, opt(preceded('.', digit1))).take();
    let first = any.verify(|c: &char| c.is_alphabetic() || *c == '_');
    let rest = take_while(0.., |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '$' | '@'));
    let word = (first, rest).take();
    let bare = alt((word, number)).map(|word: &str| Kind::Word(word.to_owned()));
    alt((name, text, bare)).parse_next(input)
}

/// Parts a text into words and signs. Its first line has this number.
fn tokens(text: &str, first_line: usize) -> Result<Vec<Token>, ModelError> {
    let mut list = Vec::new();
    for (line, whole) in (first_line..).zip(text.lines()) {
        let mut rest = whole.trim();
        while !rest.is_empty() && !rest.starts_with('#') && !rest.starts_with("//") {
            let sign = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
            let kind = match sign {
                Some((sign, meaning)) => {
                    rest = &rest[sign.len()..];
                    Kind::Sign(meaning)
                }
                None => token(&mut rest).map_err(|_| {
                    let word = rest.split_whitespace().next().unwrap_or(rest).to_owned();
                    Problem::Unknown(word, "names stand in [brackets], values in \"quotes\"").at(line)
                })?,
            };
            list.push(Token { kind, line });
            rest = rest.trim_start();
        }
    }
    Ok(list)
}

impl<'a> Expressions<'a> {
    pub(super) fn new(model: &'a Model, text: &str, first_line: usize) -> Result<Self, ModelError> {
        let last_line = first_line + text.lines().count().saturating_sub(1);
        let tokens = tokens(text, first_line)?;
        Ok(Self { model, tokens, at: 0, last_line, depth: 0, warnings: Vec::new() })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.tokens.len()
    }

    /// Returns the line of what comes next.
    pub(super) fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(self.last_line, |token| token.line)
    }

    /// Reads `IF … THEN … ELSE …;` or a condition that always holds, as PICT has them.
    pub(super) fn statement(&mut self) -> Result<Condition, ModelError> {
        let condition = match self.takes_word("if") {
            false => self.condition()?,
            true => {
                let condition = self.condition()?;
                if !self.takes_word("then") {
                    return Err(self.expected("THEN"));
                }
                let then = self.condition()?;
                let otherwise = if self.takes_word("else") { Some(self.condition()?) } else { None };
                condition.implies(then, otherwise)
            }
        };
        match self.takes_sign(";") {
            true => Ok(condition),
            false => Err(self.expected("AND, OR or ';' at the end of the constraint")),
        }
    }

    /// Reads a condition up to the end, as `CTWedge` and ACTS have them.
    pub(super) fn whole(&mut self) -> Result<Condition, ModelError> {
        let condition = self.condition()?;
        match self.is_at_end() {
            true => Ok(condition),
            false => Err(self.expected("an operator")),
        }
    }

    fn condition(&mut self) -> Result<Condition, ModelError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.expected("less depth"));
        }
        let one = self.or()?;
        let condition = if self.takes_sign("=>") {
            one.implies(self.condition()?, None)
        } else if self.takes_sign("<=>") {
            let other = self.condition()?;
            Condition::And(vec![one.clone().implies(other.clone(), None), other.implies(one, None)])
        } else {
            one
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn or(&mut self) -> Result<Condition, ModelError> {
        let mut parts = vec![self.and()?];
        while self.takes_word("or") || self.takes_sign("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Or(parts) })
    }

    fn and(&mut self) -> Result<Condition, ModelError> {
        let mut parts = vec![self.not()?];
        while self.takes_word("and") || self.takes_sign("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::And(parts) })
    }

    fn not(&mut self) -> Result<Condition, ModelError> {
        let mut is = true;
        while self.takes_word("not") || self.takes_sign("not") {
            is = !is;
        }
        let inner = match self.takes_sign("(") {
            false => self.term()?,
            true => {
                let inner = self.condition()?;
                if !self.takes_sign(")") {
                    return Err(self.expected("')'"));
                }
                inner
            }
        };
        Ok(if is { inner } else { Condition::Not(Box::new(inner)) })
    }

    /// Reads a parameter compared with a value, with another parameter, or with some values; or a parameter that is true.
    fn term(&mut self) -> Result<Condition, ModelError> {
        let line = self.line();
        let place = match self.next() {
            Some(Kind::Name(name)) => self.model.known(line, &name)?,
            Some(Kind::Word(word)) if ["isnegative", "ispositive"].contains(&word.to_lowercase().as_str()) => {
                return self.sign_of_values(word.eq_ignore_ascii_case("isnegative"));
            }
            Some(Kind::Word(word)) => self.model.known(line, &word)?,
            other => {
                self.at -= usize::from(other.is_some());
                return Err(self.expected("a parameter"));
            }
        };
        let values = &self.model.parameters[place].values;
        if self.takes_word("in") {
            return self.one_of(place);
        }
        if self.takes_word("like") {
            let Some(Kind::Text(pattern)) = self.next() else {
                self.at = self.at.saturating_sub(1);
                return Err(self.expected("a pattern in quotes, such as \"a*\""));
            };
            let is_like = |value: &ModelValue| {
                value.names.iter().any(|name| is_like(&name.to_lowercase(), &pattern.to_lowercase()))
            };
            return Ok(Condition::Of(place, values.iter().map(is_like).collect()));
        }
        let Some(relation) = ["=", "<>", "<=", ">=", "<", ">"].into_iter().find(|sign| self.takes_sign(sign)) else {
            // A parameter alone is one that can be true.
            let is_true = |value: &ModelValue| same_text(&value.names[0], "true");
            return match values.iter().any(is_true) {
                true => Ok(Condition::Of(place, values.iter().map(is_true).collect())),
                false => Err(self.expected("=, <>, <, <=, >, >=, IN or LIKE")),
            };
        };
        let line = self.line();
        match self.next() {
            Some(Kind::Name(name)) => {
                let other = self.model.known(line, &name)?;
                Ok(self.both(place, relation, other))
            }
            Some(Kind::Word(word)) if self.is_parameter(place, &word) => {
                let other = self.model.known(line, &word)?;
                Ok(self.both(place, relation, other))
            }
            Some(Kind::Word(word) | Kind::Text(word)) => Ok(self.compared(line, place, relation, &word)),
            other => {
                self.at -= usize::from(other.is_some());
                Err(self.expected("a value or a parameter"))
            }
        }
    }

    /// Returns whether a word names a parameter and no value of another one.
    fn is_parameter(&self, place: usize, word: &str) -> bool {
        let is_value = self.model.parameters[place].values.iter().any(|value| same_text(&value.names[0], word));
        !is_value && self.model.place(word).is_some()
    }

    fn one_of(&mut self, place: usize) -> Result<Condition, ModelError> {
        if !self.takes_sign("{") {
            return Err(self.expected("'{'"));
        }
        let mut wanted = vec![false; self.model.parameters[place].values.len()];
        loop {
            let line = self.line();
            let Some(Kind::Word(word) | Kind::Text(word)) = self.next() else {
                self.at = self.at.saturating_sub(1);
                return Err(self.expected("a value"));
            };
            if let Condition::Of(_, values) = self.compared(line, place, "=", &word) {
                wanted.iter_mut().zip(values).for_each(|(own, is)| *own |= is);
            }
            if self.takes_sign("}") {
                return Ok(Condition::Of(place, wanted));
            }
            if !self.takes_sign(",") {
                return Err(self.expected("',' or '}'"));
            }
        }
    }

    /// Reads what stands behind `IsNegative` and `IsPositive`: one parameter, or nothing for all of them.
    fn sign_of_values(&mut self, is_negative: bool) -> Result<Condition, ModelError> {
        if !self.takes_sign("(") {
            return Err(self.expected("'('"));
        }
        let of = |place: usize| {
            let values = self.model.parameters[place].values.iter();
            Condition::Of(place, values.map(|value| value.is_negative == is_negative).collect())
        };
        let line = self.line();
        let condition = match self.tokens.get(self.at).map(|token| token.kind.clone()) {
            Some(Kind::Name(name)) => {
                let condition = of(self.model.known(line, &name)?);
                self.at += 1;
                condition
            }
            _ => {
                let all = (0..self.model.parameters.len()).map(of).collect();
                if is_negative { Condition::Or(all) } else { Condition::And(all) }
            }
        };
        match self.takes_sign(")") {
            true => Ok(condition),
            false => Err(self.expected("')'")),
        }
    }

    fn compared(&mut self, line: usize, place: usize, relation: &str, word: &str) -> Condition {
        let own = &self.model.parameters[place];
        let number = word.parse::<f64>().ok().filter(|_| own.is_numeric());
        let is = |name: &str| match (number, name.parse::<f64>()) {
            (Some(number), Ok(name)) => name.partial_cmp(&number).is_some_and(|order| holds(relation, order)),
            _ => holds(relation, name.to_lowercase().cmp(&word.to_lowercase())),
        };
        let values: Vec<bool> = own
            .values
            .iter()
            .map(|value| match relation {
                // None of its names may be what it must not be.
                "<>" => value.names.iter().all(|name| is(name)),
                _ => value.names.iter().any(|name| is(name)),
            })
            .collect();
        let is_known = !matches!(relation, "=" | "<>") || values.iter().any(|own| *own == (relation == "="));
        if !is_known {
            self.warnings.push((line, format!("the parameter '{}' has no value '{word}'", own.name)));
        }
        Condition::Of(place, values)
    }

    fn both(&self, place: usize, relation: &str, other: usize) -> Condition {
        let (one, two) = (&self.model.parameters[place], &self.model.parameters[other]);
        let are_numbers = one.is_numeric() && two.is_numeric();
        let is = |a: &ModelValue, b: &ModelValue| match (a.number(), b.number()) {
            (Some(a), Some(b)) if are_numbers => a.partial_cmp(&b).is_some_and(|order| holds(relation, order)),
            _ => holds(relation, a.names[0].to_lowercase().cmp(&b.names[0].to_lowercase())),
        };
        match place == other {
            true => Condition::Of(place, one.values.iter().map(|value| is(value, value)).collect()),
            false => {
                let row = |a: &ModelValue| two.values.iter().map(|b| is(a, b)).collect();
                Condition::Both(place, other, one.values.iter().map(row).collect())
            }
        }
    }

    fn next(&mut self) -> Option<Kind> {
        let kind = self.tokens.get(self.at).map(|token| token.kind.clone());
        self.at += usize::from(kind.is_some());
        kind
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        let is = matches!(self.tokens.get(self.at).map(|token| &token.kind), Some(Kind::Word(word)) if word.eq_ignore_ascii_case(wanted));
        self.at += usize::from(is);
        is
    }

    fn takes_sign(&mut self, wanted: &str) -> bool {
        let is = matches!(self.tokens.get(self.at).map(|token| &token.kind), Some(Kind::Sign(sign)) if *sign == wanted);
        self.at += usize::from(is);
        is
    }

    fn expected(&self, wanted: &'static str) -> ModelError {
        let found = self.tokens.get(self.at).map_or_else(|| "the end".to_owned(), Token::shown);
        Problem::Expected { wanted, found }.at(self.line())
    }
}

fn holds(relation: &str, order: std::cmp::Ordering) -> bool {
    match relation {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// Returns whether a text is like a pattern, in which `*` is any text and `?` any character.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    for sign in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match sign {
                '*' => fits[at] || (at > 0 && next[at - 1]),
                '?' => at > 0 && fits[at - 1],
                sign => at > 0 && fits[at - 1] && text[at - 1] == sign,
            };
        }
        fits = next;
    }
    fits[text.len()]
}
