//! What stands on the console, and in which order: what a person or a CI sees of a run.

use std::io::Read;
use std::process::Stdio;

use crate::harness::{DEADLINE, Project, until};

/// A jobfile of many tasks, of which some do not pass.
const MANY: &str = "
for n = 1, 120 do
  local id = string.format('t%03d', n)
  local script = (n == 7 or n == 77) and \"echo working >&2; echo 'no disk: \" .. id .. \"' >&2; exit 1\" or 'exit 0'
  job.run { testscript = '/bin/sh', args = { '-c', script }, taskid = id }
end
job.run { testscript = '/bin/true', taskid = 'after', needs = 't007' }
";

/// Returns the lines between the last empty one and the result.
fn last_lines(text: &str) -> Vec<String> {
    let (before, _) = text.split_once("\nResult: ").unwrap_or_else(|| panic!("there is no result in\n{text}"));
    let lines = before.rsplit("\n\n").next().unwrap_or_default();
    lines.lines().map(str::to_owned).collect()
}

#[test]
fn a_long_tree_is_folded_and_what_is_not_good_stands_right_before_the_result() {
    let project = Project::new().main(MANY);
    let ended = project.job(&[]);
    ended.code(1);
    let text = ended.err();
    let (_, closing) = text.split_once("\njob\n").unwrap();
    assert_eq!(closing.matches("PASSED").count(), 0, "{closing}");
    assert!(closing.contains("118 others passed"), "{closing}");
    let last = last_lines(&text);
    let expected = [
        ("FAILED", "t007: exit code 1: no disk: t007"),
        ("FAILED", "t077: exit code 1: no disk: t077"),
        ("BLOCKED", "after: needs 't007'"),
    ];
    assert_eq!(last.len(), expected.len(), "{text}");
    for (line, (word, rest)) in last.iter().zip(expected) {
        assert!(line.trim_start().starts_with(word) && line.contains(rest), "{line}");
    }
}

#[test]
fn of_very_many_failures_the_last_lines_have_those_that_failed_themselves() {
    let body = "for n = 1, 110 do job.run { testscript = '/bin/true', taskid = 'b' .. n, needs = 'x' } end
                job.run { testscript = '/bin/false', taskid = 'bad' }";
    let body = format!("job.run {{ testscript = '/bin/false', taskid = 'x' }}\n{body}");
    let ended = Project::new().main(&body).job(&[]);
    ended.code(1);
    let last = last_lines(&ended.err());
    assert_eq!(last.len(), 101, "{ended}");
    assert!(last[0].contains("12 more did not pass"), "{ended}");
    assert!(last[1].contains(" x: exit code 1") && last[2].contains(" bad: exit code 1"), "{ended}");
}

#[test]
fn sections_that_failed_are_named_with_their_reasons() {
    let script = "local ts = require 'rille.testscript'
                  local t = ts.testcase('Ping')
                  t:test('icmp', function(self, p, steps) assert(true) end)
                  t:test('arp', function() assert(false, 'no answer') end)";
    let ended = Project::new().file("s.lua", script).main("job.run { testscript = 's.lua', taskid = 's' }").job(&[]);
    ended.code(1);
    let last = last_lines(&ended.err());
    assert_eq!(last.len(), 2, "{ended}");
    assert!(last[0].contains("] s: Ping: arp: ") && last[0].ends_with(": no answer"), "{ended}");
    assert!(last[1].contains("] s Ping.arp: ") && last[1].ends_with(": no answer"), "{ended}");
}

#[test]
fn lines_are_drawn_with_what_the_locale_has() {
    let body = "job.run { testscript = '/bin/sh', args = { '-c', 'echo gr\u{f6}\u{df}er >&2; exit 3' }, taskid = 'a' }
                job.run { testscript = '/bin/true', taskid = 'b' }";
    let drawn = ['\u{2500}', '\u{2502}', '\u{2514}', '\u{251c}', '\u{2026}'];
    for (variable, value, is_utf8) in [
        ("LANG", "C.UTF-8", true),
        ("LANG", "", false),
        ("LANG", "C", false),
        ("LC_ALL", "C", false),
        ("LC_CTYPE", "en_US.ISO-8859-1", false),
        ("LC_ALL", "de_DE.utf8", true),
    ] {
        let ended = Project::new().main(body).env(variable, value).job(&[]);
        ended.code(1);
        let text = ended.err();
        assert_eq!(text.contains(drawn), is_utf8, "{variable}={value}\n{text}");
        assert_eq!(text.contains("\n`-- b"), !is_utf8, "{variable}={value}\n{text}");
        // What a task wrote is not ours to change.
        assert!(text.contains("exit code 3: gr\u{f6}\u{df}er"), "{variable}={value}\n{text}");
    }
}

