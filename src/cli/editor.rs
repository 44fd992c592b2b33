//! Letting a user edit a text in the editor that `$VISUAL` or `$EDITOR` names.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};

use super::Failure;
use crate::engine;

/// Returns the command line of the editor that the user has named.
pub(crate) fn named() -> Option<String> {
    let mut named = ["VISUAL", "EDITOR"].into_iter().filter_map(|name| std::env::var(name).ok());
    named.find(|value| !value.trim().is_empty())
}

/// Returns the text as the user has left it. `suffix` tells the editor what kind of text it is.
pub(crate) fn edit(text: &str, suffix: &str) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::general(format!("cannot have the text edited: {error}"));
    let file = tempfile::Builder::new().prefix("rille-").suffix(suffix).tempfile().map_err(failed)?;
    fs::write(file.path(), text).map_err(failed)?;
    let editor = named().unwrap_or_else(|| "vi".to_owned());
    // The variable is a command line and not a path, as git and others have it.
    let script = format!("{editor} \"$@\"");
    let words: Vec<OsString> =
        ["sh", "-c", &script, &editor].into_iter().map(OsString::from).chain([file.path().into()]).collect();
    let exit = engine::run_in_foreground(&words, None).map_err(failed)?;
    if !exit.success() {
        return Err(Failure::general(format!("the editor '{editor}' ended with {exit}"))
            .hint("set VISUAL or EDITOR to the editor that you use."));
    }
    fs::read_to_string(file.path()).map_err(failed)
}

/// Shows what is wrong with an edited text and asks whether it is to be edited again. Without a terminal it is not.
pub(crate) fn again(problem: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    let failed = |error: io::Error| Failure::general(format!("cannot ask: {error}"));
    write!(io::stderr(), "{problem}\nEdit again? (Y/n) ").map_err(failed)?;
    let mut answer = String::new();
    let count = io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(count > 0 && !answer.trim().to_lowercase().starts_with('n'))
}
