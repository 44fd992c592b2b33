//! What `-h` shows: a page of a command, with the options that most people want. `--help` shows all of it.

use clap::Command;

/// The options of the commands that have more than a page of them.
const PAGES: [(&[&str], &[&str]); 8] = [
    (&["config", "show"], &["json", "config"]),
    (&["run"], &RUN),
    (
        &["test"],
        &[
            "filter-by-tags",
            "filter",
            "test-parameter",
            "variants",
            "dry-run",
            "failfast",
            "jobs",
            "quiet",
            "verbose",
            "junit",
            "html",
        ],
    ),
    (
        &["walk"],
        &[
            "workers", "cover", "shard", "sample", "seed", "list", "resume", "shrink", "log-dir", "label", "quiet",
            "verbose", "junit", "html",
        ],
    ),
    (&["replay"], &["failed", "step", "jobs", "retries", "label", "quiet", "verbose", "junit", "html"]),
    (&["runs"], &["all", "limit", "filter"]),
    (
        &["runs", "list"],
        &[
            "json",
            "all",
            "more",
            "limit",
            "deleted",
            "archive",
            "simplified",
            "verbose",
            "comments",
            "filter",
            "started",
            "operation",
            "label",
            "tag",
            "marked",
        ],
    ),
    (&["list"], &["filter-by-tags", "filter", "variants", "json", "verbose"]),
];

/// The options of `rille run` for jobfiles.
const RUN: [&str; 9] = ["testbed", "taskid", "rerun", "param", "uids", "jobs", "quiet", "verbose", "junit"];

/// The options of `rille run` for operations.
const OPERATIONS: [&str; 15] = [
    "yes",
    "quiet",
    "stage",
    "start",
    "proto",
    "needed",
    "background",
    "print-cmd",
    "help-op",
    "edit-flags",
    "force-flags",
    "label",
    "tag",
    "run-dir",
    "gpus",
];

/// The heading of the options by which runs are chosen.
const FILTERS: &str = "Filters";

/// Stands at the end of a page.
const MORE: &str = "These are the most used; --help shows all options.";

/// Lets `-h` show a page of each command.
pub(super) fn pages(command: Command) -> Command {
    // Nearly all of them choose runs, by the same many options.
    let command = command.mut_subcommand("runs", |runs| runs.mut_subcommands(fold_filters));
    PAGES.iter().fold(command, |command, (path, shown)| at(command, path, shown))
}

/// The same for the command line of operations.
pub(super) fn operation_pages(command: Command) -> Command {
    at(command, &["run"], &OPERATIONS)
}

fn at(command: Command, path: &[&str], shown: &[&str]) -> Command {
    match path.split_first() {
        Some((first, rest)) if command.find_subcommand(first).is_some() => {
            command.mut_subcommand(first, |command| at(command, rest, shown))
        }
        Some(_) => command,
        None => page(command, shown),
    }
}

/// Lets the page of a command have only one of the options by which runs are chosen: the one that can say all.
fn fold_filters(command: Command) -> Command {
    let is_folded = |arg: &clap::Arg| arg.get_help_heading() == Some(FILTERS) && arg.get_long() != Some("filter");
    if !command.get_arguments().any(is_folded) {
        return command;
    }
    let command = command.mut_args(|arg| {
        let is_folded = is_folded(&arg);
        arg.hide_short_help(is_folded)
    });
    with_more(command)
}

fn page(command: Command, shown: &[&str]) -> Command {
    with_more(command.mut_args(|arg| {
        let is_shown = arg.is_positional() || arg.get_long().is_some_and(|name| shown.contains(&name));
        arg.hide_short_help(!is_shown)
    }))
}

/// Puts the note that there is more below a page, in the place of what is only below the long help then.
fn with_more(command: Command) -> Command {
    let all = command.get_after_long_help().or(command.get_after_help()).cloned();
    let command = command.after_help(MORE);
    match all {
        Some(all) => command.after_long_help(all),
        None => command.after_long_help(""),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// Lines that a page has, in a terminal of 80 columns.
    const PAGE: usize = 50;

    fn check(command: &mut Command, path: &str) {
        let short = command.clone().term_width(80).render_help().to_string();
        assert!(short.lines().count() <= PAGE, "{path} -h has {} lines:\n{short}", short.lines().count());
        let long = command.clone().term_width(80).render_long_help().to_string();
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let Some(name) = arg.get_long() else { continue };
            assert!(long.contains(&format!("--{name}")), "{path} --help does not have --{name}");
        }
        let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in names.iter().filter(|name| *name != "help") {
            check(command.find_subcommand_mut(name).unwrap(), &format!("{path} {name}"));
        }
    }

    #[test]
    fn short_help_is_a_page_of_every_command_and_long_help_has_every_option() {
        let mut command = pages(Cli::command());
        command.build();
        check(&mut command, "rille");
        check(&mut crate::cli::run::operation_command(), "rille run OPERATION:");
    }

    #[test]
    fn every_option_that_a_page_names_is_one() {
        let commands = PAGES.iter().map(|(path, shown)| (pages(Cli::command()), *path, *shown));
        let operations = (crate::cli::run::operation_command(), &["run"][..], &OPERATIONS[..]);
        for (mut command, path, shown) in commands.chain([operations]) {
            command.build();
            let command = path.iter().fold(&command, |command, name| command.find_subcommand(name).unwrap());
            for name in shown {
                assert!(command.get_arguments().any(|arg| arg.get_long() == Some(name)), "{path:?} has no --{name}");
            }
        }
    }
}
