//! Settings: `rille.toml` in its places, environment variables, options, and `rille config`.

use std::fs;
use std::os::unix::fs::chown;

use serde_json::Value;

use crate::harness::Project;

/// A job that says how many jobs there are and what the grace is.
const SHOW: &str = "print(runtime.args.jobs, runtime.args.grace)\njob.run { testscript = '/bin/true' }";

/// Writes a file by its path relative to the folder that holds everything of the project.
fn put(project: &Project, path: &str, text: impl AsRef<[u8]>) {
    let path = project.root().join(path);
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}

/// Returns the value and the origin of a key as `rille config show --json` has them.
fn shown(project: &Project, args: &[&str], key: &str) -> Vec<(Value, String)> {
    let json = project.run(&[&["config", "show", "--json"], args].concat()).code(0).json();
    let entries = json["values"].as_array().expect("a list").iter().filter(|entry| entry["key"] == key);
    let origin = |entry: &Value| {
        let origin = &entry["origin"];
        let path = origin["path"].as_str().map(|path| path.replace(&format!("{}/", project.root().display()), ""));
        match (path, origin["name"].as_str()) {
            (Some(path), _) => format!("{path}:{}", origin["line"]),
            (None, Some(name)) => name.to_owned(),
            (None, None) => origin["from"].as_str().expect("it has an origin").to_owned(),
        }
    };
    entries.map(|entry| (entry["value"].clone(), origin(entry))).collect()
}

#[test]
fn each_place_wins_over_those_before_it() {
    let mut project = Project::new().env("XDG_CONFIG_HOME", "relative/is/ignored").main(SHOW);
    let steps: [(&str, i64, &str); 5] = [
        ("", 0, "default"),
        ("system.toml", 1, "system.toml:2"),
        ("user/.config/rille/rille.toml", 2, "user/.config/rille/rille.toml:2"),
        ("work/rille.toml", 3, "work/rille.toml:2"),
        ("--config", 4, "work/more.toml:2"),
    ];
    let mut args: Vec<&str> = Vec::new();
    for (place, jobs, origin) in steps {
        let text = format!("# a comment\njobs = {jobs}\n");
        match place {
            "" => {}
            "--config" => {
                put(&project, "work/more.toml", text);
                args.extend(["--config", "more.toml"]);
            }
            path => put(&project, path, text),
        }
        let value = if jobs == 0 { Value::Null } else { jobs.into() };
        assert_eq!(shown(&project, &args, "jobs"), [(value, origin.to_owned())]);
        let expected = if jobs == 0 { "nil\t2.0\n".to_owned() } else { format!("{jobs}\t2.0\n") };
        project.job(&args).code(0).stdout(&expected);
    }
    project = Project::new().env("RILLE_JOBS", "5").env("RILLE_CONFIG", "more.toml").main(SHOW);
    put(&project, "work/more.toml", "jobs = 4\ngrace = 0.5");
    assert_eq!(shown(&project, &[], "jobs"), [(5.into(), "RILLE_JOBS".to_owned())]);
    assert_eq!(shown(&project, &[], "grace"), [(0.5.into(), "work/more.toml:2".to_owned())]);
    project.job(&[]).code(0).stdout("5\t0.5\n");
    assert_eq!(shown(&project, &["-j", "6"], "jobs"), [(6.into(), "--jobs".to_owned())]);
    project.job(&["-j6"]).code(0).stdout("6\t0.5\n");
}

