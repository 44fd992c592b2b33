//! Secrets: in nothing that is only read of a run, and taken from the environment of whoever starts it again.

mod runners;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde_json::{Value, json};

use crate::harness::{DEADLINE, Project, until};

/// Variables, what they hold, and what of that is secret.
const SECRETS: [(&str, &str, &str); 32] = [
    ("DB_PASSWORD", "hun\"ter<2> & co/42", "hun\"ter<2> & co/42"),
    ("PGPASSWORD", "pg-pass-0001", "pg-pass-0001"),
    ("MYSQL_PWD", "it's a $word", "it's a $word"),
    ("DB_PASS", "p\u{e4}ss-w\u{f6}rd-2", "p\u{e4}ss-w\u{f6}rd-2"),
    ("SSHPASS", "ssh pass 0003", "ssh pass 0003"),
    ("PASSPHRASE", "correct horse battery", "correct horse battery"),
    ("BORG_PASSPHRASE", "back\\slash\\0005", "back\\slash\\0005"),
    ("GITHUB_TOKEN", "ghp_0006abcdefGHIJKL", "ghp_0006abcdefGHIJKL"),
    ("API_KEY", "key?0007=yes&no", "key?0007=yes&no"),
    ("STRIPE_KEY", "sk_live_0008abcd", "sk_live_0008abcd"),
    ("AWS_SECRET_ACCESS_KEY", "wJalr/0009+bPxRfiCY", "wJalr/0009+bPxRfiCY"),
    ("AWS_ACCESS_KEY_ID", "AKIA0010ABCDEF", "AKIA0010ABCDEF"),
    ("SSH_PRIVATE_KEY", "-----BEGIN X KEY-----\nb3BlbnNz0011\nAAAAB3Nz0011\n-----END X KEY-----\n", "b3BlbnNz0011"),
    ("DEPLOY", "-----BEGIN PRIVATE KEY-----\nMIIEvQ0012abc\n-----END PRIVATE KEY-----", "MIIEvQ0012abc"),
    ("DATABASE_URL", "postgres://ada:db0013%40word@db.lab:5432/x", "db0013%40word"),
    ("REDIS_URL", "redis://:redis0014word@cache.lab/0", "redis0014word"),
    ("INDEX_URL", "https://me:index0015word@pypi.lab/simple", "index0015word"),
    ("http_proxy", "http://me:proxy0016word@proxy.lab:3128", "proxy0016word"),
    ("STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=acc0017key==;X=y", "acc0017key=="),
    ("SLACK_WEBHOOK_URL", "https://hooks.lab/T00/B00/0018", "https://hooks.lab/T00/B00/0018"),
    ("CLIENT_SECRET", "cli~0019.secret_x", "cli~0019.secret_x"),
    ("GOOGLE_CREDENTIALS", "{\"type\": \"x\", \"key\": \"0020\"}", "{\"type\": \"x\", \"key\": \"0020\"}"),
    ("REDISCLI_AUTH", "auth 0021 word", "auth 0021 word"),
    ("CI_JOB_JWT", "eyJ0eXAi.0022.c2lnbmF0dXJl", "eyJ0eXAi.0022.c2lnbmF0dXJl"),
    ("GH_PAT", "github_pat_0023ABC", "github_pat_0023ABC"),
    ("WIFI_PSK", "0024242424", "0024242424"),
    ("HTTP_COOKIE", "session=0025; id=abc", "session=0025; id=abc"),
    ("RAILS_MASTER_KEY", "0026deadbeef0026", "0026deadbeef0026"),
    ("VAULT_TOKEN", "hvs.0027%20percent", "hvs.0027%20percent"),
    ("SMTP_PASS", "tab\tin 0028", "tab\tin 0028"),
    ("MY_PLACE", "under the mat 0029", "under the mat 0029"),
    ("SIX_PASSWORD", "s1x030", "s1x030"),
];

/// Variables that sound like secrets and are none, or are the environment of every shell.
const HARMLESS: [(&str, &str); 10] = [
    ("PWD", "/home/nobody/project"),
    ("OLDPWD", "/home/nobody"),
    ("SSH_AUTH_SOCK", "/tmp/ssh-none/agent.4242"),
    ("COLORTERM", "truecolor"),
    ("GIT_AUTHOR_NAME", "Ada Lovelace"),
    ("TOKENIZERS_PARALLELISM", "false"),
    ("MAX_TOKENS", "1000000"),
    ("GIT_ASKPASS", "/usr/bin/git-ask-nobody"),
    ("PASSWORD_FILE", "/run/no/file"),
    ("KEYBOARD_LAYOUT", "dvorak-us"),
];

