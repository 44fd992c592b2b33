//! `runtime` in the jobfile and in tasks, and the testbed.

use crate::harness::Project;

#[test]
fn every_field_can_be_read_and_says_what_it_should() {
    let project = Project::new().env("MY_VARIABLE", "its value").file("nightly.lua", "").main(
        r#"local j = runtime.job
  print(j.name, #j.uid, j.file:match("[^/]+$"), #j.file_hash, j.stoptime, j.result)
  assert(j.starttime:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d+Z$"), j.starttime)
  assert(math.type(j.elapsedtime) == "float" and j.elapsedtime >= 0)
  assert(runtime.directory:sub(-#j.uid) == j.uid)
  print(runtime.archive, runtime.testbed, #runtime.argv, runtime.env.MY_VARIABLE, runtime.args.grace)
  print(#runtime.tasks, runtime.tasks.result, #runtime.tasks.active, #runtime.tasks.errors)
  job.run { testscript = "/bin/true", taskid = "good" }
  job.run { testscript = "/bin/false", taskid = "bad" }
  local t = job.Task { testscript = "/bin/cat", taskid = "open" }
  t:start()
  t:wait()
  print(#runtime.tasks, tostring(runtime.tasks.result), tostring(j.result))
  for number, task in ipairs(runtime.tasks) do print(number, task.taskid, task.result, task.error) end
  local names = {}
  for _, task in pairs(runtime.tasks) do names[#names + 1] = task.taskid end
  print(table.concat(names, " "), runtime.tasks.errors[1].taskid)"#,
    );
    let expected = "job\t32\tjob.lua\t64\tnil\tnil\nnil\tnil\t0\tits value\t2.0\n0\tnil\t0\t0\n3\tfailed\tfailed\n\
                    1\tgood\tpassed\tnil\n2\tbad\tfailed\texit code 1\n3\topen\tpassed\tnil\n\
                    good bad open\tbad\n";
    project.job(&[]).code(1).stdout(expected);
}

#[test]
fn what_is_not_there_raises_with_the_nearest_name_and_nothing_but_the_name_can_be_set() {
    let tries = [
        ("return runtime.tetsbed", "the runtime has no field 'tetsbed'; did you mean 'testbed'?"),
        ("return runtime.job.nmae", "runtime.job has no field 'nmae'; did you mean 'name'?"),
        ("return runtime.tasks.activ", "runtime.tasks has no field 'activ'; did you mean 'active'?"),
        ("return runtime.job.qqqqqqqqq", "it has: name, uid, file"),
        ("return runtime.synchro.dct", "runtime.synchro has no field 'dct'; did you mean 'dict'?"),
        ("return runtime.pluginn", "the runtime has no field 'pluginn'; did you mean 'plugin'?"),
        ("runtime.directory = '/'", "runtime.directory cannot be set"),
        ("runtime.mine = 1", "runtime.mine cannot be set"),
        ("runtime.job.uid = 'x'", "runtime.job.uid cannot be set"),
        ("runtime.tasks.x = 1", "runtime.tasks.x cannot be set"),
        ("runtime.job.name = ''", "must be a text"),
        ("runtime.job.name = 3", "must be a text"),
    ];
    for (code, message) in tries {
        let body = format!("job.run {{ testscript = '/bin/true' }}\n{code}");
        let ended = Project::new().main(&body).job(&[]);
        ended.code(1).stderr_has(message).stderr_has("job.lua:4: ");
    }
}

#[test]
fn a_job_names_itself_in_every_report() {
    let project = Project::new()
        .main("runtime.job.name = 'nightly'\njob.run { testscript = 'name.lua' }\nprint(runtime.job.name)");
    let project = project.file("name.lua", "print(runtime.job.name)");
    let ended = project.job(&[]);
    ended.code(0).stdout("nightly\n").stderr_has("\nnightly\n└── Task-1");
    let run = ended.the_run();
    assert_eq!(run.results()["run"]["name"], "nightly");
    assert_eq!(run.output("Task-1", "stdout"), b"nightly\n");
    assert_eq!(run.events_of("job-renamed").len(), 1);
}

#[test]
fn a_lua_task_reads_the_runtime_and_cannot_set_it() {
    let script = r#"print(runtime.job.name, runtime.task.taskid, #runtime.job.uid, runtime.testbed, runtime.argv[1])
print(runtime.directory == os.getenv("RILLE_RUN_DIR"))
print(select(2, pcall(function() return runtime.dirctory end)))
print(select(2, pcall(function() runtime.directory = "x" end)))
print(select(2, pcall(function() runtime.job.name = "x" end)))
print(select(2, pcall(require, "rille.job")))"#;
    let project = Project::new().main("job.run { testscript = 'read.lua', taskid = 'a/b' }").file("read.lua", script);
    let run = project.job(&["--x"]).code(0).the_run();
    let text = String::from_utf8(run.output("a_b", "stdout")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["job\ta_b\t32\tnil\t--x", "true"]);
    assert!(lines[2].contains("runtime has no field 'dirctory'; did you mean 'directory'?"), "{}", lines[2]);
    assert!(lines[3].contains("runtime.directory cannot be set"), "{}", lines[3]);
    assert!(lines[4].contains("runtime.job.name cannot be set"), "{}", lines[4]);
    assert!(lines[5].contains("is for jobfiles"), "{}", lines[5]);
}

#[test]
fn a_testbed_is_read_from_yaml_json_and_lua() {
    let files = [
        ("bed.yaml", "name: lab\nports: [1, 2]\nup: true\n"),
        ("bed.yml", "name: lab\nports:\n- 1\n- 2\nup: true\n"),
        ("bed.json", r#"{"name": "lab", "ports": [1, 2], "up": true}"#),
        ("bed.lua", "return { name = 'lab', ports = { 1, 2 }, up = true }"),
    ];
    let show = "print(runtime.testbed.name, parameters.testbed.ports[2], parameters.testbed.up)";
    let sh = "#!/bin/sh\ncat \"$RILLE_TESTBED\"\necho \"$testbed\"\n";
    for (name, text) in files {
        let body = "print(runtime.testbed.name, runtime.testbed.ports[2])\n\
                    job.run { testscript = 'show.lua' }\njob.run { testscript = 'show.sh' }\n\
                    job.run { testscript = 'mine.lua', testbed = 'mine' }";
        let project = Project::new().main(body).file(name, text).file("show.lua", show).executable("show.sh", sh);
        let project = project.file("mine.lua", "print(parameters.testbed)");
        let run = project.job(&["--testbed", name]).code(0).stdout("lab\t2\n").the_run();
        assert_eq!(run.output("Task-1", "stdout"), b"lab\t2\ttrue\n", "{name}");
        let shown = String::from_utf8(run.output("Task-2", "stdout")).unwrap();
        let found = shown.replacen("}{", "}\n{", 1);
        for line in found.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value, serde_json::json!({"name": "lab", "ports": [1, 2], "up": true}), "{name}");
        }
        assert_eq!(found.lines().count(), 2, "{name}: {shown}");
        assert_eq!(run.output("Task-3", "stdout"), b"mine\n", "{name}");
    }
}

#[test]
fn without_a_testbed_the_parameter_is_nil() {
    let project = Project::new().main("print(runtime.testbed)\njob.run { testscript = 'show.lua' }");
    let project = project.file("show.lua", "print(parameters.testbed, runtime.testbed)");
    let run = project.job(&[]).code(0).stdout("nil\n").the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"nil\tnil\n");
}

#[test]
fn a_testbed_that_cannot_be_used_is_a_usage_error() {
    let files = [
        ("bed.yaml", "a: [1\n", "the testbed 'bed.yaml' cannot be used"),
        ("bed.json", "{\n\"a\": }", "line 2"),
        ("bed.lua", "return {\n a = = 1 }", "bed.lua:2: "),
        ("bed.lua", "return 3", "it must return a table"),
        ("bed.lua", "return { f = print }", "the table.f is a function"),
        ("bed.lua", "os.exit(0)", "cannot exit"),
        ("bed.toml", "a = 1", "its name must end in .yaml, .yml, .json or .lua"),
        ("other.yaml", "", "cannot read the testbed 'bed.yaml'"),
    ];
    for (name, text, message) in files {
        let given = if name == "other.yaml" { "bed.yaml" } else { name };
        let project = Project::new().main("job.run { testscript = '/bin/true' }").file(name, text);
        project.job(&["-t", given]).code(2).stderr_has(message).stderr_has("testbed");
        assert!(project.runs().is_empty(), "{name}");
    }
}

#[test]
fn a_testbed_that_is_not_there_is_offered_by_its_nearest_name_and_an_empty_one_is_refused() {
    let project =
        Project::new().main("job.run { testscript = '/bin/true' }").file("lab.yaml", "a: 1").file("bed/x", "");
    project
        .job(&["-t", "labb.yaml"])
        .code(2)
        .stderr_has("cannot read the testbed 'labb.yaml'")
        .stderr_has("did you mean 'lab.yaml'?");
    project.job(&["-t", "bed"]).code(2).stderr_has("cannot read the testbed 'bed'");
    for (text, message) in
        [("", "it is empty"), ("# only this", "it is empty"), ("just text", "must hold a table"), ("\u{0}", "bed.yaml")]
    {
        let project = Project::new().main("job.run { testscript = '/bin/true' }").file("bed.yaml", text);
        project
            .job(&["-t", "bed.yaml"])
            .code(2)
            .stderr_has("the testbed 'bed.yaml' cannot be used")
            .stderr_has(message);
    }
}

#[test]
fn a_jobfile_loads_further_testbeds_itself() {
    let body = "local other = dofile 'other.lua'\njob.run { testscript = 'show.lua' }\n\
                job.run { testscript = 'show.lua', testbed = other }\nprint(runtime.testbed.name)";
    let project = Project::new()
        .main(body)
        .file("one.yaml", "name: one")
        .file("other.lua", "return { name = 'other', ports = { 1, 2 } }")
        .file("show.lua", "print(parameters.testbed.name, runtime.testbed.name)");
    let run = project.job(&["-t", "one.yaml"]).code(0).stdout("one\n").the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"one\tone\n");
    assert_eq!(run.output("Task-2", "stdout"), b"other\tone\n");
}
