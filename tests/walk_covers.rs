//! Covers, samples and coverage through the real program: large products, constraints, models of other programs.

use crate::harness::{Ended, Project};

const HEAD: &str = r#"local walk = require "rille.walk"
local function act(name, options) return walk.action { name = name, options = options, run = function(param, state) state[name] = param end } end
local function all(count, options)
  local order = {}
  for i = 1, count do order[i] = act("P" .. i, options) end
  return order
end
"#;

fn job(body: &str) -> Ended {
    Project::new().file("job.lua", format!("{HEAD}{body}")).job(&["-q"])
}

fn list(suite: &str, options: &[&str]) -> Ended {
    let args: Vec<&str> = ["walk", "suite.lua", "--list"].iter().chain(options).copied().collect();
    Project::new().file("suite.lua", format!("{HEAD}{suite}")).run(&args)
}

#[test]
fn an_order_of_any_size_is_covered_and_run() {
    let body = "
      local order = all(64, { 0, 1 })
      local mark = walk.serial_action { name = 'Mark', options = { 'a', 'b' }, run = function() return {} end }
      table.insert(order, 40, mark)
      function main()
        local r = walk.run_tests { order = order, state = {}, cover = 2, gather_states = true, workers = 2 }
        local states = 0
        for id = 0, r.walk_count - 1 do
          local count = 0
          for _ in pairs(r.states[id]) do count = count + 1 end
          if count == 64 then states = states + 1 end
        end
        print(r.error_count, r.walk_count >= 8 and r.walk_count <= 16, states == r.walk_count, r.segment_count == 2 * r.walk_count)
        print(r.coverage[2].total, r.coverage[2].passed, r.coverage[2].impossible)
      end";
    job(body).code(0).stdout("0\ttrue\ttrue\ttrue\n8320\t8320\t0\n");
}

#[test]
fn ids_of_a_listed_walk_are_its_rows_and_can_be_run_again() {
    let project = Project::new().file(
        "suite.lua",
        format!(
            "{HEAD}local order = all(70, {{ 0, 1 }})
             order[70] = walk.action {{ name = 'Last', options = {{ 0, 1 }}, run = function(param, state)
               if param == 1 and state.P3 == 1 then error('both') end end }}
             return {{ order = order, state = {{}}, cover = 2 }}"
        ),
    );
    let listed = project.run(&["walk", "suite.lua", "--list"]);
    listed.code(0);
    let ids: Vec<String> = listed.out().lines().map(|line| line.split('\t').next().unwrap_or("").to_owned()).collect();
    assert_eq!(ids, (0..ids.len()).map(|id| id.to_string()).collect::<Vec<_>>());
    let ended = project.run(&["walk", "suite.lua", "--shrink"]);
    ended.code(1);
    let results = &ended.the_run().results()["walks"][0];
    assert_eq!(results["end"]["shrunk"][0]["walk"].as_str().map(|walk| walk.contains("Last(1)")), Some(true));
    let id = results["end"]["shrunk"][0]["id"].to_string();
    project.run(&["replay", "latest", &id]).code(1).stdout_has("both");
    project.run(&["walk", "suite.lua", "--list", "--cover", "3"]).code(0);
    let sample = project.run(&["walk", "suite.lua", "--list", "--sample", "5", "--seed", "1"]);
    assert_eq!(sample.code(0).out().lines().count(), 5, "of the rows of the cover");
}

#[test]
fn without_a_choice_an_order_of_too_many_walks_says_what_to_do() {
    let suite = "return { order = all(64, { 0, 1 }), state = {} }";
    list(suite, &[]).code(2).stderr_has("choose some of them by cover");
    let sample = list(suite, &["--sample", "9", "--seed", "4"]);
    assert_eq!(sample.code(0).out().lines().count(), 9);
    assert_eq!(sample.out(), list(suite, &["--sample", "9", "--seed", "4"]).out());
    let shards: usize = ["1/2", "2/2"]
        .iter()
        .map(|shard| list(suite, &["--cover", "2", "--shard", shard]).code(0).out().lines().count())
        .sum();
    assert_eq!(shards, list(suite, &["--cover", "2"]).out().lines().count());
}

