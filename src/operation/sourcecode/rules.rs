//! The rules by which files are source code: those that hold for every project, and those of a definition. The last one
//! that fits a file decides.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::config::{Config, Only, Spec};
use super::text::is_text;
use super::{Error, GitFiles, MOST_BYTES, MOST_FILES};

/// The file that marks a folder whose files are not copied.
const NOCOPY: &str = ".guild-nocopy";

/// The file with patterns that are left out of source code.
const GUILDIGNORE: &str = ".guildignore";

/// One rule.
pub(super) struct Rule {
    include: bool,
    only: Option<Only>,
    test: Test,
    /// A file that a folder must have.
    containing: Option<&'static str>,
    /// Whether it takes only small files, and only the first of them.
    pub(super) limited: bool,
}

enum Test {
    /// Patterns: those without `/` for names, the others for paths.
    Globs { shown: Vec<String>, names: GlobSet, paths: GlobSet },
    /// Files that the version control lists, and what `.guildignore` adds or takes away.
    Listed,
    /// What the version control or `.guildignore` leaves out.
    LeftOut,
}

/// Which rule decided about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleId {
    /// One of the base rules.
    Base(usize),
    /// One of those for folders that the version control lists without their files.
    Adopted(usize),
    /// One of the definition.
    User(usize),
    /// It is the script that is run.
    Script,
    /// It is a dependency.
    Dependency,
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Taken or left out by this rule.
    By(bool, RuleId),
    /// It would be taken, were it not this big.
    TooBig(RuleId),
    /// No rule fits.
    None,
}

/// All rules of an operation.
pub(super) struct Rules {
    base: Vec<Rule>,
    adopted: Vec<Rule>,
    user: Vec<Rule>,
    listing: Option<Listing>,
    ignore: Option<Gitignore>,
}

/// What the version control lists, for quick questions.
struct Listing {
    files: HashSet<PathBuf>,
    folders: HashSet<PathBuf>,
}

impl Rules {
    /// Makes no rules: there is no source code.
    pub(super) const fn none() -> Self {
        Self { base: Vec::new(), adopted: Vec::new(), user: Vec::new(), listing: None, ignore: None }
    }

    /// Says what is wrong with the rules of a definition.
    pub(super) fn check(config: &Config) -> Result<(), Error> {
        config.specs.iter().try_for_each(|spec| user_rule(Path::new("/nonexistent"), spec).map(drop))
    }

    /// Makes the rules for the folder `root`. `is_python` leaves out what Python's tools make.
    pub(super) fn new(root: &Path, config: &Config, git: Option<&GitFiles>, is_python: bool) -> Result<Self, Error> {
        let user = config.specs.iter().map(|spec| user_rule(root, spec)).collect::<Result<_, _>>()?;
        let ignore = guildignore(root)?;
        let own = default_rules(is_python, ignore.is_some())?;
        // Without a version control no folder is left to be adopted.
        let (base, adopted, listing) = match git {
            Some(git) => (git_rules()?, own, Some(Listing::new(git))),
            None => (own, Vec::new(), None),
        };
        Ok(Self { base, adopted, user, listing, ignore })
    }

    /// Returns whether only what the version control lists can be source code, so that there is nothing to look for.
    pub(super) fn are_closed(&self) -> bool {
        let adds = self.user.iter().any(|rule| rule.include);
        self.listing.is_some() && !adds && self.ignore.as_ref().is_none_or(|ignore| ignore.num_whitelists() == 0)
    }

    /// Returns whether a rule of the definition takes files.
    pub(super) fn has_user_includes(&self) -> bool {
        self.user.iter().any(|rule| rule.include)
    }