/// Prints every variable that `LEAK` names in the forms in which programs do, each byte or each half by itself.
const LEAK: &str = r#"
import base64, html, json, os, shlex, sys, urllib.parse as url
def forms(v):
    b = v.encode()
    yield from (v, repr(v), ascii(v), repr(b), json.dumps(v), json.dumps({"a": v}, ensure_ascii=False), shlex.quote(v))
    yield from (json.dumps(json.dumps(v)), html.escape(v), url.quote(v), url.quote(v, safe=""), url.quote_plus(v), b.hex())
    for before in (b"", b"u", b"us", b"user:"):
        yield base64.b64encode(before + b).decode()
        yield base64.urlsafe_b64encode(before + b + b":x").decode()
for name in os.environ["LEAK"].split():
    for form in forms(os.environ[name]):
        text = f"<{name} {form}>\n".encode()
        for fd in (1, 2):
            half = len(text) // 2
            for part in (text[:half], text[half:]) if fd == 1 else [text[i:i + 1] for i in range(len(text))]:
                os.write(fd, part)
"#;

/// A project whose environment has all of them.
fn project() -> Project {
    let variables = SECRETS.iter().map(|(name, value, _)| (name, value)).chain(HARMLESS.iter().map(|(n, v)| (n, v)));
    let project = variables.fold(Project::new(), |project, (name, value)| project.env(name, value));
    let names: Vec<&str> = SECRETS.iter().map(|(name, ..)| *name).collect();
    project.env("RILLE_SECRETS_HIDE", "my_*").env("LEAK", names.join(" ")).file("leak.py", LEAK)
}

/// What must not be found of a secret.
fn needles(secret: &str) -> Vec<Vec<u8>> {
    let json = serde_json::to_string(secret).expect("a text is JSON");
    let percent = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let mut needles = vec![secret.to_owned(), json[1..json.len() - 1].to_owned()];
    needles.push(secret.bytes().map(percent).collect());
    for before in ["", "u", "us"] {
        let encoded = STANDARD.encode(format!("{before}{secret}"));
        needles.push(encoded[before.len() + 1..encoded.trim_end_matches('=').len() - 1].to_owned());
    }
    needles.into_iter().map(String::into_bytes).collect()
}

fn holds(text: &[u8], needle: &[u8]) -> bool {
    memmem::find(text, needle).is_some()
}

/// Returns the files below a folder that hold one of the secrets, or have one in their path, with its variable.
fn leaks(folder: &Path, may_keep: &[&str]) -> Vec<String> {
    let needles: Vec<(&str, Vec<Vec<u8>>)> = SECRETS.map(|(name, _, secret)| (name, needles(secret))).into();
    let mut leaks = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let relative = path.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            open.extend(fs::read_dir(&path).expect("it can be listed").map(|entry| entry.expect("listed").path()));
        }
        let content = if path.is_file() { fs::read(&path).expect("it can be read") } else { Vec::new() };
        let text = [relative.as_bytes(), b"\n", &content].concat();
        let found = needles.iter().filter(|(_, needles)| needles.iter().any(|needle| holds(&text, needle)));
        leaks.extend(found.map(|(name, _)| format!("{relative}: {name}")));
    }
    leaks.retain(|leak| !may_keep.iter().any(|kept| leak.contains(kept)));
    leaks.sort();
    leaks
}

#[track_caller]
fn nothing_leaks(folder: &Path, may_keep: &[&str]) {
    assert_eq!(leaks(folder, may_keep), Vec::<String>::new(), "in {}", folder.display());
}

#[track_caller]
fn nothing_in(text: &[u8], what: &str) {
    for (name, _, secret) in SECRETS {
        for needle in needles(secret) {
            assert!(!holds(text, &needle), "{what} holds {name}: {}", needle.escape_ascii());
        }
    }
}

