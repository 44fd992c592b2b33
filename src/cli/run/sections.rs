//! Options of `rille run` for testscripts: parameters, which sections run, and how.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::Failure;
use crate::cli::config::MOST_RETRIES;
use crate::job::{SectionFilter, read_datafile};
use crate::model::{Datafile, DatafileMistake, SectionChoice};

/// See the module.
#[derive(Args, Debug)]
pub(super) struct SectionArgs {
    /// Set a parameter of every Lua script, above what the jobfile says; VALUE is JSON, or else a text; may be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", help_heading = "Testscripts")]
    params: Vec<Parameter>,
    /// Run only testcases whose uid fits: patterns with and, or, not, parentheses, Or('a','b'), such as 'sweep* and not Ping';
    /// repeated, one must fit
    #[arg(long, value_name = "EXPRESSION", help_heading = "Testscripts")]
    uids: Vec<String>,
    /// Run only testcases whose groups fit, in the same language: 'sanity and not (slow or flaky)'; repeated, one must fit
    #[arg(long, value_name = "EXPRESSION", help_heading = "Testscripts")]
    groups: Vec<String>,
    /// Set parameters, uids, groups and more of the sections of every testscript from this YAML file
    #[arg(long, value_name = "FILE", help_heading = "Testscripts")]
    datafile: Option<PathBuf>,
    /// Run the testcases of a script in random order
    #[arg(long, help_heading = "Testscripts")]
    random: bool,
    /// The seed of the random order; the log names the one that was drawn
    #[arg(long, value_name = "N", requires = "random", help_heading = "Testscripts", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    random_seed: Option<u64>,
    /// Block the rest of a script when N of its testcases have failed, and start no other task when N tasks have
    #[arg(long, value_name = "N", help_heading = "Testscripts", value_parser = clap::value_parser!(u32).range(1..))]
    max_failures: Option<u32>,
    /// Run a testcase that fails or is errored up to N more times, of those whose uid fits EXPRESSION also where it says
    /// itself how often; a pass on a later attempt is passx; may be repeated, the last that fits holds
    #[arg(long, value_name = "[EXPRESSION=]N", help_heading = "Testscripts")]
    retry: Vec<Retry>,
    /// Open a prompt inside a section that fails
    #[arg(long, help_heading = "Testscripts")]
    pause_on_failure: bool,
}

impl SectionArgs {
    /// Returns the choice of sections, checked.
    pub(super) fn choice(&self) -> Result<SectionChoice, Failure> {
        let choice = SectionChoice {
            uids: self.uids.clone(),
            groups: self.groups.clone(),
            max_failures: self.max_failures,
            random: self.random,
            random_seed: self.random_seed,
            retry: self.retry.iter().rev().find(|given| given.uids.is_none()).map(|given| given.retries),
            retry_uids: self.retry.iter().filter_map(|given| Some((given.uids.clone()?, given.retries))).collect(),
            pause_on_failure: self.pause_on_failure,
            ..SectionChoice::default()
        };
        SectionFilter::new(&choice).map_err(|error| Failure::usage(format!("--{error}")))?;
        Ok(choice)
    }

    /// Returns the datafile, and what is to be said of it.
    pub(super) fn datafile(&self) -> Result<Option<(Datafile, Vec<DatafileMistake>)>, Failure> {
        let Some(path) = &self.datafile else { return Ok(None) };
        let path = std::path::absolute(path)
            .map_err(|error| Failure::usage(format!("cannot find {}: {error}", path.display())))?;
        read_datafile(&path).map(Some).map_err(|error| Failure::usage(error.to_string()))
    }

    /// Returns the parameters.
    pub(super) fn parameters(&self) -> Map<String, Value> {
        self.params.iter().map(|parameter| (parameter.name.clone(), parameter.value.clone())).collect()
    }

    /// Returns the options by name, as a run records them.
    pub(super) fn recorded(&self) -> [(&'static str, Value); 9] {
        [
            ("param", Value::Object(self.parameters())),
            ("uids", json!(self.uids)),
            ("groups", json!(self.groups)),
            ("datafile", json!(self.datafile.as_ref().map(|path| path.to_string_lossy()))),
            ("random", json!(self.random)),
            ("random_seed", json!(self.random_seed)),
            ("max_failures", json!(self.max_failures)),
            ("retry", self.retry.iter().map(Retry::to_string).collect()),
            ("pause_on_failure", json!(self.pause_on_failure)),
        ]
    }
}

/// A parameter of the command line.
#[derive(Clone, Debug, PartialEq)]
struct Parameter {
    name: String,
    value: Value,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                // What is no JSON is a text; so is a word that only looks like the beginning of it.
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
                Ok(Self { name: name.to_owned(), value })
            }
            _ => Err("a parameter is given as NAME=VALUE".to_owned()),
        }
    }
}

/// A value of `--retry`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Retry {
    /// Over the uids of testcases; `None` for every one that does not say itself how often.
    uids: Option<String>,
    retries: u32,
}

impl FromStr for Retry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A uid may have signs of equality in it: sweep[size=64].
        let (uids, number) = text.rsplit_once('=').map_or((None, text), |(uids, number)| (Some(uids), number));
        let wrong =
            || format!("'{number}' is no whole number from 0 to {MOST_RETRIES}; write N, or UID=N such as Ping=2");
        let retries = number.parse().ok().filter(|retries| *retries <= MOST_RETRIES).ok_or_else(wrong)?;
        match uids {
            Some("") => Err("the uid before '=' is missing; write N, or UID=N such as Ping=2".to_owned()),
            uids => Ok(Self { uids: uids.map(str::to_owned), retries }),
        }
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.uids {
            Some(uids) => write!(f, "{uids}={}", self.retries),
            None => write!(f, "{}", self.retries),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json_or_else_a_text() {
        let cases = [
            ("n=3", json!(3)),
            ("n=1.5", json!(1.5)),
            ("n=true", json!(true)),
            ("n=[1,\"a\"]", json!([1, "a"])),
            ("n={\"a\":{}}", json!({"a": {}})),
            ("n=\"3\"", json!("3")),
            ("n=10.0.0.1", json!("10.0.0.1")),
            ("n=a=b", json!("a=b")),
            ("n=", json!("")),
            ("n=[1", json!("[1")),
        ];
        for (text, value) in cases {
            assert_eq!(text.parse::<Parameter>().unwrap(), Parameter { name: "n".to_owned(), value }, "{text}");
        }
        assert!("n".parse::<Parameter>().is_err());
        assert!("=3".parse::<Parameter>().is_err());
    }

    #[test]
    fn retries_are_for_all_or_for_those_that_fit() {
        for (text, uids, retries) in
            [("2", None, 2), ("0", None, 0), ("Ping=1", Some("Ping"), 1), ("a[n=1] or b=3", Some("a[n=1] or b"), 3)]
        {
            let retry: Retry = text.parse().unwrap();
            assert_eq!((retry.uids.as_deref(), retry.retries, retry.to_string().as_str()), (uids, retries, text));
        }
        for (text, told) in [
            ("Ping", "'Ping' is no whole number from 0 to 1000"),
            ("Ping=", "'' is no whole number"),
            ("Ping=-1", "'-1' is no whole number"),
            ("Ping=1.5", "'1.5' is no whole number"),
            ("1001", "is no whole number from 0 to 1000"),
            ("99999999999", "is no whole number"),
            ("=2", "the uid before '=' is missing"),
        ] {
            assert!(text.parse::<Retry>().unwrap_err().contains(told), "{text}");
        }
    }
}