    /// Returns whether the version control lists this very path.
    pub(super) fn lists(&self, path: &Path) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.files.contains(path))
    }

    /// Decides about a file by its path in `root`.
    pub(super) fn decide(&self, root: &Path, path: &Path, size: u64, adopted: bool) -> io::Result<Decision> {
        let not_dir = |rule: &Rule| rule.only != Some(Only::Dir);
        for (id, rule) in self.backwards(adopted).filter(|(_, rule)| not_dir(rule)) {
            if !self.fits(rule, path, false) || !fits_content(rule, &root.join(path))? {
                continue;
            }
            if rule.limited && size > MOST_BYTES {
                return Ok(Decision::TooBig(id));
            }
            return Ok(Decision::By(rule.include, id));
        }
        Ok(Decision::None)
    }

    /// Returns the rule by which a folder is not entered.
    pub(super) fn bars(&self, root: &Path, path: &Path, adopted: bool) -> Option<RuleId> {
        let decides = |rule: &Rule| {
            let has = rule.containing.is_none_or(|name| root.join(path).join(name).exists());
            rule.only == Some(Only::Dir) && self.fits(rule, path, true) && has
        };
        let (id, rule) = self.backwards(adopted).find(|(_, rule)| decides(rule))?;
        (!rule.include).then_some(id)
    }

    /// Returns the rules, the one with the last word first.
    fn backwards(&self, adopted: bool) -> impl Iterator<Item = (RuleId, &Rule)> {
        let user = self.user.iter().enumerate().rev().map(|(index, rule)| (RuleId::User(index), rule));
        let (rules, id): (&[Rule], fn(usize) -> RuleId) =
            if adopted { (&self.adopted, RuleId::Adopted) } else { (&self.base, RuleId::Base) };
        user.chain(rules.iter().enumerate().rev().map(move |(index, rule)| (id(index), rule)))
    }

    fn fits(&self, rule: &Rule, path: &Path, is_dir: bool) -> bool {
        match &rule.test {
            Test::Globs { names, paths, .. } => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                names.is_match(Path::new(name)) || paths.is_match(path)
            }
            Test::Listed => match self.ignored(path, is_dir) {
                Some(ignored) => !ignored,
                None => self.listing.as_ref().is_some_and(|listing| listing.files.contains(path)),
            },
            Test::LeftOut => match self.ignored(path, is_dir) {
                Some(ignored) => ignored,
                None => is_dir && self.listing.as_ref().is_some_and(|listing| !listing.folders.contains(path)),
            },
        }
    }

    /// Returns what `.guildignore` says.
    fn ignored(&self, path: &Path, is_dir: bool) -> Option<bool> {
        match self.ignore.as_ref()?.matched_path_or_any_parents(path, is_dir) {
            Match::None => None,
            Match::Ignore(_) => Some(true),
            Match::Whitelist(_) => Some(false),
        }
    }

    /// Returns a rule that [`Decision`] or [`Rules::bars`] named.
    pub(super) fn rule(&self, id: RuleId) -> Option<&Rule> {
        match id {
            RuleId::Base(index) => self.base.get(index),
            RuleId::Adopted(index) => self.adopted.get(index),
            RuleId::User(index) => self.user.get(index),
            RuleId::Script | RuleId::Dependency => None,
        }
    }

    /// Returns every rule in words, in order.
    pub(super) fn describe(&self) -> Vec<String> {
        self.base.iter().chain(&self.user).map(Rule::describe).collect()
    }
}

impl Listing {
    fn new(git: &GitFiles) -> Self {
        let mut folders = HashSet::new();
        let files: HashSet<PathBuf> = git.files.iter().map(|file| super::super::relative::normal(file)).collect();
        for file in &files {
            // A path that is listed may be that of a folder: a repository in this one, or a link.
            for folder in file.ancestors().take_while(|folder| !folder.as_os_str().is_empty()) {
                if !folders.insert(folder.to_owned()) && folder != file {
                    break;
                }
            }
        }
        Self { files, folders }
    }
}

