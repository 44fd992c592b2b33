//! Tests of the resolution as a whole, with runs, modules and the standard input made up.

mod download;

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;
use std::rc::Rc;

use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A project, a run directory, a cache, and what the world outside is to be.
struct World {
    dir: TempDir,
    /// Upstream runs by operation.
    runs: BTreeMap<String, String>,
    flags: FlagValues,
    already: Map<String, Value>,
    manifest: Manifest,
    is_staging: bool,
    force: bool,
    limits: Limits,
}

/// What came of it: what was said, what is recorded, what is in the run directory.
struct Came {
    said: Vec<String>,
    deps: Value,
    manifest: String,
    result: Result<(), Unmet>,
    files: Vec<String>,
}

struct Known<'a>(&'a World);

impl Upstreams for Known<'_> {
    fn find(&self, operation: &str, chosen: Option<&str>, purpose: Purpose) -> Result<Upstream, NoRun> {
        let found = match chosen {
            Some(chosen) => Some(chosen.to_owned()),
            None => self.0.runs.get(operation).cloned(),
        };
        let hint = Some("a hint".to_owned());
        let id = found.ok_or(NoRun { operation: operation.to_owned(), hint })?;
        let remark = (purpose == Purpose::Files && id == "running").then(|| "run running is still running".to_owned());
        Ok(Upstream { path: self.0.path("runs").join(&id), id, remark })
    }
}

