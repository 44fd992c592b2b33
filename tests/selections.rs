//! What the command line asks for: the one language that chooses tasks, testcases and tests, and the ledger of what nobody had
//! a use for.

use crate::harness::{Ended, Project};

/// A job of three tasks with tags and two with sections.
const JOB: &str = r#"
  job.run { testscript = "true", taskid = "connect", tags = { "fast", "net" } }
  job.run { testscript = "true", taskid = "send/all", tags = "slow" }
  job.run { testscript = "true", taskid = "a b" }
  job.run { testscript = "t.lua", taskid = "ping", tags = { "fast", "sections" } }"#;

const SCRIPT: &str = r#"local ts = require "rille.testscript"
ts.testcase("connect", { groups = { "fast", "net" } }):test("t", function() end)
ts.testcase("send_all", { groups = { "slow" } }):test("t", function() end)
ts.testcase("a b"):test("t", function() end)
ts.testcase("ping", { groups = { "fast", "sections" } }):test("t", function() end)"#;

fn project() -> Project {
    Project::new().main(JOB).file("t.lua", SCRIPT)
}

/// Returns the tasks that a selection leaves in.
fn tasks(ended: &Ended) -> Vec<String> {
    let run = ended.the_run();
    let ids = ["connect", "send_all", "a b", "ping"];
    ids.into_iter().filter(|id| run.task(id)["result"]["value"] != "skipped").map(str::to_owned).collect()
}

/// Returns the testcases that a selection leaves in.
fn testcases(ended: &Ended) -> Vec<String> {
    let sections = ended.the_run().events_of("task-planned");
    let sections = sections.iter().flat_map(|planned| planned["sections"].as_array().cloned().unwrap_or_default());
    let cases = sections.filter(|section| section["kind"] == "testcase");
    cases.filter_map(|section| section["uid"].as_str().map(str::to_owned)).collect()
}

#[test]
fn one_language_chooses_the_same_at_every_door() {
    // Over names, and over labels: what a name and a label choose.
    let names: [(&str, &[&str]); 9] = [
        ("connect", &["connect"]),
        ("connect or ping", &["connect", "ping"]),
        ("connect,ping", &["connect", "ping"]),
        ("Or('connect', 'a b')", &["connect", "a b"]),
        ("And('*n*', Not('connect'))", &["send_all", "ping"]),
        ("not (send* or 'a b')", &["connect", "ping"]),
        ("!send* & !ping", &["connect", "a b"]),
        ("*n[dg]*", &["send_all", "ping"]),
        ("{ping,connect}", &["connect", "ping"]),
    ];
    let labels: [(&str, &[&str]); 5] = [
        ("fast", &["connect", "ping"]),
        ("fast and not net", &["ping"]),
        ("not f*", &["send_all", "a b"]),
        ("slow,net", &["connect", "send_all"]),
        ("Or('slow', And('fast', 'sections'))", &["send_all", "ping"]),
    ];
    let recipes = r#"[{"kind": "noop", "identifier": "connect"}, {"kind": "noop", "identifier": "send_all"},
                      {"kind": "noop", "identifier": "a b"}, {"kind": "noop", "identifier": "ping"}]"#;
    let listing = Project::new().file("recipes.json", recipes);
    for (text, expected) in names {
        assert_eq!(tasks(project().job(&["--taskid", text]).code(0)), expected, "--taskid {text}");
        assert_eq!(testcases(project().run(&["run", "t.lua", "--uids", text]).code(0)), expected, "--uids {text}");
        let listed = listing.run(&["list", "recipes.json", "--json", "-E", text]);
        let listed = listed.code(0).json();
        let listed: Vec<&str> =
            listed.as_array().into_iter().flatten().filter_map(|test| test["name"].as_str()).collect();
        assert_eq!(listed, expected, "-E {text}");
    }
    for (text, expected) in labels {
        assert_eq!(tasks(project().job(&["--tags", text]).code(0)), expected, "--tags {text}");
        assert_eq!(testcases(project().run(&["run", "t.lua", "--groups", text]).code(0)), expected, "--groups {text}");
    }
}

#[test]
fn what_is_no_selection_is_refused_at_every_door_before_anything_runs() {
    let project = project();
    for (text, problem) in [
        ("a and", "a pattern is missing"),
        ("(a or b", "this parenthesis is not closed"),
        ("a b", "expected 'and' or 'or', and not 'b'; a name with blanks is put in quotes"),
        ("Or('a' 'b')", "expected 'and', 'or' or ')', and not 'b'"),
        ("a[", "it is no pattern: unclosed character class"),
    ] {
        for option in ["--taskid", "--tags", "--uids", "--groups"] {
            let ended = project.run(&["run", "job.lua", option, text]);
            ended.code(2).stderr_has(&format!("{option} '{text}': at character ")).stderr_has(problem);
        }
    }
    assert!(project.runs().is_empty());
}

