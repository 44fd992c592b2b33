//! The resolvers: each looks at one file and says what tests it is, in the order in which they are asked.

use std::fs;
use std::path::Path;

use regex::Regex;
use rustix::fs::{Access, access};

use super::expand::Reference;
use super::expression::last_line;
use super::lua_file::{LuaFile, classify};
use super::pytest::{Pytest, PytestItem};
use super::python::{Finder, PythonKind};
use super::resolution::{Options, RunExecutable, Surroundings};
use crate::model::{Kind, Recipes, Runnable, read_recipes};

/// What a resolver says of a reference.
pub(super) enum Answer {
    /// These are its tests.
    Tests(Vec<Runnable>),
    /// It is meant for this resolver, but damaged.
    Corrupt(String),
    /// It is nothing for this resolver, and why.
    Not(String),
}

/// What resolvers need to answer.
pub(super) struct Question<'a> {
    pub(super) reference: &'a Reference,
    pub(super) options: &'a Options,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) finder: &'a Finder<'a>,
    pub(super) pytest: &'a Pytest<'a>,
}

/// A resolver.
pub(super) struct Resolver {
    /// Its name, as Avocado's resolver of this kind is called.
    pub(super) name: &'static str,
    /// How it answers.
    pub(super) ask: fn(&Question<'_>) -> Answer,
    /// Others may find tests in the same file as well.
    pub(super) shares: bool,
}

/// The resolvers in their order.
pub(super) const RESOLVERS: [Resolver; 9] = [
    Resolver { name: "avocado-instrumented", ask: |question| python(question, PythonKind::Instrumented), shares: true },
    Resolver { name: PYTEST, ask: pytest, shares: false },
    Resolver {
        name: Kind::PythonUnittest.name(),
        ask: |question| python(question, PythonKind::Unittest),
        shares: true,
    },
    Resolver { name: "runnable-recipe", ask: runnable_recipe, shares: false },
    Resolver { name: "runnables-recipe", ask: runnables_recipe, shares: false },
    Resolver { name: Kind::Lua.name(), ask: lua, shares: false },
    Resolver { name: "exec-runnables-recipe", ask: executable_recipes, shares: false },
    Resolver { name: Kind::Tap.name(), ask: tap, shares: false },
    Resolver { name: Kind::ExecTest.name(), ask: exec_test, shares: false },
];

/// The kind of pytest's items, and their resolver.
pub(crate) const PYTEST: &str = Kind::Pytest.name();

/// The kind of jobs that are run as tests.
pub(crate) const JOBFILE_KIND: &str = "jobfile";

impl Question<'_> {
    fn path(&self) -> std::path::PathBuf {
        self.surroundings.folder.join(&self.reference.path)
    }

    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.reference.path).extension().is_some_and(|own| own == extension)
    }

    /// Returns why the reference cannot be one with a pattern.
    fn no_pattern(&self) -> Option<Answer> {
        let pattern = self.reference.pattern.as_ref()?;
        Some(Answer::Not(format!("':{pattern}' picks tests of a Python file only")))
    }

    fn runnable(&self, kind: &str) -> Runnable {
        Runnable { kind: kind.to_owned(), uri: Some(self.reference.path.clone()), ..Runnable::default() }
    }
}