fn unzip(project: &Project, zip: &str) -> PathBuf {
    let target = project.path(format!("unpacked-{zip}"));
    let mut command = Command::new("python3");
    let status = command.args(["-m", "zipfile", "-e"]).arg(project.path(zip)).arg(&target).status();
    assert!(status.expect("python3 can be started").success(), "{zip} cannot be unpacked");
    target
}

#[test]
fn an_operation_leaves_no_secret_in_its_run_in_exports_and_on_the_console() {
    let guild = "op:\n  exec: python3 ${project_dir}/leak.py\n  sourcecode: no\n  env: {OWN_TOKEN: own-token-0031, PLAIN: plain-value}\n  \
                 flags: {lr: 0.1}\n  label: 'at ${lr}'\n";
    let project = project();
    let project = project.file("guild.yml", guild);
    let label = format!("with {}", SECRETS[0].1);
    let ended = project.run(&["run", "op", "--label", &label, "--tag", SECRETS[1].1, "--comment", SECRETS[7].1]);
    ended.code(0);
    nothing_in(ended.out_bytes(), "the standard output");
    nothing_in(ended.err().as_bytes(), "the standard error");
    let run = project.the_run();
    nothing_leaks(run.path(), &[]);
    // All of it is there, with masks.
    let output = run.text(".guild/output");
    let of_masked: Vec<&str> =
        SECRETS.iter().map(|(name, ..)| *name).filter(|name| !output.contains(&format!("<{name} "))).collect();
    assert_eq!(of_masked, Vec::<&str>::new());
    assert!(output.contains("<DB_PASSWORD ***>\n") && output.contains("<MYSQL_PWD \"***\">\n"), "{output}");
    assert!(output.contains("<DATABASE_URL postgres://ada:***@db.lab:5432/x>\n"), "of a URL only the password is");
    assert_eq!((run.attr("label"), run.attr("tags")), (json!("with ***"), json!(["***"])));
    assert_eq!(run.attr("comments")[0]["body"], "***");
    let environment = run.attr("env");
    for (name, value) in HARMLESS {
        assert!(environment[name] == value || name == "PWD", "{name} is {}", environment[name]);
    }
    assert_eq!(environment["PLAIN"], "plain-value");
    let lost: Vec<&str> =
        SECRETS.iter().map(|(name, ..)| *name).filter(|name| environment.get(*name).is_some()).collect();
    assert_eq!(lost, Vec::<&str>::new());
    assert!(run.attr("op")["op-cmd"]["cmd-env"].get("OWN_TOKEN").is_none());

    for change in [
        ["label", "--append", SECRETS[2].1],
        ["label", "--prepend", SECRETS[3].1],
        ["tag", "--add", SECRETS[4].1],
        ["comment", "--add", SECRETS[5].1],
    ] {
        let changed = project.run(&[&["runs"][..], &change, &["-y", "latest"]].concat());
        changed.code(0);
        nothing_in(&[changed.out_bytes(), changed.err().as_bytes()].concat(), change[0]);
    }
    assert_eq!((run.attr("label"), run.attr("comments")[1]["body"].clone()), (json!("*** with *** ***"), json!("***")));
    project.run(&["run", "op", "--stage"]).code(0);
    project.run(&["runs", "export", "-y", "out"]).code(0);
    project.run(&["runs", "export", "-y", "out.zip"]).code(0);
    project.run(&["runs", "publish", "-y", "--dest", "published"]).code(0);
    for folder in [project.home(), project.path("out"), unzip(&project, "out.zip"), project.path("published")] {
        nothing_leaks(&folder, &[]);
    }
    for args in [&["runs", "info", "-e", "latest"][..], &["runs", "info", "--json", "latest"]] {
        nothing_in(project.run(args).code(0).out_bytes(), "runs info");
    }
    let env = fs::read_to_string(project.runs()[1].path().join(".guild/ENV")).unwrap();
    assert!(env.contains("# DB_PASSWORD is secret and not kept\n") && env.contains("# OWN_TOKEN is secret"), "{env}");
}

#[test]
fn what_is_no_secret_stays_byte_for_byte() {
    let script = "import os\nfor i in range(60):\n    os.write(1 + i % 2, bytes(range(256)) * 40)\nos.write(1, b'hunter2hunter')\n";
    let guild = "op:\n  exec: python3 ${project_dir}/all.py\n";
    let project = Project::new().env("A_PASSWORD", "hunter2hunter2").file("all.py", script).file("guild.yml", guild);
    let ended = project.run(&["run", "op"]);
    let all: Vec<u8> = (0..=255).cycle().take(256 * 40 * 30).collect();
    assert!(ended.code(0).out_bytes() == [&all[..], b"hunter2hunter"].concat());
    let output = project.the_run().bytes(".guild/output");
    assert!(output.len() == all.len() * 2 + 13 && output.ends_with(b"hunter2hunter"));
}

