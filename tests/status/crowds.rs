//! Many at once, and those who have no business at the status server.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::harness::{DEADLINE, Project, until};

use super::{foo, project};

/// A runner that tells where it reports to, and reports its end when it is told to.
const WAITS: &str = r#"started()
open("socket", "w").write(f"{URI} {ID} {JOB}\n")
while not os.path.exists("go"): time.sleep(0.01)
running("stdout", b"mine")
finished()"#;

/// Starts a job with a runner that waits, and returns the path of its socket, its id and that of the run.
fn waiting(body: &str) -> (crate::harness::Running, Project, [String; 3]) {
    let project = project(&format!("{}{body}", foo("t", WAITS)));
    let running = project.start(&["run", "job.lua"]);
    let words: Vec<String> = running.wait_for_file("socket").split(' ').map(str::to_owned).collect();
    (running, project, words.try_into().expect("three words"))
}

fn go(project: &Project) {
    std::fs::write(project.path("go"), "").expect("a file can be written");
}

/// Returns the next number of a sequence that is the same every time (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_hundred_thousand_frames_of_a_stranger_change_nothing() {
    let (running, project, [socket, id, job]) = waiting("");
    let mut state = 0x5eed;
    let pieces: [&[u8]; 8] = [
        b"{\"status\": \"finished\", \"result\": \"fail\"",
        b", \"id\": \"t\"",
        b"{",
        b"}",
        b"\xff\xfe\0",
        b"\"__base64_encoded__\": \"!!!!\"",
        b"[[[[[[[[",
        b"null",
    ];
    let mut sent = 0;
    for _ in 0..20 {
        let mut stream = UnixStream::connect(&socket).expect("the socket is there");
        for _ in 0..5_000 {
            let mut frame = match next(&mut state) % 4 {
                // One that would count if it came from the task.
                0 => format!(
                    "{{\"status\": \"finished\", \"result\": \"fail\", \"id\": \"{id}\", \"job_id\": \"{job}\"}}"
                )
                .into_bytes(),
                1 => (0..next(&mut state) % 40)
                    .map(|_| next(&mut state).to_le_bytes()[0])
                    .filter(|b| *b != b'\n')
                    .collect(),
                _ => (0..next(&mut state) % 9)
                    .flat_map(|_| pieces[usize::try_from(next(&mut state) % 8).expect("small")])
                    .copied()
                    .collect(),
            };
            frame.push(b'\n');
            sent += 1;
            stream.write_all(&frame).expect("it is read");
        }
    }
    assert_eq!(sent, 100_000);
    go(&project);
    let ended = running.wait();
    ended.code(0).outcomes("t=passed");
    let run = ended.the_run();
    assert_eq!(run.output("t", "stdout"), b"mine");
    let dropped = &run.events_of("messages-dropped")[0];
    assert_eq!((&dropped["task"], &dropped["foreign"]), (&1.into(), &100_000.into()));
    ended.stderr_has("100000 messages were dropped (100000 from processes that are none of the task's");
}

