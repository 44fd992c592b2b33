//! One file of settings: read, checked, and taken apart into values that know their lines.

use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::keys::{Config, KEYS};
use super::layers::{Entry, Origin, entries};
use crate::cli::Failure;
use crate::model::{Place, nearest};

/// What is worth saying of a file although it can be used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remark {
    /// The text.
    pub(crate) text: String,
    /// The line it is about.
    pub(crate) place: Option<Place>,
}

/// A larger file is no file of settings.
const MOST_BYTES: u64 = 1 << 20;

/// What a file says, and what is worth saying of it.
pub(crate) type Content = (Vec<Entry>, Vec<Remark>);

/// Reads a file. `Ok(None)` if there is none.
pub(crate) fn read(path: &Path, user_home: Option<&Path>) -> Result<Option<Content>, Failure> {
    let shown = path.display();
    let unreadable = |what: String| Failure::usage(format!("cannot read the configuration '{shown}': {what}"));
    match fs::metadata(path) {
        // A folder in the path that is a file holds no files.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(found) if found.is_dir() => return Err(unreadable("it is a folder".to_owned())),
        Ok(found) if found.len() > MOST_BYTES => {
            return Err(unreadable(format!("it has {} bytes; that is no file of settings", found.len())));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        Failure::usage(format!("{shown}:{line}: this is not UTF-8 text"))
    })?;
    parse(path, &text, user_home).map(Some)
}

/// Takes the text of a file apart.
fn parse(path: &Path, text: &str, user_home: Option<&Path>) -> Result<Content, Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = |at: usize| 1 + text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Failure::usage(format!("{}:{}: {}", path.display(), line(at), error.message().replace('\n', " ")))
    })?;
    let root = table.get_ref();
    let mut config: Config = toml::from_str(text).map_err(|error| {
        let (at, problem) = explain(root, &error);
        Failure::usage(format!("{}:{}: {problem}", path.display(), line(at)))
    })?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    for path in config.plugins.iter_mut().chain(&mut config.home).chain(&mut config.walk.log_dir) {
        *path = resolve(path, folder, user_home);
    }
    let remark = |(at, text): (usize, String)| {
        let place = Place { file: path.display().to_string().into(), line: u32::try_from(line(at)).unwrap_or(0) };
        Remark { text, place: Some(place) }
    };
    let remarks = unknown(root).into_iter().map(remark).collect();
    let entries = entries(&config, |key| Origin::File(path.to_owned(), line(span_of(root, key).unwrap_or_default())))?;
    Ok((entries, remarks))
}

/// Returns a path as it is meant in a file of this folder.
pub(crate) fn resolve(path: &Path, folder: &Path, user_home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~"), user_home) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => folder.join(path),
    }
}

/// Returns the keys that mean nothing, with where they stand and what to do.
fn unknown(root: &DeTable<'_>) -> Vec<(usize, String)> {
    let mut unknown = Vec::new();
    let tops: Vec<&str> = KEYS.iter().map(|key| key.name.split('.').next().unwrap_or(key.name)).collect();
    check_names(root, "", &tops, &mut unknown);
    for table in ["secrets", "walk"] {
        let own = |key: &'static str| key.strip_prefix(table)?.strip_prefix('.');
        let names: Vec<&str> = KEYS.iter().filter_map(|key| own(key.name)).collect();
        if let Some(inner) = root.get(table).and_then(|value| value.get_ref().as_table()) {
            check_names(inner, &format!("{table}."), &names, &mut unknown);
        }
    }
    unknown.sort();
    unknown
}

fn check_names(table: &DeTable<'_>, prefix: &str, names: &[&str], unknown: &mut Vec<(usize, String)>) {
    for key in table.keys() {
        let name: &str = key.get_ref();
        if names.contains(&name) {
            continue;
        }
        let hint = match nearest(&name.replace('-', "_"), names.iter().copied()) {
            Some(near) => format!("did you mean '{prefix}{near}'?"),
            None if names.contains(&name.replace('-', "_").as_str()) => {
                format!("did you mean '{prefix}{}'?", name.replace('-', "_"))
            }
            None => "'rille config show' lists the keys".to_owned(),
        };
        unknown.push((key.span().start, format!("unknown key '{prefix}{name}', which has no effect; {hint}")));
    }
}

/// Returns where a wrong value stands, and what is wrong with it.
fn explain(root: &DeTable<'_>, error: &toml::de::Error) -> (usize, String) {
    let at = error.span().map_or(0, |span| span.start);
    let message = error.message().replace('\n', " ");
    let Some(key) = key_at(root, at, "") else { return (at, message) };
    // The table as a whole was refused, for the level of one logger.
    if let ("log_levels", Some((logger, _))) = (key.as_str(), message.split_once(": ").filter(|_| !is_type(&message))) {
        let at = span_of(root, &[key.clone(), logger.to_owned()]).unwrap_or(at);
        return (at, format!("{key}.{message}"));
    }
    match is_type(&message) {
        true => (at, format!("{key}: {message}")),
        false => (at, format!("{key} {message}")),
    }
}

/// Returns whether a message is about the type of a value, in serde's words.
fn is_type(message: &str) -> bool {
    message.starts_with("invalid") || message.starts_with("must be a table")
}

/// Returns the key in whose value the text has this position.
fn key_at(table: &DeTable<'_>, at: usize, prefix: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = format!("{prefix}{}", key.get_ref());
        // The span of a table with a header is that of the header.
        let inner = value.get_ref().as_table().and_then(|inner| key_at(inner, at, &format!("{name}.")));
        inner.or_else(|| (key.span().contains(&at) || value.span().contains(&at)).then_some(name))
    })
}

