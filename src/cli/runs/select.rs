//! `rille runs select`: prints which run is meant, for other commands to take.

use clap::Args;
use serde_json::Value;

use super::columns::Column;
use super::compare;
use super::list::short_id;
use super::selection::{RunFilter, Unnamed, select_rows};
use crate::cli::Failure;
use crate::cli::output::write_out;
use crate::store::{self, Home, Lookup, RunRow};

/// Which run is selected, and what is printed of it.
#[derive(Args, Debug)]
pub(crate) struct SelectArgs {
    /// The runs to select from: ids, beginnings of ids, numbers of the list, ranges a:b [default: the newest run, or all
    /// with --min, --max and --all]
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Select the run with the smallest value: [min|max|first|last|avg|total|count] SCALAR [step], =FLAG or .ATTRIBUTE
    #[arg(long, value_name = "COLUMN", conflicts_with = "max")]
    min: Option<String>,
    /// Select the run with the largest value
    #[arg(long, value_name = "COLUMN")]
    max: Option<String>,
    /// Select all runs, one a line; with --min and --max in that order
    #[arg(long, short = 'A')]
    all: bool,
    /// Print the first eight characters of the id
    #[arg(long, short = 's')]
    short_id: bool,
    /// Print an attribute instead of the id
    #[arg(long, short = 'a', value_name = "NAME", conflicts_with = "short_id")]
    attr: Option<String>,
    /// Print the run directory instead of the id
    #[arg(long, short = 'p', visible_alias = "dir", conflicts_with_all = ["attr", "short_id"])]
    path: bool,
    #[command(flatten)]
    filter: RunFilter,
}

/// Prints the runs that are selected.
pub(crate) fn main(args: &SelectArgs, home: &Home) -> Result<i32, Failure> {
    let order = match (&args.min, &args.max) {
        (Some(column), _) => Some((Column::parse(column)?, column, false)),
        (None, Some(column)) => Some((Column::parse(column)?, column, true)),
        (None, None) => None,
    };
    let unnamed = if order.is_some() || args.all { Unnamed::All } else { Unnamed::Latest };
    let mut rows = select_rows(home, &args.runs, &args.filter, unnamed)?;
    if rows.is_empty() {
        return Err(
            Failure::general("no run is left to select from").hint("'rille runs --all' lists the runs there are.")
        );
    }
    if let Some((column, written, is_descending)) = order {
        let known = rows.len();
        rows.retain(|row| !column.value(row).is_null());
        if rows.is_empty() {
            let runs = if known == 1 { "the run has".to_owned() } else { format!("none of {known} runs has") };
            return Err(Failure::general(format!("{runs} a value of '{written}'"))
                .hint("'rille runs compare' shows the flags and scalars there are."));
        }
        compare::sort(&mut rows, &column, is_descending);
        rows.truncate(if args.all { usize::MAX } else { 1 });
    }
    let mut text = String::new();
    for row in &rows {
        text += &printed(args, row)?;
        text.push('\n');
    }
    write_out(&text)?;
    Ok(0)
}

/// Returns what is printed of a run.
fn printed(args: &SelectArgs, row: &RunRow) -> Result<String, Failure> {
    let info = &row.info;
    if let Some(name) = &args.attr {
        let value = row.attribute(name).map(std::borrow::Cow::into_owned);
        // What a list knows of a run is not all of it: flags and the like are files of their own.
        let value = value.or_else(|| store::attribute(&info.path, name)).ok_or_else(|| {
            Failure::general(format!("run {} has no attribute '{name}'", info.id))
                .hint(format!("'rille runs info {}' shows those it has.", short_id(&info.id)))
        })?;
        return match value {
            Value::Object(_) | Value::Array(_) => store::yaml(&value)
                .map(|text| text.trim_end().to_owned())
                .map_err(|error| Failure::general(format!("cannot show the attribute '{name}': {error}"))),
            value => Ok(super::list::shown(&value)),
        };
    }
    Ok(match (args.path, args.short_id) {
        (true, _) => info.path.to_string_lossy().into_owned(),
        (_, true) => short_id(&info.id),
        _ => info.id.clone(),
    })
}
