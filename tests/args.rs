//! `require "rille.args"`, how arguments are handed on, and the warning for those that nobody read.

use crate::harness::Project;

/// A project whose jobfile parses a list of words by a parser of this definition, and prints what this code says.
fn parsing(options: &str, words: &str, show: &str) -> Project {
    Project::new().main(&format!(
        "local parser = require 'rille.args'.parser {{}}{options}\n\
         local ok, v, rest = pcall(parser.parse_known, parser, {words})\n\
         if not ok then print(v.kind, v.message) else print({show}) end\n\
         job.run {{ testscript = '/bin/true' }}"
    ))
}

#[test]
fn options_are_read_in_every_way_to_write_them() {
    let show =
        "v.speed, v.mode, v.loud, v.quiet, v.cold, table.concat(v.tag, '+'), '[' .. table.concat(rest, ' ') .. ']'";
    let options = ":option('--speed', '-s', { type = 'integer', default = 3 }):option('--mode')\
                   :option('-l', '--loud', { action = 'count' }):option('-q', '--quiet', { action = 'store_true' })\
                   :option('--cold', { action = 'store_false' }):option('-t', '--tag', { action = 'append' })";
    let cases = [
        ("{}", "3\tnil\t0\tfalse\ttrue\t\t[]"),
        ("{ '--speed', '5', '--mode=a=b', '-ll', '-q', '--cold' }", "5\ta=b\t2\ttrue\tfalse\t\t[]"),
        ("{ '-s7', '-lqs', '-8' }", "-8\tnil\t1\ttrue\ttrue\t\t[]"),
        ("{ '-s=7', '--mode=' }", "7\t\t0\tfalse\ttrue\t\t[]"),
        ("{ '-t', 'a', '-tb', '--tag=c' }", "3\tnil\t0\tfalse\ttrue\ta+b+c\t[]"),
        ("{ '--typo', 'T', '-s', '1', 'stray', '-lx', '-5' }", "1\tnil\t0\tfalse\ttrue\t\t[--typo T stray -lx -5]"),
        ("{ '-s', '1', '--', '-s', '2', '--' }", "1\tnil\t0\tfalse\ttrue\t\t[-- -s 2 --]"),
        ("{ '--speed', '1', '--speed', '2', '-', '' }", "2\tnil\t0\tfalse\ttrue\t\t[- ]"),
        ("{ '--speed', 4 }", "4\tnil\t0\tfalse\ttrue\t\t[]"),
        (
            "{ '--mode', '--speed', '4' }",
            "usage\t--mode needs a value, but '--speed' follows; write --mode=--speed if that is the value",
        ),
        ("{ '--mode' }", "usage\t--mode needs a value"),
        ("{ '--quiet=yes' }", "usage\t--quiet takes no value, so not 'yes'"),
        ("{ '--speed', '1.5' }", "usage\t--speed must be a whole number, not '1.5'"),
        ("{ '--speed', '' }", "usage\t--speed must be a whole number, not ''"),
        ("{ {} }", "usage\tparse_known: word 1 must be a text, not a table"),
        ("'--speed'", "usage\tparse_known takes a list of words, not '--speed'"),
    ];
    for (words, expected) in cases {
        let out = parsing(options, words, show).job(&[]).code(0).out();
        assert!(out == format!("{expected}\n"), "{words}: {out}");
    }
}

#[test]
fn values_have_types_choices_and_counts() {
    let cases = [
        ("{ type = 'number' }", "'--x', '2.5'", "2.5"),
        ("{ type = 'number' }", "'--x', '1e999'", "usage\t--x must be a number, not '1e999'"),
        ("{ type = 'integer' }", "'--x', '0x10'", "16"),
        ("{ type = 'boolean' }", "'--x', 'No'", "false"),
        ("{ type = 'boolean' }", "'--x', 'maybe'", "usage\t--x must be true or false, not 'maybe'"),
        ("{ type = string.upper }", "'--x', 'a'", "A"),
        ("{ type = function(t) return nil, 'is bad' end }", "'--x', 'a'", "usage\t--x is bad, not 'a'"),
        ("{ type = function(t) error('boom', 0) end }", "'--x', 'a'", "usage\t--x: 'a' cannot be used: boom"),
        (
            "{ choices = { 'fast', 'slow' } }",
            "'--x', 'slwo'",
            "usage\t--x must be one of fast, slow, not 'slwo'; did you mean 'slow'?",
        ),
        ("{ choices = { 1, 2 }, type = 'integer' }", "'--x', '2'", "2"),
        ("{ required = true }", "", "usage\t--x is required"),
        ("{ nargs = 2 }", "'--x', 'a', 'b', 'c'", "a b"),
        ("{ nargs = 2 }", "'--x', 'a'", "usage\t--x needs 2 values, not 1"),
        ("{ nargs = '+' }", "'--x'", "usage\t--x needs at least one value"),
        ("{ nargs = '*' }", "'--x'", ""),
        ("{ nargs = '?', const = 'c', default = 'd' }", "'--x'", "c"),
        ("{ nargs = '?', const = 'c', default = 'd' }", "", "d"),
        ("{ action = 'append', default = { 'd' } }", "'--x', 'e'", "d e"),
    ];
    let show = "type(v.x) == 'table' and table.concat(v.x, ' ') or v.x";
    for (definition, words, expected) in cases {
        let options = format!(":option('--x', {definition})");
        let project = parsing(&options, &format!("{{ {words} }}"), show);
        project.job(&[]).code(0).stdout(&format!("{expected}\n"));
    }
}

