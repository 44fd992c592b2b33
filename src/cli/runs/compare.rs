//! `rille runs compare`: flags, scalars and times of runs side by side, as a table, as CSV or as JSON.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde_json::{Map, Value};

use super::columns::{CORE, Column, Core, Source, Which, is_of_system};
use super::list::shown;
use super::selection::{RunFilter, Unnamed, select_rows};
use crate::cli::Failure;
use crate::cli::output::{one_line, terminal_width, write_bytes, write_json, write_out};
use crate::model::nearest;
use crate::store::{Home, Lookup, RunRow, ScalarRow};

/// Which runs are compared, by what, and how that is shown.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct CompareArgs {
    /// The runs: ids, beginnings of ids, numbers of the list, ranges a:b [default: all]
    #[arg(value_name = "RUN")]
    runs: Vec<String>,
    /// Show the lowest values of this column first
    #[arg(long, value_name = "COLUMN", conflicts_with = "max")]
    min: Option<String>,
    /// Show the highest values of this column first
    #[arg(long, value_name = "COLUMN")]
    max: Option<String>,
    /// Show only the first N runs
    #[arg(long, short = 'n', visible_alias = "top", value_name = "N")]
    limit: Option<usize>,
    /// Show the digest of the source code, too
    #[arg(long, short = 'e')]
    extra_cols: bool,
    /// Show the scalars of the system, too: sys/…
    #[arg(long, short = 's')]
    all_scalars: bool,
    /// Show these columns, too: COLUMN,COLUMN…, each [min|max|first|last|avg|total|count] SCALAR [step], =FLAG or .ATTRIBUTE,
    /// with [as NAME]
    #[arg(long = "cols", short = 'c', visible_alias = "columns", value_name = "COLUMNS")]
    cols: Vec<String>,
    /// Show the run and these columns only [Guild: -cc]
    #[arg(long, value_name = "COLUMNS", conflicts_with = "cols")]
    strict_cols: Vec<String>,
    /// Leave the columns out that the operations ask for
    #[arg(long, short = 'p')]
    skip_op_cols: bool,
    /// Leave operation, start, time, status and label out
    #[arg(long, short = 'r')]
    skip_core: bool,
    /// Leave columns out in which all runs are the same
    #[arg(long, short = 'u')]
    skip_unchanged: bool,
    /// Compare batches, too: runs of Guild that have only started others
    #[arg(long)]
    include_batch: bool,
    /// Write all scalars of each run with their last values instead
    #[arg(long, conflicts_with_all = ["csv", "json", "table"])]
    print_scalars: bool,
    /// Guild's other viewers.
    #[arg(long, hide = true, value_parser = no_tool)]
    tool: Option<String>,
    /// Show a table (the default)
    #[arg(long, short = 't', conflicts_with_all = ["csv", "json"])]
    table: bool,
    /// Write CSV to this file; - for standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", conflicts_with = "json")]
    csv: Option<PathBuf>,
    /// Write JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    filter: RunFilter,
}

/// A column as it is shown: several of one name are one, of which the first that has a value shows it.
struct Shown {
    heading: String,
    columns: Vec<Column>,
}

impl Shown {
    fn value(&self, row: &RunRow) -> Value {
        self.columns.iter().map(|column| column.value(row)).find(|value| !value.is_null()).unwrap_or_default()
    }
}

/// Compares runs.
pub(crate) fn main(args: &CompareArgs, home: &Home) -> Result<i32, Failure> {
    let mut rows = select_rows(home, &args.runs, &args.filter, Unnamed::All)?;
    if !args.include_batch {
        rows.retain(|row| !is_batch(row));
    }
    if args.print_scalars {
        write_out(&rows.iter().take(args.limit.unwrap_or(usize::MAX)).map(all_scalars).collect::<String>())?;
        return Ok(0);
    }
    let mut shown = merged(columns(args, &rows)?);
    match (&args.min, &args.max) {
        (Some(by), _) => sort(&mut rows, &order_column(by, &shown)?, false),
        (None, Some(by)) => sort(&mut rows, &order_column(by, &shown)?, true),
        (None, None) => {}
    }
    rows.truncate(args.limit.unwrap_or(usize::MAX));
    let mut cells: Vec<Vec<Value>> =
        rows.iter().map(|row| shown.iter().map(|column| column.value(row)).collect()).collect();
    if args.skip_unchanged && rows.len() > 1 {
        drop_unchanged(&mut shown, &mut cells);
    }
    if let Some(path) = &args.csv {
        return write_csv(path, &shown, &cells).map(|()| 0);
    }
    if args.json {
        let objects: Vec<Map<String, Value>> =
            rows.iter().zip(&cells).map(|(row, cells)| object(row, &shown, cells)).collect();
        write_json(&objects)?;
        return Ok(0);
    }
    if rows.is_empty() {
        eprintln!("no runs");
        return Ok(0);
    }
    write_out(&table(&shown, &cells))?;
    Ok(0)
}

