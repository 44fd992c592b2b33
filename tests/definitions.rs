//! What may stand in a task table: wrong types, near misses, recipes, and how parameters reach a script.

use crate::harness::Project;

#[test]
fn a_wrong_type_is_an_errored_task_with_its_line_and_others_run() {
    let cases = [
        ("taskid = 'x'", "has no testscript; write testscript = \"FILE\""),
        ("testscript = 3", "testscript must be a path, a recipe table or a runnable, got the number 3"),
        ("testscript = ''", "testscript is empty"),
        ("testscript = '/bin/true', taskid = 3", "taskid must be a string, got the number 3"),
        (
            "testscript = '/bin/true', max_runtime = '60'",
            "max_runtime must be a number of seconds above 0, got the string '60'",
        ),
        (
            "testscript = '/bin/true', max_runtime = 0",
            "max_runtime must be a number of seconds above 0, got the number 0",
        ),
        (
            "testscript = '/bin/true', max_runtime = -1.5",
            "max_runtime must be a number of seconds above 0, got the number -1.5",
        ),
        ("testscript = '/bin/true', max_runtime = 0/0", "max_runtime must be a number of seconds above 0"),
        ("testscript = '/bin/true', kind = true", "kind must be a string, got true"),
        ("testscript = '/bin/true', kind = 'exec-tset'", "kind 'exec-tset' is not known; did you mean 'exec-test'?"),
        ("testscript = '/bin/true', kind = 'q'", "kind 'q' is not known; the kinds are: "),
        ("testscript = '/bin/true', args = { {} }", "args[1] must be a string"),
        ("testscript = '/bin/true', args = { a = 'x' }", "args is a list, and has no place for the key 'a'"),
        ("testscript = '/bin/true', args = { 'a', nil, 'c' }", "args: item 2 is missing (nil), and others follow"),
        ("testscript = '/bin/true', args = { 'a\\0b' }", "args[1] holds a NUL byte"),
        ("testscript = '/bin/true', env = 'X=1'", "env must be a table of names and texts, got the string 'X=1'"),
        ("testscript = '/bin/true', env = { X = {} }", "env.X must be a string, a number, or false to remove it"),
        ("testscript = '/bin/true', env = { ['A=B'] = 'x' }", "'A=B' has a name that no environment can hold"),
        ("testscript = '/bin/true', env = { A = 'a\\0b' }", "'A' holds a NUL byte"),
        ("testscript = '/bin/true', cwd = {}", "cwd must be a path, got a table"),
        ("testscript = '/bin/true', cwd = 'nowhere'", "nowhere does not exist"),
        ("testscript = '/bin/true', stdin = 3", "stdin must be a path, got the number 3"),
        ("testscript = '/bin/true', stdin = 'nowhere'", "nowhere"),
        ("testscript = '/bin/true', retries = 'many'", "retries must be a whole number from 0, got the string 'many'"),
        ("testscript = '/bin/true', retries = -1", "retries must be a whole number from 0, got the number -1"),
        ("testscript = '/bin/true', retries = 1.5", "retries must be a whole number from 0, got the number 1.5"),
        ("testscript = '/bin/true', needs = 3", "needs must be a list of strings, got the number 3"),
        ("testscript = '/bin/true', resources = 2", "resources must be a table such as { cpus = 2 }, got the number 2"),
        (
            "testscript = '/bin/true', resources = { cpus = -1 }",
            "resources.cpus must be a whole number from 0 or a size",
        ),
        ("testscript = '/bin/true', tags = { true }", "tags[1] must be a string"),
        ("testscript = '/bin/true', [1] = 'x'", "a task table has names as keys, got the number 1"),
        (
            "testscript = '/bin/true', hook = print",
            "parameter 'hook' is a function, which cannot be handed to another process",
        ),
        (
            "testscript = '/bin/true', steps = { {}, { f = print } }",
            "parameter 'steps'[2].f is a function, which cannot be handed to another process",
        ),
        (
            "testscript = '/bin/true', holes = { x = { 1, nil, 3 } }",
            "parameter 'holes'.x is a list with a hole: item 2",
        ),
        ("testscript = '/bin/true', ['\\xff'] = 1", "holds bytes that are not UTF-8"),
        (
            "testscript = '/bin/true', result = job.rollup { 'passed' }",
            "is a result, which cannot be handed to another process; hand over its value: result.value",
        ),
        (
            "testscript = '/bin/true', t = setmetatable({}, {}), c = coroutine.create(print)",
            "parameter 'c' is a thread",
        ),
    ];
    let tasks = cases.map(|(fields, _)| format!("  job.run {{ {fields} }}\n")).concat();
    let body =
        format!("print(job.run {{ testscript = '/bin/true' }})\n{tasks}print(job.run {{ testscript = '/bin/true' }})");
    let ended = Project::new().main(&body).job(&[]);
    ended.code(1).stdout("true\tpassed\ntrue\tpassed\n");
    let results = ended.the_run().results();
    assert_eq!(results["counts"]["errored"], cases.len());
    let mut wrong = Vec::new();
    for (number, (fields, message)) in (1..).zip(cases) {
        let task = &results["tasks"][number];
        let line = u64::try_from(number + 3).unwrap();
        let reason = task["result"]["reason"].as_str().unwrap();
        if !reason.contains(message) || task["place"]["line"] != line {
            wrong.push(format!("{fields}\n    expected {message}\n    found    {reason} ({})", task["place"]));
        }
    }
    assert_eq!(ended.the_run().events_of("task-started").len(), 2);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_near_miss_is_handed_on_with_a_warning_and_other_keys_without() {
    let body = "job.run { testscript = 'show.lua', max_runtme = 60, task_id = 'x', device = 'sw1', speed = 3 }";
    let show = "print(parameters.max_runtme, parameters.task_id, parameters.device, parameters.speed)";
    let project = Project::new().main(body).file("show.lua", show);
    let ended = project.job(&[]);
    ended
        .code(0)
        .stderr_has("warning: job.lua:3: 'max_runtme' is handed on as a parameter; did you mean 'max_runtime'?");
    ended.stderr_has("warning: job.lua:3: 'task_id' is handed on as a parameter; did you mean 'taskid'?");
    let run = ended.the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"60\tx\tsw1\t3\n");
    assert_eq!(run.warnings().lines().count(), 2);
}

