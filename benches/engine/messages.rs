//! One runner that reports very much: memory, and the speed of the status server.

use std::fs;
use std::io;

use super::figure::{Figure, median};
use super::session::Site;

/// What the runner sends, in MiB, as pieces of output and as records of a log.
const PIECES: u32 = 1024;
const RECORDS: u32 = 64;

/// How often.
const TIMES: usize = 3;

/// A runner that sends so many MiB of lines.
const RUNNER: &str = r#"#!/usr/bin/env python3
import base64, json, socket, sys
if sys.argv[1] == "capabilities":
    print('{"runnables": ["bench"]}')
    sys.exit()
words = sys.argv[2:]
option = lambda name: words[words.index(name) + 1]
given = dict(word.split("=", 1) for word in words if "=" in word)
line = socket.socket(socket.AF_UNIX)
line.connect(option("-s"))
def message(**keys):
    return json.dumps({"time": 1.5, "id": option("-i"), "job_id": option("-j"), **keys}).encode() + b"\n"
def coded(text):
    return {"__base64_encoded__": base64.b64encode(text).decode()}
if given["what"] == "pieces":
    block = message(status="running", type="stdout", log=coded((b"x" * 99 + b"\n") * 655))
else:
    block = message(status="running", type="log", log_name="a.part", log_level=20, log=coded(b"x" * 100)) * 500
wanted = int(given["mib"].removeprefix("json:")) << 20
for _ in range(-(-wanted // len(block))): line.sendall(block)
line.sendall(message(status="finished", result="pass"))
"#;

/// 1 GiB of pieces of output, and short records.
pub(crate) fn messages() -> io::Result<Vec<Figure>> {
    let (mut pieces, mut records, mut peak) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..TIMES {
        let site = Site::new()?;
        let runner = site.path("runner.py");
        fs::write(&runner, RUNNER)?;
        fs::set_permissions(&runner, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let mut session = site.start(&[])?;
        for (rates, work, mib) in [(&mut pieces, "pieces", PIECES), (&mut records, "records", RECORDS)] {
            session.batch(work, 1)?;
            let took = session.batch(work, mib)?;
            rates.push(f64::from(mib) * 1.048_576 / took.as_secs_f64());
        }
        peak = peak.max(session.finish()?.peak);
    }
    let detail = "lines of 64 KiB of output, in base64; its runner in Python starts as well".to_owned();
    let small = "lines of 250 bytes, as of avocado-instrumented".to_owned();
    let memory = "the largest of host, guardian and runner".to_owned();
    let records = format!("{:.0} MB/s", median(&mut records));
    Ok(vec![
        Figure::at_least("1 GiB of messages", median(&mut pieces), 200.0, "MB/s", detail),
        Figure::plain("64 MiB of short messages", records, small),
        Figure::at_most("memory with 1 GiB of messages", peak, 64.0, "MiB", memory),
    ])
}