#[test]
fn a_task_cannot_speak_of_another() {
    // A program and a runner of the same run, each at the socket of the first.
    let forge = r#"import json, socket, sys, time
socket_path, id, job = open("socket").read().split()
s = socket.socket(socket.AF_UNIX)
s.connect(socket_path)
s.sendall(json.dumps({"status": "finished", "result": "fail", "id": id, "job_id": job}).encode() + b"\n")
open(sys.argv[1], "w").write("sent\n")
while not __import__("os").path.exists("go"): time.sleep(0.01)
"#;
    let by_runner = "exec(open('forge.py').read().replace('sys.argv[1]', '\"forged2\"'))\nfinished()";
    let body = format!(
        "job.parallel {{ {{ taskid = 't', testscript = {{ kind = 'foo', kwargs = {{ code = [==[{WAITS}]==] }} }} }}, \
         {{ taskid = 'a', testscript = 'forge.py', args = {{ 'forged1' }}, cwd = '.' }}, \
         {{ taskid = 'b', testscript = {{ kind = 'foo', kwargs = {{ code = [==[\n\
         while not os.path.exists('socket') or not open('socket').read().endswith('\\n'): time.sleep(0.01)\n\
         {by_runner}]==] }} }} }} }}"
    );
    let forge = format!(
        "import os, time\nwhile not os.path.exists('socket') or not open('socket').read().endswith('\\n'): time.sleep(0.01)\n{forge}"
    );
    let project = project(&body).file("forge.py", forge);
    let running = project.start(&["run", "job.lua", "-j", "3"]);
    running.wait_for_file("forged1");
    running.wait_for_file("forged2");
    go(&project);
    let ended = running.wait();
    ended.code(0).outcomes("t=passed a=passed b=passed");
    assert_eq!(ended.the_run().events_of("messages-dropped")[0]["foreign"], 2);
}

#[test]
fn a_message_from_nowhere_that_comes_late_is_counted_for_the_run() {
    let (running, project, [socket, ..]) = waiting("job.run { taskid = 'last', testscript = 'stay.sh', cwd = '.' }\n");
    let project = project.executable("stay.sh", "#!/bin/sh\nwhile ! [ -e end ]; do sleep 0.01; done\n");
    let mut stream = UnixStream::connect(&socket).expect("the socket is there");
    stream.write_all(b"{}\n").expect("it is read");
    go(&project);
    running.wait_for_event(|event| event["event"] == "task-finished" && event["task"] == 1);
    stream.write_all(b"{}\n{}\n").expect("it is read");
    std::fs::write(project.path("end"), "").expect("a file can be written");
    let run = running.wait().code(0).the_run();
    let dropped = run.events_of("messages-dropped");
    assert_eq!((&dropped[0]["task"], &dropped[0]["foreign"]), (&1.into(), &1.into()));
    assert_eq!((dropped[1].get("task"), &dropped[1]["late"]), (None, &2.into()));
}

#[test]
fn half_open_connections_do_not_delay_a_message() {
    let code = r#"others = [connect() for _ in range(500)]
for other in others: raw(b'{"status": "runn', other)
open("socket", "w").write(URI + "\n")
while not os.path.exists("go"): time.sleep(0.001)
took = []
for n in range(9):
    begin = time.monotonic()
    running("file", b"x", path=f"marker{n}")
    while not os.path.exists(OUT + f"/marker{n}"): time.sleep(0.0005)
    took.append(time.monotonic() - begin)
open("took", "w").write(f"{sorted(took)[4]}\n")
for other in others: other.close()
finished()"#;
    let project = project(&foo("t", code));
    let running = project.start(&["run", "job.lua"]);
    let socket = running.wait_for_file("socket");
    // As many that are not its own.
    let strangers: Vec<UnixStream> = (0..500)
        .map(|_| {
            let mut stream = UnixStream::connect(&socket).expect("the socket is there");
            stream.write_all(b"{\"half").expect("it is read");
            stream
        })
        .collect();
    go(&project);
    let took: f64 = running.wait_for_file("took").parse().expect("a number");
    drop(strangers);
    let ended = running.wait();
    ended.code(0).outcomes("t=passed");
    assert!(took < 0.05, "a message took {took} s");
    let dropped = &ended.the_run().events_of("messages-dropped")[0];
    assert_eq!((&dropped["torn"], &dropped["foreign"]), (&500.into(), &500.into()));
}