#[test]
fn parameters_keep_their_types_on_the_way_to_lua() {
    let body = r#"job.run { testscript = "show.lua", runtime = runtime, args = { "one", 2 },
    i = 3, f = 3.0, big = math.maxinteger, small = 5e-324, neg = -0.0, huge = 1e308, yes = true, no = false, text = "a\n\"b\" ü",
    empty = {}, list = { 1, { 2, { x = "deep" } } }, map = { b = 1, a = { true } }, ["a key"] = "spaced" }"#;
    let show = r#"local p, args = ..., arg
assert(p == parameters and math.type(p.i) == "integer" and math.type(p.f) == "float")
assert(p.big == math.maxinteger and p.small == 5e-324 and p.huge == 1e308 and 1 / p.neg == -1 / 0)
assert(p.yes == true and p.no == false and p.text == "a\n\"b\" ü" and next(p.empty) == nil)
assert(p.list[2][2].x == "deep" and p.map.a[1] == true and p["a key"] == "spaced")
assert(p.testscript == nil and p.runtime == nil and p.args == nil)
print(args[1], args[2], select('#', ...))"#;
    let run = Project::new().main(body).file("show.lua", show).job(&[]).code(0).the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"one\t2\t1\n");
}

#[test]
fn parameters_reach_an_executable_as_its_environment() {
    let body = r#"job.run { testscript = "show.sh", args = { "one", "two words", 3, "$HOME" }, speed = 9600, name = "sw 1",
    on = true, list = { 1, "a" }, map = { b = 1 }, env = { EXTRA = "x", NUMBER = 2, INHERITED = false } }"#;
    let show = "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" \"$speed\" \"$name\" \"$on\" \"$list\" \"$map\" \"$EXTRA\" \
                \"$NUMBER\" \"${INHERITED-gone}\" \"$RILLE_TASK_ID\"\n";
    let project = Project::new().env("INHERITED", "yes").main(body).executable("show.sh", show);
    let run = project.job(&[]).code(0).the_run();
    let shown = String::from_utf8(run.output("Task-1", "stdout")).unwrap();
    let expected = "4\none\ntwo words\n3\n$HOME\n9600\nsw 1\ntrue\n[1,\"a\"]\n{\"b\":1}\nx\n2\ngone\nTask-1\n";
    assert_eq!(shown, expected);
}

