//! Python read by its syntax: a file becomes the statements at its top. Nothing is imported or run, and nothing is said of
//! what the statements mean: who reads tests, and who reads flags, each knows that for itself.

use std::io;
use std::thread;

use ruff_python_ast::{Expr, Stmt};
use ruff_python_parser::{ParseError, parse_module};

/// Room for the parser, and for what nests in expressions.
const STACK: usize = 64 << 20;

/// How deep brackets may be nested; Python itself allows 200.
const MAX_DEPTH: usize = 1000;

/// Why a text cannot be read as Python.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SyntaxError {
    /// It is nested too deep.
    #[error("brackets are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The thread to read it does not start.
    #[error("there is no thread to read it: {0}")]
    NoThread(#[source] io::Error),
    /// The parser has a fault.
    #[error("the parser gave up")]
    GaveUp,
    /// It is no Python, or one that is newer than the parser.
    #[error("line {line}: {}", source.error)]
    Wrong {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: ParseError,
    },
}

/// Reads a text as a module, and returns what `look` makes of its statements and of the text that they are ranges of.
pub(crate) fn read<T: Send>(text: &str, look: impl FnOnce(&[Stmt], &str) -> T + Send) -> Result<T, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if depth(text) > MAX_DEPTH {
        return Err(SyntaxError::TooDeep);
    }
    let read_here = || {
        let parsed = parse_module(text).map_err(|source| {
            let line = line_of(text, source.location.start().to_usize());
            SyntaxError::Wrong { line, source }
        })?;
        Ok(look(parsed.suite(), text))
    };
    // To let go of a tree takes stack for each of its levels.
    thread::scope(|scope| {
        let reading = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, read_here);
        reading.map_err(SyntaxError::NoThread)?.join().unwrap_or(Err(SyntaxError::GaveUp))
    })
}

/// Returns the line, from 1, of a place in a text.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..text.floor_char_boundary(at)].matches('\n').count() + 1
}

/// Returns the parts of a name with dots; of `Base[int]` those of `Base`.
pub(crate) fn dotted(expression: &Expr) -> Option<Vec<String>> {
    match expression {
        Expr::Name(name) => Some(vec![name.id.to_string()]),
        Expr::Attribute(attribute) => {
            let mut parts = dotted(&attribute.value)?;
            parts.push(attribute.attr.to_string());
            Some(parts)
        }
        Expr::Subscript(subscript) => dotted(&subscript.value),
        _ => None,
    }
}

/// Returns how deep brackets are nested, wherever they stand.
fn depth(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        most = most.max(depth);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_is_no_python_is_told_with_its_line() {
        let error = read("import os\n\nclass T(:\n    pass\n", |_, _| ()).unwrap_err().to_string();
        assert!(error.starts_with("line 3: "), "{error}");
        assert!(read("print 'x'\n", |_, _| ()).unwrap_err().to_string().starts_with("line 1: "));
        assert_eq!(read("\u{feff}a = 1\nb = 2\n", |statements, _| statements.len()).unwrap(), 2);
    }

    #[test]
    fn deep_files_do_no_harm() {
        let deep = 100_000;
        let count = |text: &str| read(text, |statements, _| statements.len());
        assert!(count(&format!("x = {}{}\n", "[".repeat(deep), "]".repeat(deep))).is_err());
        for text in [format!("x = {}1\n", "-".repeat(deep)), format!("x = {}1\n", "1 + ".repeat(deep))] {
            assert_eq!(count(&text).unwrap(), 1);
        }
        let lambdas = format!("x = {}1\n", "lambda: ".repeat(10_000));
        assert_eq!(count(&lambdas).unwrap(), 1);
    }
}
