//! Covers: rows and seconds of the whole program, beside PICT's rows and the best that are known.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use super::figure::Figure;

/// A model: its parameters as `options^parameters`, the strength, PICT's rows with its defaults, the best rows known where
/// they are, and the most that five seconds may leave.
type Model = (&'static str, u32, u32, Option<u32>, Option<u32>);

const MODELS: [Model; 18] = [
    ("3^4", 2, 12, Some(9), None),
    ("3^10", 2, 19, Some(14), None),
    ("3^13", 2, 19, Some(15), None),
    ("5^10", 2, 45, Some(36), None),
    ("10^10", 2, 166, Some(115), None),
    ("10^20", 2, 213, Some(155), Some(180)),
    ("2^100", 2, 16, Some(10), Some(12)),
    ("4^100", 2, 57, None, Some(45)),
    ("4^15 3^17 2^29", 2, 38, Some(29), Some(32)),
    ("4^1 3^39 2^35", 2, 28, Some(21), Some(23)),
    ("3^10", 3, 67, Some(45), Some(50)),
    ("3^13", 3, 74, Some(45), Some(58)),
    ("3^20", 3, 92, Some(59), None),
    ("3^30", 3, 110, None, Some(90)),
    ("4^10", 3, 156, Some(100), None),
    ("5^10", 3, 308, Some(185), None),
    ("2^12", 4, 49, Some(24), Some(30)),
    ("3^10", 4, 231, Some(159), None),
];

/// Seconds of the budget.
const BUDGET: &str = "5";

/// Prints the table, and measures the rows against what they may be at most.
pub(crate) fn covers() -> io::Result<Vec<Figure>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let file = folder.path().join("model.txt");
    let mut figures = Vec::new();
    println!("| model | t | rows | with `budget = {BUDGET}` | PICT | best known |");
    println!("|---|---|---|---|---|---|");
    for (model, strength, pict, best, most) in MODELS {
        std::fs::write(&file, text(model))?;
        let (rows, seconds) = rows(&file, strength, None)?;
        let (fewer, longer) = rows_with_budget(&file, strength)?;
        let known = best.map_or_else(String::new, |best| best.to_string());
        println!("| {model} | {strength} | {rows} in {seconds:.2} s | {fewer} in {longer:.1} s | {pict} | {known} |");
        let name = format!("rows of {model} at t = {strength}");
        let at_most = f64::from(most.unwrap_or(pict));
        let measured = if most.is_some() { fewer } else { rows };
        let detail = format!("by default {rows}, with a budget {fewer}");
        figures.push(Figure::at_most(&name, f64::from(measured), at_most, "rows", detail));
    }
    Ok(figures)
}

fn rows_with_budget(file: &Path, strength: u32) -> io::Result<(u32, f64)> {
    rows(file, strength, Some(BUDGET))
}

/// Returns how many rows the program writes for a model, and the seconds it takes.
fn rows(file: &Path, strength: u32, budget: Option<&str>) -> io::Result<(u32, f64)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command.args(["walk", "--cover", &strength.to_string(), "--pict"]).arg(file);
    if let Some(budget) = budget {
        command.args(["--budget", budget]);
    }
    let begun = Instant::now();
    let output = command.output()?;
    let seconds = begun.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let lines = String::from_utf8_lossy(&output.stdout).lines().count();
    Ok((u32::try_from(lines.saturating_sub(1)).unwrap_or(u32::MAX), seconds))
}

/// Returns the model in PICT's language.
fn text(model: &str) -> String {
    let parts = model.split(' ').filter_map(|part| part.split_once('^'));
    let counts = parts.flat_map(|(options, many)| {
        let number = |text: &str| text.parse::<usize>().unwrap_or(1);
        std::iter::repeat_n(number(options), number(many))
    });
    let line = |(place, count): (usize, usize)| {
        let values: Vec<String> = (0..count).map(|value| value.to_string()).collect();
        format!("P{place}: {}\n", values.join(", "))
    };
    counts.enumerate().map(line).collect()
}