#[test]
fn a_task_runs_in_its_own_folder_unless_told_otherwise() {
    let body = r#"job.run { testscript = "here.sh", taskid = "own" }
  job.run { testscript = "here.sh", taskid = "given", cwd = "data" }
  job.run { testscript = "here.lua", taskid = "lua", cwd = "data" }"#;
    let text = format!("local job = require 'rille.job'\nfunction main()\n{body}\nend");
    let project = Project::new()
        .file("jobs/job.lua", text)
        .file("jobs/data/x", "")
        .executable("jobs/here.sh", "#!/bin/sh\npwd\ntest \"$RILLE_TASK_DIR\" = \"$PWD\" && echo own > file\n")
        .file("jobs/here.lua", "print(os.getenv('PWD') ~= nil, io.open('x') ~= nil)");
    let run = project.run(&["run", "jobs/job.lua"]).code(1).the_run();
    let shown = |id: &str| String::from_utf8(run.output(id, "stdout")).unwrap().trim().to_owned();
    assert_eq!(shown("own"), run.path().join("tasks/1-own").display().to_string());
    assert_eq!(run.text("tasks/1-own/file"), "own\n");
    assert_eq!(shown("given"), project.path("jobs/data").display().to_string());
    assert!(shown("lua").ends_with("true"), "{}", shown("lua"));
}

#[test]
fn stdin_comes_from_a_file_and_is_empty_without() {
    let body = r#"job.run { testscript = "/bin/cat", taskid = "given", stdin = "input.txt" }
  job.run { testscript = "/bin/cat", taskid = "none" }
  job.run { testscript = "read.lua", taskid = "lua", stdin = "input.txt" }
  job.run { testscript = "read.lua", taskid = "lua-none" }"#;
    let project = Project::new().stdin("not for tasks").main(body).file("input.txt", "from a file");
    let run = project.file("read.lua", "io.write('[', io.read('a'), ']')").job(&[]).code(0).the_run();
    assert_eq!(run.output("given", "stdout"), b"from a file");
    assert_eq!(run.output("none", "stdout"), b"");
    assert_eq!(run.output("lua", "stdout"), b"[from a file]");
    assert_eq!(run.output("lua-none", "stdout"), b"[]");
}

#[test]
fn a_recipe_can_be_given_as_a_table_or_a_file() {
    let body = r#"job.run { testscript = { kind = "exec-test", uri = "show.sh", args = { "r" }, kwargs = { n = 1 } }, taskid = "table", args = { "more" } }
  job.run { testscript = "show.json", taskid = "file", n = 2 }
  job.run { testscript = { kind = "lua", uri = "show.lua", kwargs = { n = 3 } }, taskid = "lua" }
  job.run { testscript = { kind = "exec-test", uri = "true" }, taskid = "command" }"#;
    let recipe = r#"{"kind": "exec-test", "uri": "show.sh", "args": ["j"], "kwargs": {"n": "1"}}"#;
    let project = Project::new()
        .main(body)
        .file("show.json", recipe)
        .executable("show.sh", "#!/bin/sh\necho \"$* n=$n\"\n")
        .file("show.lua", "print(parameters.n)");
    let run = project.job(&[]).code(0).the_run();
    assert_eq!(run.output("table", "stdout"), b"r more n=1\n");
    assert_eq!(run.output("file", "stdout"), b"j n=2\n");
    assert_eq!(run.output("lua", "stdout"), b"3\n");
}

#[test]
fn a_recipe_that_is_none_is_an_errored_task() {
    let cases = [
        ("{ kind = 'exec-test' }", "has no uri"),
        ("{ uri = '/bin/true' }", "kind"),
        ("{ kind = 'exec-test', uri = '/bin/true', agrs = {} }", "agrs"),
        ("{ kind = 'robot', uri = '/bin/true' }", "kind 'robot' is not known"),
        ("{ kind = 'exec-test', uri = 'none.sh/x' }", "there is no testscript 'none.sh/x'"),
        ("'broken.json'", "broken.json is no recipe"),
        ("'none.json'", "there is no testscript 'none.json'"),
    ];
    let tasks = cases.map(|(recipe, _)| format!("job.run {{ testscript = {recipe} }}\n")).concat();
    let ended = Project::new().main(&tasks).file("broken.json", "{").job(&[]);
    ended.code(1);
    for (number, (recipe, message)) in (1..).zip(cases) {
        let reason = ended.the_run().reason(&format!("Task-{number}"));
        assert!(reason.contains(message), "{recipe}: {reason}");
    }
}

#[test]
fn uids_and_groups_of_an_executable_are_said_to_have_no_effect() {
    let ended = Project::new().main("job.run { testscript = '/bin/true', uids = 'a', groups = { 'b' } }").job(&[]);
    ended.code(0).stderr_has(
        "job.lua:3: 'uids' and 'groups' choose sections of a testscript; they have no effect on kind 'exec-test'",
    );
    Project::new().main("job.run { testscript = '/bin/true' }").job(&[]).code(0).stderr_lacks("sections");
}
