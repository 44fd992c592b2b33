//! Tests of the choice and the copying of source code.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::model::Manifest;

fn project(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn request<'a>(project: &'a Path, rules: &'a [Value], git: Option<&'a GitFiles>) -> Request<'a> {
    Request { project, rules, git, dependencies: &[], script: None, is_python: false, none: false, explain: false }
}

fn names(plan: &Plan) -> Vec<String> {
    plan.selected.iter().map(|chosen| chosen.path.to_str().unwrap().to_owned()).collect()
}

/// Returns what is selected of these files, outside and, with `git`, inside a repository that lists these.
fn check(files: &[(&str, &str)], rules: &[Value], git: Option<&[&str]>) -> Vec<String> {
    let dir = project(files);
    let git = git.map(|files| GitFiles { files: files.iter().map(PathBuf::from).collect() });
    names(&plan(&request(dir.path(), rules, git.as_ref())).unwrap())
}

const MIXED: [(&str, &str); 10] = [
    (".hidden/a", "text"),
    ("b.py", "print()"),
    ("a.txt", "text"),
    ("image.png", ""),
    ("data/big.csv", "1,2"),
    ("data/raw.bin", "\0\u{1}"),
    ("nocopy/.guild-nocopy", ""),
    ("nocopy/x.py", ""),
    ("venv/bin/activate", ""),
    ("__pycache__/b.pyc", ""),
];

#[test]
fn without_a_version_control_texts_are_taken() {
    assert_eq!(check(&MIXED, &[], None), ["a.txt", "b.py", "data/big.csv"]);
}

#[test]
fn the_last_rule_that_fits_decides() {
    let cases: [(Value, &[&str]); 10] = [
        (json!("*.py"), &["b.py"]),
        (json!(["*.py", "data"]), &["b.py", "data/big.csv", "data/raw.bin"]),
        (json!([{"exclude": "*.py"}]), &["a.txt", "data/big.csv"]),
        (json!([{"include": "*.png"}]), &["a.txt", "b.py", "image.png", "data/big.csv"]),
        (json!([{"exclude": {"dir": "data"}}]), &["a.txt", "b.py"]),
        (json!([{"include": {"binary": "data/*"}}]), &["a.txt", "b.py", "data/big.csv", "data/raw.bin"]),
        (json!([{"exclude": "*"}, {"include": "*.txt"}, {"exclude": "a*"}]), &[]),
        (json!([{"include": {"dir": ".hidden"}}]), &["a.txt", "b.py", ".hidden/a", "data/big.csv"]),
        (json!(false), &[]),
        (json!({"root": "data"}), &["big.csv"]),
    ];
    for (rules, expected) in cases {
        assert_eq!(check(&MIXED, std::slice::from_ref(&rules), None), expected, "{rules}");
    }
    let model_and_operation = [json!([{"exclude": "*.py"}]), json!([{"include": "b.py"}])];
    assert_eq!(check(&MIXED, &model_and_operation, None), ["a.txt", "b.py", "data/big.csv"]);
}

#[test]
fn in_a_repository_what_it_lists_is_taken() {
    let files = [
        (".gitignore", "data\n"),
        (".guildignore", "*.md\n"),
        ("a.py", ""),
        ("image.png", ""),
        ("notes.md", ""),
        (".hidden/a", ""),
        ("data/x.csv", ""),
        ("nocopy/.guild-nocopy", ""),
        ("nocopy/x.py", ""),
    ];
    let listed: &[&str] =
        &[".gitignore", ".guildignore", "a.py", "image.png", "notes.md", ".hidden/a", "nocopy/x.py", "deleted.py"];
    assert_eq!(check(&files, &[], Some(listed)), [".hidden/a", "a.py", "image.png"]);
    // With rules that add files the project itself is looked through.
    let cases: [(Value, &[&str]); 4] = [
        (json!([{"include": "*.md"}]), &["a.py", "image.png", "notes.md", ".hidden/a"]),
        (json!([{"include": "data/*"}]), &["a.py", "image.png", ".hidden/a"]),
        (
            json!([{"include": {"dir": "data"}}, {"include": "data/*"}]),
            &["a.py", "image.png", ".hidden/a", "data/x.csv"],
        ),
        (json!("*.py"), &["a.py"]),
    ];
    for (rules, expected) in cases {
        assert_eq!(check(&files, std::slice::from_ref(&rules), Some(listed)), expected, "{rules}");
    }
}

