//! Which front door a command line of `rille run` goes through: a jobfile, or an operation.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::Command;

use super::arguments::{NO_JOBFILE, has_option_of, part_arguments, run_position};
use super::jobfile;
use crate::script::{self, LuaFile};

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

/// The option by which a Lua file is an operation, whatever it holds.
const FORCED: &str = "--op";

/// Returns whether the words are plainly `rille run OPERATION …`: most are, and then nothing else of the command line has to
/// be known. [`door`] says the same of them.
pub(crate) fn names_operation(args: &[OsString]) -> bool {
    let [_, command, word, ..] = args else { return false };
    let is_option = word.as_encoded_bytes().starts_with(b"-");
    command == "run" && !is_option && !jobfile::is_jobfile(Path::new(word))
}

/// Looks at the words. A Lua file is a jobfile unless its text or the options say that it is a script; everything else that
/// is named, and nothing at all, is an operation. `operations` is the command line of operations.
pub(crate) fn door(cli: &Command, operations: &dyn Fn() -> Command, args: &[OsString]) -> Door {
    let Some(at) = run_position(cli, args) else { return Door::Job };
    let (own, handed_on) = part_arguments(cli, args.to_vec());
    let mut behind = own.iter().skip_while(|word| *word != "--").skip(1);
    let jobfile = behind.next();
    let words = &args[at + 1..];
    match jobfile {
        None if words.iter().any(|word| word == "--help" || word == "-h") => Door::Help,
        // An earlier run is gone on with.
        Some(jobfile) if jobfile == NO_JOBFILE => Door::Job,
        Some(jobfile) if jobfile::is_jobfile(Path::new(jobfile)) => {
            let is_forced = words.iter().take_while(|word| *word != jobfile).any(|word| word == FORCED);
            let for_operations = || {
                let is_flag = |word: &OsString| is_assignment(&word.to_string_lossy());
                handed_on.arguments.iter().any(is_flag) || has_option_of(&operations(), cli, words)
            };
            match is_forced || is_script(Path::new(jobfile), &for_operations) {
                true => Door::Operation,
                false => Door::Job,
            }
        }
        None | Some(_) => Door::Operation,
    }
}

/// Returns whether a Lua file is a script that is an operation. Where its text does not tell, the other words do.
fn is_script(file: &Path, for_operations: &dyn Fn() -> bool) -> bool {
    let is_named_so = file.extension().is_some_and(|extension| extension == "lua");
    // A pipe can be read only once.
    let text = Some(file).filter(|file| is_named_so && file.is_file()).and_then(|file| fs::read(file).ok());
    match text.map(|text| script::lua_file(&text)) {
        Some(LuaFile::Script) => true,
        Some(LuaFile::Unclear) => for_operations(),
        Some(LuaFile::Job) | None => false,
    }
}

/// Returns whether a word is `FLAG=VALUE`.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && !name.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    #[test]
    fn a_lua_file_is_a_job_and_the_rest_are_operations() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("job.lua", "function main() end"), ("plain.lua", "print(1)"), ("unclear.lua", "require 'common'")]
        {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let own = Command::new("run").arg(Arg::new("stage").long("stage").action(ArgAction::SetTrue));
        let operations = Command::new("rille").subcommand(own);
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
            ("rille run @/job.lua --stage lr=1", Door::Job),
            ("rille run --op @/job.lua", Door::Operation),
            ("rille run @/job.lua --op", Door::Job),
            ("rille run @/plain.lua", Door::Operation),
            ("rille run @/unclear.lua", Door::Job),
            ("rille run @/unclear.lua -j 2 --fast", Door::Job),
            ("rille run @/unclear.lua lr=1", Door::Operation),
            ("rille run @/unclear.lua --stage", Door::Operation),
            ("rille run @/unclear.lua -- --stage", Door::Job),
            ("rille run --stage @/missing.lua", Door::Job),
            ("rille run train --help", Door::Operation),
        ];
        for (line, door_of_line) in cases {
            let line = line.replace('@', dir.path().to_str().unwrap());
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let door = door(&cli, &|| operations.clone(), &words);
            assert!(!names_operation(&words) || door == Door::Operation, "{line}");
            assert_eq!(door, door_of_line, "{line}");
        }
        let is_plain = |line: &str| names_operation(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert!(is_plain("rille run train.py --stage"));
        assert!(!is_plain("rille run -") && !is_plain("rille run job.lua") && !is_plain("rille run"));
    }
}
