//! Rille runs experiments, tests and combinatorial walks from Lua jobfiles.

mod cli;
mod engine;
mod job;
mod model;
mod operation;
mod python_syntax;
mod report;
mod runner;
mod script;
mod store;
mod testing;
mod walk;

#[cfg(test)]
#[path = "../tests/harness/fuzz.rs"]
mod fuzz;
#[cfg(test)]
#[path = "../tests/harness/skipped.rs"]
mod skipped;

fn main() {
    end_by_panics();
    engine::begin_clean();
    let args: Vec<_> = std::env::args_os().collect();
    // A task process has one thing to do, and many of them are started: it skips the command line.
    let code = match args.get(1) {
        Some(role) if role == runner::KIND_ROLE => runner::kind_main(),
        Some(role) if role == engine::TASK_ROLE => runner::main(),
        Some(role) if role == runner::operation::OPERATION_ROLE => runner::operation::main(&args[2..]),
        _ if args.first().is_some_and(|name| runner::is_runner_name(name)) => {
            runner::main_as_runner(&args[0], &args[1..])
        }
        Some(command) if command == "runner" => runner::runner_main(&args[2..]),
        _ => cli::main(&args),
    };
    std::process::exit(code);
}

/// Has a panic of any thread end the process, whatever the profile: what is half done must not be gone on with, and a run
/// whose engine is gone would wait for ever.
fn end_by_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::abort();
    }));
}
