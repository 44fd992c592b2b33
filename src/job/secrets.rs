//! Secrets in what a run keeps to be started again: they are left out where the environment brings them back, and told of
//! where it does not.

use std::path::Path;

use serde_json::Value;

use crate::store::{self, Secrets};

/// Returns a warning for each word of a command line that holds a secret: it is kept, since the run is gone on with and
/// repeated by its command line.
pub(super) fn kept_words(secrets: &Secrets, words: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(variable) = secrets.variable_in(word.as_bytes()) else { continue };
        let option = |word: &str| {
            let name = word.split('=').next().unwrap_or_default();
            (name.starts_with('-') && secrets.variable_in(name.as_bytes()).is_none()).then(|| name.to_owned())
        };
        // `--token=…`, `--token …`, `token=…`; else by its place.
        let named = option(word).or_else(|| option(words.get(at.checked_sub(1)?)?));
        let assigned = || {
            let (name, _) = word.split_once('=').filter(|(name, _)| secrets.variable_in(name.as_bytes()).is_none())?;
            Some(format!("the argument '{name}'"))
        };
        let what = named.map(|name| format!("the argument of '{name}'")).or_else(assigned);
        let what = what.unwrap_or_else(|| format!("argument {at} of the command line"));
        warnings.push(kept(&what, variable));
    }
    warnings.sort();
    warnings.dedup();
    warnings
}

/// Returns a warning if a value holds a secret and is kept.
pub(super) fn kept_value(secrets: &Secrets, what: &str, value: &Value) -> Option<String> {
    secrets.variable_in_value(value).map(|variable| kept(what, variable))
}

fn kept(what: &str, variable: &str) -> String {
    format!("{what} holds the value of the secret variable '{variable}', and is kept in the run as it is")
}

/// Returns a warning if secret variables that a run had are not set now.
pub(super) fn missing(secrets: &Secrets, had: &[String]) -> Option<String> {
    let missing: Vec<&str> =
        had.iter().map(String::as_str).filter(|name| !secrets.variables().any(|own| own == *name)).collect();
    let names = missing.join(", ");
    match missing.len() {
        0 => None,
        1 => Some(format!("the run had a secret variable that is not set now, and whose value is not kept: {names}")),
        _ => Some(format!("the run had secret variables that are not set now, and whose values are not kept: {names}")),
    }
}

/// Returns a warning if the run in the directory `run` had secret variables that are not set now.
pub(crate) fn missing_secrets(secrets: &Secrets, run: &Path) -> Option<String> {
    missing(secrets, &store::secret_variables(run))
}

/// Takes the texts out of a value that hold a secret: nothing stands in their place.
pub(super) fn leave_out(secrets: &Secrets, value: &mut Value) {
    match value {
        Value::String(text) if secrets.masks().finds(text.as_bytes()) => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(|item| leave_out(secrets, item)),
        Value::Object(map) => map.values_mut().for_each(|value| leave_out(secrets, value)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets() -> Secrets {
        Secrets::of(&[], [("API_TOKEN".into(), "hunter22".into()), ("EMPTY_PASSWORD".into(), "".into())])
    }

    #[test]
    fn what_is_kept_is_told_by_its_name_and_never_by_its_value() {
        let words =
            ["rille", "run", "--param=hunter22", "job.lua", "--key", "hunter22", "token=hunter22", "hunter22", "x"];
        let words: Vec<String> = words.map(str::to_owned).into();
        let told = kept_words(&secrets(), &words);
        let names = [
            "argument 7 of the command line",
            "the argument 'token'",
            "the argument of '--key'",
            "the argument of '--param'",
        ];
        let holds = "holds the value of the secret variable 'API_TOKEN', and is kept in the run as it is";
        assert_eq!(told, names.map(|name| format!("{name} {holds}")));
        assert_eq!(
            kept_value(&secrets(), "the testbed", &json!({"a": ["hunter22"]})).unwrap(),
            format!("the testbed {holds}")
        );
        assert_eq!(kept_value(&secrets(), "the testbed", &json!({"hunter22": 1})), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        let had = ["API_TOKEN", "DB_PASSWORD", "OTHER_TOKEN"].map(str::to_owned);
        assert!(missing(&secrets(), &had).unwrap().ends_with(": DB_PASSWORD, OTHER_TOKEN"));
        assert_eq!(missing(&secrets(), &had[..1]), None);
    }

    #[test]
    fn what_is_read_back_has_no_mask() {
        let mut value = json!({"a": ["--token=hunter22", 1], "b": {"c": "aHVudGVyMjI="}, "d": "plain"});
        leave_out(&secrets(), &mut value);
        assert_eq!(value, json!({"a": [null, 1], "b": {"c": null}, "d": "plain"}));
    }
}
