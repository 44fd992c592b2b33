//! Guild's options of two letters, `-Fo` and the like, which are spelled out before the command line is read.

use std::ffi::OsString;

/// Guild's spelling, and the option it stands for. They hold below `rille runs`.
const SPELLINGS: [(&str, &str); 10] = [
    ("-Fo", "--operation"),
    ("-Fl", "--label"),
    ("-Fu", "--unlabeled"),
    ("-Ft", "--tag"),
    ("-Fc", "--comment"),
    ("-Fm", "--marked"),
    ("-Fn", "--unmarked"),
    ("-Fs", "--started"),
    ("-Fd", "--digest"),
    ("-cc", "--strict-cols"),
];

/// Guild's spellings that hold in one command alone: elsewhere they are two options, or an option and its value.
const OF_ONE: [(&str, &str, &str); 2] = [("label", "-rm", "--remove"), ("cat", "-pa", "--page")];

/// Commands of `runs` that Guild has at the top, too.
const AT_THE_TOP: [&str; 15] = [
    "cat", "comment", "compare", "diff", "export", "import", "label", "ls", "mark", "merge", "open", "publish",
    "select", "stop", "tag",
];

/// Returns the command line with options of two letters spelled out, if its command is `runs`, which is put in where one
/// of its commands stands alone.
///
/// Such a word is an option wherever it stands before `--`: as a filter, `-Fo` would be the bare word `o`, which is none.
pub(crate) fn spell_out(mut args: Vec<OsString>) -> Vec<OsString> {
    let Some(runs) = position_of_command(&args) else { return args };
    if args[runs].to_str().is_some_and(|word| AT_THE_TOP.contains(&word)) {
        args.insert(runs, OsString::from("runs"));
    }
    if args[runs] != "runs" {
        return args;
    }
    let command = args.get(runs + 1).cloned().unwrap_or_default();
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    for arg in args.iter_mut().take(end).skip(runs + 1) {
        if let Some((_, long)) = SPELLINGS.iter().find(|(short, _)| arg == short) {
            *arg = OsString::from(long);
        } else if let Some((.., long)) = OF_ONE.iter().find(|(of, short, _)| command == *of && arg == short) {
            *arg = OsString::from(long);
        }
    }
    args
}

/// Returns where the command stands: behind the program and its own options.
fn position_of_command(args: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        match arg.to_str() {
            Some("--home") => at += 2,
            Some(option) if option.starts_with("--home=") => at += 1,
            _ => return Some(at),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters_are_spelled_out_below_runs_only() {
        let cases = [
            ("rille runs -Fo train -Fm", "rille runs --operation train --marked"),
            (
                "rille --home h runs compare -cc a,b -Fs today",
                "rille --home h runs compare --strict-cols a,b --started today",
            ),
            ("rille --home=h runs list -F x=1 -Set", "rille --home=h runs list -F x=1 -Set"),
            ("rille runs tag -a x -- -Fo", "rille runs tag -a x -- -Fo"),
            ("rille run job.lua -Fo", "rille run job.lua -Fo"),
            ("rille runs label -rm a -a -rm", "rille runs label --remove a -a --remove"),
            ("rille runs export d -rm", "rille runs export d -rm"),
            ("rille runs cat -pa -O", "rille runs cat --page -O"),
            ("rille runs select -pa label", "rille runs select -pa label"),
            ("rille --home h ls -Fo a", "rille --home h runs ls --operation a"),
            ("rille label -rm a", "rille runs label --remove a"),
            ("rille run ls -Fo", "rille run ls -Fo"),
            ("rille", "rille"),
        ];
        for (given, expected) in cases {
            let words = given.split(' ').map(OsString::from).collect();
            let spelled: Vec<String> = spell_out(words).into_iter().map(|word| word.into_string().unwrap()).collect();
            assert_eq!(spelled.join(" "), expected);
        }
    }
}