#[test]
fn guildignore_can_take_back_what_git_ignores() {
    let files = [(".guildignore", "*.md\n!data\n"), ("a.py", ""), ("b.md", ""), ("data/x.csv", ""), ("tmp/y", "")];
    let listed: &[&str] = &[".guildignore", "a.py", "b.md"];
    assert_eq!(check(&files, &[], Some(listed)), ["a.py", "data/x.csv"]);
    assert_eq!(check(&files, &[], None), [".guildignore", "a.py", "data/x.csv", "tmp/y"]);
}

#[test]
fn a_project_without_rules_is_not_copied_whole() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..110 {
        fs::write(dir.path().join(format!("{number:03}.txt")), "x").unwrap();
    }
    fs::write(dir.path().join("run.sh"), "").unwrap();
    let found = plan(&request(dir.path(), &[], None)).unwrap();
    assert_eq!(found.selected.len(), 100);
    assert_eq!(found.selected.last().unwrap().path, Path::new("099.txt"));
    let expected = "Found more than 100 source code files but will only copy 100 as a safety measure. To control which \
                    files are copied, define 'sourcecode' for the operation.";
    assert_eq!(found.notices, [Notice::Warning(expected.to_owned())]);

    let script = Path::new("run.sh");
    let found = plan(&Request { script: Some(script), ..request(dir.path(), &[], None) }).unwrap();
    assert_eq!(found.selected.last().unwrap().path, script);
    let rules = [json!("*.txt")];
    let found = plan(&request(dir.path(), &rules, None)).unwrap();
    assert_eq!((found.selected.len(), found.notices.len()), (110, 0));
}

#[test]
fn a_big_file_is_left_out_and_told() {
    let dir = project(&[("max.txt", &"0".repeat(1 << 20)), ("more.txt", &"0".repeat((1 << 20) + 1))]);
    let found = plan(&request(dir.path(), &[], None)).unwrap();
    assert_eq!(names(&found), ["max.txt"]);
    let Notice::Warning(text) = &found.notices[0] else { panic!("no warning") };
    assert!(text.starts_with("Skipping source code file more.txt because it's too big. "), "{text}");
}

