//! What is secret of a run, by the environment that its host has and what its tasks get on top of that.
//!
//! A variable is secret by its name, because the user says so, or by what is in it: a private key, a URL with a password. Of
//! a way to something, a URL among them, the password alone is secret, and of no use is a secret that everybody knows: a
//! value that only switches something, a common word, a place on this machine, the name of the user. What testbeds and
//! parameters call a password is secret where a run leaves the machine, in an archive, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use memchr::memmem;
use serde_json::Value;

use super::secret_names::{Meaning, is_secret, meaning};
use super::secret_values::{
    is_private_key, is_public, is_switch, parts_of_secrets, passwords_in_pairs, passwords_in_urls,
};
use super::{Result, RunDir, attribute, read};
use crate::model::{EventKind, Masks, SHORTEST_SECRET};

/// Variables whose values stand in every path and every report.
const EVERYWHERE: [&str; 5] = ["USER", "LOGNAME", "USERNAME", "HOSTNAME", "HOST"];

/// Secrets of a run.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// Names of variables that the user calls secret.
    hidden: GlobSet,
    /// Names that a definition calls so.
    own: BTreeSet<String>,
    /// The variables that are secret, also those whose values are too short to be masked.
    names: BTreeSet<String>,
    /// Which variable has a value.
    values: BTreeMap<Vec<u8>, String>,
    masks: Masks,
    /// What names in testbeds and parameters call secret.
    named: BTreeSet<Vec<u8>>,
    /// Values that are no secrets, since they stand everywhere.
    known: BTreeSet<Vec<u8>>,
}

impl Secrets {
    /// Makes an empty collection. Beside what is secret anyway, so are variables whose names match these patterns.
    pub(crate) fn new(hide: &[String]) -> Self {
        let mut hidden = GlobSetBuilder::new();
        // They were checked when the settings were read.
        let globs = hide.iter().filter_map(|pattern| GlobBuilder::new(pattern).case_insensitive(true).build().ok());
        globs.for_each(|glob| {
            hidden.add(glob);
        });
        Self { hidden: hidden.build().unwrap_or_default(), ..Self::default() }
    }

    /// Calls variables of these names secret as well.
    pub(crate) fn hide(mut self, names: &[String]) -> Self {
        self.own.extend(names.iter().cloned());
        self
    }

    /// Returns the secrets of this environment.
    pub(crate) fn of(hide: &[String], variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut secrets = Self::new(hide);
        secrets.add_variables(variables);
        secrets
    }

    /// Adds the secret ones of these variables.
    pub(crate) fn add_variables(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        let variables: Vec<_> = variables.into_iter().collect();
        let everywhere = variables.iter().filter(|(name, _)| EVERYWHERE.iter().any(|known| name == known));
        self.known.extend(everywhere.map(|(_, value)| value.as_bytes().to_vec()));
        for (name, value) in variables {
            let name = name.to_string_lossy().into_owned();
            let Some(found) = self.secrets_in(&name, value.as_bytes()) else { continue };
            for value in found {
                self.add(&value, &name);
            }
            self.names.insert(name);
        }
    }

    fn add(&mut self, value: &[u8], name: &str) {
        let value = value.trim_ascii();
        if value.len() < SHORTEST_SECRET || is_public(value) || self.known.contains(value) {
            return;
        }
        self.masks.add([value]);
        self.values.entry(value.to_vec()).or_insert_with(|| name.to_owned());
    }

    /// Returns what is secret in the value of a variable; `None` if the variable is not.
    fn secrets_in(&self, name: &str, value: &[u8]) -> Option<Vec<Vec<u8>>> {
        let text = String::from_utf8_lossy(value);
        let mut found: Vec<Vec<u8>> = passwords_in_urls(&text).into_iter().map(String::into_bytes).collect();
        let meaning = if self.is_hidden(name) { Meaning::Secret } else { meaning(name) };
        match meaning {
            Meaning::Secret if is_switch(value) && !self.is_hidden(name) => return None,
            Meaning::Secret => {
                found.push(value.to_vec());
                found.extend(parts_of_secrets(&text).into_iter().map(String::into_bytes));
            }
            Meaning::Address if is_switch(value) => return None,
            Meaning::Address => {
                found.extend(passwords_in_pairs(&text).into_iter().map(String::into_bytes));
                if found.is_empty() && !text.contains("://") {
                    found.push(value.to_vec());
                }
            }
            Meaning::Plain if is_private_key(value) => found.push(value.to_vec()),
            Meaning::Plain if found.is_empty() => return None,
            Meaning::Plain => {}
        }
        Some(found)
    }

    fn is_hidden(&self, name: &str) -> bool {
        self.own.contains(name) || self.hidden.is_match(name)
    }

