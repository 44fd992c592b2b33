//! Regular expressions as Python writes them, for an engine that needs linear time.
//!
//! What is only spelled differently is spelled anew. What no such engine can do, look-around and references back, is
//! refused, as are a few rare spellings.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// Returns the expression in the spelling of the crate `regex`, or what in it cannot be used.
pub(crate) fn from_python(pattern: &str) -> Result<String, String> {
    let mut text = Translation { rest: pattern.chars().peekable(), made: String::with_capacity(pattern.len() + 8) };
    while let Some(c) = text.rest.next() {
        match c {
            '\\' => text.escape(false)?,
            '[' => text.class()?,
            '(' => text.group()?,
            '{' => text.brace(),
            _ => text.made.push(c),
        }
    }
    Ok(text.made)
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    made: String,
}

impl Translation<'_> {
    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("it ends with a backslash".to_owned()) };
        match c {
            'Z' if !in_class => self.made.push_str("\\z"),
            '0' => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(8)) else { break };
                    value = value * 8 + digit;
                    self.rest.next();
                }
                // Writing to a string cannot fail.
                let _ = write!(self.made, "\\x{value:02x}");
            }
            '1'..='9' => return Err(format!("it refers back to group {c}, which is not supported")),
            'b' if in_class => self.made.push_str("\\x08"),
            'N' => return Err("it names a character by \\N, which is not supported".to_owned()),
            // Beginnings and ends of words there, the characters here.
            '<' | '>' => self.made.push(c),
            c if c.is_ascii() => self.made.extend(['\\', c]),
            c => self.made.push(c),
        }
        Ok(())
    }

    /// What follows the bracket that begins a class.
    fn class(&mut self) -> Result<(), String> {
        self.made.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.made.push('^');
        }
        // As the first it is itself.
        if self.rest.next_if_eq(&']').is_some() {
            self.made.push_str("\\]");
        }
        while let Some(c) = self.rest.next() {
            match c {
                ']' => {
                    self.made.push(c);
                    return Ok(());
                }
                '\\' => self.escape(true)?,
                // These are operators on classes when they are doubled, or open a class in a class.
                '[' | '&' | '~' => self.made.extend(['\\', c]),
                '-' if self.made.ends_with('[') || self.made.ends_with("[^") || self.rest.peek() == Some(&']') => {
                    self.made.push_str("\\-");
                }
                '-' => {
                    self.made.push('-');
                    if self.rest.next_if_eq(&'-').is_some() {
                        self.made.push_str("\\-");
                    }
                }
                _ => self.made.push(c),
            }
        }
        Err("a '[' has no ']'".to_owned())
    }

    /// What follows a parenthesis.
    fn group(&mut self) -> Result<(), String> {
        if self.rest.next_if_eq(&'?').is_none() {
            self.made.push('(');
            return Ok(());
        }
        let refused = |what: &str| Err(format!("it has {what}, which is not supported"));
        let mut ahead = self.rest.clone();
        let (first, second) = (ahead.next(), ahead.next());
        match (first, second) {
            (Some('='), _) => refused("a look-ahead (?=…)"),
            (Some('!'), _) => refused("a look-ahead (?!…)"),
            (Some('<'), Some('=')) => refused("a look-behind (?<=…)"),
            (Some('<'), Some('!')) => refused("a look-behind (?<!…)"),
            (Some('P'), Some('=')) => refused("a reference back (?P=…)"),
            (Some('('), _) => refused("a condition (?(…)…)"),
            (Some('>'), _) => refused("an atomic group (?>…)"),
            (Some('a' | 'L'), _) => refused("a flag (?a) or (?L)"),
            (Some('#'), _) => match self.rest.any(|c| c == ')') {
                true => Ok(()),
                false => Err("a comment (?#… has no end".to_owned()),
            },
            _ => {
                self.made.push_str("(?");
                Ok(())
            }
        }
    }

    /// What follows a brace: a count, or the character itself.
    fn brace(&mut self) {
        let mut ahead = self.rest.clone();
        let inner: String = ahead.by_ref().take_while(|c| c.is_ascii_digit() || *c == ',').collect();
        let mut closed = self.rest.clone();
        let is_closed = closed.nth(inner.chars().count()) == Some('}');
        let commas = inner.matches(',').count();
        if !is_closed || commas > 1 || inner.is_empty() || inner == "," {
            self.made.push_str("\\{");
            return;
        }
        self.made.push('{');
        if inner.starts_with(',') {
            self.made.push('0');
        }
        self.made.push_str(&inner);
        self.made.push('}');
        self.rest = closed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_spelling_means_the_same() {
        let cases = [
            // Pattern, text, what the whole match is.
            (r"a\Z", "ba", Some("a")),
            (r"x{,2}y", "xxxy", Some("xxy")),
            (r"x{2}", "xxx", Some("xx")),
            (r"loss{a}", "loss{a}", Some("loss{a}")),
            (r"a{1", "a{1", Some("a{1")),
            (r"a{}b{,}", "a{}b{,}", Some("a{}b{,}")),
            (r"[[]a]", "[a]", Some("[a]")),
            (r"[]a]+", "a]]", Some("a]]")),
            (r"[^]a]+", "a]xy", Some("xy")),
            (r"[a&&b]+", "a&b", Some("a&b")),
            (r"[a~~b]+", "a~b", Some("a~b")),
            (r"[-a]+", "a-a", Some("a-a")),
            (r"[a-]+", "a-a", Some("a-a")),
            (r"[0-9\.e\-]+", "x1.5e-3", Some("1.5e-3")),
            (r"[\w-]+", "a-b c", Some("a-b")),
            (r"\<a\>", "<a>", Some("<a>")),
            (r"\é", "é", Some("é")),
            (r"\'\:\ \#\/", "': #/", Some("': #/")),
            (r"a(?#what\)b", "ab", Some("ab")),
            (r"(?i)LOSS", "loss", Some("loss")),
            (r"(?P<n>\d+)", "a12", Some("12")),
            (r"(?:a|b)\b", "ab c", Some("b")),
            (r"\0a\012", "\0a\n", Some("\0a\n")),
            (r"[\b]", "\u{8}", Some("\u{8}")),
            ("}", "}", Some("}")),
            (r"a{2,1}x|b", "b", None),
        ];
        for (pattern, text, expected) in cases {
            let made = from_python(pattern).unwrap();
            let found = regex::Regex::new(&made).ok().and_then(|regex| Some(regex.find(text)?.as_str()));
            assert_eq!(found, expected, "{pattern} became {made}");
        }
    }

    #[test]
    fn what_linear_time_cannot_do_is_refused() {
        let cases = [
            (r"a(?=b)", "look-ahead (?=…)"),
            (r"a(?!b)", "look-ahead (?!…)"),
            (r"(?<=a)b", "look-behind (?<=…)"),
            (r"(?<!a)b", "look-behind (?<!…)"),
            (r"(a)\1", "refers back to group 1"),
            (r"(?P<a>b)(?P=a)", "reference back (?P=…)"),
            (r"(a)?(?(1)b|c)", "condition"),
            (r"(?>a)", "atomic group"),
            (r"(?a)\w", "flag (?a)"),
            (r"[a", "no ']'"),
            (r"a\", "backslash"),
            (r"(?#a", "no end"),
        ];
        for (pattern, expected) in cases {
            let what = from_python(pattern).unwrap_err();
            assert!(what.contains(expected), "{pattern}: {what}");
        }
    }
}
