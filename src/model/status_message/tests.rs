//! Tests of the messages, with those that the original's runners were seen to send.

use super::*;

/// A line as it was at the status server, and what the same message was on the runner's standard output.
const SEEN: &[(&str, &str)] = &[
    (
        r#"{"status": "started", "time": 597.016378626, "output_dir": ".avocado-task-uz4o5v6u", "id": "1-foo", "job_id": "JOBID"}"#,
        "{'status': 'started', 'time': 597.016378626, 'output_dir': '.avocado-task-uz4o5v6u', 'id': '1-foo', 'job_id': 'JOBID'}",
    ),
    (
        r#"{"result": "pass", "status": "finished", "time": 597.018165447, "id": "1-foo", "job_id": "JOBID"}"#,
        "{'result': 'pass', 'status': 'finished', 'time': 597.018165447, 'id': '1-foo', 'job_id': 'JOBID'}",
    ),
    (
        r#"{"status": "started", "time": 597.643011963, "output_dir": ".avocado-task-rb2ehp65", "id": "3-x"}"#,
        "{'status': 'started', 'time': 597.643011963, 'output_dir': '.avocado-task-rb2ehp65', 'id': '3-x'}",
    ),
    (
        r#"{"status": "running", "time": 598.001619404, "id": "4-x", "job_id": "J"}"#,
        "{'status': 'running', 'time': 598.001619404, 'id': '4-x', 'job_id': 'J'}",
    ),
    (
        r#"{"type": "stdout", "log": {"__base64_encoded__": "b3V0LWxpbmUKbm8gbmV3bGluZQH/"}, "log_only": true, "status": "running", "time": 598.012720468, "id": "4-x", "job_id": "J"}"#,
        r"{'type': 'stdout', 'log': b'out-line\nno newline\x01\xff', 'log_only': True, 'status': 'running', 'time': 598.012720468, 'id': '4-x', 'job_id': 'J'}",
    ),
    (
        r#"{"type": "stderr", "log": {"__base64_encoded__": "ZXJyLWxpbmUK"}, "log_only": true, "status": "running", "time": 598.012924352, "id": "4-x", "job_id": "J"}"#,
        r"{'type': 'stderr', 'log': b'err-line\n', 'log_only': True, 'status': 'running', 'time': 598.012924352, 'id': '4-x', 'job_id': 'J'}",
    ),
    (
        r#"{"result": "fail", "returncode": 3, "status": "finished", "time": 598.012972864, "id": "4-x", "job_id": "J"}"#,
        "{'result': 'fail', 'returncode': 3, 'status': 'finished', 'time': 598.012972864, 'id': '4-x', 'job_id': 'J'}",
    ),
    (
        r#"{"result": "error", "fail_reason": "[Errno 2] No such file or directory: '/no/such'", "status": "finished", "time": 598.348486898, "id": "5-x", "job_id": "J"}"#,
        r#"{'result': 'error', 'fail_reason': "[Errno 2] No such file or directory: '/no/such'", 'status': 'finished', 'time': 598.348486898, 'id': '5-x', 'job_id': 'J'}"#,
    ),
    (
        r#"{"log_name": "avocado.test", "log_level": 20, "log_levelname": "INFO", "type": "log", "log": {"__base64_encoded__": "aGVsbG8="}, "encoding": "utf-8", "status": "running", "time": 812.561890251}"#,
        "{'log_name': 'avocado.test', 'log_level': 20, 'log_levelname': 'INFO', 'type': 'log', 'log': b'hello', 'encoding': 'utf-8', 'status': 'running', 'time': 812.561890251}",
    ),
    (
        r#"{"type": "whiteboard", "log": {"__base64_encoded__": "d2Igb2s="}, "encoding": "utf-8", "status": "running", "time": 812.589518491}"#,
        "{'type': 'whiteboard', 'log': b'wb ok', 'encoding': 'utf-8', 'status': 'running', 'time': 812.589518491}",
    ),
    (
        r#"{"result": "fail", "fail_reason": "bad thing", "class_name": "T", "fail_class": "TestFail", "traceback": "Traceback:\n é \ud83d\ude00", "status": "finished", "time": 856.096702437}"#,
        "{'result': 'fail', 'fail_reason': 'bad thing', 'class_name': 'T', 'fail_class': 'TestFail', 'traceback': 'Traceback:\\n é \u{1f600}', 'status': 'finished', 'time': 856.096702437}",
    ),
    (
        r#"{"path": "sysinfo/pre/uname -r", "type": "file", "log": {"__base64_encoded__": "Ni4xOA=="}, "status": "running", "time": 890.052555374}"#,
        "{'path': 'sysinfo/pre/uname -r', 'type': 'file', 'log': b'6.18', 'status': 'running', 'time': 890.052555374}",
    ),
    (
        r#"{"result": "error", "fail_reason": "Tap format error: Too few tests run (expected 2, got 1)", "returncode": 0, "status": "finished", "time": 1.0, "id": 1}"#,
        "{'result': 'error', 'fail_reason': 'Tap format error: Too few tests run (expected 2, got 1)', 'returncode': 0, 'status': 'finished', 'time': 1.0, 'id': 1}",
    ),
    (
        r#"{"type": "output", "log": {"__base64_encoded__": ""}, "status": "running", "time": 1e-05}"#,
        "{'type': 'output', 'log': b'', 'status': 'running', 'time': 1e-05}",
    ),
];

