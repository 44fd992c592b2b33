//! `rille list`: the tests that references stand for, without running them.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::output::{one_line, table, terminal_width, write_json, write_out};
use super::references::{ReferenceArgs, Selected, VariantArgs, select};
use crate::model::exit_code;
use crate::testing::{Found, Test};

/// Lists tests.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    references: ReferenceArgs,
    #[command(flatten)]
    variants: VariantArgs,
    /// Show the uri of each test as well, and why other references are no tests
    #[arg(long, short)]
    verbose: bool,
    /// Write JSON: a list of objects
    #[arg(long, conflicts_with = "verbose")]
    json: bool,
    /// Write each test to a recipe in this folder, as 1.json, 2.json, …
    #[arg(long, visible_alias = "write-recipes-to-directory", value_name = "DIR")]
    write_recipes: Option<PathBuf>,
}

/// Runs the command and returns the exit code: 4 if there is no test.
pub(crate) fn main(args: &ListArgs) -> Result<i32, Failure> {
    let selected = select(&args.references, &args.variants, Path::new("."), 1)?;
    if let Some(folder) = &args.write_recipes {
        write_recipes(folder, &selected.tests)?;
    }
    match args.json {
        true => write_json(&selected.tests.iter().map(row).collect::<Vec<Value>>())?,
        false => write_table(&selected.tests, args.verbose)?,
    }
    if args.verbose {
        tell_others(&selected);
    }
    if selected.tests.is_empty() {
        match selected.count {
            0 => eprintln!("no tests"),
            count => eprintln!("no tests are left by the filters, of {count}"),
        }
        return Ok(exit_code::NOTHING);
    }
    Ok(0)
}

fn row(test: &Test) -> Value {
    let runnable = &test.runnable;
    json!({
        "kind": runnable.kind,
        "name": runnable.name(),
        "variant": runnable.variant_id(),
        "uri": runnable.uri,
        "resolver": test.resolver,
        "reference": test.reference,
        "tags": runnable.tags,
        "recipe": Value::from(runnable.clone()),
    })
}

fn write_table(tests: &[Test], is_verbose: bool) -> Result<(), Failure> {
    if tests.is_empty() {
        return Ok(());
    }
    let uri = |test: &Test| if is_verbose { test.runnable.uri.clone().unwrap_or_default() } else { String::new() };
    let row = |test: &Test| {
        let variant = test.runnable.variant_id().map_or_else(String::new, |id| format!(";{id}"));
        let name = test.runnable.name() + &variant;
        [test.runnable.kind.clone(), name, test.resolver.to_owned(), tags(test), uri(test)].map(|cell| one_line(&cell))
    };
    let uri_title = if is_verbose { "URI" } else { "" };
    let mut rows = vec![["KIND", "NAME", "RESOLVER", "TAGS", uri_title].map(str::to_owned)];
    rows.extend(tests.iter().map(row));
    let lines = table(&rows, terminal_width()).into_iter().map(|line| line + "\n");
    write_out(&lines.collect::<String>())
}

/// Returns the tags of a test as they are written in docstrings.
fn tags(test: &Test) -> String {
    let mut tags = Vec::new();
    for (name, values) in &test.runnable.tags {
        match values.as_array() {
            Some(values) => {
                tags.extend(values.iter().filter_map(Value::as_str).map(|value| format!("{name}:{value}")));
            }
            None => tags.push(name.clone()),
        }
    }
    tags.join(",")
}

/// Tells on standard error which references are no tests, and why.
fn tell_others(selected: &Selected) {
    for resolution in &selected.resolutions {
        match &resolution.found {
            Found::Nothing(unresolved) => eprintln!("no test: {}:{unresolved}", one_line(&resolution.reference)),
            Found::Corrupt { .. } | Found::Tests { .. } => {}
        }
    }
}

fn write_recipes(folder: &Path, tests: &[Test]) -> Result<(), Failure> {
    let failed =
        |path: &Path, error: std::io::Error| Failure::general(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let digits = tests.len().to_string().len();
    for (number, test) in (1..).zip(tests) {
        let path = folder.join(format!("{number:0digits$}.json"));
        let recipe = Value::from(test.runnable.clone());
        fs::write(&path, format!("{recipe:#}\n")).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}