fn python(question: &Question<'_>, kind: PythonKind) -> Answer {
    if !question.has_extension("py") {
        return Answer::Not("its name does not end in .py".to_owned());
    }
    let pattern = match question.reference.pattern.as_deref().map(regex_of).transpose() {
        Ok(pattern) => pattern,
        Err(error) => return Answer::Corrupt(error.to_string()),
    };
    let path = question.path();
    let tests = match question.finder.tests(&path) {
        Ok(tests) => tests,
        Err(reason) => {
            // A Python file of whatever dialect can be run all the same.
            return match is_executable(&path) {
                true => Answer::Not(format!("it cannot be read: {reason}")),
                false => Answer::Corrupt(reason.to_string()),
            };
        }
    };
    let (name, base) = match kind {
        PythonKind::Unittest => (Kind::PythonUnittest.name(), "unittest.TestCase"),
        PythonKind::Instrumented => ("avocado-instrumented", "avocado.Test"),
    };
    let mut has_some = false;
    let of_kind = tests.into_iter().filter(|test| test.kind == kind).inspect(|_| has_some = true);
    let picked = of_kind.filter(|test| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&test.name)));
    let runnables: Vec<Runnable> = picked
        .map(|test| Runnable {
            kind: name.to_owned(),
            uri: Some(format!("{}:{}", question.reference.path, test.name)),
            tags: test.tags,
            dependencies: test.dependencies,
            ..Runnable::default()
        })
        .collect();
    match (runnables.is_empty(), has_some) {
        (false, _) => Answer::Tests(runnables),
        (true, true) => Answer::Not("no test of it matches what follows the colon".to_owned()),
        (true, false) => Answer::Not(format!("no class with test methods in it descends from {base}")),
    }
}

/// Takes the items that pytest finds in a file that is pytest's, the unittests in it too.
fn pytest(question: &Question<'_>) -> Answer {
    let reference = question.reference;
    if !reference.is_python() {
        return Answer::Not("its name does not end in .py".to_owned());
    }
    let path = question.path();
    // What pytest is asked for anyway may hold more than it seems to; but what is all unittest's is left to that.
    let may_be_more = || question.pytest.is_asked() && question.finder.tests(&path).is_ok_and(|tests| tests.is_empty());
    if reference.node().is_none() && !question.finder.suits_pytest(&path) && !may_be_more() {
        return Answer::Not("it has no function test… of its own, and does not import pytest".to_owned());
    }
    let items = match question.pytest.items(&reference.path, &path) {
        Ok(items) => items,
        Err(reason) if reference.node().is_none() && !question.finder.suits_pytest(&path) => {
            return Answer::Not(reason.to_string());
        }
        Err(reason) => return Answer::Corrupt(reason.to_string()),
    };
    if items.is_empty() {
        return Answer::Not("pytest finds no test in it".to_owned());
    }
    let picks: Box<dyn Fn(&PytestItem) -> bool> = match (reference.node(), reference.pattern.as_deref()) {
        (Some(node), _) => Box::new(|item| item.is_in(node)),
        (None, Some(pattern)) => match regex_of(pattern) {
            Ok(pattern) => Box::new(move |item| pattern.is_match(&item.name_in_file())),
            Err(error) => return Answer::Corrupt(error.to_string()),
        },
        (None, None) => Box::new(|_| true),
    };
    let item = |item: PytestItem| Runnable {
        kind: PYTEST.to_owned(),
        uri: Some(item.uri),
        tags: item.tags,
        ..Runnable::default()
    };
    // One that stands for its file says at its run why none of the items are there.
    let is_whole = items.iter().all(|item| !item.uri.contains("::"));
    let runnables: Vec<Runnable> = items.into_iter().filter(|item| is_whole || picks(item)).map(item).collect();
    match runnables.is_empty() {
        true => Answer::Not("no test of it matches what follows the colon".to_owned()),
        false => Answer::Tests(runnables),
    }
}

