//! What is known of Python: the program that runs a module with its flags, how a module takes flags, and which
//! interpreter fits.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The module that runs a module of the user with its flags.
pub(crate) const OP_MAIN: &str = "rille.op_main";

/// The folder in the run directory from which Python imports [`OP_MAIN`].
pub(crate) const FOLDER: &str = ".guild/python";

/// The files of that folder: their paths in it, and their texts.
pub(crate) const FILES: [(&str, &str); 2] =
    [("rille/__init__.py", ""), ("rille/op_main.py", include_str!("../../python/rille/op_main.py"))];

/// The module by which Guild runs a module of the user; it comes with an installation of Guild.
pub(crate) const GUILD_OP_MAIN: &str = "guild.op_main";

/// How much of a source file is looked at.
const MOST: u64 = 4 << 20;

/// Returns the folders of the attribute `python-path`.
pub(crate) fn folders(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(path)) => vec![path.clone()],
        Some(Value::Array(paths)) => paths.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Returns the folders that a text like `PYTHONPATH` names.
pub(crate) fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split(':').filter(|path| !path.is_empty())
}

/// Returns folders as a text like `PYTHONPATH`, each where it stands first.
pub(crate) fn joined(paths: impl Iterator<Item = String>) -> String {
    let mut seen = std::collections::BTreeSet::new();
    paths.filter(|path| seen.insert(path.clone())).collect::<Vec<_>>().join(":")
}

/// Returns the file of a module, `package.module` or `folder/module`, below a folder.
pub(crate) fn file_of(module: &str, folder: &Path) -> Option<PathBuf> {
    let (path, name) = module.rsplit_once('/').unwrap_or(("", module));
    let base = folder.join(path).join(name.replace('.', "/"));
    // `with_extension` would cut `v1.0` short, but a module's name has no dots left here.
    [base.with_extension("py"), base.join("__main__.py")].into_iter().find(|file| file.is_file())
}

/// Returns the text of a source file; `None` for one that is too big to be one, or cannot be read.
pub(crate) fn source(file: &Path) -> Option<String> {
    let is_small = fs::metadata(file).is_ok_and(|data| data.is_file() && data.len() <= MOST);
    is_small.then(|| fs::read(file).ok()).flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// An interpreter of Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its program.
    pub(crate) program: String,
    /// Its version, `3.11.7`.
    pub(crate) version: String,
}

/// Returns the interpreter that fits requirements like `>=3.8,<4`, the highest version first, the first of equal ones. The
/// error says what cannot be read or that none fits.
pub(crate) fn choose<'a>(requirements: &str, candidates: &'a [Interpreter]) -> Result<&'a Interpreter, String> {
    let rules = requirements.split(',').map(rule).collect::<Result<Vec<_>, _>>();
    let rules = rules.map_err(|rule| {
        format!("invalid python-requires '{requirements}': '{rule}' is no version like '3.11' or '>=3.8'")
    })?;
    let fitting = candidates.iter().filter(|candidate| {
        numbers(&candidate.version).is_some_and(|version| rules.iter().all(|rule| fits(&version, rule)))
    });
    let best = fitting.reduce(|best, other| {
        let order = compare(&numbers(&other.version).unwrap_or_default(), &numbers(&best.version).unwrap_or_default());
        if order == Ordering::Greater { other } else { best }
    });
    best.ok_or_else(|| {
        let found: Vec<String> =
            candidates.iter().map(|candidate| format!("{} is {}", candidate.program, candidate.version)).collect();
        let found = if found.is_empty() { "none was found".to_owned() } else { found.join(", ") };
        format!("cannot find a python interpreter for requirement '{requirements}': {found}")
    })
}

/// A comparison, the numbers of a version, and whether only those count.
type Rule = (&'static str, Vec<u64>);

fn rule(text: &str) -> Result<Rule, String> {
    let text = text.trim();
    let operators = ["===", "==", "!=", "~=", ">=", "<=", ">", "<"];
    let found = operators.iter().find_map(|operator| Some((*operator, text.strip_prefix(operator)?)));
    let (operator, version) = found.unwrap_or(("==", text));
    let version = version.trim();
    let (operator, version) = match (operator, version.strip_suffix(".*")) {
        ("==" | "===", Some(version)) => ("=*", version),
        ("!=", Some(version)) => ("!*", version),
        // `3.11` alone means any 3.11.
        ("==", None) if found.is_none() => ("=*", version),
        (operator, _) => (operator, version),
    };
    match numbers(version) {
        Some(numbers) if operator != "~=" || numbers.len() > 1 => Ok((operator, numbers)),
        _ => Err(text.to_owned()),
    }
}

/// Returns the numbers of a version; what follows them, as in `3.13.0rc1` or `3.12+`, is left out.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let mut numbers = Vec::new();
    for part in version.split('.') {
        let digits: &str = &part[..part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len())];
        numbers.push(digits.parse().ok()?);
        if digits.len() < part.len() {
            break;
        }
    }
    Some(numbers)
}

fn compare(one: &[u64], other: &[u64]) -> Ordering {
    let at = |numbers: &[u64], index: usize| numbers.get(index).copied().unwrap_or(0);
    let count = one.len().max(other.len());
    (0..count).map(|index| at(one, index).cmp(&at(other, index))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn fits(version: &[u64], (operator, wanted): &Rule) -> bool {
    let order = compare(version, wanted);
    let begins = |count: usize| compare(&version[..count.min(version.len())], &wanted[..count]).is_eq();
    match *operator {
        "==" | "===" => order.is_eq(),
        "!=" => order.is_ne(),
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        "~=" => order.is_ge() && begins(wanted.len() - 1),
        "=*" => begins(wanted.len()),
        _ => !begins(wanted.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_version_that_fits_is_chosen() {
        let found = ["3.8.10", "3.11.7", "3.12.1", "3.9.2", "3.13.0rc1", "2.7.18"];
        let candidates: Vec<Interpreter> = found
            .iter()
            .map(|version| Interpreter { program: format!("python{version}"), version: (*version).to_owned() })
            .collect();
        let cases = [
            (">=3.8", Some("3.13.0rc1")),
            (">=3.8,<3.12", Some("3.11.7")),
            (">= 3.8, != 3.11.*, <3.12", Some("3.9.2")),
            ("3.11", Some("3.11.7")),
            ("==3.11", None),
            ("==3.11.*", Some("3.11.7")),
            ("==3.11.7", Some("3.11.7")),
            ("~=3.8.1", Some("3.8.10")),
            ("~=3.8", Some("3.13.0rc1")),
            ("<3", Some("2.7.18")),
            ("<=3.9.2", Some("3.9.2")),
            (">3.13", None),
        ];
        for (requirements, expected) in cases {
            let chosen = choose(requirements, &candidates).ok().map(|chosen| chosen.version.as_str());
            assert_eq!(chosen, expected, "{requirements}");
        }
        let error = choose(">4", &candidates[..1]).unwrap_err();
        assert_eq!(error, "cannot find a python interpreter for requirement '>4': python3.8.10 is 3.8.10");
        assert!(choose(">4", &[]).unwrap_err().ends_with("none was found"));
        for wrong in ["", "x", ">=", "=>3", "~=3", "3.x"] {
            let error = choose(wrong, &candidates).unwrap_err();
            assert!(error.starts_with("invalid python-requires"), "{wrong}: {error}");
        }
    }
}