#[test]
fn odd_files_do_no_harm() {
    let dir = project(&[("a.py", ""), ("sub/b.py", "")]);
    symlink("nowhere", dir.path().join(".#a.py")).unwrap();
    symlink("..", dir.path().join("sub/up")).unwrap();
    symlink("a.py", dir.path().join("link.py")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let expected = ["a.py", "link.py", "sub/b.py"];
    assert_eq!(names(&plan(&request(dir.path(), &[], None)).unwrap()), expected);
    let listed = [".#a.py", "a.py", "link.py", "fifo", "sub/b.py", "sub/up"].map(PathBuf::from).to_vec();
    let git = GitFiles { files: listed };
    let found = names(&plan(&request(dir.path(), &[], Some(&git))).unwrap());
    assert_eq!(
        found.iter().filter(|name| !name.starts_with("sub/up/")).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    assert!(found.len() < 20, "{found:?}");
}

/// Returns what is selected, and the links that stay links.
fn with_links(dir: &Path, rules: &[Value], git: Option<&GitFiles>) -> String {
    let found = plan(&request(dir, rules, git)).unwrap();
    let links = found.links.iter().map(|(path, place)| format!("{}->{}", path.display(), place.display()));
    names(&found).into_iter().chain(links).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_real_folder_is_taken_once() {
    let outside = project(&[("x.py", "x"), ("deep/y.py", "y")]);
    let dir = project(&[("a.py", ""), ("src/lib/b.py", "b"), ("build.d/c.bin", "\0\u{1}")]);
    let link = |target: &Path, name: &str| symlink(target, dir.path().join(name)).unwrap();
    // Before and behind what they lead to, by name; to the outside, twice, and to a part of that.
    link(Path::new("src/lib"), "lib");
    link(Path::new("src/lib"), "zlib");
    link(outside.path(), "out");
    link(outside.path(), "out2");
    link(&outside.path().join("deep"), "out3");
    link(Path::new("../.."), "src/lib/top");
    link(Path::new("build.d"), "made");
    let expected = "a.py src/lib/b.py out/x.py out/deep/y.py lib->src/lib out2->out out3->out/deep zlib->src/lib";
    assert_eq!(with_links(dir.path(), &[], None), expected);
    // Rules that name files by way of a link are followed.
    assert_eq!(with_links(dir.path(), &[json!(["lib/*.py"])], None), "lib/b.py zlib->lib");
    let listed = ["a.py", "lib", "src/lib/b.py", "zlib"].map(PathBuf::from).to_vec();
    let git = GitFiles { files: listed };
    assert_eq!(with_links(dir.path(), &[], Some(&git)), "a.py src/lib/b.py lib->src/lib zlib->src/lib");
    // In the run they lead to the copies.
    let run = tempfile::tempdir().unwrap();
    plan(&request(dir.path(), &[], None)).unwrap().copy(run.path(), ".guild/sourcecode").unwrap();
    for (path, target, text) in
        [("lib/b.py", "src/lib", "b"), ("out3/y.py", "out/deep", "y"), ("out2/deep/y.py", "out", "y")]
    {
        let copied = run.path().join(".guild/sourcecode").join(path);
        assert_eq!(fs::read_to_string(&copied).unwrap(), text);
        let link = run.path().join(".guild/sourcecode").join(path.split('/').next().unwrap());
        assert_eq!(fs::read_link(link).unwrap(), Path::new(target));
    }
}

#[test]
fn folders_that_link_to_each_other_end() {
    let dir = project(&[]);
    let folders: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    for folder in &folders {
        fs::create_dir(dir.path().join(folder)).unwrap();
        fs::write(dir.path().join(folder).join("f.py"), "").unwrap();
        for other in folders.iter().filter(|other| *other != folder) {
            symlink(Path::new("..").join(other), dir.path().join(folder).join(other)).unwrap();
        }
    }
    let expected: Vec<String> = folders.iter().map(|folder| format!("{folder}/f.py")).collect();
    for rules in [vec![], vec![json!(["*.py"])]] {
        let found = plan(&request(dir.path(), &rules, None)).unwrap();
        assert_eq!(names(&found), expected);
        assert_eq!(found.links.len(), 20 * 19);
    }
    // Also where nothing is taken.
    assert!(names(&plan(&request(dir.path(), &[json!(["*.none"])], None)).unwrap()).is_empty());
}

#[test]
fn dependencies_are_no_source_code() {
    let dir = project(&[("a.py", ""), ("in.txt", ""), ("data/x", "")]);
    let dependencies = ["in.txt", "./data"].map(PathBuf::from);
    let found = plan(&Request { dependencies: &dependencies, ..request(dir.path(), &[], None) }).unwrap();
    assert_eq!(names(&found), ["a.py"]);
}

#[test]
fn copies_are_recorded_as_guild_does() {
    let dir = project(&[("b.py", "b\n"), ("sub/a.sh", "a\n")]);
    fs::set_permissions(dir.path().join("sub/a.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let run = tempfile::tempdir().unwrap();
    let found = plan(&request(dir.path(), &[], None)).unwrap();
    let snapshot = found.copy(run.path(), ".guild/sourcecode").unwrap();
    let manifest = Manifest { entries: snapshot.manifest.clone() }.to_bytes();
    assert_eq!(
        String::from_utf8(manifest).unwrap(),
        "s .guild/sourcecode/b.py 89e6c98d92887913cadf06b2adb97f26cde4849b b.py\n\
         s .guild/sourcecode/sub/a.sh 3f786850e387550fdab836ed7e6dc881de23001b sub/a.sh\n"
    );
    let copied = run.path().join(".guild/sourcecode/sub/a.sh");
    assert_eq!(fs::read_to_string(&copied).unwrap(), "a\n");
    assert_eq!(fs::metadata(&copied).unwrap().permissions().mode() & 0o111, 0o111);
    let in_root = found.copy(run.path(), ".").unwrap();
    assert_eq!(in_root.manifest[0].path, Path::new("b.py"));
    // md5 of "b.py\0b\n\0sub/a.sh\0a\n\0"
    assert_eq!(in_root.digest.as_deref(), Some("7c891b6021031428a577fbf7d221fd9e"));
    assert_ne!(snapshot.digest, in_root.digest);
}

#[test]
fn what_is_in_the_way_is_replaced_but_a_link_is_never_followed() {
    let dir = project(&[("a.py", "new"), ("data/x.py", "new")]);
    let other = project(&[("a.py", "other's"), ("x.py", "other's")]);
    let run = tempfile::tempdir().unwrap();
    symlink(other.path().join("a.py"), run.path().join("a.py")).unwrap();
    symlink(other.path(), run.path().join("data")).unwrap();
    let found = plan(&request(dir.path(), &[], None)).unwrap();
    let error = found.copy(run.path(), ".").unwrap_err().to_string();
    assert!(error.contains("data is a link, and no folder"), "{error}");
    assert_eq!(fs::read_to_string(run.path().join("a.py")).unwrap(), "new");
    for name in ["a.py", "x.py"] {
        assert_eq!(fs::read_to_string(other.path().join(name)).unwrap(), "other's");
    }
}

#[test]
fn the_listing_says_which_and_why() {
    let dir = project(&[("a.py", ""), ("b.txt", ""), (".git/x", ""), ("in.csv", "")]);
    let rules = [json!([{"exclude": "*.txt"}])];
    let dependencies = [PathBuf::from("in.csv")];
    let asked = Request { dependencies: &dependencies, explain: true, ..request(dir.path(), &rules, None) };
    let found = plan(&asked).unwrap();
    let expected = "Copying from the current directory\nRules:\n  exclude dir .*\n  exclude dir * containing .guild-nocopy\n  \
                    include text * size < 1048577, max match 100\n  exclude dir __pycache__\n  \
                    exclude dir * containing bin/activate\n  exclude dir * containing Scripts/activate\n  \
                    exclude *.txt\nSelected for copy:\n  a.py\nSkipped:\n  .git/\n  b.txt\n  in.csv\n";
    assert_eq!(found.listing(dir.path(), false), expected);
    let reasons = found.listing(Path::new("/"), true);
    for line in ["  .git/  (exclude dir .*)", "  b.txt  (exclude *.txt)", "  in.csv  (it is a dependency)"] {
        assert!(reasons.contains(line), "{reasons}");
    }
    let none = plan(&Request { none: true, ..asked }).unwrap();
    assert!(none.listing(dir.path(), false).ends_with("Rules:\n  exclude *\nSource code copy disabled\n"));
}

#[test]
fn a_place_outside_the_run_is_refused() {
    for dest in ["../x", "/tmp/x", "a/../.."] {
        assert!(check_dest(&Config { dest: Some(dest.to_owned()), ..Config::default() }).is_err(), "{dest}");
        assert!(super::check(&json!({ "dest": dest })).unwrap_err().contains("not inside the run directory"));
    }
    assert_eq!(super::check(&json!({"dest": ".", "select": ["*.py"]})), Ok(Vec::new()));
}