#[test]
fn scalars_are_those_that_were_printed() {
    let project = Project::new()
        .env("PIN_PASSWORD", "123456")
        .file("say.sh", "echo 'loss: 0.123456'\necho 'steps: 1234567'\n")
        .file("guild.yml", "op:\n  exec: sh ${project_dir}/say.sh\n");
    project.run(&["run", "op"]).code(0).stdout("loss: 0.***\nsteps: ***7\n");
    let info = project.run(&["runs", "info", "--json", "latest"]).code(0).json();
    let scalars = info["scalars"].to_string();
    assert!(scalars.contains("0.12345") && scalars.contains("1234567"), "{scalars}");
}

#[test]
fn a_program_that_asks_is_heard_though_its_question_begins_like_a_secret() {
    let script = "import os, sys, time\nsys.stdout.write('hunt')\nsys.stdout.flush()\n\
                  while not os.path.exists(os.environ['ANSWER']):\n    time.sleep(0.002)\nprint('er2hunter2.')\n";
    let project = Project::new();
    let answer = project.path("answer");
    let project = project
        .env("A_PASSWORD", "hunter2hunter2")
        .env("ANSWER", &answer)
        .file("ask.py", script)
        .file("guild.yml", "op:\n  exec: python3 ${project_dir}/ask.py\n");
    let running = project.start(&["run", "op"]);
    until("the beginning of a secret", DEADLINE, || (running.stdout() == "hunt").then_some(()));
    fs::write(&answer, "").unwrap();
    running.wait().code(0).stdout("hunt***.\n");
    assert_eq!(project.the_run().text(".guild/output"), "***.\n");
}

/// A jobfile whose tasks fail for reasons that hold secrets, and which itself says some.
fn job() -> (Project, &'static str) {
    let body = "local log = require 'rille.log'\n\
                local env = os.getenv\n\
                print('main has', env 'DB_PASSWORD')\nlog:warning('log has %s', env 'API_KEY')\n\
                io.stderr:write('half of ', env('VAULT_TOKEN'):sub(1, 8))\nio.stderr:write(env('VAULT_TOKEN'):sub(9), '\\n')\n\
                runtime.job.name = 'job ' .. env 'GITHUB_TOKEN'\n\
                job.run { testscript = 'fail.lua', taskid = 'fail ' .. env 'MYSQL_PWD' }\n\
                job.run { testscript = 'sections.lua', taskid = 'sections' }\n\
                job.run { testscript = 'quiet.sh', taskid = 'own', env = { TASK_TOKEN = 'task-token-0033' } }\n\
                job.run { testscript = 'none-' .. env('GH_PAT') .. '.lua', taskid = 'none' }\n\
                error('main fails with ' .. env 'SSHPASS')";
    let sections = "local ts = require 'rille.testscript'\nlocal word = os.getenv 'CLIENT_SECRET'\n\
                    local c = ts.testcase('C[' .. word .. ']')\n\
                    c:test('ok', function() end)\n\
                    c:test('bad', function(self) self:failed('no ' .. word, { data = { [word] = word } }) end)\n\
                    local d = ts.testcase('D')\nd:test('ok', function() end)\n";
    let project = project()
        .main(body)
        .file("fail.lua", "error('it fails with ' .. os.getenv 'PASSPHRASE' .. ' and ' .. os.getenv 'DB_PASS')")
        .file("sections.lua", sections)
        .executable("quiet.sh", "#!/bin/sh\ntest \"$TASK_TOKEN\" = task-token-0033\n");
    (project, "fail ***=errored sections=failed own=passed none=errored")
}

