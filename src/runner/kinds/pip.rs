//! The kind `pip`: a package of Python is installed or uninstalled.

use super::{Work, plain};
use crate::engine::ProgramEnd;
use crate::model::{Exit, Finished, TestStatus, python_text_of};

/// Does what the runnable asks for.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    let error = |work: &mut Work<'_>, text: String| {
        work.say_stderr(&text);
        Finished::because(TestStatus::Error, text)
    };
    let action = work.runnable.kwargs.get("action").map_or_else(|| "install".to_owned(), python_text_of);
    if !matches!(action.as_str(), "install" | "uninstall") {
        work.say_stderr(&format!("Invalid action {action}. Use one of 'install' or 'uninstall'"));
        return Finished::new(TestStatus::Error);
    }
    // The original hands the name to a shell, so it may hold several words.
    let Some(words) = work.parameter("name").and_then(shlex::split).filter(|words| !words.is_empty()) else {
        return error(work, "Package name is required: give it as name=PACKAGE".to_owned());
    };
    let has_pip = match work.ask(&Work::program("python3", &["-m", "pip", "--version"])) {
        Ok((end, _)) => end == ProgramEnd::Exited(Exit::Code(0)),
        Err(failed) => return error(work, format!("cannot run python3: {}", plain(&failed))),
    };
    if !has_pip {
        match work.relay(&Work::program("python3", &["-m", "ensurepip"])) {
            Ok(ProgramEnd::Exited(Exit::Code(0))) => {}
            Ok(_) => return error(work, "there is no pip, and python3 -m ensurepip did not make it".to_owned()),
            Err(finished) => return finished,
        }
    }
    let mut args = vec!["-m", "pip", "--no-input", action.as_str()];
    if action == "uninstall" {
        args.push("--yes");
    }
    args.extend(words.iter().map(String::as_str));
    match work.relay(&Work::program("python3", &args)) {
        Ok(ProgramEnd::Exited(Exit::Code(0))) => Finished::new(TestStatus::Pass),
        Ok(ProgramEnd::Exited(exit)) => Finished {
            returncode: Some(exit.as_python().into()),
            ..Finished::because(TestStatus::Error, format!("pip {action} {}: {exit}", words.join(" ")))
        },
        Ok(ProgramEnd::Stopped(_) | ProgramEnd::TimedOut) => error(work, "it was ended".to_owned()),
        Err(finished) => finished,
    }
}
