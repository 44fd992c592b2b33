//! A script asked for the flags that it declares: it is run in a process of its own, as Guild does, with its parser of
//! arguments listened to.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::super::interpreter::Interpreter;
use crate::engine::{Query, QueryError};
use crate::operation::import::{Declared, NotDeclared, RunModule};
use crate::operation::python;

/// How long a script may take. Some import half of what is installed first.
const LIMIT: Duration = Duration::from_mins(1);

/// After this time it is said what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much a script may write, in bytes.
const MOST: usize = 32 << 20;

/// What is in every text that is run.
const TELL: &str = include_str!("../../../python/rille/flags_of/tell.py");
const ARGPARSE: &str = include_str!("../../../python/rille/flags_of/argparse.py");
const CLICK: &str = include_str!("../../../python/rille/flags_of/click.py");
const WRITTEN: &str = include_str!("../../../python/rille/flags_of/written.py");
const BEGIN: &str = "\nmain(find)\n";

/// How a script is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is run, and its parser is one of `argparse`.
    Argparse,
    /// It is run, and its parser is one of `click`.
    Click,
    /// It is read by Python, not run: what it writes out, of its globals or of the one that is named.
    Written(String),
}

impl Way {
    /// Returns the text that Python runs.
    pub(super) fn text(&self) -> String {
        let own = match self {
            Way::Argparse => ARGPARSE,
            Way::Click => CLICK,
            Way::Written(_) => WRITTEN,
        };
        [TELL, own, BEGIN].concat()
    }
}

/// What is asked, and whom.
pub(super) struct Question<'a> {
    pub(super) way: &'a Way,
    pub(super) module: &'a RunModule,
    /// The file of the module.
    pub(super) file: &'a Path,
    /// The folder of the definition.
    pub(super) project: &'a Path,
    pub(super) interpreter: &'a Interpreter,
}

/// What a script has told, and how it failed, which may be after it has told something.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What it declares, and that as it was written.
    pub(super) declared: Option<(Declared, String)>,
    pub(super) failure: Option<Silence>,
}

/// Why a script has not told its flags.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    /// It could not be run, or had to be ended.
    #[error("{0}")]
    Query(#[from] QueryError),
    /// It failed.
    #[error("{0}")]
    Failed(ScriptFailure),
    /// What it wrote is something else.
    #[error("{0}")]
    Garbled(#[from] NotDeclared),
}

/// The end of what a script wrote when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ScriptFailure {
    /// The last line of the traceback, or of the output.
    pub(super) what: String,
    /// Where, of the files of the project.
    pub(super) place: Option<(String, u32)>,
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some((file, line)) => write!(f, "{file}:{line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl Question<'_> {
    /// Asks the script. `slow` is called once if that takes its time.
    pub(super) fn ask(&self, slow: &mut dyn FnMut()) -> Told {
        let query = Query {
            program: self.interpreter.program.clone().into(),
            args: self.arguments(),
            cwd: self.project.to_owned(),
            env: vec![("PYTHONPATH".into(), self.python_path()), ("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
            limit: LIMIT,
            most: MOST,
            ends_with_host: true,
        };
        let begin = Instant::now();
        let slow = RefCell::new(Some(slow));
        let answer = query.start().answer(&|| {
            if begin.elapsed() > PATIENCE
                && let Some(slow) = slow.borrow_mut().take()
            {
                slow();
            }
            false
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Told { declared: None, failure: Some(error.into()) },
        };
        let text = String::from_utf8_lossy(&answer.stdout);
        let (declared, garbled) = match text.lines().next_back().map(|line| (Declared::read(line), line)) {
            None => (None, None),
            Some((Ok(declared), line)) => (Some((declared, line.to_owned())), None),
            Some((Err(error), _)) => (None, Some(Silence::Garbled(error))),
        };
        let failed = answer.failure().map(|last| {
            let failure = failure(&String::from_utf8_lossy(&answer.stderr), self.project);
            Silence::Failed(failure.unwrap_or(ScriptFailure { what: last, place: None }))
        });
        Told { declared, failure: failed.or(garbled) }
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["-B".into(), "-c".into(), self.way.text().into()];
        arguments.extend([self.file.into(), OsString::from(&self.module.package), self.project.into()]);
        match self.way {
            Way::Written(name) => arguments.push(name.into()),
            Way::Argparse | Way::Click => arguments.extend(self.module.arguments.iter().map(OsString::from)),
        }
        arguments
    }

    /// Returns where modules are found: where a run would find them, but in the project.
    fn python_path(&self) -> OsString {
        let own = self.module.folders.iter().map(|folder| folder.to_string_lossy().into_owned());
        let inherited = std::env::var("PYTHONPATH").unwrap_or_default();
        let project = self.project.to_string_lossy().into_owned();
        python::joined(own.chain([project]).chain(python::paths(&inherited).map(str::to_owned))).into()
    }
}

/// Returns what a traceback says last, and the last place in it that is the user's; `None` for an empty text.
fn failure(text: &str, project: &Path) -> Option<ScriptFailure> {
    let lines: Vec<&str> = text.lines().collect();
    let is_frame = |line: &&str| line.starts_with("  File \"");
    let Some(last) = lines.iter().rposition(is_frame) else {
        let what = lines.iter().rfind(|line| !line.trim().is_empty())?;
        return Some(ScriptFailure { what: (*what).trim().to_owned(), place: None });
    };
    let what = lines[last + 1..].iter().find(|line| !line.starts_with(' ') && !line.trim().is_empty())?;
    let first = lines[..last].iter().rposition(|line| line.starts_with("Traceback ")).unwrap_or(0);
    let own = lines[first..=last].iter().rev().copied().find_map(|line| {
        let (file, rest) = line.strip_prefix("  File \"")?.split_once("\", line ")?;
        let inside = Path::new(file).strip_prefix(project).ok().filter(|_| !file.contains("/site-packages/"))?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((inside.to_string_lossy().into_owned(), digits.parse().ok()?))
    });
    Some(ScriptFailure { what: (*what).trim().to_owned(), place: own })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_its_last_line_and_the_users_last_place() {
        let traceback = "\
noise
Traceback (most recent call last):
  File \"<string>\", line 300, in <module>
  File \"/p/train.py\", line 3, in <module>
    import tool
  File \"/p/tool.py\", line 7, in <module>
    load()
    ~~~~^^
  File \"/usr/lib/python3/x.py\", line 1, in load
    raise ValueError('a\\nb')
ValueError: a
b
";
        let syntax = "  File \"/p/train.py\", line 2\n    a = = 1\n        ^\nSyntaxError: invalid syntax\n";
        let chained = format!(
            "{traceback}\nDuring handling of the above exception, another exception occurred:\n\n\
                               Traceback (most recent call last):\n  File \"/p/train.py\", line 9, in <module>\n    f()\n\
                               KeyError: 'x'\n"
        );
        let installed = "Traceback (most recent call last):\n  File \"/p/a.py\", line 1, in <module>\n  File \
                         \"/p/.venv/lib/python3/site-packages/b.py\", line 5, in <module>\nImportError: no c\n";
        let cases = [
            (traceback, "tool.py:7: ValueError: a"),
            (syntax, "train.py:2: SyntaxError: invalid syntax"),
            (&chained, "train.py:9: KeyError: 'x'"),
            (installed, "a.py:1: ImportError: no c"),
            ("usage: x\nx: error: bad\n\n", "x: error: bad"),
        ];
        for (text, expected) in cases {
            assert_eq!(failure(text, Path::new("/p")).unwrap().to_string(), expected);
        }
        assert_eq!(failure("\n", Path::new("/p")), None);
    }
}