fn no_tool(tool: &str) -> Result<String, String> {
    Err(format!("rille does not show runs in '{tool}'; write a file for it with --csv FILE"))
}

/// Returns whether a run of Guild has only started others: it has the prototype of them.
fn is_batch(row: &RunRow) -> bool {
    row.info.path.join(".guild/proto").symlink_metadata().is_ok()
}

/// Returns the scalars of a run, a line each, in the form of Guild.
fn all_scalars(row: &RunRow) -> String {
    let id: String = row.info.id.chars().take(8).collect();
    let mut text = one_line(&format!("[{id}] {}", row.info.operation.as_deref().unwrap_or("?"))) + "\n";
    for scalar in row.scalars() {
        let (value, step) = scalar.last;
        text += &one_line(&format!("  {}: {value:.6} (step {step})", scalar.full_name()));
        text.push('\n');
    }
    text
}

/// Returns the columns in the order they are shown in.
fn columns(args: &CompareArgs, rows: &[RunRow]) -> Result<Vec<Column>, Failure> {
    let run = Column::new("run", Source::Core(Core::Run));
    let asked = |lists: &[String]| -> Result<Vec<Column>, Failure> {
        Ok(lists.iter().map(|list| Column::parse_list(list)).collect::<Result<Vec<_>, _>>()?.concat())
    };
    if !args.strict_cols.is_empty() {
        return Ok([vec![run], asked(&args.strict_cols)?].concat());
    }
    let mut columns = vec![run];
    if !args.skip_core {
        columns.extend(CORE[1..].iter().map(|(name, core)| Column::new(name, Source::Core(*core))));
    }
    if args.extra_cols {
        columns.push(Column::new("sourcecode", Source::Core(Core::SourceCode)));
    }
    // The columns that an operation asks for are shown in the place of all its flags and scalars.
    let asks = |row: &RunRow| {
        let asked = row.attribute("compare")?;
        let specs = asked.as_array()?.iter().filter_map(Value::as_str);
        // One that makes no sense was told of when the run was made.
        Some(specs.filter_map(|spec| Column::parse(spec).ok()).collect::<Vec<_>>())
    };
    let mut of_operations = Vec::new();
    let mut flags: BTreeSet<&String> = BTreeSet::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for row in rows {
        match asks(row) {
            Some(_) if args.skip_op_cols => flags.extend(row.flags().keys()),
            Some(asked) => of_operations.extend(asked),
            None => {
                flags.extend(row.flags().keys());
                let shown = row.scalars().iter().filter(|scalar| args.all_scalars || !is_of_system(scalar));
                names.extend(shown.map(ScalarRow::full_name));
            }
        }
    }
    columns.extend(flags.into_iter().map(|name| Column::new(name, Source::Flag(name.clone()))));
    if !names.is_empty() {
        columns.push(Column::new("step", Source::Step));
    }
    columns.extend(names.into_iter().map(|name| Column::new(&name, Source::Scalar(Which::Last, name.clone(), false))));
    columns.extend(of_operations);
    columns.extend(asked(&args.cols)?);
    Ok(columns)
}

/// Puts columns of one name together.
fn merged(columns: Vec<Column>) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for column in columns {
        match shown.iter_mut().find(|shown| shown.heading == column.heading) {
            Some(same) if same.columns.contains(&column) => {}
            Some(same) => same.columns.push(column),
            None => shown.push(Shown { heading: column.heading.clone(), columns: vec![column] }),
        }
    }
    shown
}