    /// Returns whether a variable is secret, or has a secret in its value.
    pub(crate) fn holds(&self, name: &str, value: &[u8]) -> bool {
        self.secrets_in(name, value).is_some() || self.masks.finds(value)
    }

    /// Returns the names of the variables that are secret, in order.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Returns a secret variable whose value stands in a text.
    pub(crate) fn variable_in(&self, text: &[u8]) -> Option<&str> {
        self.values.iter().find(|(value, _)| memmem::find(text, value).is_some()).map(|(_, name)| name.as_str())
    }

    /// Returns the length of the longest value.
    pub(super) fn longest(&self) -> usize {
        self.values.keys().map(Vec::len).max().unwrap_or(0)
    }

    /// Returns a secret variable whose value stands in a value, or is one.
    pub(crate) fn variable_in_value(&self, value: &Value) -> Option<&str> {
        match value {
            Value::String(text) => self.variable_in(text.as_bytes()),
            Value::Array(items) => items.iter().find_map(|item| self.variable_in_value(item)),
            Value::Object(map) => map.values().find_map(|value| self.variable_in_value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }

    /// Returns the masks of what variables hold. They grow with this.
    pub(crate) fn masks(&self) -> Masks {
        self.masks.clone()
    }

    /// Adds the texts in `value` if `name` says that it is secret, and those within it whose own names do.
    pub(crate) fn add_named(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if is_secret(name) => drop(self.named.insert(text.as_bytes().to_vec())),
            Value::Number(number) if is_secret(name) => drop(self.named.insert(number.to_string().into_bytes())),
            Value::Array(items) => items.iter().for_each(|item| self.add_named(name, item)),
            Value::Object(map) => {
                for (key, value) in map {
                    // All of `credentials = { user = …, word = … }` is.
                    self.add_named(if is_secret(name) { name } else { key }, value);
                }
            }
            _ => {}
        }
    }

    /// Adds the texts within a value whose names say that they are secret.
    pub(crate) fn add_values(&mut self, value: &Value) {
        self.add_named("", value);
    }

    /// Returns the masks of all that must not leave the machine.
    pub(crate) fn archive_masks(&self) -> Masks {
        Masks::new(self.values.keys().chain(&self.named))
    }
}

/// The attribute with the names of the secret variables that a run has. A run of a jobfile says it in its log.
const ATTRIBUTE: &str = "env_secrets";

/// Keeps the names of the secret variables that a run has, beside those that it had before it was started again.
pub(crate) fn keep_secret_variables(run: &RunDir, mut names: Vec<String>) -> Result<()> {
    names.extend(secret_variables(run.place()));
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { Ok(()) } else { run.write_attr(ATTRIBUTE, &names) }
}

/// Returns the names of the secret variables that the run in the directory `run` had when it was started first. Their
/// values are not kept.
pub(crate) fn secret_variables(run: &Path) -> Vec<String> {
    if let Some(names) = attribute(run, ATTRIBUTE).and_then(|names| serde_json::from_value(names).ok()) {
        return names;
    }
    let first = read(&run.join(".guild").join("events.jsonl")).ok().and_then(|mut events| events.next()?.ok());
    match first.map(|event| event.kind) {
        Some(EventKind::RunStarted(header)) => header.secrets,
        _ => Vec::new(),
    }
}

/// Names the variables, and none of their values.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("names", &self.names).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(variables: &[(&str, &str)]) -> Secrets {
        Secrets::of(&["my_*".to_owned()], variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn values_are_secret_by_name_by_order_and_by_what_is_in_them() {
        // The variable, what it holds, and what of that is masked.
        let cases: [(&str, &str, &[&str]); 28] = [
            ("DB_URL", "undefined", &[]),
            ("HTTP_AUTHORIZATION", "Bearer hunter22", &["Bearer hunter22", "hunter22"]),
            ("DB_PASSWORD", "hunter22", &["hunter22"]),
            ("DB_PASSWORD", "short", &[]),
            ("DB_PASSWORD", " hunter22\n", &["hunter22"]),
            ("DB_PASSWORD", "postgres", &[]),
            ("DB_PASSWORD", "123456", &["123456"]),
            ("DB_PASSWORD", "/etc/passwd", &[]),
            ("DB_PASSWORD", "/etc/no-such-file", &["/etc/no-such-file"]),
            ("DB_PASSWORD", "ada-lovelace", &[]),
            ("USE_TOKEN", "disabled", &[]),
            ("MYSQL_PWD", "hunter22", &["hunter22"]),
            ("SSHPASS", "hunter22", &["hunter22"]),
            ("MY_PLACE", "under the mat", &["under the mat"]),
            ("PLACE", "under the mat", &[]),
            ("PLACE", "https://me:hunter22@x.lab/y", &["hunter22"]),
            ("PLACE", "https://me:hunt%65r22@x.lab/y", &["hunt%65r22", "hunter22"]),
            ("PLACE", "https://x.lab/y", &[]),
            ("DATABASE_URL", "postgres://ada:hunter22@db.lab/x", &["hunter22"]),
            ("DATABASE_URL", "postgres://db.lab/x", &[]),
            ("DATABASE_URL", "hunter22hunter22", &["hunter22hunter22"]),
            ("DB_CONNECTION_STRING", "Server=db;Password=hunter22", &["hunter22"]),
            ("SLACK_WEBHOOK_URL", "https://hooks.lab/T0/B1/x", &["https://hooks.lab/T0/B1/x"]),
            ("PLACE", "-----BEGIN PRIVATE KEY-----", &["-----BEGIN PRIVATE KEY-----"]),
            ("SSH_AUTH_SOCK", "/tmp/no/agent.17", &[]),
            ("TOKEN_FILE", "/run/no/secret", &[]),
            ("MAX_TOKENS", "1000000", &[]),
            ("PWD", "/home/nobody/project", &[]),
        ];
        for (name, value, expected) in cases {
            let secrets = secrets(&[(name, value), ("USER", "ada-lovelace")]);
            let values: Vec<_> = secrets.values.keys().map(|value| String::from_utf8_lossy(value)).collect();
            assert_eq!(values, expected, "{name}={value}");
            let shown = format!("{secrets:?}");
            assert!(!shown.contains("hunter") && (expected.is_empty() || shown.contains(name)), "{shown}");
        }
        assert!(!secrets(&[("DB_URL", "undefined")]).holds("DB_URL", b"undefined"));
    }

    #[test]
    fn names_are_kept_where_values_are_not() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        let mut run = crate::store::made::begun(&path);
        run.appear().unwrap();
        keep_secret_variables(&run, Vec::new()).unwrap();
        assert!(secret_variables(&path).is_empty() && !path.join(".guild/attrs/env_secrets").exists());
        let started = r#"{"seq":1,"time":"2026-11-21T09:00:00Z","event":"run-started","format":1,"rille":"0","run_id":"0",
            "door":"job","name":"a","file":"/a","file_hash":"0","argv":[],"pid":1,"host":"h","user":"u","secrets":["Z_KEY"]}"#;
        std::fs::write(path.join(".guild/events.jsonl"), started.replace('\n', "") + "\n").unwrap();
        assert_eq!(secret_variables(&path), ["Z_KEY"]);
        for (names, expected) in [
            (["B_KEY", "A_KEY"], &["A_KEY", "B_KEY", "Z_KEY"][..]),
            (["A_KEY", "C_KEY"], &["A_KEY", "B_KEY", "C_KEY", "Z_KEY"]),
        ] {
            keep_secret_variables(&run, names.map(str::to_owned).into()).unwrap();
            assert_eq!(secret_variables(&path), expected);
        }
    }

    #[test]
    fn the_variable_of_a_value_is_named() {
        let secrets = secrets(&[("API_TOKEN", "hunter22"), ("PASSWORD", "12"), ("PATH", "/usr/bin")]);
        assert_eq!(secrets.variables().collect::<Vec<_>>(), ["API_TOKEN", "PASSWORD"]);
        assert_eq!(secrets.variable_in(b"--token=hunter22"), Some("API_TOKEN"));
        assert_eq!(secrets.variable_in_value(&json!({"a": [1, "x hunter22"]})), Some("API_TOKEN"));
        assert_eq!(secrets.variable_in(b"hunter 22"), None);
        assert!(secrets.holds("my_thing", b"x") && !secrets.holds("THEIR", b"x"));
        let own = Secrets::new(&[]).hide(&["THEIR".to_owned()]);
        assert!(own.holds("THEIR", b"x") && !own.holds("THEIRS", b"x"));
    }

    #[test]
    fn what_testbeds_and_parameters_call_secret_is_so_in_archives() {
        let mut secrets = secrets(&[("DB_PASSWORD", "hunter22")]);
        secrets
            .add_values(&json!({"sw1": {"password": "sw1-word", "port": 1234, "credentials": {"a": ["cred-word"]}}}));
        secrets.add_named("api_token", &json!("tok-123456"));
        secrets.add_named("speed", &json!("960000000"));
        secrets.add_named("size", &json!(730_000_000));
        secrets.add_named("password", &json!(87_654_321));
        let text = "hunter22 sw1-word cred-word tok-123456 87654321 960000000 730000000";
        assert_eq!(secrets.archive_masks().mask_text(text), "*** *** *** *** *** 960000000 730000000");
        assert_eq!(secrets.masks().mask_text(text), text.replace("hunter22", "***"));
        assert_eq!((secrets.longest(), Secrets::default().longest()), (8, 0));
    }
}