#[test]
fn lists_add_up_tables_are_merged_and_paths_are_relative_to_their_file() {
    let project = Project::new().env("RILLE_TAGS", "c,a").main(SHOW);
    put(
        &project,
        "system.toml",
        "plugins = ['sys.lua']\ntags = ['a']\nlabel = 'low'\n[resources]\ngpus = 1\nrack = 1\n",
    );
    put(
        &project,
        "work/rille.toml",
        "plugins = [\n'lib/own.lua',\n'~/home.lua' ]\ntags = ['b']\nlabel = 'high'\n[resources]\nrack = '2K'\n",
    );
    let root = project.root().to_str().unwrap().to_owned();
    let plugin = |path: &str, origin: &str| (Value::from(format!("{root}/{path}")), origin.to_owned());
    let expected = [
        plugin("sys.lua", "system.toml:1"),
        plugin("work/lib/own.lua", "work/rille.toml:2"),
        plugin("user/home.lua", "work/rille.toml:3"),
        plugin("work/opt.lua", "--plugin"),
    ];
    assert_eq!(shown(&project, &["--plugin", "opt.lua"], "plugins"), expected);
    let tags: Vec<_> = shown(&project, &["--tag", "d"], "tags").into_iter().map(|(tag, _)| tag).collect();
    assert_eq!(tags, ["a", "b", "c", "d"]);
    assert_eq!(shown(&project, &[], "label"), [("high".into(), "work/rille.toml:5".to_owned())]);
    assert_eq!(shown(&project, &[], "resources.gpus"), [(1.into(), "system.toml:5".to_owned())]);
    assert_eq!(shown(&project, &[], "resources.rack"), [(2048.into(), "work/rille.toml:7".to_owned())]);
}

#[test]
fn the_projects_file_is_the_nearest_above_the_jobfile_else_that_of_the_working_folder() {
    let job = format!("local job = require 'rille.job'\nfunction main(runtime)\n{SHOW}\nend");
    let project = Project::new()
        .file("a/b/deep.lua", &job)
        .file("a/b/c/own.lua", &job)
        .file("a/rille.toml", "jobs = 1")
        .file("a/b/c/rille.toml", "jobs = 2")
        .file("rille.toml", "jobs = 3");
    put(&project, "elsewhere/far.lua", &job);
    for (jobfile, jobs) in [("a/b/deep.lua", 1), ("a/b/c/own.lua", 2), ("../elsewhere/far.lua", 3)] {
        project.run(&["run", jobfile]).code(0).stdout(&format!("{jobs}\t2.0\n"));
        assert_eq!(shown(&project, &[jobfile], "jobs")[0].0, jobs, "{jobfile}");
    }
}