impl World {
    fn new(files: &[(&str, &str)]) -> World {
        let dir = tempfile::tempdir().unwrap();
        let world = World {
            dir,
            runs: BTreeMap::new(),
            flags: FlagValues::new(),
            already: Map::new(),
            manifest: Manifest::default(),
            is_staging: false,
            force: false,
            limits: Limits::default(),
        };
        fs::create_dir_all(world.path("runs/own/.guild")).unwrap();
        world.files(files)
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    fn files(self, files: &[(&str, &str)]) -> World {
        for (name, text) in files {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self
    }

    fn flag(mut self, name: &str, value: Value) -> World {
        self.flags.insert(name.to_owned(), value);
        self
    }

    fn run(mut self, operation: &str, id: &str) -> World {
        self.runs.insert(operation.to_owned(), id.to_owned());
        self
    }

    /// Resolves sources of one resource, `res`.
    fn resolve(&self, sources: &Value) -> Came {
        let dep = json!({"name": "res", "location": self.path("project"), "sources": sources});
        self.resolve_all(&[serde_json::from_value(dep).unwrap()])
    }

    fn resolve_all(&self, deps: &[DependencyRecord]) -> Came {
        let said = Rc::new(RefCell::new(Vec::new()));
        let number = Cell::new(0);
        let (cache, started_in) = (self.path("cache"), self.path("here"));
        let surroundings = Surroundings {
            cache: &cache,
            started_in: &started_in,
            limits: self.limits,
            upstreams: &Known(self),
            can_import: &|module| if module == "json" { Ok(()) } else { Err(format!("No module named '{module}'")) },
            post_process: &|command, folder| fs::write(folder.join("post"), command).map_err(|error| error.to_string()),
            stdin: &|| Box::new(b"typed".as_slice()),
            is_interrupted: &|| false,
            new_name: &|| {
                number.set(number.get() + 1);
                format!("new{}", number.get())
            },
        };
        let run_dir = self.path("runs/own");
        let request = Request {
            deps,
            flags: &self.flags,
            passing: &BTreeMap::new(),
            run_dir: &run_dir,
            already: &self.already,
            manifest: &self.manifest,
            is_staging: self.is_staging,
            force: self.force,
            surroundings: &surroundings,
        };
        let top = self.dir.path().display().to_string();
        let hide = |text: String| text.replace(&top, "TOP");
        let resolved = resolve(&request, &mut |notice| {
            said.borrow_mut().push(match notice {
                Notice::Info(text) => hide(text),
                Notice::Warning(text) => format!("WARNING: {}", hide(text)),
            });
        });
        let (resolved, result) = match resolved {
            Ok(resolved) => (resolved, Ok(())),
            Err(unmet) => (Resolved::default(), Err(Unmet { reason: hide(unmet.reason), ..unmet })),
        };
        let manifest = String::from_utf8(Manifest { entries: resolved.manifest }.to_bytes()).unwrap();
        let mut files = Vec::new();
        list(&run_dir, &run_dir, &mut files);
        files.sort();
        Came { said: said.take(), deps: Value::Object(resolved.deps), manifest, result, files }
    }
}

/// Lists files with what they hold, and links with what they lead to, but not the metadata.
fn list(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if let Ok(target) = fs::read_link(&path) {
            found.push(format!("{name} -> {}", target.display()));
        } else if path.is_dir() && name != ".guild" {
            list(root, &path, found);
        } else if path.is_file() {
            found.push(format!("{name} {}", fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn a_file_of_the_project_is_copied_and_recorded() {
    let came = World::new(&[("project/src.txt", "hello")]).resolve(&json!([{"file": "src.txt"}]));
    assert_eq!(came.result, Ok(()));
    assert_eq!(came.said, ["Resolving res dependency"]);
    let expected = json!({"res": {"file:src.txt": {"paths": ["../../project/src.txt"], "uri": "file:src.txt"}}});
    assert_eq!(came.deps, expected);
    assert_eq!(came.manifest, "d src.txt aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d file:src.txt\n");
    assert_eq!(came.files, ["src.txt hello"]);
}

#[test]
fn places_and_names_follow_the_attributes() {
    let files =
        [("project/a.txt", "a"), ("project/d/b.txt", "b"), ("project/d/e/c.csv", "c"), ("here/other.txt", "other")];
    let cases: [(Value, &[&str]); 13] = [
        (json!({"file": "d"}), &["d/b.txt b", "d/e/c.csv c"]),
        (json!({"file": "d", "select": ["b.*"]}), &["b.txt b"]),
        (json!({"file": "d", "select": [".*\\.csv"], "preserve-path": true}), &["d/e/c.csv c"]),
        (json!({"file": "d/b.txt"}), &["b.txt b"]),
        (json!({"file": "d/b.txt", "preserve-path": true}), &["d/b.txt b"]),
        (json!({"file": "a.txt", "target-path": "in/put"}), &["in/put/a.txt a"]),
        (json!({"file": "a.txt", "rename": [["(.*)\\.txt", "\\1.md"]]}), &["a.md a"]),
        (json!({"file": "a.txt", "rename": [[".*", "sub/x"]]}), &["sub/x a"]),
        (json!({"file": "a.txt", "rename": [["a", "${to}"]]}), &["b.txt a"]),
        (json!({"file": "${which}.txt"}), &["a.txt a"]),
        (json!({"file": "a.txt", "target-type": "link"}), &["a.txt -> ../../project/a.txt"]),
        (json!({"file": "a.txt", "target-type": "link", "target-path": "x"}), &["x/a.txt -> ../../../project/a.txt"]),
        (json!({"file": "a.txt", "name": "chosen"}), &["other.txt other"]),
    ];
    for (source, expected) in cases {
        let world =
            World::new(&files).flag("which", json!("a")).flag("to", json!("b")).flag("chosen", json!("other.txt"));
        let came = world.resolve(&json!([source]));
        assert_eq!(came.result, Ok(()), "{source}");
        assert_eq!(came.files, expected, "{source}");
    }
}

#[test]
fn what_cannot_be_resolved_says_why() {
    let world = || {
        let world = World::new(&[("project/a.txt", "a"), ("project/bad.yml", "a: [")]).flag("lr", json!(0.1));
        symlink("gone", world.path("project/link")).unwrap();
        let fifo = world.path("project/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        world
    };
    let cases = [
        (json!({"file": "src.txt"}), "cannot find source file 'src.txt'"),
        (json!({"file": "link"}), "'TOP/project/link' is a link to 'gone', which is not there"),
        (json!({"file": "fifo"}), "'TOP/project/fifo' is a fifo, and neither a file nor a folder"),
        (json!({"file": "${x}.txt"}), "cannot resolve '${x}.txt': undefined reference 'x'"),
        (json!({"file": "a.txt", "target-path": "/x"}), "invalid path '/x' in res resource (path must be relative)"),
        (
            json!({"file": "a.txt", "target-path": "../x"}),
            "invalid path '../x/a.txt' in res resource (path must stay in the run directory)",
        ),
        (
            json!({"file": "a.txt", "rename": [["a.txt", "../x"]]}),
            "invalid path '../x' in res resource (path must stay in the run directory)",
        ),
        (
            json!({"file": "a.txt", "target-path": ".guild/attrs"}),
            "invalid path '.guild/attrs/a.txt' in res resource (.guild is where the run keeps what is known of it)",
        ),
        (
            json!({"file": "a.txt", "sha256": "abc"}),
            "'TOP/project/a.txt' has an unexpected sha256 (expected abc but got \
             ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb)",
        ),
        (
            json!({"file": "a.txt", "type": "rar"}),
            "'TOP/project/a.txt' cannot be unpacked (unsupported archive type 'rar')",
        ),
        (
            json!({"file": "a.txt", "type": "zip"}),
            "'TOP/project/a.txt' cannot be unpacked: invalid Zip archive: Could not find EOCD",
        ),
        (json!({"module": "nothing"}), "No module named 'nothing'"),
        (json!({"config": "a.txt"}), "unsupported file type for 'TOP/project/a.txt'"),
        (json!({"operation": "up"}), "no suitable run for up"),
        (json!({"url": "ftp://h/a"}), "'ftp://h/a' has the protocol 'ftp', and not http, https or file"),
        (json!({"file": "a.txt", "name": "f", "select": ["x"], "fail-if-empty": true, "flag-name": "n"}), ""),
    ];
    for (source, expected) in cases {
        let came = world().resolve(&json!([source]));
        match came.result {
            Err(unmet) => assert_eq!(unmet.reason, expected, "{source}"),
            // A file is what it is, selected or not.
            Ok(()) => assert_eq!(expected, "", "{source}"),
        }
    }
    let bad = world().resolve(&json!([{"config": "bad.yml"}])).result.unwrap_err();
    assert!(bad.reason.starts_with("error loading config from TOP/project/bad.yml: "), "{}", bad.reason);
    let help = world().resolve(&json!([{"file": "src.txt", "help": "make it"}])).result.unwrap_err();
    assert_eq!(help.to_string(), "could not resolve 'file:src.txt' in res resource: cannot find source file 'src.txt'");
    assert_eq!(help.hints, ["make it"]);
}

#[test]
fn an_optional_source_and_a_forced_run_go_on_without() {
    let came = World::new(&[]).resolve(&json!([{"file": "no.txt", "optional": true}]));
    assert_eq!(
        came.said,
        ["Resolving res dependency", "Could not resolve file:no.txt - skipping because dependency is optional"]
    );
    assert_eq!((came.result, came.deps), (Ok(()), json!({"res": {}})));
    let forced = World { force: true, ..World::new(&[]) }.resolve(&json!([{"file": "no.txt"}]));
    assert_eq!(
        forced.said[1],
        "WARNING: a dependency was not met: could not resolve 'file:no.txt' in res resource: cannot find source file \
         'no.txt'"
    );
    assert_eq!(forced.result, Ok(()));
}

#[test]
fn a_run_gives_what_it_made_and_what_it_was_given() {
    let files = [
        ("runs/up1/.guild/manifest", "s train.py 1 train.py\ns lib/a.py 2 lib/a.py\nd src.txt 3 file:src.txt\n"),
        ("runs/up1/train.py", ""),
        ("runs/up1/lib/a.py", ""),
        ("runs/up1/src.txt", "s"),
        ("runs/up1/model/m-2.h5", "2"),
        ("runs/up1/model/m-10.h5", "10"),
    ];
    let world = World::new(&files).run("up", "up1");
    let came = world.resolve(&json!([{"operation": "up"}]));
    assert_eq!(came.said, ["Resolving res dependency", "Using run up1 for res resource"]);
    assert_eq!(came.files, ["model -> ../up1/model", "src.txt -> ../up1/src.txt"]);
    let expected = json!({"res": {"operation:up": {
        "config": "up1", "paths": ["../up1/model", "../up1/src.txt"], "uri": "operation:up"}}});
    assert_eq!(came.deps, expected);

    let world = World::new(&files).run("up", "up1");
    let source = json!([{"operation": "up", "select-max": "model/m-(\\d+)\\.h5", "target-type": "copy"}]);
    assert_eq!(world.resolve(&source).files, ["m-10.h5 10"]);
    let world = World::new(&files).flag("up", json!("up1"));
    let source = json!([{"operation": "up", "select": ["train.*"], "rename": [["train", "x"]]}]);
    assert_eq!(world.resolve(&source).files, ["x.py -> ../up1/train.py"]);
}

#[test]
fn an_empty_run_is_warned_of() {
    let world = World::new(&[("runs/up1/.guild/x", "")]).run("up", "up1");
    let came = world.resolve(&json!([{"operation": "up"}]));
    assert_eq!(came.said[2], "WARNING: nothing resolved for operation:up");
    let quiet = world.resolve(&json!([{"operation": "up", "warn-if-empty": false}]));
    assert_eq!(quiet.said.len(), 2);
    let failed = world.resolve(&json!([{"operation": "up", "fail-if-empty": true}]));
    assert_eq!(failed.result.unwrap_err().reason, "nothing resolved for operation:up");
    let running = World::new(&[("runs/running/x", "")]).run("up", "running").resolve(&json!([{"operation": "up"}]));
    assert_eq!(running.said[2], "WARNING: run running is still running");
}

#[test]
fn a_folder_can_stand_for_a_run() {
    let world = World::new(&[("here/old/m", "m")]).flag("up", json!("./old"));
    let came = world.resolve(&json!([{"operation": "up"}]));
    assert_eq!(came.said[1], "Using run ./old for res resource");
    assert_eq!(came.files, ["m -> ../../here/old/m"]);
    let none = World::new(&[]).flag("up", json!("./old")).resolve(&json!([{"operation": "up"}]));
    assert_eq!(none.result.unwrap_err().reason, "TOP/here/./old is not a folder");
}

#[test]
fn staging_leaves_runs_for_later_and_a_start_leaves_what_is_there() {
    let staged = World { is_staging: true, ..World::new(&[("project/a", "a")]) };
    let came = staged.resolve(&json!([{"operation": "up"}, {"file": "a"}]));
    assert_eq!(came.said[1], "Skipping resolution of operation:up because it's being staged");
    assert_eq!(came.deps["res"].as_object().unwrap().keys().collect::<Vec<_>>(), ["file:a"]);

    let already = came.deps.as_object().unwrap().clone();
    let started = World { already, is_staging: false, ..staged.files(&[("runs/u/m", "m")]) }.run("up", "u");
    let came = started.resolve(&json!([{"operation": "up"}, {"file": "a"}]));
    assert_eq!(
        came.said[1..],
        ["Using run u for res resource", "Skipping resolution of file:a because it's already resolved"]
    );
    let again = started.resolve(&json!([{"file": "a", "always-resolve": true}]));
    assert_eq!(again.said[1], "WARNING: TOP/runs/own/a already exists, skipping copy");
}

#[test]
fn a_link_whose_file_is_gone_is_told_when_the_run_starts() {
    let world = World { is_staging: true, ..World::new(&[("project/a", "a")]) };
    let source = json!([{"file": "a", "target-type": "link"}]);
    let came = world.resolve(&source);
    let already = came.deps.as_object().unwrap().clone();
    let manifest = Manifest::parse(came.manifest.as_bytes()).unwrap();
    let world = World { already, manifest, is_staging: false, ..world };
    assert_eq!(world.resolve(&source).result, Ok(()));
    fs::remove_file(world.path("project/a")).unwrap();
    assert_eq!(
        world.resolve(&source).result.unwrap_err().reason,
        format!("a is a link to {}, which is gone", "TOP/project/a")
    );
}

#[test]
fn what_is_there_is_left_or_replaced_but_never_written_through() {
    let files = [("project/a", "new"), ("runs/own/a", "old"), ("elsewhere/x", "x")];
    let world = World::new(&files);
    let came = world.resolve(&json!([{"file": "a"}]));
    assert_eq!(came.said[1], "WARNING: TOP/runs/own/a already exists, skipping copy");
    assert_eq!((came.manifest.as_str(), came.files.as_slice()), ("", ["a old".to_owned()].as_slice()));
    let came = world.resolve(&json!([{"file": "a", "replace-existing": true}]));
    assert_eq!(came.files, ["a new"]);
    symlink(world.path("elsewhere"), world.path("runs/own/d")).unwrap();
    let came = world.resolve(&json!([{"file": "a", "target-path": "d", "replace-existing": true}]));
    assert!(came.result.unwrap_err().reason.ends_with("TOP/runs/own/d is a link, and no folder"));
    assert!(!world.path("elsewhere/a").exists());
}

#[test]
fn what_is_required_comes_before_a_copy_of_source_code() {
    let files = [("runs/up1/a", "upstream's"), ("runs/own/a", "the project's")];
    let manifest = Manifest::parse(b"s a 1 a\n").unwrap();
    let came = World { manifest, ..World::new(&files) }.run("up", "up1").resolve(&json!([{"operation": "up"}]));
    assert_eq!(came.files, ["a -> ../up1/a"]);
    assert_eq!(came.said.len(), 2);
}

#[test]
fn settings_get_the_values_of_flags() {
    let files = [
        ("project/c.yml", "lr: 1\nnet:\n  size: 2\n  name: x\n"),
        ("project/c.json.in", "{\"a\": {\"b\": 1}}"),
        ("project/c.cfg", "[net]\nsize = 1\n"),
        ("project/list.yml", "- 1\n"),
    ];
    let world = World::new(&files).flag("lr", json!(0.5)).flag("net.size", json!(3)).flag("none", json!(null));
    let came = world.resolve(&json!([{"config": "c.yml", "params": {"net.name": "other", "lr": 9}}]));
    assert_eq!(came.result, Ok(()));
    assert_eq!(came.files, ["c.yml lr: 0.5\nnet:\n  size: 3\n  name: other\n"]);
    assert_eq!(came.deps["res"]["config:c.yml"]["paths"], json!([".guild/generated/new1/c.yml"]));
    let came = world.resolve(&json!([{"config": "c.json.in", "rename": [["\\.in$", ""]]}]));
    let expected = "c.json {\"net\": {\"size\":3}, \"lr\": 0.5, \"a\": {\"b\": 1}}";
    assert!(came.files.contains(&expected.to_owned()), "{:?}", came.files);
    let came = world.resolve(&json!([{"config": "c.cfg"}]));
    assert!(came.files.contains(&"c.cfg [DEFAULT]\nlr = 0.5\n\n[net]\nsize = 3\n\n".to_owned()), "{:?}", came.files);
    let list = world.resolve(&json!([{"config": "list.yml"}])).result.unwrap_err();
    assert_eq!(list.reason, "error loading config from TOP/project/list.yml: it holds no mapping");
}

#[test]
fn modules_and_the_standard_input_are_sources() {
    let world = World::new(&[]);
    let came = world.resolve(&json!([{"module": "json"}, {"stdin": "in.txt", "target-path": "d"}]));
    assert_eq!(came.result, Ok(()));
    assert_eq!(came.said, ["Resolving res dependency"]);
    assert_eq!(came.files, ["d/in.txt typed"]);
    let expected = json!({"res": {
        "module:json": {"paths": [], "uri": "module:json"},
        "stdin:in.txt": {"paths": ["d/in.txt"], "uri": "stdin:in.txt"}}});
    assert_eq!(came.deps, expected);
}

#[test]
fn an_archive_is_unpacked_in_the_cache_once() {
    let world = World::new(&[("project/x", "")]);
    let mut zip = zip::ZipWriter::new(fs::File::create(world.path("project/a.zip")).unwrap());
    for name in ["d/one.txt", "two.txt"] {
        use std::io::Write;
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(name.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
    let came = world.resolve(&json!([{"file": "a.zip", "post-process": "true"}]));
    assert_eq!(came.files, ["d/one.txt d/one.txt", "post true", "two.txt two.txt"]);
    assert!(came.said.iter().any(|line| line == "Unpacking TOP/project/a.zip"), "{:?}", came.said);
    assert!(
        came.manifest.contains("d two.txt ") && came.manifest.contains(" file:a.zip two.txt\n"),
        "{}",
        came.manifest
    );
    let path = came.deps["res"]["file:a.zip"]["paths"][0].as_str().unwrap();
    assert!(path.starts_with("../../cache/") && path.ends_with("/d"), "{path}");
    let again = world
        .resolve(&json!([{"file": "a.zip", "post-process": "true", "select": ["two.*"], "replace-existing": true}]));
    assert_eq!(again.said, ["Resolving res dependency"]);
    let packed = World::new(&[("project/a.zip", "no zip")]).resolve(&json!([{"file": "a.zip", "unpack": false}]));
    assert_eq!(packed.files, ["a.zip no zip"]);
}

#[test]
fn a_refused_archive_leaves_nothing() {
    let world = World { limits: Limits { entries: 0, ..Limits::default() }, ..World::new(&[("project/x", "")]) };
    let mut tar = tar::Builder::new(fs::File::create(world.path("project/a.tar")).unwrap());
    tar.append_path_with_name(world.path("project/x"), "x").unwrap();
    tar.finish().unwrap();
    let came = world.resolve(&json!([{"file": "a.tar"}]));
    assert_eq!(came.result.unwrap_err().reason, "'TOP/project/a.tar' is refused: it holds more than 0 files");
    assert_eq!(fs::read_dir(world.path("cache")).unwrap().count(), 0);
    assert!(came.files.is_empty());
}

#[test]
fn a_folder_that_holds_the_run_is_copied_without_it() {
    let world = World::new(&[("runs/other", "o")]);
    let dep = json!({"name": "res", "location": world.path("."), "sources": [{"file": "runs"}]});
    let came = world.resolve_all(&[serde_json::from_value(dep).unwrap()]);
    assert_eq!(came.files, ["runs/other o"]);
}

#[test]
fn defaults_are_the_runs_of_now() {
    let world = World::new(&[]).run("up", "r1").flag("b", json!("r7"));
    let deps: Vec<DependencyRecord> = serde_json::from_value(json!([
        {"name": "up", "sources": [{"operation": "up"}]},
        {"name": "b", "sources": [{"operation": "other"}]},
        {"name": "none", "sources": [{"operation": "none"}]},
        {"name": "maybe", "sources": [{"operation": "none", "optional": true}]},
        {"name": "two", "sources": [{"operation": "up", "flag-name": "f"}, {"file": "x"}]},
    ]))
    .unwrap();
    let mut said = Vec::new();
    let flags = default_runs(&deps, &world.flags, &Known(&world), &mut |notice| said.push(notice));
    let expected = [("b", "r7"), ("f", "r1"), ("up", "r1")].map(|(name, id)| (name.to_owned(), json!(id)));
    assert_eq!(flags, FlagValues::from(expected));
    let text = "cannot find a suitable run for required resource 'none'";
    assert_eq!(said, [Notice::Warning(text.to_owned())]);
}

#[test]
fn a_default_run_is_no_value_of_a_flag_of_the_operation() {
    let world = World::new(&[]).run("up", "r1").flag("model", json!("small"));
    let named = |taken: &[&str]| {
        let mut dep: DependencyRecord =
            serde_json::from_value(json!({"name": "model", "sources": [{"operation": "up"}]})).unwrap();
        dep.taken = taken.iter().map(|name| (*name).to_owned()).collect();
        let flags = default_runs(&[dep], &world.flags, &Known(&world), &mut |_| {});
        flags.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(named(&["model"]), ["up"]);
    assert_eq!(named(&["model", "up"]), ["operation:up"]);
}
