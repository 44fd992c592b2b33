//! The kind `package`: a package of the system is installed, removed, or looked for, by the system's own manager.

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
        None => Err(Stop::Said("Package name should be passed as kwargs using name=\"package_name\".".to_owned())),
        Some(name) if name.is_empty() || name.starts_with('-') || name.contains(['\0', ' ', '\n']) => {
            Err(Stop::Said(format!("{name:?} is no name of a package")))
        }
        Some(name) => perform(work, &action, name),
    };
    let (stdout, stderr, finished) = match done {
        Ok(text) => (text, String::new(), Finished::new(TestStatus::Pass)),
        Err(Stop::Said(text)) => (String::new(), text, Finished::new(TestStatus::Error)),
        Err(Stop::Ended(finished)) => return finished,
    };
    work.say_stdout(&stdout);
    work.say_stderr(&stderr);
    finished
}

/// Why it is not done.
enum Stop {
    /// Because of this.
    Said(String),
    /// Everything is said already.
    Ended(Finished),
}

fn perform(work: &mut Work<'_>, action: &str, name: &str) -> Result<String, Stop> {
    let manager = manager().map_err(Stop::Said)?;
    let is_there = is_installed(work, manager, name)?;
    let (words, wanted) = match (action, is_there) {
        ("check", false) => return Err(Stop::Said(format!("Package {name} not installed"))),
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
    if is_installed(work, manager, name)? == wanted {
        return Ok(format!("Package {name} {}", if wanted { "installed" } else { "removed" }));
    }
    let how = match end {
        ProgramEnd::Exited(exit) => exit.to_string(),
        ProgramEnd::Stopped(_) | ProgramEnd::TimedOut => "it was ended".to_owned(),
    };
    Err(Stop::Said(format!(
        "Package {name} could not be {}: {}: {how}",
        if wanted { "installed" } else { "removed" },
        words.join(" ")
    )))
}

fn manager() -> Result<&'static Manager, String> {
    let found = MANAGERS.iter().find(|manager| is_on_path(manager.program));
    found.ok_or_else(|| {
        let names: Vec<&str> = MANAGERS.iter().map(|manager| manager.program).collect();
        format!("Package manager not supported or not available: there is none of {}", names.join(", "))
    })
}

fn is_installed(work: &mut Work<'_>, manager: &Manager, name: &str) -> Result<bool, Stop> {
    let words = [manager.check, &[name]].concat();
    let (end, capture) = work
        .ask(&Work::program(words[0], &words[1..]))
        .map_err(|error| Stop::Said(format!("cannot run {}: {}", words[0], plain(&error))))?;
    match end {
        ProgramEnd::Exited(exit) => {
            Ok(exit == Exit::Code(0) && String::from_utf8_lossy(&capture.stdout).trim_end().ends_with(manager.answer))
        }
        ProgramEnd::Stopped(signal) => Err(Stop::Ended(super::interrupted(signal))),
        ProgramEnd::TimedOut => Err(Stop::Said(format!("{} took too long", words[0]))),
    }
}

/// Returns the list of what is installed.
pub(super) fn installed(work: &mut Work<'_>) -> Result<Vec<u8>, String> {
    let words = manager()?.list;
    let (end, capture) = work.ask(&Work::program(words[0], &words[1..])).map_err(|error| plain(&error))?;
    match end {
        ProgramEnd::Exited(Exit::Code(0)) => Ok(capture.stdout),
        _ => Err(format!("{} failed", words[0])),
    }
}

/// Returns whether there is a program of this name.
fn is_on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