#[test]
fn a_pattern_that_fits_nothing_is_named_with_the_near_miss_and_what_there_is() {
    let all_ids = "the ids are a b, connect, ping, send_all";
    let cases: [(&[&str], i32, &[&str]); 9] = [
        (&["--taskid", "conect"], 4, &["no task fits --taskid 'conect'; did you mean 'connect'?", all_ids]),
        (&["--taskid", "connect or pnig"], 0, &["no task fits --taskid 'pnig'; did you mean 'ping'?", all_ids]),
        (&["--tags", "not slwo"], 0, &["no task fits --tags 'slwo'; did you mean 'slow'? the tags are fast, net"]),
        (&["--tags", "x", "--tags", "fast"], 4, &["no task fits --tags 'x'; the tags are fast, net, sections, slow"]),
        (
            &["--uids", "pnig"],
            4,
            &["no testcase fits --uids 'pnig'; did you mean 'ping'? the uids are a b, connect, ping"],
        ),
        (&["--uids", "ping or nosuch"], 0, &["no testcase fits --uids 'nosuch'; the uids are a b, connect"]),
        (&["--groups", "fsat"], 4, &["no testcase fits --groups 'fsat'; did you mean 'fast'? the groups are fast"]),
        (&["--groups", "fast", "--uids", "x*"], 4, &["no testcase fits --uids 'x*'"]),
        (&["--taskid", "connect", "--uids", "ping"], 4, &["no testcase fits --uids 'ping'; there are no uids"]),
    ];
    let project = project();
    for (options, code, told) in cases {
        let ended = project.run(&[&["run", "job.lua"], options].concat());
        ended.code(code);
        for part in told {
            ended.stderr_has(part);
        }
        let named = ended.err().matches("fits --").count();
        assert_eq!(named, 1, "{options:?}\n{}", ended.err());
    }
    // What fits is not named.
    let ended =
        project.run(&["run", "job.lua", "--taskid", "connect or ping", "--groups", "fast and not (slow or net)"]);
    ended.code(0).stderr_lacks("fits --");
    // The sections of a task that died before it could tell are not known.
    let dead = Project::new().main("job.run { testscript = 'd.lua' }").file("d.lua", "os.execute('kill -9 $PPID')");
    dead.job(&["--uids", "x", "--param", "y=1"]).code(1).stderr_lacks("fits --").stderr_lacks("nobody read");
}

#[test]
fn a_pattern_of_the_jobfile_that_fits_nothing_is_named_too() {
    let job = "job.run { testscript = 't.lua', taskid = 't', uids = 'ping or conect' }";
    let ended = Project::new().main(job).file("t.lua", SCRIPT).job(&[]);
    ended
        .code(0)
        .stderr_has("task 't': no testcase fits uids 'conect'; did you mean 'connect'? the uids are a b, connect");
}

#[test]
fn a_choice_of_sections_where_no_task_has_any_ran_nothing_that_was_asked_for() {
    let job = "job.run { testscript = 'plain.lua', taskid = 'connect' }";
    for option in ["--uids", "--groups"] {
        let ended = Project::new().main(job).file("plain.lua", "").job(&[option, "nosuch"]);
        ended.code(4).outcomes("connect=passed").stderr_has(&format!("no testcase fits {option} 'nosuch'"));
    }
}

#[test]
fn a_slip_in_an_option_is_refused_before_the_first_task() {
    let run = "job.run { testscript = '/bin/true' }";
    let slips = [
        ("--taskids", "--taskid"),
        ("--tgas=x", "--tags"),
        ("--tagg", "--tag"),
        ("--reties", "--retries"),
        ("--task_id", "--taskid"),
        ("--max_failures", "--max-failures"),
        ("--tesbed", "--testbed"),
        ("--Groups", "--groups"),
    ];
    for (slip, meant) in slips {
        let ended = Project::new().main(run).job(&[slip, "connect"]);
        let name = slip.split('=').next().unwrap_or_default();
        let told =
            format!("{name} is no option of rille; did you mean {meant}? behind -- it is handed on to the jobfile");
        ended.code(2).stderr_has(&told);
        assert!(ended.the_run().events_of("task-started").is_empty(), "{slip}");
        assert_eq!(ended.err().matches("is no option of rille").count(), 1, "{}", ended.err());
        Project::new().main(run).job(&["--", slip, "connect"]).code(0);
    }
    let parser = "local parser = require 'rille.args'.parser():option('--taskids')\n";
    let cases = [
        (format!("{parser}parser:parse()\n{run}"), 0),
        (format!("{parser}parser:parse_known(runtime.argv)\n{run}"), 0),
        (format!("print(runtime.argv[1])\n{run}"), 0),
        (format!("print(arg[1])\n{run}"), 0),
        (format!("{run}\n{parser}parser:parse()"), 2),
        (format!("pcall(job.run, {{ testscript = '/bin/true' }})\n{run}"), 2),
        (format!("pcall(function() {run} end)"), 2),
        (format!("pcall(function() {run} end) os.exit(0)"), 2),
        ("job.parallel { { testscript = '/bin/true' } }".to_owned(), 2),
        ("job.Task { testscript = '/bin/true' }:start()".to_owned(), 2),
        ("job.run { testscript = 't.lua' }".to_owned(), 2),
    ];
    for (body, code) in cases {
        let own = "require 'rille.args'.parser():option('--taskids'):parse()";
        let ended = Project::new().main(&body).file("t.lua", own).job(&["--taskids", "x"]);
        ended.code(code);
        assert_eq!(ended.the_run().events_of("task-started").is_empty(), code == 2, "{body}");
    }
    // Of a script that runs alone the same holds.
    let alone = Project::new().file("t.lua", SCRIPT);
    alone.run(&["run", "t.lua", "--uid", "ping"]).code(2).stderr_has("did you mean --uids?");
    alone.run(&["run", "t.lua", "--", "--uid", "ping"]).code(0);
}

