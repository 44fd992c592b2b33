//! `.avocado.hint`: which files are of which kind, where no resolver could tell.
//!
//! ```ini
//! [kinds]
//! tap = *.t
//! [tap]
//! uri = $testpath
//! args = -v,$testpath
//! kwargs = KEY=VALUE,OTHER=VALUE
//! ```

use std::fs;
use std::io;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use ini::{Ini, ParseOption, Properties};
use serde_json::{Map, Value};

use crate::model::{Runnable, nearest};

/// The name of the file.
const HINT_FILE: &str = ".avocado.hint";

/// What stands for the path of the file.
const TEST_PATH: &str = "$testpath";

/// The keys of the section of a kind.
const KEYS: [&str; 3] = ["uri", "args", "kwargs"];

/// What a hint file says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hint {
    rules: Vec<Rule>,
}

/// What is wrong with a hint file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HintError {
    /// It is there and cannot be read.
    #[error("cannot read {HINT_FILE}: {0}")]
    Unread(#[source] io::Error),
    /// The file of a folder is wrong.
    #[error("{HINT_FILE}: {0}")]
    File(#[source] Box<HintError>),
    /// It is no INI.
    #[error(transparent)]
    NoIni(#[from] ini::ParseError),
    /// It names no kinds.
    #[error("there is no section [kinds], with lines such as: tap = *.t")]
    NoKinds,
    /// It says of a kind that it names nothing more.
    #[error("there is no section [{0}], with uri, args or kwargs of that kind")]
    NoSection(String),
    /// A key of a section means nothing.
    #[error("there is no key '{key}' in [{kind}]; {}", hint(key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The section.
        kind: String,
    },
    /// The pattern of a kind is none.
    #[error("the pattern of '{kind}' is none: {}", source.kind())]
    NoPattern {
        /// The kind.
        kind: String,
        /// Why it is none.
        source: globset::Error,
    },
    /// A parameter has no name or no value.
    #[error("'{item}' in kwargs of [{kind}] is not NAME=VALUE")]
    NoPair {
        /// The parameter.
        item: String,
        /// The section.
        kind: String,
    },
}

#[derive(Clone, Debug)]
struct Rule {
    kind: String,
    pattern: String,
    matcher: GlobMatcher,
    uri: String,
    args: Vec<String>,
    kwargs: Vec<(String, String)>,
}

impl Hint {
    /// Reads the hint file of a folder, if there is one.
    pub(crate) fn load(folder: &Path) -> Result<Option<Hint>, HintError> {
        match fs::read_to_string(folder.join(HINT_FILE)) {
            Ok(text) => Hint::parse(&text).map(Some).map_err(|error| HintError::File(Box::new(error))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(HintError::Unread(error)),
        }
    }

    /// Reads the text of a hint file.
    pub(crate) fn parse(text: &str) -> Result<Hint, HintError> {
        let options = ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
        let ini = Ini::load_from_str_opt(text, options)?;
        let kinds = ini.section(Some("kinds")).ok_or(HintError::NoKinds)?;
        let rule = |(kind, pattern): (&str, &str)| {
            let section = ini.section(Some(kind)).ok_or_else(|| HintError::NoSection(kind.to_owned()))?;
            rule(kind, pattern.trim(), section)
        };
        Ok(Hint { rules: kinds.iter().map(rule).collect::<Result<_, _>>()? })
    }

    /// Returns the patterns of files, in their order.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.pattern.as_str())
    }

    /// Returns what a file is, if the hint tells.
    pub(super) fn runnable(&self, path: &str) -> Option<Runnable> {
        let plain = path.strip_prefix("./").unwrap_or(path);
        let rule = self.rules.iter().find(|rule| rule.matcher.is_match(plain) || rule.matcher.is_match(path))?;
        let fill = |text: &String| text.replace(TEST_PATH, path);
        let kwargs: Map<String, Value> =
            rule.kwargs.iter().map(|(name, value)| (name.clone(), fill(value).into())).collect();
        Some(Runnable {
            kind: rule.kind.clone(),
            uri: Some(fill(&rule.uri)),
            args: rule.args.iter().map(fill).map(Into::into).collect(),
            kwargs,
            ..Runnable::default()
        })
    }
}

fn rule(kind: &str, pattern: &str, section: &Properties) -> Result<Rule, HintError> {
    if let Some((key, _)) = section.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(HintError::UnknownKey { key: key.to_owned(), kind: kind.to_owned() });
    }
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let no_pattern = |source| HintError::NoPattern { kind: kind.to_owned(), source };
    let matcher = glob.map_err(no_pattern)?.compile_matcher();
    let items = |key: &str| {
        let text = section.get(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let kwarg = |item: String| match item.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err(HintError::NoPair { item, kind: kind.to_owned() }),
    };
    Ok(Rule {
        kind: kind.to_owned(),
        pattern: pattern.to_owned(),
        matcher,
        uri: section.get("uri").unwrap_or(TEST_PATH).to_owned(),
        args: items("args"),
        kwargs: items("kwargs").into_iter().map(kwarg).collect::<Result<_, _>>()?,
    })
}

fn hint(key: &str) -> String {
    nearest(key, KEYS).map_or_else(|| "it has uri, args, kwargs".to_owned(), |near| format!("did you mean '{near}'?"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Hint;
    use crate::model::Blob;

    #[test]
    fn files_are_what_the_hint_says() {
        let text = "[kinds]\ntap = *.t\nlua: sub/*.lua\n[tap]\nuri = $testpath\nargs = -v,$testpath\n[lua]\nkwargs = A=b,P=x/$testpath\n";
        let hint = Hint::parse(text).unwrap();
        assert_eq!(hint.patterns().collect::<Vec<_>>(), ["*.t", "sub/*.lua"]);
        let tap = hint.runnable("./a.t").unwrap();
        assert_eq!((tap.kind.as_str(), tap.uri.as_deref()), ("tap", Some("./a.t")));
        assert_eq!(tap.args, ["-v", "./a.t"].map(Blob::from));
        let lua = hint.runnable("sub/x.lua").unwrap();
        assert_eq!(serde_json::Value::Object(lua.kwargs), json!({"A": "b", "P": "x/sub/x.lua"}));
        assert_eq!(hint.runnable("sub/a.t"), None);
        assert_eq!(hint.runnable("sub/sub/x.lua"), None);
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("x = 1", "there is no section [kinds]"),
            ("[kinds]\ntap = *.t\n", "there is no section [tap]"),
            ("[kinds]\ntap = *.t\n[tap]\nkwarg = x\n", "there is no key 'kwarg' in [tap]; did you mean 'kwargs'?"),
            ("[kinds]\ntap = a[\n[tap]\nuri = x\n", "the pattern of 'tap' is none"),
            ("[kinds]\ntap = a\n[tap]\nkwargs = x\n", "'x' in kwargs of [tap] is not NAME=VALUE"),
        ];
        for (text, expected) in cases {
            let error = Hint::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