/// Returns where the value with this path stands, or what comes nearest to it.
fn span_of(table: &DeTable<'_>, path: &[String]) -> Option<usize> {
    let (name, after) = path.split_first()?;
    // The name of a logger has dots, and may be parted at them.
    let found = table.get_key_value(name.as_str()).map(|found| (found, after.to_vec())).or_else(|| {
        let (head, tail) = name.split_once('.')?;
        Some((table.get_key_value(head)?, [&[tail.to_owned()], after].concat()))
    });
    let ((key, value), after) = found?;
    let inner = match value.get_ref() {
        DeValue::Table(inner) => span_of(inner, &after),
        DeValue::Array(items) => {
            after.first().and_then(|index| items.get(index.parse::<usize>().ok()?)).map(|item| item.span().start)
        }
        _ => None,
    };
    Some(inner.unwrap_or(key.span().start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match parse(Path::new("/p/rille.toml"), text, Some(Path::new("/h"))) {
            Err(failure) => failure.message,
            Ok((entries, remarks)) => {
                let entries = entries.iter().map(|entry| format!("{} = {} {}", entry.key(), entry.value, entry.origin));
                let remarks = remarks.iter().map(|remark| {
                    format!("{}: {}", remark.place.as_ref().map(ToString::to_string).unwrap_or_default(), remark.text)
                });
                entries.chain(remarks).collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[test]
    fn values_know_their_lines() {
        let text = "\u{feff}# a comment\njobs = 3\noutput_limit = '1M'\nplugins = [\n  'a.lua',\n  '~/b.lua', '/c.lua',\n]\n\n\
                    [log_levels]\nroot = 'warning'\nlib.part = 'debug'\n'x.y' = 'ERROR'\n[secrets]\nhide = ['MY_*']\n";
        insta::assert_snapshot!(parsed(text), @r#"
        jobs = 3 /p/rille.toml:2
        output_limit = 1048576 /p/rille.toml:3
        plugins = "/p/a.lua" /p/rille.toml:5
        plugins = "/h/b.lua" /p/rille.toml:6
        plugins = "/c.lua" /p/rille.toml:6
        log_levels."lib.part" = "DEBUG" /p/rille.toml:11
        log_levels.root = "WARNING" /p/rille.toml:10
        log_levels."x.y" = "ERROR" /p/rille.toml:12
        secrets.hide = "MY_*" /p/rille.toml:14
        "#);
    }

    #[test]
    fn what_is_wrong_is_told_with_key_and_line() {
        let cases = [
            "jobs = 3\ngrace = 'long'",
            "jobs = 0",
            "tags = 'a'",
            "tags = ['a', 3]",
            "\n[resources]\ngpus = 1\nmem = '1X'",
            "[log_levels]\nlib = 'LOUD'",
            "resources = 3",
            "color = 'blue'",
            "verbosity = 'quite'",
            "jobs = 1\njobs = 2",
            "jobs = = 2",
            "[secrets]\nhide = 3",
            "label = 3",
            "plugins = { a = 1 }",
        ];
        let told: Vec<String> = cases.iter().map(|text| parsed(text)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        /p/rille.toml:2: grace must be a number of seconds from 0, not "long"
        /p/rille.toml:1: jobs must be a whole number from 1, not 0
        /p/rille.toml:1: tags: invalid type: string "a", expected a sequence
        /p/rille.toml:1: tags: invalid type: integer `3`, expected a string
        /p/rille.toml:4: resources.mem must be a whole number or a size such as "4G", not "1X"
        /p/rille.toml:2: log_levels.lib: 'LOUD' is no log level; the levels are DEBUG, INFO, WARNING, ERROR and CRITICAL
        /p/rille.toml:1: resources: invalid type: integer `3`, expected a map
        /p/rille.toml:1: color must be one of auto, always, never, not "blue"
        /p/rille.toml:1: verbosity must be one of silent, quiet, normal, verbose, not "quite"; did you mean "quiet"?
        /p/rille.toml:2: duplicate key
        /p/rille.toml:1: extra `=`, expected nothing
        /p/rille.toml:2: secrets.hide: invalid type: integer `3`, expected a sequence
        /p/rille.toml:1: label: invalid type: integer `3`, expected a string
        /p/rille.toml:1: plugins: invalid type: map, expected a sequence
        "#);
    }

    #[test]
    fn unknown_keys_are_named_with_the_nearest_known_one() {
        let text = "job = 3\noutput-limit = 3\nqqq = 1\n[secrets]\nhid = []\n[run]\njobs = 3";
        insta::assert_snapshot!(parsed(text), @r#"
        /p/rille.toml:1: unknown key 'job', which has no effect; did you mean 'jobs'?
        /p/rille.toml:2: unknown key 'output-limit', which has no effect; did you mean 'output_limit'?
        /p/rille.toml:3: unknown key 'qqq', which has no effect; 'rille config show' lists the keys
        /p/rille.toml:5: unknown key 'secrets.hid', which has no effect; did you mean 'secrets.hide'?
        /p/rille.toml:6: unknown key 'run', which has no effect; 'rille config show' lists the keys
        "#);
    }

    #[test]
    fn fuzz_of_settings() {
        let text = "jobs = 4\ngrace = 2.5\nhome = \"~/x\"\ntags = [\"a\", \"b\"]\n[secrets]\nhide = [\"X*\"]\n[walk]\nmax_walks = 10\n";
        assert!(parse(Path::new("rille.toml"), text, None).is_ok());
        crate::fuzz::fuzz(&[text.as_bytes()], |input| {
            drop(parse(Path::new("rille.toml"), &String::from_utf8_lossy(input), None));
        });
    }
}