#[test]
fn a_job_leaves_no_secret_in_events_logs_reports_and_archives() {
    let (project, outcomes) = job();
    let copy = project.path("copy.html");
    let ended = project.job(&["-v", "--archive", "run.zip", "--html", copy.to_str().unwrap(), "--junit", "copy.xml"]);
    ended.code(1).outcomes(outcomes);
    nothing_in(ended.out_bytes(), "the standard output");
    nothing_in(ended.err().as_bytes(), "the standard error");
    ended.stdout_has("main has\t***\n").stderr_has("log has ***").stderr_has("half of ***\n");
    let run = project.the_run();
    assert!(run.has(run.task("fail ***")["folder"].as_str().unwrap()), "its folder is named by the masked id");
    nothing_leaks(run.path(), &[]);
    assert!(
        run.text("job.log").contains("main has\t***") && run.reason("fail ***").contains("it fails with *** and ***")
    );
    assert_eq!(run.results()["run"]["name"], "job ***");
    for copy in ["copy.html", "copy.xml"] {
        nothing_in(project.read(copy).as_bytes(), copy);
    }
    nothing_leaks(&unzip(&project, "run.zip"), &[]);
    project.run(&["runs", "report", "latest", "--html", "again.html", "--tap", "again.tap"]).code(0);
    for again in ["again.html", "again.tap"] {
        nothing_in(project.read(again).as_bytes(), again);
    }
    project.run(&["runs", "export", "-y", "out"]).code(0);
    nothing_leaks(&project.path("out"), &[]);
}

#[test]
fn what_the_tasks_of_a_job_write_has_masks_wherever_it_is_kept() {
    let speak = "local log = require 'rille.log'\n\
                 for name in os.getenv('LEAK'):gmatch('%S+') do\n\
                 local v = os.getenv(name)\n\
                 print(name, v)\nlog:info('%s is %s', name, v)\n\
                 io.write(v:sub(1, 5))\nio.flush()\nio.write(v:sub(6), '\\n')\n\
                 io.stderr:write(string.format('%q', v), '\\n')\n\
                 end\n\
                 print('own', os.getenv 'TASK_TOKEN')\nio.write('no end')";
    let body = "job.run { testscript = 'leak.py', taskid = 'python' }\n\
                job.run { testscript = 'speak.lua', taskid = 'lua', env = { TASK_TOKEN = 'task-token-0034' } }\n\
                job.run { testscript = 'chopped.py', taskid = 'chopped' }\n\
                job.run { testscript = 'bytes.py', taskid = 'bytes' }";
    let chopped = "import os, time\nfor name in os.environ['LEAK'].split():\n    for byte in os.environ[name].encode():\n        \
                   os.write(1, bytes([byte]))\n        time.sleep(0.0005)\n    os.write(1, b'\\n')\nos.write(1, b'pg-pass')";
    let bytes = "import os\nfor i in range(60):\n    os.write(1, bytes(range(256)) * 40)\n";
    let project = project().main(body).file("speak.lua", speak).file("chopped.py", chopped).file("bytes.py", bytes);
    let ended = project.job(&["-v", "--archive", "run.zip"]);
    ended.code(0).outcomes("python=passed lua=passed chopped=passed bytes=passed");
    nothing_in(ended.out_bytes(), "the standard output");
    nothing_in(ended.err().as_bytes(), "the standard error");
    let run = project.the_run();
    nothing_leaks(run.path(), &[]);
    let output = |task: &str| String::from_utf8_lossy(&run.output(task, "stdout")).into_owned();
    assert!(output("python").contains("<DB_PASSWORD ***>\n") && output("lua").contains("DB_PASSWORD\t***\n***\n"));
    assert!(output("lua").contains("own\t***\n") && output("lua").ends_with("no end"));
    let lines: Vec<String> = output("chopped").lines().map(str::to_owned).collect();
    assert_eq!(lines.first().unwrap(), "***");
    assert_eq!(lines.last().unwrap(), "pg-pass", "what only begins like a secret is let go at the end");
    assert!(run.output("bytes", "stdout") == (0..=255).cycle().take(256 * 40 * 60).collect::<Vec<u8>>());
    let log = run.text(format!("{}/task.log", run.task("lua")["folder"].as_str().unwrap()));
    assert!(log.contains("DB_PASSWORD is ***"), "{log}");
    nothing_leaks(&unzip(&project, "run.zip"), &[]);
    project.run(&["runs", "export", "-y", "out"]).code(0);
    nothing_leaks(&project.path("out"), &[]);
    for args in [&["logs", "latest"][..], &["runs", "show", "latest"]] {
        nothing_in(project.run(args).out_bytes(), "what is shown of the run");
    }
    let kept = project.job(&["--keep-secrets"]);
    kept.code(0);
    let run = project.runs().pop().unwrap();
    assert!(holds(&run.output("lua", "stdout"), b"pg-pass-0001"));
}

