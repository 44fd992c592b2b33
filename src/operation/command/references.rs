//! References to flags in a text: `${name}`. `\${name}` stands for itself.

/// Why a text cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::operation) enum Unresolved {
    /// A name that stands for nothing.
    Unknown(String),
    /// What a name stands for cannot be found, for this reason.
    NotFound(String),
    /// Names that stand for each other.
    Cycle(String),
}

/// How deep references may go.
const DEEPEST: usize = 32;

/// Returns what a name stands for, if anything; the error is why that cannot be found.
pub(in crate::operation) type Lookup<'a> = dyn Fn(&str) -> Result<Option<String>, String> + 'a;

/// Returns a text with what its references stand for; what they stand for may hold references itself.
pub(in crate::operation) fn resolve(text: &str, lookup: &Lookup<'_>) -> Result<String, Unresolved> {
    within(text, lookup, &mut Vec::new())
}

fn within(text: &str, lookup: &Lookup<'_>, stack: &mut Vec<String>) -> Result<String, Unresolved> {
    let mut resolved = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => resolved.push_str(text),
            Piece::Reference(name) => {
                if stack.iter().any(|other| other == name) || stack.len() >= DEEPEST {
                    stack.push(name.to_owned());
                    return Err(Unresolved::Cycle(stack.join(" -> ")));
                }
                let value =
                    lookup(name).map_err(Unresolved::NotFound)?.ok_or_else(|| Unresolved::Unknown(name.to_owned()))?;
                stack.push(name.to_owned());
                resolved.push_str(&within(&value, lookup, stack)?);
                stack.pop();
            }
        }
    }
    Ok(resolved)
}

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operation) enum Piece<'a> {
    /// What stands for itself.
    Text(&'a str),
    /// The name in `${name}`.
    Reference(&'a str),
}

/// Returns the pieces of a text.
pub(in crate::operation) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut searched = 0;
    while let Some(start) = rest[searched..].find("${").map(|at| at + searched) {
        // A name has at least one character, and is on one line.
        let inner = &rest[start + 2..];
        let end = inner.char_indices().skip(1).find(|(_, c)| *c == '}').map(|(at, _)| at);
        let Some(end) = end.filter(|end| !inner[..*end].contains('\n')) else {
            searched = start + 2;
            continue;
        };
        let after = start + 2 + end + 1;
        match rest[..start].strip_suffix('\\') {
            Some(before) => pieces.extend([Piece::Text(before), Piece::Text(&rest[start..after])]),
            None => pieces.extend([Piece::Text(&rest[..start]), Piece::Reference(&inner[..end])]),
        }
        rest = &rest[after..];
        searched = 0;
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    pieces
}