#[test]
fn one_constraint_over_many_actions_is_held_in_every_form() {
    let head = "
      local order, names = {}, {}
      for i = 1, 11 do
        names[i] = 'G' .. i
        local options = { 'off' }
        for k = 1, 1 + (i * 5) % 7 do options[#options + 1] = k end
        order[i] = act(names[i], options)
      end
      local others = { table.unpack(names, 2) }
      order[12], order[13] = act('X', { 1, 2, 3 }), act('Y', { 1, 2, 3 })
      local function follows(head, ...)
        for i = 1, select('#', ...) do if (select(i, ...) ~= 'off') ~= (head ~= 'off') then return false end end
        return true
      end
      local wide = { table.unpack(names) }
      wide[12] = follows";
    let forms = [
        "{ wide }",
        "function(walk) for i = 2, 11 do if (walk[i].param ~= 'off') ~= (walk[1].param ~= 'off') then return false end end return true end",
        "{ walk.not_applicable(others, 'off', { G1 = 'off' }) }",
        "walk.not_applicable(others, 'off', { G1 = 'off' })",
    ];
    for form in forms {
        let ended =
            list(&format!("{head}\nreturn {{ order = order, state = {{}}, cover = 2, constraints = {form} }}"), &[]);
        let out = ended.code(0).out();
        let is_right = |line: &str| {
            let offs = line.matches("(\"off\")").count();
            offs == 0 || offs == 11
        };
        assert!(out.lines().all(is_right) && out.lines().count() > 40, "{form}: {out}");
        assert!(out.lines().any(|line| line.contains("\"off\"")), "{form}");
    }
    let few = format!(
        "{head}\nreturn {{ order = {{ order[1], order[2], order[12] }}, state = {{}}, cover = 2,
      constraints = function(walk) return (walk[1].param == 'off') == (walk[2].param == 'off') end }}"
    );
    let out = list(&few, &[]).code(0).out();
    assert!(out.lines().all(|line| line.matches("off").count() != 1), "{out}");
}

#[test]
fn forms_say_what_functions_say() {
    let order = "local order = { act('OS', { 'dos', 'linux', 'mac' }), act('Disk', { 1, 2, 3 }), act('Copy', { 1, 2, 3 }), act('Net', { true, false }) }";
    let table = [
        (
            "walk.forbid { OS = 'dos', Disk = { 2, 3 } }",
            "{ 'OS', 'Disk', function(o, d) return not (o == 'dos' and d > 1) end }",
        ),
        (
            "walk.when({ OS = { 'dos', 'mac' } }, { Disk = 1 })",
            "{ 'OS', 'Disk', function(o, d) return o == 'linux' or d == 1 end }",
        ),
        (
            "walk.when({ OS = 'dos', Net = true }, { Disk = 1, Copy = 1 }, { Copy = { 2, 3 } })",
            "{ 'OS', 'Net', 'Disk', 'Copy', function(o, n, d, c) if o == 'dos' and n then return d == 1 and c == 1 end return c > 1 end }",
        ),
        ("walk.same('Disk', 'Copy')", "{ 'Disk', 'Copy', function(d, c) return d == c end }"),
        (
            "walk.not_applicable('Disk', 3, { OS = 'mac' })",
            "{ 'Disk', 'OS', function(d, o) return (d == 3) == (o == 'mac') end }",
        ),
    ];
    for (form, function) in table {
        let rows = |constraint: &str| {
            list(&format!("{order}\nreturn {{ order = order, state = {{}}, constraints = {{ {constraint} }} }}"), &[])
                .code(0)
                .out()
        };
        let said = rows(form);
        assert_eq!(said, rows(function), "{form}");
        assert!(!said.is_empty() && said.lines().count() < 54, "{form}");
    }
}

#[test]
fn constraints_that_are_wrong_are_said_by_name() {
    let order = "local order = { act('OS', { 'dos', 'linux' }), act('Disk', { 1, 2 }) }\n";
    let table = [
        (
            "walk.forbid { Disc = 1 }",
            "a constraint names 'Disc', which is no action of the order; did you mean 'Disk'?",
        ),
        ("walk.forbid { OS = 'linus' }", "walk.forbid: action 'OS' has no option \"linus\"; did you mean \"linux\"?"),
        ("walk.when({ OS = 'dos' })", "walk.when: a condition is a table of actions"),
        ("walk.same('OS')", "walk.same takes the names of two actions or more"),
        ("{ 'OS', 'Disk', function() error('odd') end }", "constraint 1 over OS, Disk raised: "),
        ("walk.forbid { OS = { 'dos', 'linux' } }", "no walk satisfies the constraints"),
    ];
    for (constraint, expected) in table {
        let suite =
            format!("{order}return {{ order = order, state = {{}}, cover = 2, constraints = {{ {constraint} }} }}");
        list(&suite, &[]).code(2).stderr_has(expected);
    }
    let suite = format!(
        "{order}return {{ order = order, state = {{}}, cover = 2, constraints = {{ walk.forbid {{ Disk = 2 }} }} }}"
    );
    list(&suite, &[]).code(0).stderr_has("no walk that the constraints allow has the option 2 of action 'Disk'");
}

#[test]
fn a_constraint_that_never_ends_ends_the_call() {
    let suite = "return { order = all(2, { 1, 2 }), state = {}, cover = 2,
      constraints = { { 'P1', 'P2', function() while true do end end } } }";
    list(suite, &[]).code(2).stderr_has("constraint 1 over P1, P2 has not returned within 10 s");
}

