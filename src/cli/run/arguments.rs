//! Parting the command line of `rille run`: what is rille's own, and what is handed on to the jobfile.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use crate::model::nearest;

/// What stands in the place of the jobfile where none is named.
pub(super) const NO_JOBFILE: &str = "-";

/// What the launcher hands on.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct HandedOn {
    /// The arguments, in their order.
    pub(crate) arguments: Vec<OsString>,
    /// What looks like a slip in one of rille's own options: the word, and the option that may be meant.
    pub(crate) slips: Vec<(String, String)>,
    /// The whole command line, where it is not the one that was typed: a run is gone on with, or repeated.
    pub(crate) command: Option<Vec<OsString>>,
}

/// Parts a command line. Own options are taken wherever they stand before `--`; every other one is handed on. Of a command
/// other than `run` everything is its own.
pub(crate) fn part_arguments(cli: &Command, args: Vec<OsString>) -> (Vec<OsString>, HandedOn) {
    let Some(options) = Options::of_run(cli) else { return (args, HandedOn::default()) };
    let Some(at) = options.run_position(&args) else { return (args, HandedOn::default()) };
    let mut own: Vec<OsString> = args[..=at].to_vec();
    let mut rest: Vec<Rest> = Vec::new();
    let mut words = args[at + 1..].iter().peekable();
    let mut after_dashes = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            after_dashes = words.cloned().collect();
            break;
        }
        match options.takes(word) {
            Takes::No => rest.push(Rest { word: word.clone(), is_option: is_option(word) }),
            Takes::Alone => own.push(word.clone()),
            Takes::WithValue => {
                own.push(word.clone());
                own.extend(words.next().cloned());
            }
        }
    }
    // An earlier run has its jobfile, so that none has to be named.
    let recalls = own.iter().any(recalls);
    let jobfile = jobfile_position(&rest, recalls).map(|at| rest.remove(at).word);
    let jobfile = match jobfile {
        None if recalls => Some(OsString::from(NO_JOBFILE)),
        None => (!after_dashes.is_empty()).then(|| after_dashes.remove(0)),
        jobfile => jobfile,
    };
    if let Some(jobfile) = jobfile {
        own.push("--".into());
        own.push(jobfile);
    }
    let slips = rest.iter().filter_map(|rest| options.slip(&rest.word)).collect();
    let arguments = rest.into_iter().map(|rest| rest.word).chain(after_dashes).collect();
    (own, HandedOn { arguments, slips, command: None })
}

struct Rest {
    word: OsString,
    is_option: bool,
}

/// Returns where `run` stands, if it is the command.
pub(super) fn run_position(cli: &Command, args: &[OsString]) -> Option<usize> {
    Options::of_run(cli)?.run_position(args)
}

/// Returns whether there is an option among the words of `run` that `cli` does not know and `other` does.
pub(super) fn has_option_of(other: &Command, cli: &Command, words: &[OsString]) -> bool {
    let (Some(own), Some(others)) = (Options::of_run(cli), Options::of_run(other)) else { return false };
    let mut words = words.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        match own.takes(word) {
            Takes::No if others.takes(word) != Takes::No => return true,
            Takes::WithValue => drop(words.next()),
            Takes::No | Takes::Alone => {}
        }
    }
    false
}

/// Returns whether a word is an option that names an earlier run.
fn recalls(word: &OsString) -> bool {
    let name = word.as_encoded_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
    name == b"--resume" || name == b"--rerun"
}

/// Returns which word is the jobfile: the first that is no option and cannot be the value of one that is handed on; if
/// there is none, and there must be one, the first that is no option.
fn jobfile_position(rest: &[Rest], is_optional: bool) -> Option<usize> {
    let is_value =
        |at: usize| at > 0 && rest[at - 1].is_option && !rest[at - 1].word.as_encoded_bytes().contains(&b'=');
    let plain = || (0..rest.len()).filter(|at| !rest[*at].is_option);
    plain().find(|at| !is_value(*at)).or_else(|| plain().next().filter(|_| !is_optional))
}

fn is_option(word: &OsStr) -> bool {
    word.len() > 1 && word.as_encoded_bytes().starts_with(b"-")
}

#[derive(Debug, PartialEq)]
enum Takes {
    No,
    Alone,
    WithValue,
}

struct Options<'a> {
    arguments: Vec<&'a Arg>,
}

