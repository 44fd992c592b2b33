//! Plugins: their four stages in order, what an error in each of them leads to, and plugins that hang.

use serde_json::json;

use crate::harness::{Project, check_results};

/// Three plugins that print the name of each stage, defined in another order than theirs.
const THREE: &str = r#"
  for _, p in ipairs { { "B", 2 }, { "C", 3 }, { "A", 1 } } do
    runtime.plugin {
      name = p[1], order = p[2],
      pre_job = function(job) print("pre_job", p[1], job.name) end,
      pre_task = function(task) print("pre_task", p[1], task.taskid) end,
      post_task = function(task) print("post_task", p[1], task.taskid, task.result) end,
      post_job = function(job) print("post_job", p[1], job.result) end,
    }
  end"#;

fn project(body: &str) -> Project {
    Project::new().main(body)
}

#[test]
fn stages_run_in_order_and_back() {
    let ended = project(&format!(
        "{THREE}\n  print('main')\n  job.run {{ testscript = 'true', taskid = 'a' }}\n  print('end')"
    ))
    .job(&[]);
    ended.code(0).stdout(
        "main\npre_job\tA\tjob\npre_job\tB\tjob\npre_job\tC\tjob\n\
         pre_task\tA\ta\npre_task\tB\ta\npre_task\tC\ta\n\
         post_task\tC\ta\tpassed\npost_task\tB\ta\tpassed\npost_task\tA\ta\tpassed\nend\n\
         post_job\tC\tpassed\npost_job\tB\tpassed\npost_job\tA\tpassed\n",
    );
}