/// What follows the colon picks no tests.
#[derive(Debug, thiserror::Error)]
#[error("what follows the colon is no regular expression: {}", last_line(.0))]
struct NoPicker(#[from] regex::Error);

fn regex_of(pattern: &str) -> Result<Regex, NoPicker> {
    Ok(Regex::new(pattern)?)
}

/// Reads a recipe file; `Err` is the answer already.
fn recipes(question: &Question<'_>) -> Result<Recipes, Answer> {
    if !question.has_extension("json") {
        return Err(Answer::Not("its name does not end in .json".to_owned()));
    }
    if let Some(answer) = question.no_pattern() {
        return Err(answer);
    }
    let text = fs::read(question.path()).map_err(|error| Answer::Not(format!("it cannot be read: {error}")))?;
    read_recipes(&text).map_err(|error| {
        // Among the files of a folder, JSON may be anything; a recipe has a kind.
        let is_recipe = memchr::memmem::find(&text, b"\"kind\"").is_some() || !question.reference.is_expanded;
        if is_recipe { Answer::Corrupt(error.to_string()) } else { Answer::Not(format!("it is no recipe: {error}")) }
    })
}

fn runnable_recipe(question: &Question<'_>) -> Answer {
    match recipes(question) {
        Ok(Recipes::One(runnable)) => Answer::Tests(vec![*runnable]),
        Ok(Recipes::List(_)) => Answer::Not("it is a list".to_owned()),
        Err(answer) => answer,
    }
}

fn runnables_recipe(question: &Question<'_>) -> Answer {
    match recipes(question) {
        Ok(Recipes::List(list)) if list.is_empty() => Answer::Not("it is an empty list".to_owned()),
        Ok(Recipes::List(list)) => Answer::Tests(list),
        Ok(Recipes::One(_)) => Answer::Not("it is one recipe".to_owned()),
        Err(answer) => answer,
    }
}

fn lua(question: &Question<'_>) -> Answer {
    if !question.has_extension("lua") {
        return Answer::Not("its name does not end in .lua".to_owned());
    }
    if let Some(answer) = question.no_pattern() {
        return answer;
    }
    let text = match fs::read(question.path()) {
        Ok(text) => text,
        Err(error) => return Answer::Not(format!("it cannot be read: {error}")),
    };
    let name = Path::new(&question.reference.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_expanded = question.reference.is_expanded;
    if is_expanded && (name == "rille.lua" || name.ends_with(".d.lua")) {
        return Answer::Not("it declares, and tests nothing".to_owned());
    }
    match classify(&String::from_utf8_lossy(&text)) {
        LuaFile::Jobfile => Answer::Tests(vec![question.runnable(JOBFILE_KIND)]),
        LuaFile::Module if is_expanded => {
            Answer::Not("it returns a module; name the file itself to run it all the same".to_owned())
        }
        LuaFile::Module | LuaFile::Testscript => Answer::Tests(vec![question.runnable(Kind::Lua.name())]),
    }
}

fn executable_recipes(question: &Question<'_>) -> Answer {
    if let Some(answer) = not_executable(question) {
        return answer;
    }
    let run: RunExecutable<'_> = match question.surroundings.run_executable {
        Some(run) if question.options.run_executables => run,
        _ => return Answer::Not("executables are not run for their recipes without --run-executables".to_owned()),
    };
    let printed = match run(&question.path(), &question.options.executable_arguments) {
        Ok(printed) => printed,
        Err(reason) => return Answer::Not(format!("it was run, and {reason}")),
    };
    let begins = printed.trim_ascii_start().first().copied();
    if !matches!(begins, Some(b'[' | b'{')) {
        return Answer::Not("what it prints is not JSON".to_owned());
    }
    match read_recipes(&printed) {
        Ok(Recipes::List(list)) if list.is_empty() => Answer::Not("it prints an empty list".to_owned()),
        Ok(Recipes::List(list)) => Answer::Tests(list),
        Ok(Recipes::One(_)) => Answer::Not("it prints one recipe; expected a list of them".to_owned()),
        Err(error) => Answer::Not(format!("what it prints are no recipes: {error}")),
    }
}

fn tap(question: &Question<'_>) -> Answer {
    if !question.has_extension("t") {
        return Answer::Not("its name does not end in .t".to_owned());
    }
    not_executable(question).unwrap_or_else(|| Answer::Tests(vec![question.runnable(Kind::Tap.name())]))
}

fn exec_test(question: &Question<'_>) -> Answer {
    not_executable(question).unwrap_or_else(|| Answer::Tests(vec![question.runnable(Kind::ExecTest.name())]))
}

/// Returns why a reference is not the path of an executable, if it is not.
fn not_executable(question: &Question<'_>) -> Option<Answer> {
    if let Some(answer) = question.no_pattern() {
        return Some(answer);
    }
    let is_executable = is_executable(&question.path());
    (!is_executable).then(|| Answer::Not("it is not executable (chmod +x makes it so)".to_owned()))
}

fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok()
}
