//! The logs of tasks and of the job: what stands in them, in which order, and by whom.

use regex::Regex;

use crate::harness::{Project, Run};

/// Returns a log without times and process numbers. Every record must have the form of one.
#[track_caller]
fn records(run: &Run, path: &str) -> String {
    let form = Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (\w+ +[^ ]+) \[\d+ ([^\]]*)\] (.*)$");
    let form = form.expect("a sound pattern");
    let line = |line: &str| match form.captures(line) {
        Some(found) => format!("{} [{}] {}\n", &found[1], &found[2], &found[3]),
        None => {
            assert!(line.starts_with("    "), "this line is neither a record nor goes on with one: {line}");
            format!("{line}\n")
        }
    };
    run.text(path).lines().map(line).collect()
}

#[test]
fn a_task_log_has_prints_records_and_programs_in_order() {
    let script = r"
        local log = require 'rille.log'
        local part = log.get('lib.part')
        print('one')
        os.execute('echo two; echo three >&2')
        part:info('four')
        os.execute('printf five')
        part:warning('six\nand %d more', 2)
        io.stderr:write('eight\n')
        local pipe = io.popen('echo nine >&2; echo ten')
        print(pipe:read('a'))
        pipe:close()
        part:debug('not shown')
        log:error('eleven')
        io.write('twelve')";
    let project = Project::new().main("job.run { testscript = 's.lua', taskid = 'a/b' }").file("s.lua", script);
    let ended = project.job(&["-q"]);
    ended.code(0);
    let run = ended.the_run();
    insta::assert_snapshot!(records(&run, "tasks/1-a_b/task.log"), @r"
    INFO     stdout [a_b] one
    INFO     stdout [a_b] two
    INFO     stderr [a_b] three
    INFO     lib.part [a_b] four
    INFO     stdout [a_b] five
    WARNING  lib.part [a_b] six
        and 2 more
    INFO     stderr [a_b] eight
    INFO     stderr [a_b] nine
    INFO     stdout [a_b] ten
        
    ERROR    root [a_b] eleven
    INFO     stdout [a_b] twelve
    ");
    // The streams have the same bytes, as they came.
    assert_eq!(run.output("a_b", "stdout"), b"one\ntwo\nfiveten\n\ntwelve");
    assert_eq!(run.output("a_b", "stderr"), b"three\neight\nnine\n");
}

#[test]
fn an_executable_has_a_log_too_and_odd_bytes_stay_as_they_are() {
    let project = Project::new()
        .main(
            "job.run { testscript = 'sh', args = { '-c', [[printf 'a\\377\\000b\\n']] }, taskid = 'odd' }\n\
               job.run { testscript = 's.lua', taskid = 'lua' }\n\
               job.run { testscript = 'true', taskid = 'silent' }",
        )
        .file("s.lua", r"print('\xff\0') require('rille.log').root:info('\xfe')");
    let ended = project.job(&[]);
    ended.code(0);
    let run = ended.the_run();
    assert!(run.bytes("tasks/1-odd/task.log").ends_with(b"] a\xff\0b\n"));
    let log = run.bytes("tasks/2-lua/task.log");
    assert!(log.split(|byte| *byte == b'\n').next().unwrap().ends_with(b"] \xff\0"), "{}", log.escape_ascii());
    assert!(log.ends_with(b"] \xfe\n"), "{}", log.escape_ascii());
    assert!(!run.has("tasks/3-silent/task.log"), "a task that said nothing has no log");
}

#[test]
fn levels_set_in_the_jobfile_hold_in_its_tasks() {
    let body = r"
  local log = require 'rille.log'
  log.get('lib'):set_level('debug')
  log.get('lib.quiet'):set_level('ERROR')
  job.run { testscript = 's.lua', taskid = 'first' }
  log.get('lib'):set_level('WARNING')
  log.root:info('from the job')
  log.get('lib'):info('not from the job')
  job.run { testscript = 's.lua', taskid = 'second' }";
    let script = r"
        local log = require 'rille.log'
        for _, name in ipairs { '', 'lib', 'lib.part', 'lib.quiet.deep', 'library' } do
          for _, level in ipairs { 'debug', 'info', 'error' } do log.get(name)[level](log.get(name), level) end
        end
        log.get('lib'):set_level('ERROR')   -- for this task alone
        print(log.get('lib.part'):level(), log.get('lib.quiet.deep'):level(), log.root:level())";
    let project = Project::new().main(body).file("s.lua", script);
    let ended = project.job(&[]);
    ended.code(0);
    assert!(ended.err().contains("INFO root: from the job\n"), "{ended}");
    assert!(!ended.err().contains("not from the job"), "{ended}");
    let run = ended.the_run();
    insta::assert_snapshot!(records(&run, "tasks/1-first/task.log"), @r"
    INFO     root [first] info
    ERROR    root [first] error
    DEBUG    lib [first] debug
    INFO     lib [first] info
    ERROR    lib [first] error
    DEBUG    lib.part [first] debug
    INFO     lib.part [first] info
    ERROR    lib.part [first] error
    ERROR    lib.quiet.deep [first] error
    INFO     library [first] info
    ERROR    library [first] error
    INFO     stdout [first] ERROR	ERROR	INFO
    ");
    insta::assert_snapshot!(records(&run, "tasks/2-second/task.log"), @r"
    INFO     root [second] info
    ERROR    root [second] error
    ERROR    lib [second] error
    ERROR    lib.part [second] error
    ERROR    lib.quiet.deep [second] error
    INFO     library [second] info
    ERROR    library [second] error
    INFO     stdout [second] ERROR	ERROR	INFO
    ");
    let log = records(&run, "job.log");
    assert!(log.contains("INFO     root [job] from the job\n"), "{log}");
    assert!(log.contains("] START [") && log.contains("] first\n"), "{log}");
}

#[test]
fn slips_in_using_a_logger_are_told() {
    let cases = [
        ("log.get('x'):set_level('LOUD')", "'LOUD' is no log level; write DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("log.get('x').info('text')", "write logger:info(…), with a colon"),
        ("log.get('x'):inform('text')", "a logger has no method 'inform'"),
        ("log.get(3)", "log.get takes the name of a logger"),
        ("log.nothing()", "rille.log has no field 'nothing'"),
        ("log.root:info('%d', 'x')", "number expected, got string"),
    ];
    for (line, expected) in cases {
        let script = format!("local log = require 'rille.log'\n{line}");
        let project = Project::new().main("job.run { testscript = 's.lua', taskid = 'a' }").file("s.lua", script);
        let ended = project.job(&[]);
        ended.code(1);
        let reason = ended.the_run().reason("a");
        assert!(reason.contains(expected) && reason.contains("s.lua:2"), "{line}: {reason}");
    }
}

#[test]
fn prints_are_shown_with_the_task_and_programs_with_verbose() {
    let project = Project::new()
        .main("job.parallel { { testscript = 's.lua', taskid = 'a' }, { testscript = 's.lua', taskid = 'b' } }")
        .file("s.lua", "print('mine ' .. runtime.task.taskid)\nos.execute('echo other')");
    let normal = project.job(&[]);
    assert!(normal.err().contains("a | mine a\n") && normal.err().contains("b | mine b\n"), "{normal}");
    assert!(!normal.err().contains("other"), "{normal}");
    assert!(project.job(&["-v"]).err().contains("b | other\n"));
    assert!(!project.job(&["-q"]).err().contains("mine"));
}

#[test]
fn logs_are_shown_by_task_and_followed_to_the_end_of_the_run() {
    let project = Project::new()
        .main("print('from main')\njob.run { testscript = 's.lua', taskid = 'one/a', retries = 1 }\njob.run { testscript = 'true', taskid = 'b' }")
        .file("s.lua", "print('attempt ' .. os.getenv('RILLE_ATTEMPT')) assert(os.getenv('RILLE_ATTEMPT') == '2')");
    project.job(&[]).code(0);
    assert!(project.run(&["logs"]).code(0).out().contains("from main\n"));
    assert!(project.run(&["logs", "latest", "one/a"]).code(0).out().ends_with("] attempt 2\n"));
    assert!(project.run(&["logs", "latest", "1", "--attempt", "1"]).code(0).out().ends_with("] attempt 1\n"));
    project.run(&["logs", "latest", "b"]).code(0).stdout("").stderr_has("task 'b' has logged nothing");
    project.run(&["logs", "latest", "one_b"]).code(2).stderr_has("did you mean 'one_a'?");
    project.run(&["logs", "latest", "b", "--section", "T"]).code(2).stderr_has("task 'b' has no sections");
    project.run(&["logs", "nowhere"]).code(2);

    let project = Project::new()
        .main("job.run { testscript = 's.lua', taskid = 'a' }")
        .file("s.lua", "print('first')\nwhile not io.open(runtime.directory .. '/go') do end\nprint('last')");
    let running = project.start(&["run", "job.lua"]);
    running.wait_for_line("a | first");
    let following = project.start(&["logs", "latest", "a", "-f"]);
    following.wait_for_line("] first");
    std::fs::write(project.the_run().path().join("go"), "").unwrap();
    let followed = following.wait_only(std::time::Duration::from_mins(1));
    running.wait().code(0);
    followed.code(0);
    assert!(followed.out().ends_with("] last\n"), "{followed}");
}
