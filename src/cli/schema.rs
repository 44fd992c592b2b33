//! `rille schema`: prints the JSON Schema of a file that Rille writes or reads.

use clap::{Args, ValueEnum};

use super::Failure;
use super::output::write_json;
use crate::report;

/// Prints a JSON Schema.
#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Of which file
    #[arg(value_enum)]
    of: Document,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Document {
    /// results.json of a run
    Results,
    /// rille.toml, the settings
    Config,
    /// A recipe: what can be run, or a list of that
    Recipe,
}

/// Runs the command and returns the exit code.
pub(crate) fn main(args: &SchemaArgs) -> Result<i32, Failure> {
    match args.of {
        Document::Results => write_json(&report::schema())?,
        Document::Config => write_json(&super::config::schema())?,
        Document::Recipe => write_json(&crate::model::recipe_schema())?,
    }
    Ok(0)
}
