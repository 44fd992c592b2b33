//! The kind `package`: a package of the system is installed, removed, or looked for, by the system's own manager.

use std::io;
use std::path::Path;

use super::{Work, plain};
use crate::engine::ProgramEnd;
use crate::model::{Exit, Finished, TestStatus};

/// A manager of packages: the words of its commands, before the name of the package.
struct Manager {
    /// The program that shows that it is the one.
    program: &'static str,
    check: &'static [&'static str],
    /// What the answer to `check` ends with if the package is there, beside exit code 0.
    answer: &'static str,
    install: &'static [&'static str],
    remove: &'static [&'static str],
    list: &'static [&'static str],
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        check: &["dpkg-query", "-W", "-f", "${Status}"],
        answer: "install ok installed",
        install: &["apt-get", "install", "-y"],
        remove: &["apt-get", "remove", "-y"],
        list: &["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n"],
    },
    of_rpm("dnf", &["dnf", "install", "-y"], &["dnf", "remove", "-y"]),
    of_rpm("yum", &["yum", "install", "-y"], &["yum", "remove", "-y"]),
    of_rpm("zypper", &["zypper", "--non-interactive", "install"], &["zypper", "--non-interactive", "remove"]),
    Manager {
        program: "apk",
        check: &["apk", "info", "-e"],
        answer: "",
        install: &["apk", "add"],
        remove: &["apk", "del"],
        list: &["apk", "info", "-v"],
    },
    Manager {
        program: "pacman",
        check: &["pacman", "-Q"],
        answer: "",
        install: &["pacman", "-S", "--noconfirm"],
        remove: &["pacman", "-R", "--noconfirm"],
        list: &["pacman", "-Q"],
    },
];

/// Returns a manager of packages that rpm knows.
const fn of_rpm(program: &'static str, install: &'static [&'static str], remove: &'static [&'static str]) -> Manager {
    Manager { program, check: &["rpm", "-q"], answer: "", install, remove, list: &["rpm", "-qa"] }
}

/// Does what the runnable asks for.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    let action = work.runnable.kwargs.get("action").map_or_else(|| "install".to_owned(), crate::model::python_text_of);
    if !matches!(action.as_str(), "install" | "check" | "remove") {
        work.say_stderr(&format!("Invalid action {action}. Use one of 'install', 'check' or 'remove'"));
        return Finished::new(TestStatus::Error);
    }
    let name = work.parameter("name").map(str::to_owned);
    let done = match &name {
        None => Err(Problem::NoName.into()),
        Some(name) if name.is_empty() || name.starts_with('-') || name.contains(['\0', ' ', '\n']) => {
            Err(Problem::BadName(name.clone()).into())
        }
        Some(name) => perform(work, &action, name),
    };
    let (stdout, stderr, finished) = match done {
        Ok(text) => (text, String::new(), Finished::new(TestStatus::Pass)),
        Err(Stop::Problem(problem)) => (String::new(), problem.to_string(), Finished::new(TestStatus::Error)),
        Err(Stop::Ended(finished)) => return finished,
    };
    work.say_stdout(&stdout);
    work.say_stderr(&stderr);
    finished
}

/// Why it is not done.
enum Stop {
    /// Because of this.
    Problem(Problem),
    /// Everything is said already.
    Ended(Finished),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

/// What went wrong with a package.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("Package name should be passed as kwargs using name=\"package_name\".")]
    NoName,
    #[error("{0:?} is no name of a package")]
    BadName(String),
    #[error("Package manager not supported or not available: there is none of {}", MANAGERS.map(|manager| manager.program).join(", "))]
    NoManager,
    #[error("Package {0} not installed")]
    NotInstalled(String),
    #[error("Package {name} could not be {wanted}: {command}: {how}")]
    NotDone { name: String, wanted: &'static str, command: String, how: String },
    #[error("cannot run {program}: {}", plain(source))]
    NotRun { program: &'static str, source: io::Error },
    #[error("{0} took too long")]
    TooLong(&'static str),
    #[error("{}", plain(.0))]
    NoList(#[source] io::Error),
    #[error("{0} failed")]
    Failed(&'static str),
}

fn perform(work: &mut Work<'_>, action: &str, name: &str) -> Result<String, Stop> {
    let manager = manager()?;
    let is_there = is_installed(work, manager, name)?;
    let (words, is_wanted) = match (action, is_there) {
        ("check", false) => return Err(Problem::NotInstalled(name.to_owned()).into()),
        ("check" | "install", true) => return Ok(format!("Package {name} already installed")),
        ("remove", false) => return Ok(format!("Package {name} not installed")),
        ("remove", true) => (manager.remove, false),
        _ => (manager.install, true),
    };
    let mut words: Vec<&str> = words.to_vec();
    if !rustix::process::geteuid().is_root() && is_on_path("sudo") {
        words.splice(0..0, ["sudo", "-n"]);
    }
    words.push(name);
    let mut program = Work::program(words[0], &words[1..]);
    program.environment.push(("DEBIAN_FRONTEND".into(), Some("noninteractive".into())));
    let end = work.relay(&program).map_err(Stop::Ended)?;
    // Somebody else may have done it at the same time, so what counts is what is there now.
    let wanted = if is_wanted { "installed" } else { "removed" };
    if is_installed(work, manager, name)? == is_wanted {
        return Ok(format!("Package {name} {wanted}"));
    }
    let how = match end {
        ProgramEnd::Exited(exit) => exit.to_string(),
        ProgramEnd::Stopped(_) | ProgramEnd::TimedOut => "it was ended".to_owned(),
    };
    Err(Problem::NotDone { name: name.to_owned(), wanted, command: words.join(" "), how }.into())
}

fn manager() -> Result<&'static Manager, Problem> {
    MANAGERS.iter().find(|manager| is_on_path(manager.program)).ok_or(Problem::NoManager)
}

fn is_installed(work: &mut Work<'_>, manager: &'static Manager, name: &str) -> Result<bool, Stop> {
    let program = manager.check[0];
    let words = [manager.check, &[name]].concat();
    let (end, capture) =
        work.ask(&Work::program(program, &words[1..])).map_err(|source| Problem::NotRun { program, source })?;
    match end {
        ProgramEnd::Exited(exit) => {
            Ok(exit == Exit::Code(0) && String::from_utf8_lossy(&capture.stdout).trim_end().ends_with(manager.answer))
        }
        ProgramEnd::Stopped(signal) => Err(Stop::Ended(super::interrupted(signal))),
        ProgramEnd::TimedOut => Err(Problem::TooLong(program).into()),
    }
}

/// Returns the list of what is installed.
pub(super) fn installed(work: &mut Work<'_>) -> Result<Vec<u8>, Problem> {
    let words = manager()?.list;
    let (end, capture) = work.ask(&Work::program(words[0], &words[1..])).map_err(Problem::NoList)?;
    match end {
        ProgramEnd::Exited(Exit::Code(0)) => Ok(capture.stdout),
        _ => Err(Problem::Failed(words[0])),
    }
}

/// Returns whether there is a program of this name.
fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
