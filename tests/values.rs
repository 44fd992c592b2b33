//! Every kind of value has one fate, and the same at every border: parameters, arguments, environment, data of results,
//! shared objects, testbeds.

use crate::harness::{Project, has_program};

/// Shows a value so that no two that differ look alike.
const SHOW: &str = r#"
local function show(v)
  if type(v) ~= "table" then return math.type(v) and math.type(v) .. " " .. string.format("%q", v) or string.format("%q", v) end
  local keys, parts = {}, {}
  for k in pairs(v) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return show(a) < show(b) end)
  for i, k in ipairs(keys) do parts[i] = "[" .. show(k) .. "]=" .. show(v[k]) end
  return "{" .. table.concat(parts, ",") .. "}"
end
return show
"#;

/// Values that come back as they went, from wherever they went.
const CARRIED: [&str; 32] = [
    "true",
    "false",
    "0",
    "math.mininteger",
    "math.maxinteger",
    "3.0",
    "0.1 + 0.2",
    "-0.0",
    "1e300",
    "2^63",
    "1/0",
    "-1/0",
    "0/0",
    "''",
    "'a b'",
    "'é\\0\\n'",
    "'caf\\xe9 \\xff\\xfe'",
    "{}",
    "{ 1, 2.5, 'x', false }",
    "{ { {}, { a = {} } } }",
    "{ b = 1, a = { c = 1/0 } }",
    "{ [5] = 1, [-1] = 2 }",
    "{ [1001] = 'vlan' }",
    "{ [true] = 1, [false] = 2 }",
    "{ [1.5] = 2, [1/0] = 3 }",
    "{ ['\\xff'] = '\\xfe' }",
    "{ 1, 2, x = 3 }",
    "{ 'a', [0] = 'z' }",
    "{ ['$float'] = 'inf', ['$map'] = {} }",
    "{ ['$float'] = 'inf' }",
    "{ ['__synchro__'] = { type = 'dict', id = 1 } }",
    "(function() local t = 1 for _ = 1, 90 do t = { t } end return t end)()",
];

/// Returns the rows of the first table of the documentation: example, JSON, and what a program finds.
fn documented() -> Vec<[String; 3]> {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/values.md")).expect("the page is there");
    let rows =
        text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
    let code = |cell: &str| cell.trim().split('`').nth(1).unwrap_or_default().to_owned();
    rows.map(|line| {
        let cells: Vec<&str> = line[1..line.len() - 1].split('|').collect();
        assert_eq!(cells.len(), 4, "{line}");
        [code(cells[1]), code(cells[2]), code(cells[3])]
    })
    .filter(|[example, ..]| !example.is_empty())
    .collect()
}

#[test]
fn the_documentation_says_what_becomes_of_a_value() {
    let rows = documented();
    assert_eq!(rows.len(), 15);
    let tasks = rows.iter().enumerate().map(|(index, [example, ..])| {
        format!(
            "  job.run {{ testscript = 'data.lua', taskid = 'd{index}', x = {example} }}\n  \
             job.run {{ testscript = 'show.sh', taskid = 'p{index}', x = {example} }}\n"
        )
    });
    let project = Project::new()
        .main(&tasks.collect::<String>())
        .file("data.lua", "return 'passed', nil, { x = parameters.x }")
        .executable("show.sh", "#!/bin/sh\nprintf %s \"${x-not there}\"");
    let ended = project.job(&["-qq"]);
    ended.code(0);
    let results = ended.the_run().results();
    for (index, [example, json, program]) in rows.iter().enumerate() {
        let data = results["tasks"][2 * index]["result"]["data"].to_string();
        // Each use of the example makes a shared object of its own.
        let expected = if json == "null" { "{}".to_owned() } else { format!("{{\"x\":{json}}}") };
        assert_eq!(data.replace("\"id\":2", "\"id\":1"), expected, "{example}");
        let found = ended.the_run().output(&format!("p{index}"), "stdout");
        let found = String::from_utf8_lossy(&found).replace("dict:2", "dict:1");
        let expected = if program.is_empty() { None } else { Some(program) };
        assert!(expected.is_none_or(|expected| found == *expected), "{example}: {found}");
    }
}

/// Values that no other process can have, and why.
const REFUSED: [(&str, &str); 8] = [
    ("print", "is a function, which cannot be handed to another process"),
    ("{ f = print }", ".f is a function, which cannot be handed to another process"),
    ("coroutine.create(print)", "is a thread, which cannot be handed to another process"),
    ("io.stdout", "cannot be handed to another process"),
    ("{ 1, nil, 3 }", "is a list with a hole: item 2 is missing (nil)"),
    ("{ [{}] = 1 }", "has a table as a key; keys are names, numbers and booleans"),
    ("(function() local t = {} t.t = t return t end)()", "is a table that holds itself"),
    ("(function() local t = 1 for _ = 1, 200 do t = { t } end return t end)()", "is nested more than 100 deep"),
];

