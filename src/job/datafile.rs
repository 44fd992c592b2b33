//! Reading a datafile of testscripts, with those that it extends.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::model::{
    Datafile, DatafileMistake, Place, Value, YamlMistake, YamlSchema, nearest, os_text, read_yaml_with_lines,
};

/// A larger file is no datafile.
const MOST_BYTES: u64 = 64 << 20;

/// How many files may be read for one.
const MOST_FILES: usize = 200;

/// Keys are told with their lines down to this depth: `testcases.Ping.parameters.size`.
const DEPTH: usize = 5;

/// Why a datafile cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatafileError {
    /// It cannot be read.
    #[error("{}cannot read the datafile {}: {why}{}", shown_place(.place.as_ref()), path.display(), meant(near.as_deref()))]
    Unreadable {
        /// Where it is named, if that is another datafile.
        place: Option<Place>,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
        /// A file that may be meant.
        near: Option<String>,
    },
    /// It extends itself.
    #[error("{}the datafile {} extends itself", shown_place(.place.as_ref()), path.display())]
    Circle {
        /// Where it is named.
        place: Option<Place>,
        /// The file.
        path: PathBuf,
    },
    /// There are too many of them.
    #[error("{}: more than {MOST_FILES} datafiles are read, one for the other", path.display())]
    TooMany {
        /// The last one.
        path: PathBuf,
    },
    /// What it holds is wrong.
    #[error("{0}")]
    Mistake(#[from] DatafileMistake),
}