impl Rule {
    /// Returns the rule in words.
    pub(super) fn describe(&self) -> String {
        let quoted = |pattern: &String| {
            let is_plain = !pattern.contains(' ');
            if is_plain { pattern.clone() } else { format!("'{pattern}'") }
        };
        let shown = match &self.test {
            Test::Globs { shown, .. } => shown.iter().map(quoted).collect::<Vec<_>>().join(", "),
            Test::Listed => return "gitignore + guildignore patterns".to_owned(),
            Test::LeftOut if self.only == Some(Only::Dir) => "of gitignore + guildignore patterns".to_owned(),
            Test::LeftOut => "guildignore patterns".to_owned(),
        };
        let mut words = vec![if self.include { "include" } else { "exclude" }.to_owned()];
        words.extend(self.only.map(|only| only.word().to_owned()));
        words.push(shown);
        words.extend(self.containing.map(|name| format!("containing {name}")));
        if self.limited {
            words.push(format!("size < {}, max match {MOST_FILES}", MOST_BYTES + 1));
        }
        words.join(" ")
    }
}

fn fits_content(rule: &Rule, path: &Path) -> io::Result<bool> {
    match rule.only {
        None => Ok(true),
        Some(Only::Text) => is_text(path),
        Some(Only::Binary) => Ok(!is_text(path)?),
        Some(Only::Dir) => Ok(false),
    }
}

fn guildignore(root: &Path) -> Result<Option<Gitignore>, Error> {
    let path = root.join(GUILDIGNORE);
    if !path.is_file() {
        return Ok(None);
    }
    let mut builder = GitignoreBuilder::new(root);
    if let Some(error) = builder.add(&path) {
        return Err(Error::bad(format!("{}: {error}", path.display())));
    }
    let ignore = builder.build().map_err(|error| Error::bad(format!("{}: {error}", path.display())))?;
    Ok((!ignore.is_empty()).then_some(ignore))
}

fn git_rules() -> Result<Vec<Rule>, Error> {
    Ok(vec![
        dirs(&[".guild"])?,
        dirs_containing(NOCOPY)?,
        dirs(&[".git"])?,
        Rule { include: false, only: Some(Only::Dir), test: Test::LeftOut, containing: None, limited: false },
        Rule { include: true, only: None, test: Test::Listed, containing: None, limited: false },
        rule(false, None, &[".git*".to_owned(), GUILDIGNORE.to_owned()])?,
    ])
}

fn default_rules(is_python: bool, has_ignore: bool) -> Result<Vec<Rule>, Error> {
    let text = Rule { limited: true, ..rule(true, Some(Only::Text), &["*".to_owned()])? };
    let mut rules = vec![dirs(&[".*"])?, dirs_containing(NOCOPY)?, text];
    rules.push(dirs(&["__pycache__"])?);
    rules.push(dirs_containing("bin/activate")?);
    rules.push(dirs_containing("Scripts/activate")?);
    if is_python {
        rules.push(dirs(&["build", "dist", "*.egg-info"])?);
    }
    if has_ignore {
        for only in [Some(Only::Dir), None] {
            rules.push(Rule { include: false, only, test: Test::LeftOut, containing: None, limited: false });
        }
    }
    Ok(rules)
}

fn dirs(patterns: &[&str]) -> Result<Rule, Error> {
    let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    rule(false, Some(Only::Dir), &patterns)
}

fn dirs_containing(name: &'static str) -> Result<Rule, Error> {
    Ok(Rule { containing: Some(name), ..dirs(&["*"])? })
}

fn user_rule(root: &Path, spec: &Spec) -> Result<Rule, Error> {
    // A folder's name alone means the files in it.
    let widen = |pattern: &String| {
        let is_dir = spec.only.is_none() && fs::metadata(root.join(pattern)).is_ok_and(|metadata| metadata.is_dir());
        if is_dir { format!("{}/*", pattern.trim_end_matches('/')) } else { pattern.clone() }
    };
    rule(spec.include, spec.only, &spec.patterns.iter().map(widen).collect::<Vec<_>>())
}