#[test]
fn a_value_comes_back_as_it_went_from_wherever_it_went() {
    let mut body = String::from(
        "local show, s = require 'show', runtime.synchro\n  local d, l, q, v = s.dict(), s.list(), s.queue(), s.value()\n  \
         local function same(what, value, back)\n    if show(value) ~= show(back) then print(what, show(value), show(back)) end\n  end\n",
    );
    for (index, value) in CARRIED.iter().enumerate() {
        body.extend([format!(
            "  do\n    local x = {value}\n    \
             local _, result = job.run {{ testscript = 'echo.lua', taskid = 't{index}', x = x, box = {{ x = x }}, d = d }}\n    \
             same('parameter {index}', show(x), d.shown)\n    same('inside {index}', show(x), d.boxed)\n    \
             same('data {index}', {{ x }}, result.data)\n    \
             d.x = x same('dict {index}', x, d.x)\n    d:update {{ y = x }} same('update {index}', x, d:copy().y)\n    \
             l:append(x) same('list {index}', x, l:pop())\n    q:put(x) same('queue {index}', x, q:get())\n    \
             v.value = x same('value {index}', x, v.value)\n    same('made {index}', x, s.dict {{ z = x }}.z)\n  end\n"
        )]);
    }
    body += "  for key, value in pairs { [1001] = 'vlan', [true] = 1, [1.5] = 2, ['\\xff'] = 3, a = 4 } do\n    \
             d[key] = value same('key', value, d[key]) same('has', true, d:has(key))\n  end\n  print 'done'";
    let echo = "parameters.d.shown = require 'show' (parameters.x)\nparameters.d.boxed = require 'show' (parameters.box.x)\n\
                return 'passed', nil, { parameters.x }";
    let ended = Project::new().main(&body).file("show.lua", SHOW).file("echo.lua", echo).job(&["-q"]);
    ended.code(0).stdout("done\n");
}

#[test]
fn what_cannot_be_carried_is_refused_everywhere_and_changes_no_result() {
    let mut body = String::from("local d = runtime.synchro.dict()\n");
    for (index, (value, _)) in REFUSED.iter().enumerate() {
        body.extend([format!(
            "  job.run {{ testscript = 'end.lua', taskid = 'p{index}', x = {value} }}\n  \
             print(tostring(select(2, pcall(function() d.x = {value} end))))\n  \
             job.run {{ testscript = 'data{index}.lua', taskid = 'd{index}' }}\n"
        )]);
    }
    let mut project = Project::new().main(&body).file("end.lua", "");
    for (index, (value, _)) in REFUSED.iter().enumerate() {
        project = project.file(format!("data{index}.lua"), format!("return 'passx', 'as said', {{ {value}, 'kept' }}"));
    }
    let ended = project.job(&["-q"]);
    ended.code(1);
    let out = ended.out();
    let results = ended.the_run().results();
    let warnings = results["warnings"].to_string();
    for (index, (value, why)) in REFUSED.iter().enumerate() {
        let raised = out.lines().nth(index).unwrap();
        assert!(raised.starts_with("job.lua:") && raised.contains(why), "{value}: {raised}");
        let parameter = &results["tasks"][2 * index]["result"];
        let reason = parameter["reason"].as_str().unwrap();
        assert!(
            parameter["value"] == "errored" && reason.contains("parameter 'x'") && reason.contains(why),
            "{value}: {reason}"
        );
        let end = &results["tasks"][2 * index + 1]["result"];
        assert_eq!((&end["value"], &end["reason"]), (&"passx".into(), &"as said".into()), "{value}");
        assert_eq!(end["data"][1], "kept", "{value}: {end}");
        assert!(warnings.contains(&format!("task 'd{index}': the returned data[1]")), "{value}: {warnings}");
    }
}