#[test]
fn a_job_goes_on_and_is_repeated_though_its_log_has_masks() {
    let (project, outcomes) = job();
    project.job(&[]).code(1).outcomes(outcomes);
    // Only the testcase that failed, known by its masked name, and all of the other tasks.
    let again = project.run(&["run", "--rerun", "latest"]);
    again.code(1);
    let run = project.runs().pop().unwrap();
    assert_eq!(run.outcomes(), "fail ***=errored sections=failed own=skipped none=errored");
    let finished = run.events_of("section-finished");
    let bad = finished.iter().find(|event| event["reason"] == "no ***");
    assert!(bad.is_some(), "{finished:?}");
    assert_eq!(bad.unwrap()["data"], json!({"***": "***"}));
    let planned: Vec<String> = run.events_of("task-planned").iter().map(Value::to_string).collect();
    assert!(planned.iter().any(|plan| plan.contains("C[***]")), "{planned:?}");
    nothing_leaks(run.path(), &[]);
}

#[test]
fn a_resumed_run_knows_its_tasks_by_what_they_are_made_of() {
    let body = "local word = os.getenv 'A_TOKEN'\n\
                job.run { testscript = 'count.sh', taskid = 'with ' .. word, args = { word }, env = { MY_TOKEN = word } }\n\
                if os.getenv 'STOP' then os.execute('kill -9 $PPID') end";
    let project = Project::new()
        .env("A_TOKEN", "hunter22")
        .main(body)
        .executable("count.sh", "#!/bin/sh\necho x >> \"$COUNT\"\n");
    let count = project.path("count");
    let project = project.env("COUNT", count);
    let mut stopped = project.rille(&["run", "job.lua"]);
    stopped.env("STOP", "1");
    project.start_command(stopped).wait().code(7);
    project.run(&["run", "--resume", "latest"]).code(0).outcomes("with ***=passed");
    assert_eq!(project.read("count"), "x\n", "it ran once");
    assert!(!project.the_run().text(".guild/events.jsonl").contains("hunter22"));
    // Whoever goes on without the secret is told what is missing.
    let mut without = project.rille(&["run", "--rerun=latest", "--rerun-condition=passed"]);
    without.env_remove("A_TOKEN");
    let ended = project.start_command(without).wait();
    ended.stderr_has("the run had a secret variable that is not set now, and whose value is not kept: A_TOKEN");
}

#[test]
fn a_staged_run_takes_its_secrets_from_who_starts_it() {
    let guild = "op:\n  exec: sh -c 'test -n \"$API_TOKEN\" && test -n \"$OWN_SECRET\" && test \"$COPY\" = \"$FLAG_WORD\"'\n  \
                 env: {OWN_SECRET: s3cr3t-own, COPY: '${word}', COPY_TOKEN: '${word}'}\n  flags: {word: none, pin_password: none}\n";
    let project = Project::new().file("guild.yml", guild).env("API_TOKEN", "t0k3n-value");
    let staged = project.run(&["run", "op", "--stage", "word=t0k3n-value", "pin_password=123456"]);
    let kept = |flag: &str, variable: &str| {
        format!(
            "WARNING: the flag '{flag}' holds the value of the secret variable '{variable}', and is kept in the run as it is"
        )
    };
    staged.code(0).stderr_has(&kept("word", "API_TOKEN")).stderr_lacks("t0k3n").stderr_lacks("123456");
    let run = project.the_run();
    assert_eq!(run.attr("flags"), json!({"word": "t0k3n-value", "pin_password": 123_456}));
    let record = run.attr("op");
    let env = record["op-cmd"]["cmd-env"].as_object().unwrap();
    assert!(env.contains_key("COPY_TOKEN"), "what stands for a flag is no secret");
    assert!(!env.contains_key("OWN_SECRET") && !record.to_string().contains("s3cr3t"), "{record}");
    let params = run.attr("run_params");
    assert_eq!(params["flags"], json!([null, "pin_password=123456"]));
    for place in [".guild/ENV", ".guild/attrs/cmd", ".guild/attrs/label"] {
        let text = run.text(place);
        assert!(!text.contains("t0k3n") && !text.contains("s3cr3t"), "{place}: {text}");
    }
    let start = |variables: &[(&str, &str)]| {
        let mut command = project.rille(&["run", "--start", &run.id(), "-y"]);
        command.env_remove("API_TOKEN").envs(variables.iter().copied());
        project.start_command(command).wait()
    };
    let ended = start(&[]);
    ended.code(1).stderr_has(
        "WARNING: the run had secret variables that are not set now, and whose values are not kept: API_TOKEN, OWN_SECRET",
    );
    let ended = start(&[("API_TOKEN", "t0k3n-value")]);
    ended
        .code(1)
        .stderr_has("the run had a secret variable that is not set now, and whose value is not kept: OWN_SECRET");
    start(&[("API_TOKEN", "t0k3n-value"), ("OWN_SECRET", "s3cr3t-own")]).code(0).stderr_lacks("the run had");
}