fn rule(include: bool, only: Option<Only>, patterns: &[String]) -> Result<Rule, Error> {
    let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
    for pattern in patterns {
        let bad =
            |error: globset::Error| Error::bad(format!("the pattern '{pattern}' of sourcecode: {}", error.kind()));
        let (is_path, text) = as_glob(pattern);
        let glob = GlobBuilder::new(&text).literal_separator(false).backslash_escape(false).build().map_err(bad)?;
        if is_path { &mut paths } else { &mut names }.add(glob);
    }
    let build = |set: GlobSetBuilder| set.build().map_err(|error| Error::bad(format!("sourcecode: {}", error.kind())));
    let test = Test::Globs { shown: patterns.to_vec(), names: build(names)?, paths: build(paths)? };
    Ok(Rule { include, only, test, containing: None, limited: false })
}

/// Returns whether a pattern is for whole paths, and it in the syntax of the crate: as in Python's `fnmatch`, braces are
/// braces, and a bracket that nothing closes is a bracket.
fn as_glob(pattern: &str) -> (bool, String) {
    let is_path = pattern.contains('/');
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern).trim_start_matches('/');
    let mut text = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        match c {
            '{' | '}' => text.extend(['[', c, ']']),
            '[' => {
                // A bracket right after the beginning is one of the class.
                let begin = after.strip_prefix('!').unwrap_or(after);
                let inner = begin.strip_prefix(']').unwrap_or(begin);
                let Some(end) = inner.find(']') else {
                    text.push_str("[[]");
                    rest = after;
                    continue;
                };
                let length = rest.len() - inner.len() + end + 1;
                text.push_str(&rest[..length]);
                rest = &rest[length..];
                continue;
            }
            c => text.push(c),
        }
        rest = after;
    }
    // Nothing can be named by an empty pattern.
    (is_path, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_fnmatch() {
        let cases = [
            ("*.py", "a.py", true),
            ("*.py", "sub/a.py", true),
            ("*.py", "a.pyc", false),
            ("sub/*", "sub/a", true),
            ("sub/*", "sub/a/b", true),
            ("sub/*", "other/sub/a", false),
            ("/a.py", "a.py", true),
            ("/a.py", "sub/a.py", false),
            ("*/a.py", "x/y/a.py", true),
            ("*/a.py", "a.py", false),
            ("a?.py", "ab.py", true),
            ("[ab].py", "b.py", true),
            ("[!ab].py", "b.py", false),
            ("[]x].py", "].py", true),
            ("{a,b}.py", "{a,b}.py", true),
            ("{a,b}.py", "a.py", false),
            ("[a.py", "[a.py", true),
            ("a\\b", "a\\b", true),
            (".*", ".hidden", true),
            ("*", "sub/.hidden", true),
            ("./a.py", "a.py", true),
        ];
        for (pattern, path, expected) in cases {
            let rule = rule(true, None, &[pattern.to_owned()]).unwrap();
            let rules = Rules { base: vec![], adopted: vec![], user: vec![], listing: None, ignore: None };
            assert_eq!(rules.fits(&rule, Path::new(path), false), expected, "{pattern} for {path}");
        }
    }

    #[test]
    fn rules_are_shown_as_guild_does() {
        let shown = |rules: Vec<Rule>| rules.iter().map(Rule::describe).collect::<Vec<_>>();
        let expected = [
            "exclude dir .*",
            "exclude dir * containing .guild-nocopy",
            "include text * size < 1048577, max match 100",
            "exclude dir __pycache__",
            "exclude dir * containing bin/activate",
            "exclude dir * containing Scripts/activate",
            "exclude dir build, dist, *.egg-info",
        ];
        assert_eq!(shown(default_rules(true, false).unwrap()), expected);
        let git = shown(git_rules().unwrap());
        assert_eq!(git[4..], ["gitignore + guildignore patterns", "exclude .git*, .guildignore"]);
    }
}