#[test]
fn a_program_finds_the_bytes_that_were_given() {
    let body = r#"job.run { testscript = "show.sh", taskid = "bytes", args = { "caf\xe9", 7, 0.5, 1/0 }, env = { E = "\xff", N = 3 }, p = "\xfe" }
  job.run { testscript = "show.sh", taskid = "others", args = { "-", "", "", "" }, p = -1/0, q = { 1, { [7] = "x" } }, r = runtime.synchro.dict() }
  print(job.run { testscript = "args.lua", args = { "caf\xe9", 7 }, cwd = "\xffolder" })"#;
    let show = "#!/bin/sh\nprintf '%s|' \"$1\" \"$2\" \"$3\" \"$4\" \"$E\" \"$N\" \"$p\" \"$q\" \"$r\"\n";
    let project = Project::new()
        .main(body)
        .executable("show.sh", show)
        .file("args.lua", "return arg[1] == 'caf\\xe9' and arg[2] == '7', nil, io.open('here') ~= nil or nil");
    let folder = project
        .path("x")
        .parent()
        .unwrap()
        .join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xffolder"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("here"), "").unwrap();
    let ended = project.job(&["-q"]);
    ended.code(0).stdout("true\tpassed\n");
    let run = ended.the_run();
    assert_eq!(run.output("bytes", "stdout"), b"caf\xe9|7|0.5|inf|\xff|3|\xfe|||");
    assert_eq!(run.output("others", "stdout"), b"-||||||-inf|[1,{\"7\":\"x\"}]|dict:1|");
}

#[test]
fn a_testbed_means_what_its_version_of_yaml_says() {
    let bed = "octal: 010\nyes: yes\ntext: 0o17\nlong: 1_000\ntime: 1:30\nmac: 00:11:22:33:44:55\nexponent: 1e3\n\
               inf: .inf\ndate: 2020-01-01\nvlans: {10: ten, 20: twenty}\nbytes: !!binary /w==\nlist: [1, ~, 3]\n";
    let body = "print(require 'show' (runtime.testbed))\n  \
                print(job.run { testscript = 'bed.lua' }) print(job.run { testscript = 'bed.py' })";
    let script = "local show = require 'show'\nreturn show(parameters.testbed) == show(runtime.testbed)";
    let python = "import json, os\nbed = json.load(open(os.environ['RILLE_TESTBED']))\n\
                  assert (bed['octal'], bed['vlans']['10'], bed['true']) == (8, 'ten', True), bed\n";
    let project = Project::new()
        .main(body)
        .file("show.lua", SHOW)
        .file("bed.lua", script)
        .file("bed.py", python)
        .file("bed.yaml", bed)
        .file("new.yaml", format!("%YAML 1.2\n---\n{bed}"));
    let ends = if has_program("python3") { "true\tpassed\ntrue\tpassed\n" } else { "" };
    let old = project.job(&["-q", "--testbed", "bed.yaml"]);
    old.stdout(&format!(
        "{{[\"bytes\"]=\"\u{fffd}\",[\"date\"]=\"2020-01-01\",[\"exponent\"]=\"1e3\",[\"inf\"]=float 1e9999,\
         [\"list\"]={{[integer 1]=integer 1,[integer 3]=integer 3}},[\"long\"]=integer 1000,\
         [\"mac\"]=\"00:11:22:33:44:55\",[\"octal\"]=integer 8,[\"text\"]=\"0o17\",[\"time\"]=integer 90,\
         [\"vlans\"]={{[integer 10]=\"ten\",[integer 20]=\"twenty\"}},[true]=true}}\n{ends}"
    ));
    let new = project.job(&["-q", "--testbed", "new.yaml"]).out();
    for part in [
        "[\"octal\"]=integer 10",
        "[\"yes\"]=\"yes\"",
        "[\"text\"]=integer 15",
        "[\"long\"]=\"1_000\"",
        "[\"time\"]=\"1:30\"",
        "[\"exponent\"]=float 0x1.f4p+9",
    ] {
        assert!(new.contains(part), "{part}: {new}");
    }
}

#[test]
fn error_objects_and_logs_hold_any_bytes_and_show_content() {
    let script = r#"local log = require "rille.log"
log:info("raw \xff")
log:info({ code = 7, list = { 1, "x" } })
log:info("%s and %s", { a = 1 }, print)
log:warning(nil)
local ok, err = pcall(assert, false, "\xff\xfe")
assert(not ok and err.kind == "assertion" and err.message == "\xff\xfe", "bytes")
assert(tostring(err):match("\xff\xfe$") and err:find("\xff", 1, true) and #err > 2 and (err .. "x"):sub(-1) == "x", "methods")
assert(err:upper() == tostring(err):upper() and err.nothing == nil, "fields")
error({ code = 7, why = "because" })"#;
    let project = Project::new().main("job.run { testscript = 's.lua', taskid = 't' }").file("s.lua", script);
    let ended = project.job(&["-q"]);
    ended.code(1).reason_has("t", "{ code = 7, why = \"because\" }");
    let log = ended.the_run().bytes("tasks/1-t/task.log");
    let has = |part: &[u8]| log.windows(part.len()).any(|window| window == part);
    for part in [&b"raw \xff"[..], b"{ code = 7, list = { 1, \"x\" } }", b"{ a = 1 } and <function>", b"WARNING"] {
        assert!(has(part), "{}", String::from_utf8_lossy(&log));
    }
}