#[test]
fn wrong_definitions_name_the_line_and_the_nearest_key() {
    let cases = [
        ("args.parser { descripton = 'x' }", "parser has no key 'descripton'; did you mean 'description'?"),
        ("args.parser('x')", "parser takes a table, not 'x'"),
        ("args.prser {}", "rille.args has no field 'prser'; did you mean 'parser'?"),
        ("p:option('--x', { hlep = 'x' })", "option --x has no key 'hlep'; did you mean 'help'?"),
        ("p:option('--x', { qqqq = 1 })", "it has: action, choices, const"),
        ("p:option('x')", "option takes names such as \"--my-arg\" or \"-m\", and a table; not 'x'"),
        ("p:option('-long')", "not '-long'"),
        ("p:option()", "option takes a name"),
        ("p:option('--x'):option('-y', '--x')", "option --x is defined twice"),
        (
            "p:option('--x', { type = 'int' })",
            "type must be a function or one of boolean, integer, number, string, not 'int'",
        ),
        ("p:option('--x', { action = 'stor_true' })", "did you mean 'store_true'?"),
        ("p:option('--x', { action = 'count', type = 'string' })", "'type' makes no sense with action 'count'"),
        ("p:option('--x', { choices = 'a' })", "choices must be a list of values, not 'a'"),
        ("p:option('--x', { nargs = 0 })", "nargs must be a whole number from 1"),
        ("p:option('--x', { type = 'integer', default = '3' })", "default must be of type integer, not '3'"),
        ("p:option('--x', { required = 1 })", "required must be true or false, not 1"),
        ("p:add_argument('--x')", "a parser has no method 'add_argument'; did you mean 'option'?"),
        (
            "print(p:option('--my-arg'):parse({}).my_agr)",
            "the parser has no option for 'my_agr'; did you mean 'my_arg'?",
        ),
    ];
    for (code, message) in cases {
        let text = format!(
            "local args = require 'rille.args'\nlocal p = args.parser {{}}\nlocal q = p\n{code}\nfunction main() end"
        );
        let ended = Project::new().file("job.lua", text).job(&[]);
        ended.code(2).stderr_has(message).stderr_has("job.lua:4: ").stderr_lacks("tail calls");
    }
}

#[test]
fn an_argument_that_nobody_knows_is_refused_by_parse_with_exit_code_2() {
    let body = "local args = require 'rille.args'\nargs.parser():option('--device'):option('--speed'):parse()";
    let cases: [(&[&str], &str); 5] = [
        (&["--devise", "x"], "job.lua:4: unknown arguments --devise x; did you mean '--device'?"),
        (&["stray"], "unknown argument stray; '--help' after '--' lists the options"),
        (&["--device"], "--device needs a value"),
        (&["--tesbed", "x"], "unknown arguments --tesbed x; did you mean --testbed of rille?"),
        (&["--device", "x", "--", "y"], "unknown argument y"),
    ];
    for (args, message) in cases {
        let ended = Project::new().main(body).job(args);
        // What was refused was read: there is no second complaint.
        ended.code(2).stderr_has(message).stderr_lacks("nobody read").stderr_lacks("is no option of rille");
    }
    let after = format!("job.run {{ testscript = '/bin/true' }}\n{body}");
    Project::new().main(&after).job(&["--devise"]).code(1).outcomes("Task-1=passed").stderr_has("--devise");
}