#[test]
fn a_budget_says_what_it_gained_and_looks_repeat_it() {
    let suite =
        |cover: &str| format!("return {{ order = all(10, {{ 1, 2, 3 }}), state = {{}}, cover = {cover}, seed = 3 }}");
    let usual = list(&suite("2"), &[]).code(0).out();
    let ended = list(&suite("{ t = 2, budget = 0.3 }"), &[]);
    ended.code(0).stderr_has("the cover has ");
    assert!(ended.out().lines().count() <= usual.lines().count());
    let looks = list(&suite("{ t = 2, looks = 20000000 }"), &[]).code(0).out();
    assert_eq!(looks, list(&suite("{ t = 2, looks = 20000000 }"), &[]).out());
}

#[test]
fn every_run_accounts_for_what_it_covers() {
    let body = "
      local order = all(5, { 1, 2, 3 })
      local bad = walk.action { name = 'Bad', options = { 1, 2 }, run = function(param) if param == 2 then error('two') end end }
      local function show(r, t)
        local c = r.coverage[t]
        print(c.total, c.passed, c.failed, c.not_run, c.impossible, c.gaps[1])
      end
      function main()
        show(walk.run_tests { order = order, state = {} }, 2)
        show(walk.run_tests { order = order, state = {}, coverage = 3 }, 3)
        show(walk.run_tests { order = { order[1], bad }, state = {} }, 2)
        show(walk.run_tests { order = { order[1], order[2] }, state = {}, constraints = { walk.same('P1', 'P2') } }, 2)
        show(walk.run_tests { order = { order[1], order[2] }, state = {}, constraints = { walk.same('P1', 'P2') }, sample = 2, seed = 1 }, 2)
        local whole = walk.run_tests { order = order, state = {}, sample = 12, seed = 1 }.coverage[2]
        print(whole.total, whole.passed + whole.not_run, whole.passed > 30, #whole.gaps > 0)
        local part = walk.run_tests { order = order, state = {}, shard = '1/3' }.coverage[2]
        print(part.total, part.passed + part.not_run)
      end";
    let expected = "90\t90\t0\t0\t0\tnil\n270\t270\t0\t0\t0\tnil\n6\t3\t3\t0\t0\tnil\n3\t3\t0\t0\t6\tnil\n";
    let ended = job(body);
    let out = ended.out();
    assert!(out.starts_with(expected), "{out}");
    let rest: Vec<&str> = out[expected.len()..].lines().collect();
    assert!(rest[0].starts_with("3\t2\t0\t1\t6\tP1("), "{out}");
    assert_eq!(rest[1..], ["90\t90\ttrue\ttrue", "90\t90"], "{out}");
}

#[test]
fn rows_of_a_model_are_written_as_pict_writes_them() {
    let model = "OS: linux, dos\nDisk: 1, 2, ~-1\nNet: on, off\nIF [OS] = \"dos\" THEN [Disk] <= 1;\n";
    let project = Project::new().file("m.txt", model).file("bad.txt", "A: 1\nIF [B] = 1 THEN [A] = 1;\n");
    let ended = project.run(&["walk", "--pict", "m.txt"]);
    let out = ended.code(0).out();
    let mut lines = out.lines();
    assert_eq!(lines.next(), Some("OS\tDisk\tNet"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 3 && (row[0] == "linux" || row[1] != "2")), "{out}");
    for (place, value) in [(0, "dos"), (1, "~-1"), (1, "2"), (2, "off")] {
        assert!(rows.iter().any(|row| row[place] == value), "{out}");
    }
    let json =
        project.run(&["walk", "--pict", "m.txt", "--format", "json", "--cover", "3", "--seed", "2"]).code(0).json();
    assert_eq!(
        json[0].as_object().map(|row| row.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["OS".into(), "Disk".into(), "Net".into()])
    );
    let project = project.file("seeds.txt", "OS\tNet\ndos\ton\nbeos\toff\n");
    let seeded = project.run(&["walk", "--pict", "m.txt", "--seed-rows", "seeds.txt"]);
    seeded.code(0).stderr_has("line 3: the parameter 'OS' has no value 'beos'");
    assert!(seeded.out().lines().nth(1).is_some_and(|row| row.starts_with("dos\t") && row.ends_with("\ton")));
    project.run(&["walk", "--pict", "bad.txt"]).code(2).stderr_has("bad.txt: line 2: 'B' is no parameter of the model");
    project.run(&["walk", "--pict", "none.txt"]).code(2).stderr_has("cannot read none.txt");
    project.run(&["walk"]).code(2).stderr_has("<SUITE>");
}