#[test]
fn a_runner_that_says_nothing_is_ended_as_faulty_and_one_that_beats_is_not() {
    let task = |id: &str, code: &str| foo(id, code).replace("job.run {", "{").trim_end().to_owned() + ",\n";
    let list = task("silent", "started()\ntime.sleep(1000)")
        + &task("dumb", "time.sleep(1000)")
        + &task("beats", "for _ in range(30): say(status='running'); time.sleep(0.2)\nfinished()");
    let started = Instant::now();
    let ended = project(&format!("job.parallel {{ {list} }}")).job(&["--silence-timeout", "4", "-j", "3"]);
    ended.code(1).outcomes("silent=errored dumb=errored beats=passed");
    for id in ["silent", "dumb"] {
        ended.reason_has(id, "its runner said nothing for 4 s and was ended as faulty");
    }
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[test]
fn silence_counts_until_a_runner_has_told_the_end() {
    let body = foo("leaves", "started()\nfinished()\ntime.sleep(1.5)");
    project(&body).job(&["--silence-timeout", "1"]).code(0).outcomes("leaves=passed");
}

#[test]
fn a_gibibyte_of_messages_stays_out_of_the_hosts_memory() {
    let code = r#"piece = message(status="running", type="stdout", log=b"x" * 99 + b"\n") if False else None
block = message(status="running", type="stdout", log=(b"x" * 99 + b"\n") * 480)
for _ in range((1 << 30) // len(block) + 1): raw(block)
finished()"#;
    let body = format!(
        "{}for line in io.lines('/proc/self/status') do\n\
         local peak = line:match('^VmHWM:%s+(%d+) kB$')\n\
         if peak then print(math.tointeger(peak) < 64 * 1024 or 'the host took ' .. peak .. ' KiB') end\nend",
        foo("t", code)
    );
    let ended = project(&body).job(&["--output-limit", "1M"]);
    ended.code(0).stdout("true\n").outcomes("t=passed");
    assert!(ended.the_run().task("t")["stdout"]["bytes"].as_u64().unwrap() > 700_000_000);
}

#[test]
fn a_host_that_is_killed_leaves_no_runner() {
    let (running, project, [socket, ..]) = waiting("");
    running.kill_host();
    running.wait().code(7);
    until("no process is left", DEADLINE, || project.survivors().list().is_empty().then_some(()));
    assert!(UnixStream::connect(socket).is_err());
}

#[test]
fn by_tcp_a_connection_counts_that_tells_the_token_of_its_task() {
    let code = r#"assert ":" in URI and len(os.environ["RILLE_STATUS_TOKEN"]) == 32, URI
started()
token = os.environ.pop("RILLE_STATUS_TOKEN")
say(connect(), status="finished", result="fail")
os.environ["RILLE_STATUS_TOKEN"] = token[:-1] + "x"
say(connect(), status="finished", result="fail")
raw(b"x" * 100000, connect())
os.environ["RILLE_STATUS_TOKEN"] = token
other = connect()
say(other, status="running", type="stdout", log=b"by another connection")
other.close()
time.sleep(0.5)
finished()"#;
    let project = project(&(foo("t", code) + &foo("u", "assert ':' in URI; finished('skip')")));
    for address in ["127.0.0.1:0", "[::1]:0"] {
        if std::net::TcpListener::bind(address).is_err() {
            // Not every machine has both families of addresses, and there is nothing to install for it.
            println!("left out: nothing can listen at {address} here");
            continue;
        }
        let ended = project.job(&["--status-listen", address]);
        ended.code(0);
        let run = project.runs().pop().expect("there is a run");
        assert_eq!(run.outcomes(), "t=passed u=skipped", "{ended}");
        assert_eq!(run.output("t", "stdout"), b"by another connection");
        let dropped = &run.events_of("messages-dropped")[0];
        assert_eq!((dropped.get("task"), &dropped["foreign"]), (None, &5.into()));
    }
}

#[test]
fn an_address_that_is_taken_ends_the_run_before_it_begins() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let ended = project(&foo("t", "finished()")).job(&["--status-listen", &address]);
    assert!(ended.exit_code().is_some_and(|code| code != 0), "{ended}");
    ended.stderr_has(&format!("the status server cannot listen at {address}: Address already in use"));
}
