//! What Rille costs, each figure as a ratio that is measured within one run: `cargo bench`, or `cargo bench -- NAME…`.
//!
//! Every figure starts the release binary on a jobfile of its own, with its own `RILLE_HOME`, and compares it with what
//! the same work costs without Rille: short batches of either by turns, after a warm-up, so that a machine that is busy
//! with something else slows both. A figure is the median of the ratios of neighbouring batches. A floor that is missed
//! is printed as `SHORT` and is not a failure of the benchmark: it reports, it does not judge.

mod bare;
mod batch;
mod covers;
mod crowd;
mod figure;
mod flags;
mod frameworks;
mod ground;
mod leaks;
mod messages;
mod operation;
mod output;
mod per_task;
mod reports;
mod runner;
mod runs;
mod sections;
mod session;
mod synchro;
mod testing;
mod walks;
mod whole;

use std::io;
use std::process::ExitCode;

use self::figure::Figure;

/// A group of figures: its name on the command line, and what measures it.
type Group = (&'static str, fn() -> io::Result<Vec<Figure>>);

const GROUPS: [Group; 22] = [
    ("sequential", per_task::sequential),
    ("parallel", per_task::parallel),
    ("lua", per_task::lua),
    ("process", whole::process),
    ("operation", operation::operation),
    ("batch", batch::batch),
    ("flags", flags::flags),
    ("output", output::output),
    ("messages", messages::messages),
    ("leaks", leaks::leaks),
    ("crowd", crowd::crowd),
    ("synchro", synchro::synchro),
    ("reports", reports::reports),
    ("sections", sections::sections),
    ("runner", runner::runner),
    ("testing", testing::testing),
    ("tap", frameworks::tap),
    ("pytest", frameworks::pytest),
    ("walks", walks::walks),
    ("covers", covers::covers),
    ("runs", runs::runs),
    ("many-runs", runs::many_runs),
];

fn main() -> ExitCode {
    // Cargo adds options of its own, such as --bench.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if let Some(unknown) = wanted.iter().find(|wanted| GROUPS.iter().all(|(name, _)| name != wanted)) {
        let names: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no figure '{unknown}'; there are: {}", names.join(" "));
        return ExitCode::from(2);
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let files = match ground::choose() {
        Ok(kind) => kind,
        Err(error) => {
            eprintln!("there is no place for the files of the benchmarks: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{cores} cores, load {}, {}, files on {files}", figure::load(), env!("CARGO_BIN_EXE_rille"));
    let mut code = ExitCode::SUCCESS;
    for (name, measure) in GROUPS.into_iter().filter(|(name, _)| is_wanted(name)) {
        match measure() {
            Ok(figures) => figures.iter().for_each(|figure| println!("{figure}")),
            Err(error) => {
                eprintln!("{name}: could not be measured: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}
