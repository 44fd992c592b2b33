//! Options of `rille run` for testscripts: parameters, which sections run, and how.

use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::Failure;
use crate::job::SectionFilter;
use crate::model::SectionChoice;

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
    /// Run the testcases of a script in random order
    #[arg(long, help_heading = "Testscripts")]
    random: bool,
    /// The seed of the random order; the log names the one that was drawn
    #[arg(long, value_name = "N", requires = "random", help_heading = "Testscripts", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    random_seed: Option<u64>,
    /// Block the rest of a script when N of its testcases have failed, and start no other task when N tasks have
    #[arg(long, value_name = "N", help_heading = "Testscripts", value_parser = clap::value_parser!(u32).range(1..))]
    max_failures: Option<u32>,
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
            pause_on_failure: self.pause_on_failure,
            ..SectionChoice::default()
        };
        SectionFilter::new(&choice).map_err(|error| Failure::usage(format!("--{error}")))?;
        Ok(choice)
    }

    /// Returns the parameters.
    pub(super) fn parameters(&self) -> Map<String, Value> {
        self.params.iter().map(|parameter| (parameter.name.clone(), parameter.value.clone())).collect()
    }

    /// Returns the options by name, as a run records them.
    pub(super) fn recorded(&self) -> [(&'static str, Value); 7] {
        [
            ("param", Value::Object(self.parameters())),
            ("uids", json!(self.uids)),
            ("groups", json!(self.groups)),
            ("random", json!(self.random)),
            ("random_seed", json!(self.random_seed)),
            ("max_failures", json!(self.max_failures)),
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
}