#[test]
fn each_task_of_a_parallel_list_has_its_stages_once_and_keeps_its_table() {
    let body = r"
  local seen = {}
  runtime.plugin {
    name = 'timer',
    pre_task = function(task) task.mark = task.kwargs.n end,
    post_task = function(task) seen[#seen + 1] = task.taskid .. task.mark .. tostring(task.result) end,
  }
  local list = { limit = 4 }
  for n = 1, 20 do list[n] = { testscript = n % 5 == 0 and 'false' or 'true', taskid = 't' .. n, n = n, retries = 1 } end
  job.parallel(list)
  table.sort(seen)
  print(#seen, table.concat(seen, ' '))";
    let ended = project(body).job(&[]);
    ended.code(1);
    assert!(ended.out().starts_with("20\tt1010failed t1111passed "), "{ended}");
}

/// What one plugin that raises in `stage` leads to, beside another one before and after it.
#[track_caller]
fn raising_in(stage: &str) -> (crate::harness::Ended, Project) {
    let body = r#"
  for _, name in ipairs { "first", "bad", "last" } do
    local plugin = { name = name, order = ({ first = 1, bad = 2, last = 3 })[name] }
    for _, stage in ipairs { "pre_job", "pre_task", "post_task", "post_job" } do
      plugin[stage] = function()
        print(stage, name)
        if name == "bad" and stage == "STAGE" then error("no good") end
      end
    end
    runtime.plugin(plugin)
  end
  print(pcall(job.run, { testscript = "true", taskid = "a" }))"#;
    let project = project(&body.replace("STAGE", stage));
    let ended = project.job(&[]);
    ended.code(3).stderr_has(&format!("plugin 'bad' failed in {stage}"));
    let results = ended.the_run().results();
    check_results(&project, &results);
    assert_eq!(results["run"]["result"]["value"], "errored", "{results:#}");
    assert_eq!(results["run"]["exit_code"], json!(3));
    let error = &results["plugin_errors"][0];
    assert_eq!((&error["plugin"], &error["stage"]), (&json!("bad"), &json!(stage)), "{results:#}");
    assert!(ended.err().contains("Result: ERRORED"), "{ended}");
    (ended, project)
}

#[test]
fn an_error_before_the_job_keeps_the_job_from_running() {
    let (ended, _project) = raising_in("pre_job");
    let out = ended.out();
    assert!(out.starts_with("pre_job\tfirst\npre_job\tbad\nfalse\t"), "{out}");
    assert!(out.ends_with("post_job\tbad\npost_job\tfirst\n") && !out.contains("last"), "{out}");
    assert_eq!(ended.the_run().outcomes(), "");
}

#[test]
fn an_error_before_a_task_blocks_it() {
    let (ended, _project) = raising_in("pre_task");
    let out = ended.out();
    assert!(
        out.contains("pre_task\tfirst\npre_task\tbad\npost_task\tbad\npost_task\tfirst\ntrue\tfalse\tblocked\n"),
        "{out}"
    );
    assert_eq!(ended.the_run().outcomes(), "a=blocked");
    ended.reason_has("a", "plugin 'bad' failed in pre_task: ");
    assert!(!ended.the_run().has("tasks/1-a"), "the task was never started");
}

#[test]
fn an_error_after_a_task_makes_it_errored() {
    let (ended, _project) = raising_in("post_task");
    let out = ended.out();
    assert!(out.contains("post_task\tlast\npost_task\tbad\npost_task\tfirst\ntrue\tfalse\terrored\n"), "{out}");
    assert_eq!(ended.the_run().outcomes(), "a=errored");
    ended.reason_has("a", "plugin 'bad' failed in post_task: ");
}

#[test]
fn an_error_after_the_job_leaves_the_other_plugins_their_turn() {
    let (ended, _project) = raising_in("post_job");
    let out = ended.out();
    assert!(out.ends_with("true\ttrue\tpassed\npost_job\tlast\npost_job\tbad\npost_job\tfirst\n"), "{out}");
    assert_eq!(ended.the_run().outcomes(), "a=passed");
}

#[test]
fn definitions_that_are_none_are_told() {
    let cases = [
        ("{ name = 'p', pre_jobs = print }", "a plugin has no key 'pre_jobs'; did you mean 'pre_job'?"),
        ("{ pre_job = print }", "a plugin needs a name = \"…\""),
        ("{ name = 'p', order = 'x' }", "plugin 'p': order must be a number, got "),
        ("{ name = 'p', post_job = 3 }", "plugin 'p': post_job must be a function, got "),
        ("'p'", "a plugin is a table"),
    ];
    for (definition, expected) in cases {
        let ended = project(&format!("runtime.plugin({definition})")).job(&[]);
        ended.code(1).stderr_has(expected).stderr_has("job.lua:");
    }
    let twice = "runtime.plugin { name = 'p' }\nruntime.plugin { name = 'p' }";
    project(twice).job(&[]).code(1).stderr_has("there is a plugin 'p' already, defined by job.lua:");
    let nested = "runtime.plugin { name = 'p', pre_job = function() job.run { testscript = 'true' } end }\n\
                  job.run { testscript = 'true' }";
    project(nested).job(&[]).code(3).stderr_has("run was called in a plugin; a plugin cannot run tasks");
}

#[test]
fn plugin_files_begin_before_main_and_are_named_when_they_are_broken() {
    let plugin = "return { name = 'filed', order = 5,\n pre_job = function() print('pre_job') end,\n\
                  post_job = function() print('post_job') end }";
    let project = Project::new().main("print('main')\njob.run { testscript = 'true' }").file("p.lua", plugin);
    project.job(&["--plugin", "p.lua"]).code(0).stdout("pre_job\nmain\npost_job\n");
    project.job(&["--plugin", "q.lua"]).code(2).stderr_has("q.lua");
    let project = project.file("broken.lua", "return 3").file("syntax.lua", "return {");
    project.job(&["--plugin", "broken.lua"]).code(2).stderr_has("must return the table of a plugin");
    project.job(&["--plugin", "syntax.lua"]).code(2).stderr_has("syntax.lua:1");
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    let hangs = [
        ("while true do end", "pre_job of plugin 'slow' has exceeded its time limit of 0.3 s"),
        ("os.execute('sleep 600')", "pre_job of plugin 'slow' has exceeded its time limit of 0.3 s"),
        ("io.popen('sleep 600; sleep 600'):read('a')", "pre_job of plugin 'slow' has exceeded its time limit of 0.3 s"),
        ("pcall(function() while true do end end)", "pre_job of plugin 'slow' has exceeded its time limit of 0.3 s"),
    ];
    for (code, expected) in hangs {
        let body = format!(
            "runtime.plugin {{ name = 'slow', pre_job = function() {code} end }}\njob.run {{ testscript = 'true' }}"
        );
        let ended = project(&body).job(&["--plugin-timeout", "0.3"]);
        ended.code(3).stderr_has(expected);
    }
}

#[test]
fn a_plugin_that_cannot_be_ended_costs_the_run_and_no_process_stays() {
    // A pattern that backtracks for ever is one instruction to Lua.
    let body = r"
  runtime.plugin { name = 'stuck', pre_task = function(task)
    if task.taskid == 'second' then string.find(('a'):rep(60), ('a*'):rep(30) .. 'b') end
  end }
  local soak = job.Task { testscript = 'sleep', args = { 600 }, taskid = 'soak' }
  soak:start()
  job.run { testscript = 'true', taskid = 'second' }";
    let ended = project(body).job(&["--plugin-timeout", "0.3"]);
    ended.code(3).stderr_has("does not end");
    let results = ended.the_run().results();
    assert_eq!(results["plugin_errors"][0]["plugin"], "stuck");
}

#[test]
fn interrupts_reach_a_job_whose_plugin_hangs() {
    let body = "runtime.plugin { name = 'slow', pre_task = function() io.open('ready', 'w'):write('ready\\n'):close() \
                while true do end end }\njob.run { testscript = 'true', taskid = 'a' }";
    let running = project(body).start(&["run", "job.lua", "--plugin-timeout", "600"]);
    running.wait_for_file("ready");
    running.signal(rustix::process::Signal::INT);
    let ended = running.wait();
    ended.code(130).outcomes("a=aborted");
}
