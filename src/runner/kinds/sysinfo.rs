//! The kind `sysinfo`: what the machine is, before or after a test, as files of its task.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Work, interrupted, package, plain};
use crate::engine::{ProgramEnd, RunnerProgram};
use crate::model::{Exit, Finished, Running, TestStatus};

/// The setting that asks for the list of installed packages.
pub(super) const PACKAGES: &str = "sysinfo.collect.installed_packages";
/// The setting for how long a command may take, in seconds; not positive is for ever.
pub(super) const TIMEOUT: &str = "sysinfo.collect.commands_timeout";
/// The setting for the locale of commands.
pub(super) const LOCALE: &str = "sysinfo.collect.locale";

/// The largest piece of a file, in bytes.
const PIECE: usize = 1 << 20;

/// How much of a file is taken, in bytes.
const MOST: u64 = 64 << 20;

/// Collects it.
pub(super) fn run(work: &mut Work<'_>) -> Finished {
    let when = work.runnable.uri.clone().unwrap_or_default();
    if when != "pre" && when != "post" {
        let text = format!("Unsupported uri {when}. Possible values, 'pre', 'post'");
        work.reporter.running_text(Running::Stderr { log: text.clone().into_bytes(), log_only: false });
        return Finished::because(TestStatus::Error, text);
    }
    let folder = format!("sysinfo/{when}");
    let after_failure = when == "post" && work.runnable.kwargs.get("test_fail") == Some(&Value::Bool(true));
    let sysinfo = work.runnable.kwargs.get("sysinfo").cloned().unwrap_or_default();
    let wanted = |key: &str| -> Vec<String> {
        let keys = [(key.to_owned(), true), (format!("fail_{key}"), after_failure)];
        let lists = keys.iter().filter(|(_, wanted)| *wanted).filter_map(|(key, _)| sysinfo.get(key)?.as_array());
        lists.flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    };
    for command in wanted("commands") {
        if let Err(finished) = collect_command(work, &folder, &command) {
            return finished;
        }
    }
    for file in wanted("files") {
        collect_file(work, &folder, &file);
    }
    if work.setting(PACKAGES) == Some(&Value::Bool(true)) {
        match package::installed(work) {
            Ok(list) => say_file(work, format!("{folder}/installed_packages"), list),
            Err(problem) => log(work, format!("the installed packages cannot be listed: {problem}")),
        }
    }
    match work.stop.signal() {
        Some(signal) => interrupted(signal),
        None => Finished::new(TestStatus::Pass),
    }
}

fn collect_command(work: &mut Work<'_>, folder: &str, command: &str) -> Result<(), Finished> {
    if command.contains('\0') {
        log(work, format!("not run: {command:?} holds a NUL byte"));
        return Ok(());
    }
    let seconds = work.setting(TIMEOUT).and_then(Value::as_f64).filter(|seconds| *seconds > 0.0);
    let mut program =
        RunnerProgram { limit: seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()), ..shell(command) };
    if let Some(locale) = work.setting(LOCALE).and_then(Value::as_str) {
        program.environment.push(("LC_ALL".into(), Some(OsString::from(locale))));
    }
    match work.ask(&program) {
        Ok((end, capture)) => {
            say_file(work, format!("{folder}/{}", safe_name(command)), capture.stdout);
            match end {
                ProgramEnd::Exited(Exit::Code(0)) => {}
                ProgramEnd::Stopped(signal) => return Err(interrupted(signal)),
                ProgramEnd::TimedOut => log(work, format!("the command '{command}' took too long and was ended")),
                ProgramEnd::Exited(exit) => {
                    let said = String::from_utf8_lossy(&capture.stderr);
                    let said = said.lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
                    log(work, format!("the command '{command}' failed, {exit}{said}"));
                }
            }
        }
        Err(error) => log(work, format!("the command '{command}' cannot be run: {}", plain(&error))),
    }
    Ok(())
}

fn shell(command: &str) -> RunnerProgram {
    Work::program("sh", &["-c", command])
}

fn collect_file(work: &mut Work<'_>, folder: &str, path: &str) {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = || {
        // A pipe would be waited for.
        let stat = std::fs::metadata(path)?;
        if !stat.is_file() {
            return Err(std::io::Error::other("it is no file"));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => say_file(work, format!("{folder}/{name}"), bytes),
        Err(error) => log(work, format!("the file {path} is left out: {}", plain(&error))),
    }
}

/// Says what is in a file, in pieces; also that there is nothing.
fn say_file(work: &mut Work<'_>, path: String, bytes: Vec<u8>) {
    if bytes.len() <= PIECE {
        return work.reporter.running(Running::File { path, log: bytes });
    }
    for piece in bytes.chunks(PIECE) {
        work.reporter.running(Running::File { path: path.clone(), log: piece.to_vec() });
    }
}

fn log(work: &mut Work<'_>, text: String) {
    let log = text.into_bytes();
    work.reporter.running_text(Running::Log { log, logger: None, level: None, levelname: None });
}

/// Returns a command as the name of a file.
fn safe_name(command: &str) -> String {
    let safe: String =
        command.chars().map(|c| if "<>:\"/\\|?*;".contains(c) || c.is_control() { '_' } else { c }).collect();
    let safe = safe.strip_prefix('.').map_or(safe.clone(), |rest| format!("_{rest}"));
    let mut end = safe.len().min(200);
    while !safe.is_char_boundary(end) {
        end -= 1;
    }
    safe[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::safe_name;

    #[test]
    fn commands_become_names_of_files() {
        let cases =
            [("uname -a", "uname -a"), ("echo a/b | cat", "echo a_b _ cat"), ("./x; y", "__x_ y"), ("..", "_.")];
        for (command, expected) in cases {
            assert_eq!(safe_name(command), expected);
        }
        assert_eq!(safe_name(&"é".repeat(300)).len(), 200);
    }
}
