//! What a test says that cannot run on this machine: past the capture of output, and where CI counts it.

use std::fs::File;
use std::io::Write;

/// Names the file to which each test adds a line that it was skipped.
const LIST: &str = "RILLE_TEST_SKIPPED";

/// Says that the calling test, or what is left of it, does not run, for want of something that can be had.
pub(crate) fn skipped(why: &str) {
    let thread = std::thread::current();
    let line = format!("skipped: {}: {why}\n", thread.name().unwrap_or("a test"));
    // Unlike what the macros print, this is not captured.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(list) = std::env::var_os(LIST) {
        let file = File::options().create(true).append(true).open(list);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the list of skipped tests can be written");
    }
}
