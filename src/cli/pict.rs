//! `rille walk --pict FILE`: the rows of a cover for a model of PICT, `CTWedge` or ACTS, as PICT writes them or as JSON.

use std::convert::Infallible;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::Failure;
use super::near::near_file;
use crate::walk::cover::{self, Constraints, Patience, Rows};
use crate::walk::model::Model;

/// How many looks at a combination a second of a budget stands for, as in a suite.
const LOOKS: f64 = 1e8;

/// How long a cover may take before what is not covered is left.
const LONGEST: Duration = Duration::from_mins(1);

/// How the rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line of names, then a line for each row, with tabs
    Tsv,
    /// A list of objects
    Json,
}

/// What is said of a model.
#[derive(Args, Debug)]
pub(super) struct PictArgs {
    /// Write the rows of a cover for this model of PICT, CTWedge or ACTS, and run nothing
    #[expect(clippy::doc_markdown, reason = "it is a help text")]
    #[arg(long, value_name = "FILE", conflicts_with = "suite")]
    pub(super) pict: Option<PathBuf>,
    /// How the rows are written
    #[arg(long, value_enum, default_value_t = Format::Tsv, requires = "pict")]
    format: Format,
    /// Rows that are to be among them: a file as the rows are written, in which fields may be empty
    #[arg(long, value_name = "FILE", requires = "pict")]
    seed_rows: Option<PathBuf>,
    /// Spend so many seconds on fewer rows
    #[arg(long, value_name = "SECONDS", value_parser = super::walk::seconds, requires = "pict")]
    budget: Option<f64>,
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        let failure = Failure::usage(format!("cannot read {}: {error}", path.display()));
        near_file(path).into_iter().fold(failure, |failure, near| failure.hint(format!("did you mean '{near}'?")))
    })?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{} is not in UTF-8", path.display())))
}

/// Writes the rows and returns the exit code.
pub(super) fn main(path: &Path, args: &PictArgs, strength: Option<u32>, seed: Option<i64>) -> Result<i32, Failure> {
    let text = read(path)?;
    let model = Model::read(&text).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let mut warnings: Vec<String> =
        model.warnings.iter().map(|(line, text)| format!("{}: line {line}: {text}", path.display())).collect();
    let mut seed_rows = Vec::new();
    if let Some(path) = &args.seed_rows {
        let (rows, odd) = model.seed_rows(&read(path)?);
        warnings.extend(odd.iter().map(|(line, text)| format!("{}: line {line}: {text}", path.display())));
        seed_rows = rows;
    }
    let strength = strength.map_or(2, |strength| strength as usize);
    let made = rows(&model, args.budget, strength, seed.unwrap_or_default(), seed_rows)
        .map_err(|error| Failure::usage(format!("{}: {}", path.display(), named(&model, &error.to_string()))))?;
    warnings.extend(told(&model, &made, args.budget));
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
    let names: Vec<&str> = model.parameters.iter().map(|own| own.name.as_str()).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out, args.format, &names, &model.named(&made.rows)).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::usage(format!("cannot write the rows: {error}")))
        }
        _ => Ok(0),
    }
}

fn rows(
    model: &Model,
    budget: Option<f64>,
    strength: usize,
    seed: i64,
    seed_rows: Vec<Vec<Option<u32>>>,
) -> Result<Rows, cover::Error<Infallible>> {
    let begun = Instant::now();
    let factors = model.factors(strength, seed.cast_unsigned(), seed_rows);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let most = budget.map_or(0, |budget| (budget * LOOKS) as u64);
    let is_late = || budget.is_some_and(|budget| begun.elapsed().as_secs_f64() >= budget);
    let mut constraints = Constraints { clauses: model.clauses.clone(), ask: None };
    let mut patience = Patience {
        keep_going: &mut |looks, _| looks < most && !is_late(),
        give_up: &mut || begun.elapsed() > LONGEST && (budget.is_none() || is_late()),
    };
    cover::rows(&factors, &mut constraints, &mut patience)
}

/// Says what users should know of the rows.
fn told(model: &Model, made: &Rows, budget: Option<f64>) -> Vec<String> {
    let mut told = Vec::new();
    for (place, value) in &made.impossible {
        let own = &model.parameters[*place];
        let name = &own.values[*value as usize].names[0];
        told.push(format!("no row that the constraints allow has the value '{name}' of '{}'", own.name));
    }
    for warning in &made.warnings {
        told.push(format!("row {} of the seed was left out", warning.row() + 1));
    }
    if made.left > 0 {
        told.push(format!("the rows are not complete: {} combinations are in none of them", made.left));
    }
    if budget.is_some() {
        told.push(format!("{} rows; without a budget {}", made.rows.len(), made.at_first));
    }
    told
}

fn write(out: &mut dyn Write, format: Format, names: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    match format {
        Format::Tsv => {
            writeln!(out, "{}", names.join("\t"))?;
            rows.iter().try_for_each(|row| writeln!(out, "{}", row.join("\t")))
        }
        Format::Json => {
            let object = |row: &Vec<String>| -> serde_json::Map<String, serde_json::Value> {
                names.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect()
            };
            let list: Vec<_> = rows.iter().map(object).collect();
            serde_json::to_writer_pretty(&mut *out, &list)?;
            writeln!(out)
        }
    }
}

/// Puts the names of parameters in the place of the numbers of actions.
fn named(model: &Model, text: &str) -> String {
    let mut text = text.to_owned();
    for (number, own) in model.parameters.iter().enumerate().rev() {
        text = text.replace(&format!("action {number} "), &format!("parameter '{}' ", own.name));
    }
    text
}
