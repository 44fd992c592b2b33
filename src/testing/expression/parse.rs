//! From the text of a filter of tests to its tree.

use std::ops::Range;

use super::pattern::{Default, Pattern};
use super::{Condition, Predicate};
use crate::model::{
    FilterKind, FilterMistake, Logic, NamePattern, Token, Tokens, filter_tokens, near_word, parse_logic,
};

/// What can be asked.
const PREDICATES: [&str; 10] =
    ["kind", "name", "file", "resolver", "tag", "param", "variant", "dependency", "all", "none"];

/// Returns the tree of the filter `source`.
pub(super) fn parse(source: &str) -> Result<Logic<Condition>, FilterMistake> {
    parse_logic(filter_tokens(source)?, "kind(tap) and not tag(slow)", &mut |tokens, first| {
        let parser = Parser { tokens };
        match first {
            Some(Token { kind: FilterKind::Predicate { name, length, pattern, span: inner }, span }) => {
                let predicate = parser.predicate(&name, length, &pattern, inner, span)?;
                Ok(Logic::Test(Condition { predicate: Box::new(predicate), written: pattern }))
            }
            Some(Token { kind: FilterKind::Word(word), span })
                if ["and", "or"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) =>
            {
                Err(parser.wrong(span, format!("expected a predicate such as kind(tap), and not '{word}'")))
            }
            Some(Token { kind: FilterKind::Word(name), span }) if PREDICATES.contains(&name.as_str()) => {
                let example = if matches!(name.as_str(), "all" | "none") { "" } else { "…" };
                let hint = format!("{name}({example}); as the name of a test it is put in quotes");
                Err(parser.wrong(span, format!("'{name}' needs a pattern in parentheses: {hint}")))
            }
            Some(Token { kind: FilterKind::Word(text), span }) => {
                NamePattern::bare(text).map(named).map_err(|bad| parser.wrong(span, bad.to_string()))
            }
            Some(Token { kind: FilterKind::Quoted(text), span }) => {
                NamePattern::quoted(text).map(named).map_err(|bad| parser.wrong(span, bad.to_string()))
            }
            Some(token) => Err(parser.tokens.expected(&token, "expected a predicate such as kind(tap)", &[])),
            None => Err(parser.tokens.missing("something is missing here: a predicate, such as kind(tap)")),
        }
    })
}

fn named(pattern: NamePattern) -> Logic<Condition> {
    let written = pattern.text().to_owned();
    Logic::Test(Condition { predicate: Box::new(Predicate::Named(pattern)), written })
}

/// Reads one predicate.
struct Parser<'a, 't> {
    tokens: &'a Tokens<'t, FilterKind>,
}

impl Parser<'_, '_> {
    fn check_name(&self, name: &str, span: &Range<usize>) -> Result<(), FilterMistake> {
        if PREDICATES.contains(&name) {
            return Ok(());
        }
        let hint = match near_word(name, &PREDICATES) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", PREDICATES.join(", ")),
        };
        Err(self.wrong(span.clone(), format!("there is no predicate '{name}'; {hint}")))
    }

    /// Makes the condition of a predicate; `inner` is where its pattern stands.
    fn predicate(
        &self,
        name: &str,
        length: usize,
        text: &str,
        inner: Range<usize>,
        span: Range<usize>,
    ) -> Result<Predicate, FilterMistake> {
        self.check_name(name, &(span.start..span.start + length))?;
        match (name, text.is_empty()) {
            ("all", true) => return Ok(Predicate::All),
            ("none", true) => return Ok(Predicate::None),
            ("all" | "none", false) => return Err(self.wrong(span, format!("'{name}' takes nothing: {name}()"))),
            (_, true) => return Err(self.wrong(span, format!("a pattern is missing in '{name}(…)'"))),
            (_, false) => {}
        }
        let read = |text: &str, default: Default| {
            Pattern::read(text, default).map_err(|error| self.wrong(inner.clone(), error.to_string()))
        };
        let whole = |text: &str| read(text, Default::Whole);
        let pair = |separator: char| match text.split_once(separator).filter(|_| !text.starts_with(['/', '='])) {
            Some(("", _)) => Err(self.wrong(
                inner.clone(),
                format!("a name is missing before the {}", if separator == ':' { "colon" } else { "'='" }),
            )),
            Some((name, value)) => Ok((whole(name)?, Some(whole(value)?))),
            None => Ok((whole(text)?, None)),
        };
        Ok(match name {
            "kind" => Predicate::Kind(whole(text)?),
            "name" => Predicate::Name(read(text, Default::Part)?),
            "file" => Predicate::File(read(text, Default::Part)?),
            "resolver" => Predicate::Resolver(whole(text)?),
            "variant" => Predicate::Variant(whole(text)?),
            "dependency" => Predicate::Dependency(whole(text)?),
            "tag" => {
                let (name, value) = pair(':')?;
                Predicate::Tag(name, value)
            }
            _ => {
                let (name, value) = pair('=')?;
                Predicate::Parameter(name, value)
            }
        })
    }

    fn wrong(&self, span: Range<usize>, message: impl Into<String>) -> FilterMistake {
        self.tokens.wrong(span, message)
    }
}