#[test]
fn what_equals_a_secret_on_the_command_line_of_a_job_is_kept_and_told_of() {
    let body = "print(runtime.argv[1], runtime.argv[2])\nassert(runtime.argv[2] == 'hunter22')";
    let project = Project::new().env("A_TOKEN", "hunter22").main(body);
    let ended = project.job(&["--label", "hunter22", "--", "--word", "hunter22"]);
    ended.code(4).stdout("--word\t***\n");
    let holds = "holds the value of the secret variable 'A_TOKEN', and is kept in the run as it is";
    ended.stderr_has(&format!("the argument of '--word' {holds}")).stderr_lacks("hunter22");
    let run = project.the_run();
    assert_eq!(run.attr("cmd").as_array().unwrap().last().unwrap(), "hunter22");
    assert_eq!((run.attr("label"), run.attr("run_params")["label"].clone()), (json!("***"), Value::Null));
    assert!(!run.text(".guild/events.jsonl").contains("hunter22"));
    project.run(&["run", "--rerun", "latest"]).code(4);
}

#[test]
fn keep_secrets_writes_what_came_and_exports_are_masked_all_the_same() {
    let project = Project::new()
        .env("A_TOKEN", "hunter22")
        .file("guild.yml", "op:\n  exec: sh -c 'echo $A_TOKEN; echo $A_TOKEN > made'\n")
        .main("print(os.getenv 'A_TOKEN')\nerror(os.getenv 'A_TOKEN')");
    project.run(&["run", "op", "--keep-secrets"]).code(0).stdout("hunter22\n");
    let run = project.the_run();
    assert_eq!(run.text(".guild/output"), "hunter22\n");
    assert!(run.attr("env").get("A_TOKEN").is_none(), "what is read back has none all the same");
    let exported = project.run(&["runs", "export", "-y", "out"]);
    exported.code(0).stderr_has("made holds the value of the secret variable 'A_TOKEN', and stays as it is");
    let file = |folder: &str, name: &str| project.read(format!("{folder}/{}/{name}", run.id()));
    assert_eq!((file("out", ".guild/output").as_str(), file("out", "made").as_str()), ("***\n", "hunter22\n"));
    project.run(&["runs", "export", "-y", "--keep-secrets", "raw"]).code(0).stderr_lacks("hunter22");
    assert_eq!(file("raw", ".guild/output"), "hunter22\n");
    project.run(&["runs", "publish", "-y", "--dest", "published"]).code(0);
    assert_eq!(file("published", "output.txt"), "***\n");
    project.run(&["runs", "export", "-y", "--move", "moved"]).code(0);
    assert_eq!(file("moved", ".guild/output"), "***\n");
    assert!(!run.path().exists());

    for (name, value) in [("RILLE_SECRETS_KEEP", "1"), ("RILLE_SECRETS_KEEP", "no")] {
        let project = Project::new().env("A_TOKEN", "hunter22").env(name, value);
        let project = project.main("print(os.getenv 'A_TOKEN')\nerror(os.getenv 'A_TOKEN')");
        let word = if value == "1" { "hunter22" } else { "***" };
        project.job(&[]).code(1).stdout(&format!("{word}\n")).stderr_has(word);
        let log = project.the_run().text(".guild/events.jsonl");
        assert_eq!(log.contains("hunter22"), value == "1");
    }
}