#[test]
fn a_slow_reader_sees_only_lines_that_were_written_and_where_some_are_missing() {
    const LAST: u32 = 3_000_000;
    let body = format!("job.run {{ testscript = 'seq', args = {{ '1000000', '{LAST}' }}, taskid = 'flood' }}");
    let project = Project::new().main(&body);
    let mut command = project.rille(&["run", "job.lua", "-v"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut reader = child.stderr.take().unwrap();
    // Nobody reads until the task has ended, so most of its output finds no room.
    let has_ended = || {
        let runs = project.runs();
        let log = std::fs::read_to_string(runs.first()?.path().join(".guild/events.jsonl")).ok()?;
        log.contains("\"task-finished\"").then_some(())
    };
    until("the end of the task", DEADLINE, has_ended);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    // The lines shown, and the bytes of each gap, are together all that was written, in order.
    let (mut next, mut gaps) = (1_000_000_u32, 0);
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("flood | ") {
            assert_eq!(number, next.to_string(), "after {gaps} gaps");
            next += 1;
        } else if let Some(notice) = line.strip_prefix("\u{2026} ") {
            let bytes: u32 = notice.split(' ').next().unwrap().parse().unwrap();
            assert!(notice.ends_with(" bytes of output of flood not shown: the terminal was too slow"), "{notice}");
            assert_eq!(bytes % 8, 0, "a gap is of whole lines");
            next += bytes / 8;
            gaps += 1;
        }
    }
    assert_eq!(next, LAST + 1, "all of it is accounted for");
    assert!(gaps > 0, "the reader was not slow");
}

/// Returns the lines of a text that are commands for GitHub.
fn commands(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("::")).collect()
}

#[test]
fn github_gets_annotations_by_itself_and_whoever_asks_for_them() {
    let script = "local x = 1\nassert(x == 2, 'no: 100%')\n";
    let project = || {
        Project::new()
            .file("sub/s.lua", script)
            .executable("sub/t.sh", "#!/bin/sh\necho \"$0: line 2: broken\" >&2\nexit 1\n")
            .main("job.run { testscript = 'sub/s.lua', taskid = 'a,b' }\njob.run { testscript = '/bin/false', taskid = 'c' }\njob.run { testscript = 'sub/t.sh', taskid = 'd' }")
    };
    let inside = |value: &str| project().env("GITHUB_ACTIONS", value);
    let page = project();
    let page = page.path("").join("step.md");
    for (project, args, is_annotated) in [
        (project(), &[][..], false),
        (inside("true"), &[][..], true),
        (inside("true"), &["-q"][..], true),
        (inside("true"), &["-qq"][..], false),
        (inside("true"), &["--annotations", "none"][..], false),
        (inside("false"), &[][..], false),
        (project(), &["--annotations", "github"][..], true),
        (project(), &["--annotations", "github", "-qq"][..], true),
    ] {
        let ended = project.job(args);
        ended.code(1);
        let text = ended.err();
        let found = commands(&text);
        assert_eq!(found.len(), if is_annotated { 3 } else { 0 }, "{args:?}\n{ended}");
        if is_annotated {
            assert!(
                found[0].starts_with("::error file=sub/s.lua,line=2,title=a%2Cb::") && found[0].ends_with("no: 100%25"),
                "{ended}"
            );
            assert!(
                found[1].starts_with("::error file=job.lua,line=") && found[1].ends_with(",title=c::exit code 1"),
                "{ended}"
            );
            assert!(found[2].starts_with("::error file=sub/t.sh,line=2,title=d::exit code 1: "), "{ended}");
        }
    }
    let project = inside("true").env("GITHUB_STEP_SUMMARY", &page);
    std::fs::create_dir_all(page.parent().unwrap()).unwrap();
    std::fs::write(&page, "before\n").unwrap();
    project.job(&[]).code(1);
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.starts_with("before\n### job: failed\n") && text.contains("| c | failed | exit code 1 |"), "{text}");
    project.job(&["--annotations", "gitlab"]).code(2).stderr_has("gitlab");
}

#[test]
fn help_is_a_page_and_the_long_one_is_all_of_it() {
    let project = Project::new().env("COLUMNS", "80");
    for command in ["run", "test", "walk", "runs", "replay"] {
        let (short, long) = (project.run(&[command, "-h"]), project.run(&[command, "--help"]));
        let (short, long) = (short.code(0).out(), long.code(0).out());
        assert!(short.lines().count() <= 50, "{command} -h has {} lines", short.lines().count());
        assert!(long.lines().count() > short.lines().count(), "{command}");
        assert!(short.contains("--help shows all"), "{short}");
        assert!(!short.contains("--plugin-timeout"), "{short}");
        assert!(command == "runs" || long.contains("--plugin-timeout"), "{long}");
    }
}
