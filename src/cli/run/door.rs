//! Which front door a command line of `rille run` goes through: a jobfile, or an operation.

use std::ffi::OsString;
use std::path::Path;

use clap::Command;

use super::arguments::{NO_JOBFILE, part_arguments, run_position};
use super::jobfile;

/// What `rille run` is about.
#[derive(Debug, PartialEq)]
pub(crate) enum Door {
    /// Another command, or a jobfile or testscript.
    Job,
    /// An operation.
    Operation,
    /// Nothing yet: its help is asked for.
    Help,
}

/// Returns whether the words are plainly `rille run OPERATION …`: most are, and then nothing else of the command line has to
/// be known. [`door`] says the same of them.
pub(crate) fn names_operation(args: &[OsString]) -> bool {
    let [_, command, word, ..] = args else { return false };
    let is_option = word.as_encoded_bytes().starts_with(b"-");
    command == "run" && !is_option && !jobfile::is_jobfile(Path::new(word))
}

/// Looks at the words. A Lua file is a jobfile; everything else that is named, and nothing at all, is an operation.
pub(crate) fn door(cli: &Command, args: &[OsString]) -> Door {
    let Some(at) = run_position(cli, args) else { return Door::Job };
    let (own, _) = part_arguments(cli, args.to_vec());
    let mut behind = own.iter().skip_while(|word| *word != "--").skip(1);
    let jobfile = behind.next();
    let asks_for_help = || args[at..].iter().any(|word| word == "--help" || word == "-h");
    match jobfile {
        None if asks_for_help() => Door::Help,
        // An earlier run is gone on with.
        Some(jobfile) if jobfile == NO_JOBFILE => Door::Job,
        Some(jobfile) if jobfile::is_jobfile(Path::new(jobfile)) => Door::Job,
        None | Some(_) => Door::Operation,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    #[test]
    fn a_lua_file_is_a_job_and_the_rest_are_operations() {
        let run = Command::new("run")
            .arg(Arg::new("jobs").short('j').long("jobs"))
            .arg(Arg::new("label").long("label"))
            .arg(Arg::new("verbose").short('v').long("verbose").action(ArgAction::Count))
            .arg(Arg::new("resume").long("resume"))
            .arg(Arg::new("jobfile"));
        let mut cli = Command::new("rille").arg(Arg::new("home").long("home").global(true)).subcommand(run);
        cli.build();
        let cases = [
            ("rille run job.lua lr=1", Door::Job),
            ("rille run -j 4 --own x job.lua", Door::Job),
            ("rille run --resume abc", Door::Job),
            ("rille runs", Door::Job),
            ("rille run", Door::Operation),
            ("rille --home h run train lr=1", Door::Operation),
            ("rille run m:train --stage", Door::Operation),
            ("rille run --start abc lr=1", Door::Operation),
            ("rille run --run-id abc lr=0.1", Door::Operation),
            ("rille run --label job.lua train", Door::Operation),
            ("rille run train.py", Door::Operation),
            ("rille run --help", Door::Help),
            ("rille run train --help", Door::Operation),
        ];
        for (line, door_of_line) in cases {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let door = door(&cli, &words);
            assert!(!names_operation(&words) || door == Door::Operation, "{line}");
            assert_eq!(door, door_of_line, "{line}");
        }
        let is_plain = |line: &str| names_operation(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert!(is_plain("rille run train.py --stage"));
        assert!(!is_plain("rille run -") && !is_plain("rille run job.lua") && !is_plain("rille run"));
    }
}