#[test]
fn a_run_of_tests_masks_what_it_shows_and_keeps_what_it_is_run_with() {
    let recipe =
        json!({"kind": "exec-test", "uri": "./say.sh", "args": ["hunter22"], "kwargs": {"API_KEY": "param-key-77"}});
    let project = Project::new()
        .env("A_TOKEN", "hunter22")
        .executable("say.sh", "#!/bin/sh\ntest \"$1\" = \"$A_TOKEN\" && test \"$API_KEY\" = param-key-77\n")
        .file("of-hunter22.json", recipe.to_string());
    let ended = project.run(&["test", "of-hunter22.json"]);
    ended.code(0).stderr_lacks("hunter22").stderr_has("holds the value of the secret variable 'A_TOKEN', and is kept");
    let run = project.the_run();
    let kept = ["jobdata/suite.json", ".guild/attrs/cmd"];
    let mut open = vec![run.path().to_owned()];
    while let Some(path) = open.pop() {
        let relative = path.strip_prefix(run.path()).unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let text = [relative.clone().into_bytes(), fs::read(&path).unwrap_or_default()].concat();
        let is_kept = kept.contains(&relative.as_str());
        assert!(is_kept || !(holds(&text, b"hunter22") || holds(&text, b"param-key")), "{relative}");
    }
    project.run(&["replay", "latest"]).code(0).stderr_lacks("the run had");
    let mut without = project.rille(&["replay", &run.id()]);
    without.env_remove("A_TOKEN");
    project.start_command(without).wait().code(1).stderr_has("whose value is not kept: A_TOKEN");
    project.run(&["replay", &run.id(), "--failed"]).code(4);
    project.run(&["replay", "latest", "--failed"]).code(0);
}

#[test]
fn a_walk_masks_what_it_tells_and_keeps_what_it_is_replayed_by() {
    let suite = "local walk = require 'rille.walk'\n\
                 local words = { os.getenv 'A_TOKEN', 'plain' }\n\
                 local function run(word) if word ~= 'plain' then error('no ' .. word) end end\n\
                 local Login = walk.action { name = 'Login', options = words, run = run }\n\
                 function main() walk.run_tests { order = { Login } } end\n";
    let project = Project::new().env("A_TOKEN", "hunter22").file("suite.lua", suite);
    let ended = project.run(&["walk", "suite.lua", "--workers", "1"]);
    ended.code(1).stderr_lacks("hunter22").stderr_has("Login(\"***\")").stderr_has(
        "an option of the action 'Login' holds the value of the secret variable 'A_TOKEN', and is kept in the run as it is",
    );
    let run = project.the_run();
    for file in [".guild/events.jsonl", "results.json", "report.html", "results.xml", "results.tap", "job.log"] {
        assert!(!run.text(file).contains("hunter22"), "{file}");
    }
    let trace = run.text("walks-1/failed.trace");
    assert!(
        trace.contains("\"hunter22\"") && trace.contains("no ***"),
        "the option is kept, what was said is not: {trace}"
    );
    let id = run.events_of("walks-ran")[0]["ended"][0]["id"].to_string();
    let again = project.run(&["replay", "latest", &id]);
    again.code(1).stdout_has(&format!("walk {id} failed: ")).stdout_has("no ***");
    let mut without = project.rille(&["replay", &run.id(), &id]);
    without.env_remove("A_TOKEN");
    project.start_command(without).wait().stderr_has("whose value is not kept: A_TOKEN");
}

#[test]
fn values_that_everybody_knows_are_not_masked() {
    let variables = [
        ("A_PASSWORD", "password"),
        ("B_TOKEN", "short"),
        ("C_SECRET", "/etc/passwd"),
        ("D_PASSWORD", "ada-the-user"),
        ("USER", "ada-the-user"),
        ("E_AUTH", "enabled"),
    ];
    let project = variables.into_iter().fold(Project::new(), |project, (name, value)| project.env(name, value));
    let project = project.main("print('password short /etc/passwd ada-the-user enabled')");
    project.job(&[]).code(4).stdout("password short /etc/passwd ada-the-user enabled\n");
    let environment = project.the_run().attr("env");
    for (name, _) in &variables[..4] {
        assert!(environment.get(*name).is_none(), "{name} is left out all the same");
    }
    assert_eq!(environment["E_AUTH"], "enabled");
}