#[test]
fn help_is_shown_and_ends_the_jobfile_as_it_was_asked_to() {
    let definition = "local parser = require 'rille.args'.parser { description = 'Soaks a switch.', epilog = 'The end.' }\n\
                      :option('--speed', '-s', { type = 'integer', default = 9600, help = 'Baud' })\n\
                      :option('--mode', { choices = { 'a', 'b' }, required = true })\n\
                      :option('-v', { action = 'count' })\n:option('--pair', { nargs = 2, metavar = 'P', help = 'Two' })\n\
                      :option('--some-very-long-name-for-an-option', { help = 'Below' })\n";
    let project = Project::new().main(&format!("{definition}parser:parse()\nprint('not reached')"));
    let ended = project.job(&["--", "--help"]);
    insta::assert_snapshot!(ended.code(0).out(), @r#"
    Usage: job.lua [--help] [--speed SPEED] --mode {a,b} [-v] [--pair P P] [--some-very-long-name-for-an-option SOME_VERY_LONG_NAME_FOR_AN_OPTION]

    Soaks a switch.

    Options:
      -h, --help         show this help and end
      --speed, -s SPEED  Baud (default: 9600)
      --mode {a,b}       (required)
      -v
      --pair P P         Two
      --some-very-long-name-for-an-option SOME_VERY_LONG_NAME_FOR_AN_OPTION
                         Below

    The end.
    "#);
    ended.stderr_lacks("nobody read").stderr_lacks("ERRORED");
    assert!(ended.the_run().events_of("task-started").is_empty());
    let own = "local parser = require 'rille.args'.parser { add_help = false }:option('-h'):option('--x')\n\
               local v = parser:parse()\nprint(v.h)\njob.run { testscript = '/bin/true' }";
    Project::new().main(own).job(&["--", "-h", "1"]).code(0).stdout("1\n");
    Project::new().main(own).job(&["--", "--help"]).code(2).stderr_has("unknown argument --help");
}

#[test]
fn help_in_a_task_skips_it() {
    let project = Project::new().main("job.run { testscript = 'a.lua' }\nprint(#arg)");
    let project = project.file("a.lua", "require 'rille.args'.parser():parse_known()\nprint 'not reached'");
    let ended = project.job(&["--", "-h"]);
    ended.code(0).outcomes("Task-1=skipped").reason_has("Task-1", "showed its help");
    assert_eq!(
        ended.the_run().output("Task-1", "stdout"),
        b"Usage: a.lua [--help]\n\nOptions:\n  -h, --help  show this help and end\n"
    );
}

#[test]
fn each_layer_removes_only_its_own_and_every_task_gets_the_rest() {
    let body = "local v, rest = require 'rille.args'.parser():option('--job-arg'):parse_known()\n\
                print(v.job_arg, table.concat(rest, ' '))\n\
                job.run { testscript = 'one.lua' }\njob.run { testscript = 'two.lua', args = { '--own', '--script-arg', 'code' } }\n\
                print(table.concat(runtime.argv, ' '))";
    let script = "local v, rest = require 'rille.args'.parser():option('--script-arg'):parse_known()\n\
                  print(v.script_arg, table.concat(rest, ' '))";
    let two = format!("{script}\nprint(table.concat(arg, ' '), table.concat(runtime.argv, ' '))");
    let project = Project::new().main(body).file("one.lua", script).file("two.lua", two);
    let ended = project.job(&["--job-arg", "J", "--script-arg", "S", "--typo-arg", "T", "-j", "2", "extra"]);
    ended.code(0);
    ended.stdout_has("J\t--script-arg S --typo-arg T extra\n");
    ended.stdout_has("--job-arg J --script-arg S --typo-arg T extra\n");
    let run = ended.the_run();
    assert_eq!(run.output("Task-1", "stdout"), b"S\t--typo-arg T extra\n");
    // What the command line says wins over what the job says.
    let expected: &[u8] = b"S\t--own --typo-arg T extra\n--own --script-arg code\t--script-arg S --typo-arg T extra\n";
    assert_eq!(run.output("Task-2", "stdout"), expected);
}

#[test]
fn a_second_parser_of_the_process_sees_everything_and_may_be_strict() {
    let body = "local args = require 'rille.args'\nlocal lib = args.parser():option('--lib'):parse_known()\n\
                local mine = args.parser():option('--mine'):parse()\nprint(lib.lib, mine.mine)\n\
                job.run { testscript = '/bin/true' }";
    Project::new().main(body).job(&["--lib", "a", "--mine", "b"]).code(0).stdout("a\tb\n");
}

#[test]
fn arguments_that_nobody_read_are_named_at_the_end() {
    let none = "job.run { testscript = 'quiet.lua' }";
    let parse = "require 'rille.args'.parser():option('--mine'):parse_known()\njob.run { testscript = 'quiet.lua' }";
    let task = "job.run { testscript = 'parse.lua' }";
    let raw = "print(#runtime.argv)\njob.run { testscript = 'quiet.lua' }";
    let global = "print(#arg)\njob.run { testscript = 'quiet.lua' }";
    let in_task = "job.run { testscript = 'raw.lua' }";
    let handed = "job.run { testscript = '/bin/echo', args = runtime.argv }";
    let cases: [(&str, &[&str], &str); 11] = [
        (none, &[], ""),
        (none, &["--typo-arg", "T"], "nobody read the arguments --typo-arg T"),
        (none, &["stray"], "nobody read the argument stray"),
        (none, &["a b", "--x='"], "nobody read the arguments 'a b' \"--x='\""),
        (parse, &["--mine", "1"], ""),
        (parse, &["--mine", "1", "--other", "2"], "nobody read the arguments --other 2"),
        (task, &["--mine=1", "--", "--tesbed"], "nobody read the argument --tesbed"),
        (raw, &["--x", "--tesbed"], ""),
        (global, &["--x"], ""),
        (in_task, &["--x"], ""),
        (handed, &["--x"], ""),
    ];
    for (body, args, warning) in cases {
        let project = Project::new()
            .main(body)
            .file("quiet.lua", "")
            .file("raw.lua", "print(#runtime.argv)")
            .file("parse.lua", "require 'rille.args'.parser():option('--mine'):parse_known()");
        let ended = project.job(args);
        ended.code(0);
        assert_eq!(ended.the_run().warnings().trim_end(), warning, "{body} {args:?}\n{}", ended.err());
    }
}

#[test]
fn a_task_that_was_killed_has_read_what_it_had_read() {
    let script = "require 'rille.args'.parser():option('--mine'):parse_known()\nos.execute('kill -9 $PPID')";
    let project = Project::new().main("job.run { testscript = 'die.lua' }").file("die.lua", script);
    let ended = project.job(&["--mine", "1", "--rest"]);
    ended.code(1).outcomes("Task-1=errored");
    assert_eq!(ended.the_run().warnings(), "nobody read the argument --rest\n");
}

/// Runs a job that parses in this way, then a task that says what it gets, with the arguments `--mine 1 --other 2`.
fn taken(parse: &str) -> (String, crate::harness::Ended) {
    let body = format!(
        "local args = require 'rille.args'\n  local parser = args.parser():option('--mine')\n  {parse}\n  \
         job.run {{ testscript = 'task.lua', taskid = 't' }}"
    );
    let task = "print(table.concat(runtime.argv, ' '))";
    let ended = Project::new().main(&body).file("task.lua", task).job(&["--mine", "1", "--other", "2"]);
    let got = String::from_utf8(ended.the_run().output("t", "stdout")).expect("it is text");
    (got.trim_end().to_owned(), ended)
}

#[test]
fn what_a_jobfile_parses_of_its_own_list_its_tasks_do_not_get() {
    let cases = [
        ("parser:parse_known()", "--other 2"),
        ("parser:parse_known(runtime.argv)", "--other 2"),
        ("parser:parse_known(arg)", "--other 2"),
        ("local _, rest = parser:parse_known(runtime.argv) args.parser():option('--other'):parse(rest)", ""),
        ("table.remove(runtime.argv, 3) parser:parse_known(runtime.argv)", "--other 2"),
        // A list of the user's own is not what was handed on.
        ("parser:parse_known({ '--mine', '1' })", "--mine 1 --other 2"),
        ("print(#runtime.argv)", "--mine 1 --other 2"),
    ];
    for (parse, expected) in cases {
        let (got, ended) = taken(parse);
        ended.code(0);
        assert_eq!(got, expected, "{parse}");
    }
}

#[test]
fn a_list_that_a_parser_got_counts_as_read_only_as_far_as_it_was_taken() {
    let unread = |parse: &str| {
        let body = format!("local args = require 'rille.args'\n  {parse}\n  job.run {{ testscript = 'true' }}");
        Project::new().main(&body).job(&["--mine", "1", "--other", "2"]).err()
    };
    let parser = "args.parser():option('--mine')";
    let told = unread(&format!("{parser}:parse_known(runtime.argv)"));
    assert!(told.contains("nobody read the arguments --other 2"), "{told}");
    for parse in ["print(#runtime.argv)", "print(arg[1])"] {
        assert!(!unread(parse).contains("nobody read"), "{parse}");
    }
}