#[test]
fn what_the_originals_send_is_read_and_written_back_byte_by_byte() {
    for (json, python) in SEEN {
        let message = StatusMessage::parse(json.as_bytes()).unwrap_or_else(|error| panic!("{json}: {error}"));
        let ascii = json.replace('é', "\\u00e9");
        assert_eq!(message.to_json(), ascii);
        assert_eq!(message.to_python(), *python);
        assert_eq!(StatusMessage::parse(message.to_json().as_bytes()).unwrap(), message);
    }
}

#[test]
fn a_message_may_be_written_otherwise() {
    let parse = |text: &str| StatusMessage::parse(text.as_bytes()).unwrap();
    let with_text = parse(" \t{\"status\":\"running\",\"type\":\"stdout\",\"log\":\"a\\u00e9\",\"new\":[1,{}]}\r\n");
    assert_eq!(with_text.time, None);
    let StatusKind::Running(Running::Stdout { log, log_only }) = with_text.kind else { panic!() };
    assert_eq!((log.as_slice(), log_only), ("aé".as_bytes(), false));

    let deep = r#"{"status": {"__base64_encoded__": "ZmluaXNoZWQ="}, "result": "PASS", "fail_reason": {"__base64_encoded__": "/w=="}, "returncode": null}"#;
    let expected = Finished::because(TestStatus::Pass, "\u{fffd}");
    assert_eq!(parse(deep).kind, StatusKind::Finished(expected));

    let odd = parse(r#"{"status": "finished", "result": "warn", "fail_reason": 5, "class_name": ["x"], "time": 3}"#);
    assert_eq!((odd.time, odd.kind), (Some(3.0), StatusKind::Finished(Finished::because(TestStatus::Warn, "5"))));
    assert_eq!(parse(r#"{"status": "running", "log": 5}"#).kind, StatusKind::Running(Running::Heartbeat));
    let empty = parse(r#"{"status": "running", "type": "whiteboard"}"#).kind;
    assert_eq!(empty, StatusKind::Running(Running::Whiteboard { log: Vec::new() }));
}

#[test]
fn half_a_pair_of_surrogates_is_no_reason_to_lose_a_message() {
    for (text, expected) in [
        (r"x\udcffy", "x\u{fffd}y"),
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83d\n", "\u{fffd}\n"),
        (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (r"\\udcff", "\\udcff"),
        (r"\\\udcff", "\\\u{fffd}"),
    ] {
        let line = format!(r#"{{"status": "started", "output_dir": "{text}"}}"#);
        let message = StatusMessage::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(message.kind, StatusKind::Started { output_dir: Some(expected.to_owned()) });
    }
}

#[test]
fn what_is_no_message_is_told_why() {
    let cases = [
        ("", "it is no message: EOF"),
        ("garbage", "it is no message: it does not begin with '{'"),
        ("{garbage", "it is no message: "),
        ("[1]", "it is no message: "),
        ("5", "it is no message: "),
        ("\"text\"", "it is no message: "),
        ("{\"status\": \"running\"", "it is no message: EOF"),
        ("{}", "it has no 'status'"),
        (r#"{"status": 5}"#, "its 'status' is no text"),
        (r#"{"status": "weird"}"#, "the status \"weird\" is none of started, running and finished"),
        (r#"{"status": "running", "type": "smell"}"#, "nobody knows messages of the type \"smell\""),
        (r#"{"status": "running", "type": "log", "log": 5}"#, "its 'log' is neither bytes nor text"),
        (
            r#"{"status": "running", "type": "log", "log": {"__base64_encoded__": "*"}}"#,
            "it is no message: bad base 64",
        ),
        (r#"{"status": "running", "type": "file"}"#, "it is of type 'file' and has no 'path'"),
        (r#"{"status": "running", "time": "now"}"#, "its 'time' is no number"),
        (r#"{"status": "finished"}"#, "it says 'finished' without a 'result'"),
        (r#"{"status": "finished", "result": "bogus"}"#, "the result \"bogus\" is no status of a test"),
        (r#"{"status": "finished", "result": ""}"#, "the result \"\" is no status of a test"),
        (r#"{"status": "started", "id": [1]}"#, "its 'id' is no text"),
        ("{\"status\": \"started\u{0}\"}", "it is no message: control character"),
    ];
    for (line, expected) in cases {
        let error = StatusMessage::parse(line.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{line}: {error}");
    }
    let long = format!(r#"{{"status": "{}"}}"#, "é".repeat(1000));
    assert!(StatusMessage::parse(long.as_bytes()).unwrap_err().to_string().len() < 300);
    assert!(StatusMessage::parse(b"{\"status\": \"\xff\"}").is_err());
    assert!(StatusMessage::parse("[".repeat(100_000).as_bytes()).is_err());
    assert!(StatusMessage::parse(format!("{{\"x\": {}", "[".repeat(100_000)).as_bytes()).is_err());
}

#[test]
fn fuzz_of_messages() {
    let corpus: [&[u8]; 3] = [
        b"{'status': 'running', 'type': 'stdout', 'log': b'a\\xff\\n', 'time': 1.5, 'id': '1-x', 'job_id': 'j'}",
        b"{\"status\": \"finished\", \"result\": \"fail\", \"time\": 12.25, \"fail_reason\": \"\\u00e9\", \"id\": [1, null]}",
        b"{'status': 'running', 'type': 'file', 'path': 'a', 'content': {'__base64_encoded__': 'AAEC'}, 'x': {'y': (1, True)}}",
    ];
    crate::fuzz::fuzz(&corpus, |input| drop(read::parse(input)));
}