/// Returns the column that runs are ordered by: one that is shown, or another.
fn order_column(by: &str, shown: &[Shown]) -> Result<Column, Failure> {
    let known = shown.iter().find(|shown| shown.heading == by).and_then(|shown| shown.columns.first());
    if let Some(column) = known {
        return Ok(column.clone());
    }
    let column = Column::parse(by)?;
    let headings = shown.iter().map(|shown| shown.heading.as_str());
    match nearest(by, headings) {
        Some(near) if column.heading == by => {
            Err(Failure::usage(format!("there is no column '{by}'")).hint(format!("did you mean '{near}'?")))
        }
        _ => Ok(column),
    }
}

/// Orders runs by a column; those without a value come last, and equal ones stay as they are.
pub(super) fn sort(rows: &mut [RunRow], column: &Column, is_descending: bool) {
    rows.sort_by(|one, other| {
        let (a, b) = (column.value(one), column.value(other));
        let directed = |order: Ordering| if is_descending { order.reverse() } else { order };
        match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => match (column.number(one), column.number(other)) {
                (Some(a), Some(b)) => directed(a.total_cmp(&b)),
                // What is no number comes behind those that are.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => directed(shown(&a).cmp(&shown(&b))),
            },
        }
    });
}

fn drop_unchanged(shown: &mut Vec<Shown>, cells: &mut [Vec<Value>]) {
    let changes: Vec<bool> =
        (0..shown.len()).map(|column| column == 0 || cells.iter().any(|row| row[column] != cells[0][column])).collect();
    let keep = |index: &mut usize| {
        *index += 1;
        changes[*index - 1]
    };
    let mut index = 0;
    shown.retain(|_| keep(&mut index));
    for row in cells {
        let mut index = 0;
        row.retain(|_| keep(&mut index));
    }
}

fn write_csv(path: &Path, shown_columns: &[Shown], cells: &[Vec<Value>]) -> Result<(), Failure> {
    let wrong = |error: csv::Error| Failure::general(format!("cannot write {}: {error}", path.display()));
    let write = |to: &mut dyn io::Write| -> Result<(), csv::Error> {
        let mut writer = csv::Writer::from_writer(to);
        writer.write_record(shown_columns.iter().map(|column| &column.heading))?;
        for row in cells {
            writer.write_record(row.iter().map(shown))?;
        }
        Ok(writer.flush()?)
    };
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        write(&mut bytes).map_err(wrong)?;
        return write_bytes(&bytes);
    }
    File::create(path).map_err(csv::Error::from).and_then(|mut file| write(&mut file)).map_err(wrong)?;
    let runs = if cells.len() == 1 { "1 run".to_owned() } else { format!("{} runs", cells.len()) };
    eprintln!("{runs} written to {}", path.display());
    Ok(())
}

fn object(row: &RunRow, shown: &[Shown], cells: &[Value]) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("id".to_owned(), row.info.id.clone().into());
    for (column, cell) in shown.iter().zip(cells) {
        object.insert(column.heading.clone(), cell.clone());
    }
    object
}

fn table(shown: &[Shown], cells: &[Vec<Value>]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    if let Some(width) = terminal_width().and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(shown.iter().map(|column| one_line(&column.heading)));
    for row in cells {
        table.add_row(row.iter().map(|value| one_line(&readable(value))));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let is_number = cells.iter().all(|row| row[index].is_number() || row[index].is_null());
        if is_number && cells.iter().any(|row| row[index].is_number()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Returns the text of a cell for reading: numbers with six digits, as floats of single precision have no more.
fn readable(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) if number != 0.0 && number.is_finite() => {
            let magnitude = number.abs().log10().floor();
            if !(-5.0..15.0).contains(&magnitude) {
                return format!("{number:.5e}");
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 10")]
            let digits = (5.0 - magnitude).clamp(0.0, 10.0) as usize;
            let text = format!("{number:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
        _ => shown(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_shown_for_reading() {
        let cases = [
            (json!(0.400_000_005_960_464_5), "0.4"),
            (json!(1234.5678), "1234.57"),
            (json!(0.000_012_345_67), "0.0000123457"),
            (json!(1e-9), "1.00000e-9"),
            (json!(3), "3"),
            (json!(0.0), "0.0"),
            (json!("x"), "x"),
            (json!(null), ""),
            (json!(123_456_789.0), "123456789"),
        ];
        for (value, text) in cases {
            assert_eq!(readable(&value), text, "{value}");
        }
    }
}