impl<'a> Options<'a> {
    fn of_run(cli: &'a Command) -> Option<Self> {
        let run = cli.find_subcommand("run")?;
        Some(Options { arguments: cli.get_arguments().chain(run.get_arguments()).collect() })
    }

    fn run_position(&self, args: &[OsString]) -> Option<usize> {
        let mut at = 1;
        loop {
            let word = args.get(at)?;
            match self.takes(word) {
                Takes::WithValue => at += 2,
                Takes::Alone => at += 1,
                Takes::No => return (word == "run").then_some(at),
            }
        }
    }

    fn takes(&self, word: &OsStr) -> Takes {
        let Some(word) = word.to_str() else { return Takes::No };
        if let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            return match self.arguments.iter().find(|arg| arg.get_long() == Some(name)) {
                None => Takes::No,
                Some(arg) if value.is_none() && takes_value(arg) => Takes::WithValue,
                Some(_) => Takes::Alone,
            };
        }
        match word.strip_prefix('-') {
            Some(cluster) if !cluster.is_empty() => self.takes_cluster(cluster),
            _ => Takes::No,
        }
    }

    /// Looks at `-qq`, `-j4`, `-j 4`.
    fn takes_cluster(&self, cluster: &str) -> Takes {
        for (at, letter) in cluster.char_indices() {
            match self.arguments.iter().find(|arg| arg.get_short() == Some(letter)) {
                None => return Takes::No,
                Some(arg) if takes_value(arg) => {
                    let has_value = at + letter.len_utf8() < cluster.len();
                    return if has_value { Takes::Alone } else { Takes::WithValue };
                }
                Some(_) => {}
            }
        }
        Takes::Alone
    }

    fn slip(&self, word: &OsStr) -> Option<(String, String)> {
        let word = word.to_str()?;
        let name = word.strip_prefix("--")?.split('=').next()?;
        let near = nearest(&name.to_lowercase(), self.arguments.iter().filter_map(|arg| arg.get_long()));
        // One that differs in the case alone is the same for `nearest`.
        let same = || self.arguments.iter().filter_map(|arg| arg.get_long()).find(|own| own.eq_ignore_ascii_case(name));
        let near = same().or(near)?;
        Some((word.to_owned(), format!("--{near}")))
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(line: &str) -> (String, String) {
        let run = Command::new("run")
            .arg(Arg::new("jobs").short('j').long("jobs"))
            .arg(Arg::new("quiet").short('q').long("quiet").action(clap::ArgAction::Count))
            .arg(Arg::new("testbed").short('t').long("testbed"))
            .arg(Arg::new("resume").long("resume"))
            .arg(Arg::new("jobfile"));
        let mut cli = Command::new("rille").arg(Arg::new("home").long("home").global(true)).subcommand(run);
        cli.build();
        let words = line.split_whitespace().map(OsString::from).collect();
        let (own, handed_on) = part_arguments(&cli, words);
        let join = |words: &[OsString]| words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        (join(&own), join(&handed_on.arguments))
    }

    #[test]
    fn own_options_are_taken_and_the_rest_goes_on_in_order() {
        let cases = [
            ("rille run job.lua", "rille run -- job.lua", ""),
            ("rille run -j 4 job.lua --typo T stray", "rille run -j 4 -- job.lua", "--typo T stray"),
            ("rille run --resume ID", "rille run --resume ID -- -", ""),
            ("rille run --resume=ID job.lua", "rille run --resume=ID -- job.lua", ""),
            ("rille run --resume ID --speed 3 -- a", "rille run --resume ID -- -", "--speed 3 a"),
            ("rille run job.lua --x=1 -j4 -qq y", "rille run -j4 -qq -- job.lua", "--x=1 y"),
            ("rille run --job-arg J job.lua", "rille run -- job.lua", "--job-arg J"),
            ("rille run job.lua -- -q --testbed", "rille run -- job.lua", "-q --testbed"),
            ("rille --home h run --testbed=b job.lua -z", "rille --home h run --testbed=b -- job.lua", "-z"),
            ("rille run -- job.lua a", "rille run -- job.lua", "a"),
            ("rille runs --all", "rille runs --all", ""),
            ("rille run", "rille run", ""),
        ];
        for (line, own, handed_on) in cases {
            assert_eq!(parted(line), (own.to_owned(), handed_on.to_owned()), "{line}");
        }
    }
}