#[test]
fn what_is_wrong_stops_the_run_with_file_and_line() {
    let cases: [(&[u8], &str); 9] = [
        (b"\njobs = 'many'", "rille.toml:2: jobs must be a whole number from 1, not \"many\""),
        (b"grace = -1", "rille.toml:1: grace must be a number of seconds from 0, not -1"),
        (b"[resources]\n\ngpus = 'x'", "rille.toml:3: resources.gpus must be a whole number or a size"),
        (b"[log_levels]\nlib.part = 'DEBUGG'", "rille.toml:2: log_levels.lib.part: 'DEBUGG' is no log level"),
        (b"color = 'blue'", "rille.toml:1: color must be one of auto, always, never"),
        (b"jobs = 1\njobs = 2", "rille.toml:2: "),
        (b"jobs = 1\nlabel = \"open", "rille.toml:2: "),
        (b"jobs = 1\n# caf\xe9", "rille.toml:2: this is not UTF-8 text"),
        (b"[secrets]\nhide = ['a[']", "secrets.hide: 'a[' is no pattern"),
    ];
    for (text, message) in cases {
        let project = Project::new().main(SHOW).file("rille.toml", text);
        for args in [&["run", "job.lua"][..], &["config", "show"]] {
            project.run(args).code(2).stderr_has("error: ").stderr_has(message);
        }
        assert!(project.runs().is_empty(), "{message}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let project = Project::new().main(SHOW).file("rille.tml", "").file("rille.toml/inner", "");
    project.job(&[]).code(2).stderr_has("cannot read the configuration '").stderr_has("rille.toml': it is a folder");
    let project = Project::new().main(SHOW).file("night.toml", "jobs = 1");
    let ended = project.job(&["--config", "nihgt.toml"]);
    ended
        .code(2)
        .stderr_has("nihgt.toml' of --config does not exist")
        .stderr_has("did you mean '")
        .stderr_has("night.toml'?");
    let project = Project::new().env("RILLE_CONFIG", "no/such.toml").main(SHOW);
    project.job(&[]).code(2).stderr_has("no/such.toml' of RILLE_CONFIG does not exist");
    let project = Project::new().main(SHOW).file("rille.toml", vec![b'#'; (1 << 20) + 1]);
    project.job(&[]).code(2).stderr_has("1048577 bytes; that is no file of settings");
    assert!(project.runs().is_empty());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_rest_holds() {
    let project =
        Project::new().main(SHOW).file("rille.toml", "job = 9\njobs = 3\n[secrets]\nhidden = []\n[other]\nx = 1");
    let ended = project.job(&[]);
    ended.code(0).stdout("3\t2.0\n");
    ended.stderr_has("/rille.toml:1: unknown key 'job', which has no effect; did you mean 'jobs'?");
    ended.stderr_has("/rille.toml:4: unknown key 'secrets.hidden'");
    ended.stderr_has("/rille.toml:5: unknown key 'other', which has no effect; 'rille config show' lists the keys");
    let warnings = ended.the_run().results()["warnings"].clone();
    assert_eq!(warnings.as_array().unwrap().len(), 3);
    assert_eq!(warnings[0]["place"]["line"], 1);
    project.run(&["config", "show"]).code(0).stderr_has("rille.toml:1: unknown key 'job'");
}

#[test]
fn wrong_variables_are_told_and_slips_are_named() {
    let cases = [
        ("RILLE_JOBS", "many", "the environment variable RILLE_JOBS must be a whole number from 1, not \"many\""),
        ("RILLE_GRACE", "-1", "RILLE_GRACE must be a number of seconds from 0, not -1"),
        ("RILLE_COLOR", "blue", "RILLE_COLOR must be one of auto, always, never"),
        ("RILLE_RESOURCES", "gpus", "RILLE_RESOURCES has 'gpus'; write NAME=VALUE"),
        ("RILLE_LOG_LEVELS", "lib=LOUD", "RILLE_LOG_LEVELS lib: 'LOUD' is no log level"),
    ];
    for (name, value, message) in cases {
        let project = Project::new().env(name, value).main(SHOW);
        project.job(&[]).code(2).stderr_has(message);
        assert!(project.runs().is_empty(), "{name}");
    }
    let project = Project::new().env("RILLE_JOBZ", "3").env("RILLE_MY_OWN_THING", "x").env("RILLE_JOBS", "").main(SHOW);
    let ended = project.job(&[]);
    ended.code(0).stdout("nil\t2.0\n");
    assert_eq!(
        ended.the_run().warnings(),
        "the environment variable RILLE_JOBZ means nothing to rille; did you mean RILLE_JOBS?\n"
    );
}

#[test]
fn wrong_options_are_usage_errors() {
    let project = Project::new().main(SHOW);
    let cases: [(&[&str], &str); 5] = [
        (&["--log-level", "lib=LOUD"], "'LOUD' is no log level"),
        (&["--retries", "-1"], "--retries"),
        (&["--plugin-timeout", "0"], "must be a number of seconds above 0"),
        (&["--plugin-timeout", "-1"], "must be a number of seconds above 0"),
        (&["--plugin", "no/such.lua"], "no/such.lua"),
    ];
    for (args, message) in cases {
        project.job(args).code(2).stderr_has(message);
    }
}

#[test]
fn settings_do_what_they_say() {
    let body = "job.run { testscript = 'sh', args = { '-c', 'test $RILLE_ATTEMPT = 3' }, taskid = 'flaky' }\n\
                job.run { testscript = 'sh', args = { '-c', 'test $RILLE_ATTEMPT = 2' }, taskid = 'once', retries = 0 }\n\
                job.run { testscript = 'level.lua', taskid = 'level' }";
    let project = Project::new()
        .env("MY_PIN", "1234")
        .env("SHOWN", "yes")
        .main(body)
        .file(
            "level.lua",
            "require 'rille.log'.get('lib.part'):debug('deep')\nrequire 'rille.log'.get('other'):info('shallow')",
        )
        .file(
            "rille.toml",
            "retries = 1\noutput_limit = '1K'\nverbosity = 'quiet'\nlabel = 'from file'\ntags = ['t']\n\
             [log_levels]\nlib = 'DEBUG'\nroot = 'WARNING'\n[secrets]\nhide = ['my_p?n']\n",
        );
    let ended = project.job(&["--retries", "2"]);
    ended.code(1).outcomes("flaky=passx once=failed level=passed").stderr_lacks("PASSED [");
    let run = ended.the_run();
    assert_eq!((run.attr("label"), run.attr("tags")), ("from file".into(), serde_json::json!(["t"])));
    let environment = run.attr("env");
    assert_eq!((&environment["SHOWN"], &environment["MY_PIN"]), (&"yes".into(), &Value::Null));
    let log = fs::read_to_string(run.path().join("tasks/3-level/task.log")).unwrap();
    assert!(log.contains("deep") && !log.contains("shallow"), "{log}");
    // The option wins over the file, and -v over `verbosity`.
    let ended = project.job(&["--log-level", "lib.part=ERROR", "--log-level", "info", "-v"]);
    ended.stderr_has("PASSED [");
    let log = fs::read_to_string(project.runs()[1].path().join("tasks/3-level/task.log")).unwrap();
    assert!(!log.contains("deep") && log.contains("shallow"), "{log}");
}

#[test]
fn a_home_in_a_file_holds_for_every_command() {
    let project = Project::new().main(SHOW).file("rille.toml", "home = 'kept'");
    let rille = |args: &[&str]| {
        let mut command = project.rille(args);
        command.env_remove("RILLE_HOME");
        project.start_command(command).wait()
    };
    rille(&["run", "job.lua"]).code(0);
    assert_eq!(fs::read_dir(project.path("kept/runs")).unwrap().count(), 1);
    rille(&["runs"]).code(0).stdout_has("job.lua");
    rille(&["--home", "other", "runs"]).code(0).stdout("");
    // A file that cannot be used is no reason to look elsewhere without a word.
    fs::write(project.path("rille.toml"), "home = 3").unwrap();
    rille(&["runs"]).code(2).stderr_has("rille.toml:1: home: ");
    rille(&["--home", "kept", "runs"]).code(0).stdout_has("job.lua");
}

#[test]
fn show_names_every_key_and_every_place() {
    let project = Project::new().env("RILLE_GRACE", "0.5").main(SHOW);
    let project = project.file("rille.toml", "jobs = 2\nplugins = ['a.lua']\n[log_levels]\n'lib.part' = 'debug'\n[resources]\ncpus = 4\ngpus = 2\nmem = '1G'");
    let ended = project.run(&["config", "show", "-q", "--config", "rille.toml", "--home", "/h"]);
    let text = ended.code(0).out().replace(project.root().to_str().unwrap(), "[ROOT]");
    let text = regex::Regex::new("  +").unwrap().replace_all(&text, "  ");
    insta::assert_snapshot!(text, @r#"
    jobs  2  [ROOT]/work/rille.toml:1
    grace  0.5  environment variable RILLE_GRACE
    output_limit  268435456  default
    color  auto  default
    verbosity  quiet  option --quiet
    retries  0  default
    retry  -  default
    max_failures  -  default
    deadline  -  default
    resources.cpus  4  [ROOT]/work/rille.toml:6
    resources.gpus  2  [ROOT]/work/rille.toml:7
    resources.mem  1073741824  [ROOT]/work/rille.toml:8
    silence_timeout  -  default
    plugins  [ROOT]/work/a.lua  [ROOT]/work/rille.toml:2
    plugin_timeout  300.0  default
    log_levels."lib.part"  DEBUG  [ROOT]/work/rille.toml:4
    secrets.hide  -  default
    secrets.keep  false  default
    walk.workers  -  default
    walk.verbose  -  default
    walk.log_dir  -  default
    walk.max_walk_runtime  -  default
    home  /h  option --home
    label  -  default
    tags  -  default
    meta  -  default

    Files, later ones win:
    system  [ROOT]/system.toml  not there
    user  [ROOT]/user/.config/rille/rille.toml  not there
    --config  [ROOT]/work/rille.toml  read
    "#);
    let paths = project.run(&["config", "path"]).code(0).out().replace(project.root().to_str().unwrap(), "[ROOT]");
    assert!(paths.ends_with("read\n") && paths.contains("work/rille.toml") && paths.lines().count() == 3, "{paths}");
    project.run(&["config", "show", "jbo.lua"]).code(2).stderr_has("did you mean 'job.lua'?");
}

#[test]
fn the_schema_accepts_what_the_program_takes_and_refuses_what_it_refuses() {
    let project = Project::new().main(SHOW);
    let schema = project.run(&["schema", "config"]).code(0).json();
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let good = [
        "",
        "jobs = 1\ngrace = 0\noutput_limit = '64M'\ncolor = 'never'\nverbosity = 'silent'\nretries = 0\nmax_failures = 1",
        "output_limit = 1024\nplugins = []\nplugin_timeout = 0.5\nhome = 'x'\nlabel = ''\ntags = ['a']\n[resources]\ngpus = 2\nmem = '4GiB'",
        "deadline = 90",
        "deadline = '1.5h'",
        "[meta]\nbuild = 12\n'a.b-c' = 'x'\nok = true",
        "[log_levels]\nroot = 'info'\nlib.part = 'DEBUG'\n'a.b' = 'ERROR'\n[secrets]\nhide = ['A*']\nkeep = true",
    ];
    let bad = [
        "jobs = 0",
        "jobs = '1'",
        "grace = -1",
        "output_limit = 1",
        "output_limit = '4X'",
        "color = 'blue'",
        "verbosity = 3",
        "retries = -1",
        "plugins = 'a.lua'",
        "plugin_timeout = 0",
        "tags = [1]",
        "resources = { gpus = -1 }",
        "[log_levels]\nroot = 10",
        "[log_levels]\nroot = 'LOUD'",
        "secrets = { hide = 'x' }",
        "secrets = { keep = 'x' }",
        "deadline = 0",
        "deadline = 'soon'",
        "meta = { a = 1.5 }",
        "meta = { 'a b' = 'x' }",
    ];
    let cases = good.iter().map(|text| (text, true)).chain(bad.iter().map(|text| (text, false)));
    for (text, is_good) in cases {
        fs::write(project.path("rille.toml"), text).unwrap();
        let value: Value = toml::from_str(text).unwrap();
        assert_eq!(validator.is_valid(&value), is_good, "{text}");
        project.run(&["config", "show"]).code(if is_good { 0 } else { 2 });
    }
}

#[test]
fn a_file_that_another_user_put_above_the_project_is_not_read() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("only root can give files away; nothing was tested");
        return;
    }
    let project = Project::new().file("a/job.lua", "").file("rille.toml", "jobs = 3\nplugins = ['/evil.lua']");
    chown(project.path("rille.toml"), Some(12345), None).unwrap();
    let ended = project.run(&["config", "show", "a/job.lua"]);
    ended
        .code(0)
        .stdout_has("not read: it belongs to another user")
        .stderr_has("if you trust it, name it with --config");
    assert_eq!(shown(&project, &["a/job.lua"], "jobs")[0].0, Value::Null);
    assert_eq!(shown(&project, &["a/job.lua", "--config", "rille.toml"], "jobs")[0].0, 3);
    // Whoever owns the jobfile owns the project.
    chown(project.path("a/job.lua"), Some(12345), None).unwrap();
    assert_eq!(shown(&project, &["a/job.lua"], "jobs")[0].0, 3);
}
