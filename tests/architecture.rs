//! The house is as its plan says: rooms import only from floors below, files are one idea, nothing is left undone.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first, with their rooms.
const FLOORS: [&[&str]; 6] = [
    &["model", "python_syntax"],
    &["store", "operation", "testing", "walk"],
    &["engine", "report"],
    &["job"],
    &["script"],
    &["cli", "repl", "runner", "main"],
];

/// Lines of code over which a file is two ideas.
const MOST_LINES: usize = 460;

/// A source file, and its text up to its tests.
struct Source {
    path: PathBuf,
    room: String,
    text: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    let source = |path: PathBuf| {
        let relative = path.strip_prefix(&root).expect("it is inside").to_owned();
        let first = relative.components().next().expect("it has a name").as_os_str().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it can be read");
        // By the custom of this house tests stand at the end of a file.
        let code = text.split("\n#[cfg(test)]\nmod ").next().expect("there is a first part").to_owned();
        Source { path: relative, room: first.trim_end_matches(".rs").to_owned(), text, code }
    };
    paths.into_iter().map(source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let path = entry.expect("it is listed").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Returns whether a file is nothing but tests and what they need.
fn is_test_file(source: &Source) -> bool {
    let stem = source.path.file_stem().expect("it has a name").to_string_lossy().into_owned();
    let parent = source.path.parent().expect("it is in a folder");
    let declared = |module: &str| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let text = fs::read_to_string(root.join(module)).unwrap_or_default();
        text.contains(&format!("#[cfg(test)]\nmod {stem};"))
    };
    declared(&parent.join("mod.rs").to_string_lossy()) || declared(&format!("{}.rs", parent.display()))
}

/// The same, and the parts of tests that have files of their own.
fn is_for_tests(source: &Source) -> bool {
    let is_part = source.path.starts_with("engine/simulator") || source.path.iter().any(|part| part == "tests");
    is_part || is_test_file(source)
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn rooms_import_only_from_floors_below() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for source in sources().iter().filter(|source| !is_test_file(source)) {
        let Some(own) = floor(&source.room) else {
            wrong.push(format!("{}: no floor has the room '{}'", source.path.display(), source.room));
            continue;
        };
        for (number, line) in (1..).zip(source.code.lines()) {
            if line.trim_start().starts_with("//") {
                continue;
            }
            // A path in the middle of a line imports as well.
            for after in line.split("crate::").skip(1) {
                let name =
                    |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
                let rooms = match after.strip_prefix('{') {
                    Some(list) => list.split(", ").map(name).collect(),
                    None => vec![name(after)],
                };
                for room in rooms.iter().filter(|room| **room != source.room) {
                    seen += 1;
                    match floor(room) {
                        Some(other) if other < own => {}
                        // Rooms of the uppermost floor are one face and may share.
                        Some(other) if other == own && own == FLOORS.len() - 1 => {}
                        _ => wrong.push(format!(
                            "src/{}:{number}: {} imports {room}",
                            source.path.display(),
                            source.room
                        )),
                    }
                }
            }
        }
    }
    assert!(seen > 50, "only {seen} imports were found: does this test still read them?");
    assert!(wrong.is_empty(), "imports that go upwards or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn only_the_upper_floors_know_lua() {
    let knows = |source: &&Source| source.code.contains("mlua::") && floor(&source.room) < floor("script");
    let wrong: Vec<String> = sources().iter().filter(knows).map(|source| source.path.display().to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?} know mlua");
}

#[test]
fn files_are_one_idea() {
    let long = |source: &Source| {
        let lines = source.code.lines().count();
        (lines > MOST_LINES).then(|| format!("src/{}: {lines} lines of code", source.path.display()))
    };
    let wrong: Vec<String> = sources().iter().filter(|source| !is_test_file(source)).filter_map(long).collect();
    assert!(wrong.is_empty(), "files over {MOST_LINES} lines:\n{}", wrong.join("\n"));
}

#[test]
fn modules_say_what_they_are_for_and_nothing_is_left_undone() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("src/{} does not begin with //!", source.path.display()));
        }
        for undone in ["todo!(", "unimplemented!(", "TODO", "FIXME"] {
            // In TAP the word is one of the format.
            let is_of_tap = undone == "TODO" && source.path.to_string_lossy().starts_with("testing/tap");
            if source.text.contains(undone) && !is_of_tap {
                wrong.push(format!("src/{} holds {undone}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A want of threads is an error that is told, or that is done without. What panics for it would take the run with it.
#[test]
fn threads_are_asked_for_and_not_taken_for_granted() {
    let mut wrong = Vec::new();
    let mut asked = 0;
    for source in sources().iter().filter(|source| !is_for_tests(source)) {
        asked += source.code.matches("Builder::new()").count();
        for taken in ["thread::spawn(", "scope.spawn(", "s.spawn("] {
            if source.code.contains(taken) {
                wrong.push(format!("src/{} calls {taken}…); thread::Builder returns the error", source.path.display()));
            }
        }
    }
    assert!(asked > 5, "only {asked} threads were found: does this test still read them?");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the plan forbids to rooms.
struct Never {
    rooms: &'static [&'static str],
    what: &'static str,
    /// How it looks in code.
    looks: &'static [&'static str],
    /// Files that may all the same.
    exceptions: &'static [&'static str],
}

const NEVER: [Never; 7] = [
    Never {
        rooms: &["model", "python_syntax"],
        what: "reads or writes anything",
        looks: &["std::fs", "std::net", "std::process", "File::", "println!", "io::stdout", "io::stderr", "rustix::fs"],
        exceptions: &[],
    },
    Never { rooms: PURE, what: "looks at a clock", looks: CLOCK, exceptions: &[] },
    Never {
        rooms: PURE,
        what: "reads the environment",
        looks: &["env::var", "env::current_dir", "env::args"],
        exceptions: &[],
    },
    Never {
        rooms: PURE,
        what: "draws lots",
        looks: &["getrandom", "Uuid::new_v4", "rand::rng", "RandomState"],
        exceptions: &[],
    },
    Never {
        rooms: &["model", "store", "operation", "testing", "walk", "report", "job", "script", "cli", "runner"],
        what: "starts processes",
        looks: PROCESSES,
        exceptions: &[],
    },
    Never {
        rooms: &["model", "store", "operation", "testing", "walk", "engine"],
        what: "prints",
        looks: &["println!", "print!(", "dbg!(", "io::stdout", "io::stderr", "stdio::stdout()", "stdio::stderr()"],
        // It outlives the host, and has the last word; who started the background hears it there.
        exceptions: &["engine/guardian.rs", "engine/background.rs"],
    },
    Never {
        rooms: &["cli", "runner"],
        what: "decides an outcome",
        looks: &["Outcome::roll_up(", "verdict::"],
        exceptions: &[],
    },
];

/// Rooms that get by argument what the rest of the world is like.
const PURE: &[&str] = &["model", "python_syntax", "operation", "testing", "walk"];
const CLOCK: &[&str] = &["Instant::now(", "SystemTime::now(", "Utc::now(", "Local::now(", "clock_gettime("];
const PROCESSES: &[&str] =
    &["Command::new(\"", "process::Command", "libc::fork", "libc::clone(", "posix_spawn", ".exec()"];

/// The floors say whom a room may ask. This says what it may not do by itself.
#[test]
fn rooms_keep_from_what_is_not_theirs() {
    let sources = sources();
    let mut wrong = Vec::new();
    for Never { rooms, what, looks, exceptions } in NEVER {
        let is_anywhere = |look: &&str| sources.iter().any(|source| source.code.contains(*look));
        assert!(looks.iter().any(is_anywhere), "nobody {what} by {looks:?}: what is it called now?");
        for source in sources.iter().filter(|source| rooms.contains(&source.room.as_str()) && !is_for_tests(source)) {
            if exceptions.iter().any(|file| source.path == Path::new(file)) {
                let has_reason = looks.iter().any(|look| source.code.contains(look));
                assert!(has_reason, "{} needs no exception: it never {what}", source.path.display());
                continue;
            }
            for (number, line) in
                (1..).zip(source.code.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                if let Some(look) = looks.iter().find(|look| line.contains(**look)) {
                    let file = source.path.display();
                    wrong.push(format!("src/{file}:{number}: {} never {what}, and here is {look}", source.room));
                }
            }
        }
        for file in exceptions {
            assert!(sources.iter().any(|source| source.path == Path::new(file)), "there is no {file} any more");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rooms whose errors are all types with data, of which the top makes text.
const TYPED: &[&str] = &["engine", "job", "model", "report", "runner", "script", "store", "testing", "walk"];

/// Parts of them that are still to come.
const TYPED_LATER: &[&str] = &["job/operation"];

/// Returns the types of errors of the results that code names, with the number of the line.
fn error_types(code: &str) -> Vec<(usize, String)> {
    let is_comment = |line: &str| line.trim_start().starts_with("//");
    let code: String = code.lines().map(|line| if is_comment(line) { "" } else { line }.to_owned() + "\n").collect();
    let results = code.match_indices("Result<").filter_map(|(at, start)| {
        let inner = &code[at + start.len()..];
        let (mut depth, mut comma, mut before) = (0_usize, None, ' ');
        for (place, sign) in inner.char_indices() {
            match sign {
                // An arrow closes nothing.
                '>' if before == '-' => {}
                '>' if depth == 0 => {
                    let number = code[..at].matches('\n').count() + 1;
                    return Some((number, inner[comma?..place].trim_matches([' ', ',', '\n']).to_owned()));
                }
                ',' if depth == 0 && !inner[place..].trim_start_matches([',', ' ', '\n']).starts_with('>') => {
                    comma = Some(place + 1);
                }
                '<' | '(' | '[' => depth += 1,
                '>' | ')' | ']' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            before = sign;
        }
        None
    });
    results.collect()
}

#[test]
fn errors_are_types() {
    let known = "fn a() -> Result<Vec<(u8, B)>, String> {}\n// Result<(), String>\ntype C = dyn Fn(&str) -> Result<\n    D,\n                     String,\n>;\nfn e() -> io::Result<String> {}\nlet f: Result<Box<dyn Fn(u8) -> g>, H> = i;";
    let expected = [(1, "String"), (3, "String"), (8, "H")].map(|(line, name)| (line, name.to_owned()));
    assert_eq!(error_types(known), expected);
    let mut wrong = Vec::new();
    let is_later = |source: &Source| TYPED_LATER.iter().any(|part| source.path.starts_with(part));
    let is_typed =
        |source: &&Source| TYPED.contains(&source.room.as_str()) && !is_later(source) && !is_for_tests(source);
    for source in sources().iter().filter(is_typed) {
        for (number, _) in error_types(&source.code).into_iter().filter(|(_, name)| name == "String") {
            wrong.push(format!("src/{}:{number}: an error that is a String", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