#[test]
fn a_parameter_that_nobody_read_is_named() {
    let two = "job.run { testscript = 'a.lua' }\njob.run { testscript = 'b.lua' }";
    let cases: [(&str, &str, &str, &str); 13] = [
        ("print(parameters.limit)", "", "limit=1", ""),
        ("print(parameters.limit)", "", "limt=1", "nobody read the parameter 'limt' of --param; did you mean 'limit'?"),
        ("", "print(parameters['limit'])", "limit=1", ""),
        ("local p = parameters print(p.limit)", "", "limt=1", "did you mean 'limit'?"),
        ("-- parameters.limit", "", "limit=1", "nobody read the parameter 'limit' of --param"),
        ("require 'm'", "", "inner=1", ""),
        ("require 'm'", "", "iner=1", "did you mean 'inner'?"),
        ("for name in pairs(parameters) do print(name) end", "", "any=1", ""),
        ("return 'passed', nil, parameters", "", "any=1", ""),
        ("load(parameters.code or '')()", "", "any=1", ""),
        ("print(parameters.size)", "", "any=1", "nobody read the parameter 'any' of --param"),
        (
            "local ts = require 'rille.testscript' ts.parameters { limit = 1 }\n\
             ts.testcase('A'):test('t', function(self, p) print(p.limit) end)",
            "",
            "limt=1",
            "did you mean 'limit'?",
        ),
        (
            "local ts = require 'rille.testscript'\n\
             ts.testcase('A'):test('t', function(self, p) for name in pairs(p) do print(name) end end)",
            "",
            "any=1",
            "",
        ),
    ];
    for (a, b, given, told) in cases {
        let project =
            Project::new().main(two).file("a.lua", a).file("b.lua", b).file("m.lua", "print(parameters.inner)");
        let ended = project.job(&["--param", given]);
        ended.code(0);
        let warnings = ended.the_run().warnings();
        assert!(if told.is_empty() { warnings.is_empty() } else { warnings.contains(told) }, "{a} {given}: {warnings}");
    }
    let executable = Project::new().main("job.run { testscript = '/bin/true' }");
    executable.job(&["--param", "x=1"]).code(0).stderr_has("nobody read the parameter 'x' of --param");
    let jobfile = Project::new().main("print(runtime.args.param.x)\njob.run { testscript = '/bin/true' }");
    jobfile.job(&["--param", "x=1"]).code(0).stdout("1\n").stderr_lacks("nobody read");
}

#[test]
fn what_a_filter_of_tests_asks_for_in_vain_is_named() {
    let recipes = r#"[{"kind": "tap", "uri": "a.sh", "tags": {"fast": null}}, {"kind": "noop", "identifier": "b"}]"#;
    let project = Project::new().file("recipes.json", recipes);
    let cases: [(&[&str], i32, &str); 6] = [
        (&["-E", "kind(tpa)"], 4, "WARNING: no kind fits -E 'tpa'; did you mean 'tap'? the kinds are noop, tap"),
        (&["-E", "kind(tap) or name(c)"], 0, "WARNING: no name fits -E 'c'; the names are a.sh, b"),
        (&["-E", "not tag(fsat)"], 0, "WARNING: no tag fits -E 'fsat'; did you mean 'fast'? the tags are fast"),
        (&["-t", "fsat"], 4, "WARNING: no tag fits -t 'fsat'; did you mean 'fast'? the tags are fast"),
        (&["-t", "fast,-slow"], 0, "WARNING: no tag fits -t 'slow'; the tags are fast"),
        (&["-E", "Or('a.sh', 'B')"], 0, "WARNING: no name fits -E 'B'; did you mean 'b'? the names are a.sh, b"),
    ];
    for (options, code, told) in cases {
        project.run(&[&["list", "recipes.json"], options].concat()).code(code).stderr_has(told);
    }
    let ended = project.run(&["list", "recipes.json", "-E", "kind(tap) and not kind(noop)", "-t", "fast"]);
    ended.code(0).stderr_lacks("WARNING");
}