fn shown_place(place: Option<&Place>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

fn meant(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}

/// A datafile that can be used, and what is to be said of it.
pub(crate) type Read = (Datafile, Vec<DatafileMistake>);

/// Reads the datafile of this absolute path, and all that it extends.
pub(crate) fn read_datafile(path: &Path) -> Result<Read, DatafileError> {
    let mut files = 0;
    let read = read(path, None, &mut Vec::new(), &mut files)?;
    let remarks = read.check()?;
    Ok((read, remarks))
}

/// Returns the datafile that a table of a jobfile is. `folder` is where what it extends is looked for.
pub(crate) fn datafile_of(content: Value, folder: &Path) -> Result<Read, DatafileError> {
    let own = Datafile::new(content, &BTreeMap::new(), "");
    let whole = extended(own, folder, &mut Vec::new(), &mut 0)?;
    let remarks = whole.check()?;
    Ok((whole, remarks))
}

fn read(
    path: &Path,
    place: Option<&Place>,
    open: &mut Vec<PathBuf>,
    files: &mut usize,
) -> Result<Datafile, DatafileError> {
    *files += 1;
    if *files > MOST_FILES {
        return Err(DatafileError::TooMany { path: path.to_owned() });
    }
    let unreadable = |why: String, near: Option<String>| DatafileError::Unreadable {
        place: place.cloned(),
        path: path.to_owned(),
        why,
        near,
    };
    let metadata = fs::metadata(path).map_err(|error| {
        let near = near_file(path).filter(|_| error.kind() == ErrorKind::NotFound);
        unreadable(os_text(&error), near)
    })?;
    if !metadata.is_file() {
        return Err(unreadable("it is no file".to_owned(), None));
    }
    if metadata.len() > MOST_BYTES {
        return Err(unreadable(format!("it has {} bytes", metadata.len()), None));
    }
    // Two names of one file are one file.
    let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if open.contains(&identity) {
        return Err(DatafileError::Circle { place: place.cloned(), path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(|error| unreadable(os_text(&error), None))?;
    let name = path.display().to_string();
    let at = |line: usize| Place { file: name.as_str().into(), line: u32::try_from(line).unwrap_or(u32::MAX) };
    let mistake = |line: usize, problem: String| DatafileMistake { place: Some(at(line)), problem };
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        mistake(1 + memchr::memchr_iter(b'\n', valid).count(), "this is not UTF-8 text".to_owned())
    })?;
    // As pyATS reads it.
    let (content, lines) = read_yaml_with_lines(&text, YamlSchema::Old, DEPTH)
        .map_err(|YamlMistake { line, problem }| mistake(line, problem.to_string()))?;
    if !matches!(content, Value::Map(_)) {
        let got = if content.is_null() { "nothing".to_owned() } else { content.to_string() };
        return Err(mistake(1, format!("a datafile must be a mapping of names and values, not {got}")).into());
    }
    open.push(identity);
    let folder = path.parent().unwrap_or(Path::new("/"));
    let whole = extended(Datafile::new(content, &lines, &name), folder, open, files)?;
    open.pop();
    Ok(whole)
}

/// Puts a datafile over those that it extends.
fn extended(
    mut own: Datafile,
    folder: &Path,
    open: &mut Vec<PathBuf>,
    files: &mut usize,
) -> Result<Datafile, DatafileError> {
    let place = own.place(&["extends"]).cloned();
    let below = own.take_extends()?;
    // The last one is the lowest.
    let mut whole: Option<Datafile> = None;
    for file in below.iter().rev() {
        let next = read(&folder.join(file), place.as_ref(), open, files)?;
        whole = Some(match whole {
            Some(whole) => next.over(whole),
            None => next,
        });
    }
    Ok(match whole {
        Some(whole) => own.over(whole),
        None => own,
    })
}

/// Returns the path of the file whose name is most like the one that is not there, in the same folder.
fn near_file(path: &Path) -> Option<String> {
    let entries = fs::read_dir(path.parent()?).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    nearest(path.file_name()?.to_str()?, names.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes files and reads the first one of them; returns its content, or what is wrong with it.
    fn check(files: &[(&str, &str)]) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let folder = format!("{}/", dir.path().display());
        let text = match read_datafile(&dir.path().join(files[0].0)) {
            Ok((read, remarks)) => {
                let lines = remarks.iter().map(ToString::to_string);
                [read.content.to_string()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        };
        text.replace(&folder, "")
    }

    #[test]
    fn what_is_extended_lies_below_the_last_one_lowest() {
        let files = [
            ("d.yaml", "extends: [in/a.yaml, b.yaml]\nparameters: {x: 1, deep: {p: 1}}\n"),
            ("in/a.yaml", "extends: ../c.yaml\nparameters: {x: 2, y: 2, list: [1], deep: {q: 2}}\n"),
            ("b.yaml", "parameters: {x: 3, y: 3, z: 3, list: [1, 2, 3]}\ntestcases: {A: {uid: b, groups: [g]}}\n"),
            ("c.yaml", "testcases: {A: {uid: c}}\nparameters: {w: 4, y: 4}\n"),
        ];
        assert_eq!(
            check(&files),
            r#"{"parameters":{"deep":{"p":1,"q":2},"list":[1],"w":4,"x":1,"y":2,"z":3},"testcases":{"A":{"groups":["g"],"uid":"c"}}}"#
        );
        // A file that two others extend is no circle.
        let twice = [
            ("d.yaml", "extends: [a.yaml, b.yaml]"),
            ("a.yaml", "extends: c.yaml"),
            ("b.yaml", "extends: c.yaml"),
            ("c.yaml", "parameters: {x: 1}"),
        ];
        assert_eq!(check(&twice), r#"{"parameters":{"x":1}}"#);
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let cases: [&[(&str, &str)]; 7] = [
            &[("d.yaml", "\nextends: no.yaml\n"), ("on.yaml", "")],
            &[("d.yaml", "extends: e.yaml"), ("e.yaml", "parameters: {}\nextends: [d.yaml]")],
            &[("d.yaml", "extends: d.yaml")],
            &[("d.yaml", "extends: 5")],
            &[("d.yaml", "extends: e.yaml"), ("e.yaml", "a: [")],
            &[("d.yaml", "extends: e.yaml"), ("e.yaml", "testcases:\n  A:\n    gruops: [a]\n    uid: 5\n")],
            &[("d.yaml", "extends: in"), ("in/x", "")],
        ];
        let told: Vec<String> = cases.iter().map(|files| check(files)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        d.yaml:2: cannot read the datafile no.yaml: No such file or directory; did you mean 'on.yaml'?
        e.yaml:2: the datafile d.yaml extends itself
        d.yaml:1: the datafile d.yaml extends itself
        d.yaml:1: extends must be the name of a file, or a list of them
        e.yaml:1: this is not YAML: unclosed bracket '['
        e.yaml:4: testcases.A.uid must be a text in quotes, not 5
        d.yaml:1: cannot read the datafile in: it is no file
        "#);
    }

    #[test]
    fn every_shape_that_is_none_is_told() {
        let cases = [
            "",
            "- 1",
            "text",
            "paramters: {}",
            "module_variable: 3",
            "parameters:",
            "parameters: [1]",
            "parameters:\n  1: x",
            "parameters:\n  x:\n",
            "parameters:\n  yes: 1",
            "parameters:\n  x: 'see %{testbed.name}'",
            "parameters:\n  x: [{a: '%ENV{HOME}'}]",
            "testcases: [A]",
            "testcases:\n  A:\n",
            "testcases:\n  A:\n    uid: 5",
            "testcases:\n  A:\n    uid: ''",
            "testcases:\n  A:\n    groups: [1]",
            "testcases:\n  A:\n    must_pass: 1",
            "testcases:\n  A:\n    retry: -1",
            "testcases:\n  A:\n    retry_wait: soon",
            "testcases:\n  A:\n    description: [x]",
            "testcases:\n  A:\n    failed: 1",
            "testcases:\n  A:\n    parameters: 1",
            "testcases:\n  A:\n    processors: {context: [a.b]}",
            "testcases:\n  A:\n    processors: {pre: a.b}",
            "processors:\n  pre: [function]",
            "processors:\n  pre: [{processor: a.b, arg: 1}]",
            "processors:\n  pre: [{args: [1]}]",
            "common_setup:\n  uid: x\n  parent: 1",
            "a: 1\na: 2",
            "a: 1\n---\nb: 2",
        ];
        let told: Vec<String> = cases.iter().map(|text| check(&[("d.yaml", text)])).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        d.yaml:1: a datafile must be a mapping of names and values, not nothing
        d.yaml:1: a datafile must be a mapping of names and values, not [1]
        d.yaml:1: a datafile must be a mapping of names and values, not "text"
        d.yaml:1: a datafile has no key 'paramters'; did you mean 'parameters'?
        d.yaml:1: a datafile has no key 'module_variable'; it has: extends, parameters, processors, common_setup, common_cleanup, testcases; what a script is to read stands in parameters
        d.yaml:1: parameters must be a mapping of names and values, not nothing
        d.yaml:1: parameters must be a mapping of names and values, not [1]
        d.yaml:1: parameters has the key 1, which is no text; put it in quotes
        d.yaml:2: parameters.x is nothing; write a value, or leave it out
        d.yaml:1: parameters has the key true, which is no text; put it in quotes
        d.yaml:2: parameters.x has the markup "see %{testbed.name}", which datafiles do not know here; write the value, or set it as a parameter
        d.yaml:2: parameters.x has the markup "%ENV{HOME}", which datafiles do not know here; write the value, or set it as a parameter
        d.yaml:1: testcases must be a mapping of names and values, not ["A"]
        d.yaml:2: testcases.A must be a mapping of names and values, not nothing
        d.yaml:3: testcases.A.uid must be a text in quotes, not 5
        d.yaml:3: testcases.A.uid must be a text in quotes, not ""
        d.yaml:3: testcases.A.groups must be a list of texts, not [1]
        d.yaml:3: testcases.A.must_pass must be true or false, not 1
        d.yaml:3: testcases.A.retry must be a whole number from 0 to 1000, not -1
        d.yaml:3: testcases.A.retry_wait must be a number of seconds from 0, not "soon"
        d.yaml:3: testcases.A.description must be a text, not ["x"]
        d.yaml:3: testcases.A.failed cannot be set: every self has its own 'failed'
        d.yaml:3: testcases.A.parameters must be a mapping of names and values, not 1
        d.yaml:3: processors have no stage 'context'; it has: pre, post, exception
        d.yaml:3: testcases.A.processors.pre must be a list, not "a.b"
        d.yaml:2: processors.pre has "function"; write MODULE.FUNCTION, or a mapping of processor, args and kwargs
        d.yaml:2: processors.pre has {"arg":1,"processor":"a.b"}; write MODULE.FUNCTION, or a mapping of processor, args and kwargs
        d.yaml:2: processors.pre has {"args":[1]}; write MODULE.FUNCTION, or a mapping of processor, args and kwargs
        d.yaml:3: common_setup.parent cannot be set: every self has its own 'parent'
        d.yaml:2: 'a' stands here a second time; the first is on line 1
        d.yaml:2: there is a second document, and one is read
        "#);
    }

    #[test]
    fn what_may_stand_there_is_taken() {
        let text = "processors: {pre: [lib.part.check, {processor: lib.log, args: [1], kwargs: {a: 1}}], post: [], exception: []}\n\
                    common_setup: {parameters: {a: 1}, link: up}\ncommon_cleanup: {processors: {post: [a.b]}}\n\
                    testcases:\n  A: {uid: other, groups: [x, y], description: d, must_pass: yes, retry: 2, retry_wait: 0.5, parameters: {}, routes: [1, {b: 2}], retyr: 1}\n\
                    parameters: {percent: '5% {of}', yes_text: 'yes', octal: 010, when: 2026-01-01}\n";
        insta::assert_snapshot!(check(&[("d.yaml", text)]), @r#"
        {"common_cleanup":{"processors":{"post":["a.b"]}},"common_setup":{"link":"up","parameters":{"a":1}},"parameters":{"octal":8,"percent":"5% {of}","when":"2026-01-01","yes_text":"yes"},"processors":{"exception":[],"post":[],"pre":["lib.part.check",{"args":[1],"kwargs":{"a":1},"processor":"lib.log"}]},"testcases":{"A":{"description":"d","groups":["x","y"],"must_pass":true,"parameters":{},"retry":2,"retry_wait":0.5,"retyr":1,"routes":[1,{"b":2}],"uid":"other"}}}
        d.yaml:5: testcases.A.retyr becomes a field of self; did you mean 'retry'?
        "#);
    }

    #[test]
    fn fuzz_of_datafiles() {
        let text = "extends: []\nparameters: {a: 1}\nprocessors: {pre: [a.b]}\ncommon_setup: {x: 1}\ntestcases:\n  A: {uid: b, groups: [c]}\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d.yaml");
        crate::fuzz::fuzz(&[text.as_bytes()], |input| {
            fs::write(&path, input).unwrap();
            drop(read_datafile(&path));
        });
    }
}
