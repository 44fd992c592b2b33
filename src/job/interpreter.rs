//! Which Python a project has: that of its own environment, of conda, of uv, of pyenv, or of the `PATH`, in this order.
//!
//! Files and variables tell; no program is asked.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The folders of a project that are environments.
const OWN: [&str; 2] = [".venv", "venv"];

/// An interpreter, and why it is that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// Its program.
    pub(crate) program: PathBuf,
    /// Where it was found.
    pub(crate) origin: Origin,
}

/// Where an interpreter was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The environment in this folder of the project, or of one above it.
    Project(PathBuf),
    /// The environment that is activated, by `VIRTUAL_ENV`.
    Activated,
    /// An environment of conda.
    Conda,
    /// The environment or version that uv has for the project.
    Uv,
    /// This version of pyenv.
    Pyenv(String),
    /// The `PATH`.
    Path,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Project(folder) => write!(f, "the environment {}", folder.display()),
            Origin::Activated => f.write_str("the activated environment"),
            Origin::Conda => f.write_str("conda"),
            Origin::Uv => f.write_str("uv"),
            Origin::Pyenv(version) => write!(f, "pyenv {version}"),
            Origin::Path => f.write_str("the PATH"),
        }
    }
}

/// What decides, beside the files of the project.
pub(crate) struct Surroundings<'a> {
    /// Returns a variable of the environment.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Surroundings<'_> {
    /// Returns those of this process.
    pub(crate) fn of_process() -> Surroundings<'static> {
        Surroundings { variable: &|name| std::env::var_os(name) }
    }

    fn folder(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn path(&self) -> Vec<PathBuf> {
        std::env::split_paths(&(self.variable)("PATH").unwrap_or_default()).collect()
    }

    /// Returns the interpreter of a project, without regard to versions that an operation requires. `None` where there is
    /// none at all.
    pub(crate) fn interpreter(&self, project: Option<&Path>) -> Option<Interpreter> {
        let by_order = || {
            project
                .and_then(own)
                .or_else(|| in_environment(&self.folder("VIRTUAL_ENV")?, Origin::Activated))
                .or_else(|| self.of_conda(project))
                .or_else(|| self.of_uv(project))
                .or_else(|| self.of_pyenv(project))
        };
        by_order().or_else(|| Some(Interpreter { program: self.on_path()?, origin: Origin::Path }))
    }

    /// Returns the first interpreter of the `PATH`.
    fn on_path(&self) -> Option<PathBuf> {
        let folders = self.path();
        let first = |name: &str| folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path));
        ["python3", "python"].into_iter().find_map(first)
    }

    fn of_conda(&self, project: Option<&Path>) -> Option<Interpreter> {
        let own = project.map(|project| project.join(".conda")).filter(|folder| folder.join("conda-meta").is_dir());
        own.into_iter()
            .chain(self.folder("CONDA_PREFIX"))
            .find_map(|environment| in_environment(&environment, Origin::Conda))
    }

    fn of_uv(&self, project: Option<&Path>) -> Option<Interpreter> {
        let project = project?;
        let environment = self.folder("UV_PROJECT_ENVIRONMENT").map(|folder| project.join(folder));
        if let Some(found) = environment.and_then(|folder| in_environment(&folder, Origin::Uv)) {
            return Some(found);
        }
        let home = || self.folder("HOME");
        let data = || self.folder("XDG_DATA_HOME").or_else(|| Some(home()?.join(".local/share")));
        let store = self.folder("UV_PYTHON_INSTALL_DIR").or_else(|| Some(data()?.join("uv/python")))?;
        let pinned = pinned(project);
        let is_locked = above(project).any(|folder| folder.join("uv.lock").is_file());
        // `cpython-3.12.1-linux-x86_64-gnu`
        let versions = || {
            let names = names_in(&store).into_iter();
            names.filter_map(|name| Some((name.strip_prefix("cpython-")?.split('-').next()?.to_owned(), name)))
        };
        let wanted: Vec<String> = match pinned.is_empty() {
            false => pinned,
            true if is_locked => vec![String::new()],
            true => return None,
        };
        wanted.iter().find_map(|wanted| {
            let fitting = versions().filter(|(version, _)| begins_with(version, wanted));
            let (_, name) = fitting.max_by_key(|(version, _)| numbers(version))?;
            in_environment(&store.join(name), Origin::Uv)
        })
    }

    /// Returns the version of pyenv that is chosen for this shell or pinned in the project; or the one of the user, where the
    /// `PATH` would ask pyenv for it.
    fn of_pyenv(&self, project: Option<&Path>) -> Option<Interpreter> {
        let shim = self.on_path().filter(|program| program.parent().is_some_and(|folder| folder.ends_with("shims")));
        let of_shim = shim.as_ref().and_then(|program| program.ancestors().nth(2)).map(Path::to_owned);
        let has_shim = of_shim.is_some();
        let root =
            of_shim.or_else(|| self.folder("PYENV_ROOT")).or_else(|| Some(self.folder("HOME")?.join(".pyenv")))?;
        let installed = names_in(&root.join("versions"));
        let find = |wanted: &str| {
            let exact = installed.iter().find(|name| *name == wanted);
            let latest = || installed.iter().filter(|name| begins_with(name, wanted)).max_by_key(|name| numbers(name));
            let version = exact.or_else(latest)?;
            in_environment(&root.join("versions").join(version), Origin::Pyenv(version.clone()))
        };
        let chosen = (self.variable)("PYENV_VERSION").map(|text| text.to_string_lossy().into_owned());
        if let Some(chosen) = chosen.filter(|chosen| !chosen.is_empty()) {
            return chosen.split(':').find_map(find);
        }
        let pinned = project.map(pinned).unwrap_or_default();
        if !pinned.is_empty() {
            return pinned.iter().find_map(|version| find(version));
        }
        let global = fs::read_to_string(root.join("version")).unwrap_or_default();
        global.split_whitespace().filter(|_| has_shim).find_map(find)
    }
}

/// Returns the interpreter of the environment that a project has in itself, or that is beside it in the same repository.
fn own(project: &Path) -> Option<Interpreter> {
    above(project).find_map(|folder| {
        OWN.iter().find_map(|name| in_environment(&folder.join(name), Origin::Project(folder.join(name))))
    })
}

/// Returns a folder and those above it, up to the one that is a repository; without one, the folder alone.
fn above(folder: &Path) -> impl Iterator<Item = &Path> {
    let depth = folder.ancestors().position(|folder| folder.join(".git").exists()).unwrap_or(0);
    folder.ancestors().take(depth + 1)
}

/// Returns the versions that `.python-version` pins for a project, the first first.
fn pinned(project: &Path) -> Vec<String> {
    let text = above(project).find_map(|folder| fs::read_to_string(folder.join(".python-version")).ok());
    let text = text.unwrap_or_default();
    let words = text.lines().map(|line| line.split('#').next().unwrap_or_default()).flat_map(str::split_whitespace);
    words.map(|word| word.trim_start_matches("cpython@").trim_start_matches("python-").to_owned()).collect()
}

fn in_environment(folder: &Path, origin: Origin) -> Option<Interpreter> {
    let programs = ["bin/python3", "bin/python"].map(|name| folder.join(name));
    let program = programs.into_iter().find(|program| is_executable(program))?;
    Some(Interpreter { program, origin })
}

/// Returns whether a version is the wanted one, or is of it: `3.12.1` of `3.12`. Of nothing is every one.
fn begins_with(version: &str, wanted: &str) -> bool {
    let is_number = version.starts_with(|c: char| c.is_ascii_digit());
    let rest = version.strip_prefix(wanted);
    is_number && rest.is_some_and(|rest| wanted.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Machine {
        folder: tempfile::TempDir,
        variables: BTreeMap<&'static str, OsString>,
    }

    impl Machine {
        /// Returns a machine with these programs and files; what ends in a name of Python is a program.
        fn with(files: &[(&str, &str)], variables: &[(&'static str, &str)]) -> Machine {
            let folder = tempfile::tempdir().unwrap();
            for (file, text) in files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, text).unwrap();
                let mode = if file.contains("/python") { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            let root = folder.path().to_str().unwrap().to_owned();
            let defaults = [("PATH", "@/bin"), ("HOME", "@/home")];
            let all = defaults.iter().chain(variables);
            let variables = all.map(|(name, value)| (*name, value.replace('@', &root).into())).collect();
            Machine { folder, variables }
        }

        fn found(&self, project: &str) -> Option<(String, String)> {
            let variable = |name: &str| self.variables.get(name).cloned();
            let found = Surroundings { variable: &variable }.interpreter(Some(&self.folder.path().join(project)))?;
            let root = format!("{}/", self.folder.path().display());
            let program = found.program.to_str().unwrap().replace(&root, "");
            Some((program, found.origin.to_string().replace(&root, "")))
        }
    }

    #[test]
    fn the_nearest_python_is_found() {
        const PATH: (&str, &str) = ("bin/python3", "");
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: [(Pairs, Pairs, &str, &str); 18] = [
            (&[PATH], &[], "bin/python3", "the PATH"),
            (&[("bin/python", "")], &[], "bin/python", "the PATH"),
            (&[PATH, ("p/.venv/bin/python", "")], &[], "p/.venv/bin/python", "the environment p/.venv"),
            (&[PATH, ("p/venv/bin/python3", "")], &[], "p/venv/bin/python3", "the environment p/venv"),
            (
                &[PATH, ("p/venv/bin/python3", ""), ("c/bin/python3", "")],
                &[("CONDA_PREFIX", "@/c")],
                "p/venv/bin/python3",
                "the environment p/venv",
            ),
            // Above it in the same repository, and not in another.
            (&[PATH, ("p/.git/HEAD", ""), (".venv/bin/python3", "")], &[], "bin/python3", "the PATH"),
            (&[PATH, (".git/HEAD", ""), (".venv/bin/python3", "")], &[], ".venv/bin/python3", "the environment .venv"),
            // No environment any more.
            (&[PATH, ("p/.venv/lib/x", "")], &[], "bin/python3", "the PATH"),
            (&[PATH, ("e/bin/python3", "")], &[("VIRTUAL_ENV", "@/e")], "e/bin/python3", "the activated environment"),
            (&[PATH, ("c/bin/python3", "")], &[("CONDA_PREFIX", "@/c")], "c/bin/python3", "conda"),
            (
                &[PATH, ("p/.conda/conda-meta/history", ""), ("p/.conda/bin/python3", "")],
                &[],
                "p/.conda/bin/python3",
                "conda",
            ),
            (&[PATH, ("p/env/bin/python3", "")], &[("UV_PROJECT_ENVIRONMENT", "env")], "p/env/bin/python3", "uv"),
            (
                &[
                    PATH,
                    ("p/.python-version", "3.12\n"),
                    ("home/.local/share/uv/python/cpython-3.12.9-linux-x86_64-gnu/bin/python3", ""),
                    ("home/.local/share/uv/python/cpython-3.12.10-linux-x86_64-gnu/bin/python3", ""),
                    ("home/.local/share/uv/python/cpython-3.13.0-linux-x86_64-gnu/bin/python3", ""),
                ],
                &[],
                "home/.local/share/uv/python/cpython-3.12.10-linux-x86_64-gnu/bin/python3",
                "uv",
            ),
            (
                &[PATH, ("p/.python-version", "3.1\n"), ("home/.pyenv/versions/3.12.1/bin/python3", "")],
                &[],
                "bin/python3",
                "the PATH",
            ),
            (
                &[PATH, ("p/.python-version", "# ours\n3.12\n"), ("home/.pyenv/versions/3.12.1/bin/python3", "")],
                &[],
                "home/.pyenv/versions/3.12.1/bin/python3",
                "pyenv 3.12.1",
            ),
            (
                &[PATH, ("e/versions/mine/bin/python3", "")],
                &[("PYENV_VERSION", "mine:3.8"), ("PYENV_ROOT", "@/e")],
                "e/versions/mine/bin/python3",
                "pyenv mine",
            ),
            // What the user has everywhere counts where a shell would ask pyenv.
            (
                &[PATH, ("home/.pyenv/version", "3.11.7\n"), ("home/.pyenv/versions/3.11.7/bin/python3", "")],
                &[],
                "bin/python3",
                "the PATH",
            ),
            (
                &[
                    PATH,
                    ("e/shims/python3", ""),
                    ("e/version", "3.11.7\n3.12.1\n"),
                    ("e/versions/3.11.7/bin/python3", ""),
                ],
                &[("PATH", "@/e/shims:@/bin")],
                "e/versions/3.11.7/bin/python3",
                "pyenv 3.11.7",
            ),
        ];
        for (files, variables, program, origin) in cases {
            let found = Machine::with(files, variables).found("p");
            assert_eq!(found, Some((program.to_owned(), origin.to_owned())), "{files:?} {variables:?}");
        }
        assert_eq!(Machine::with(&[("p/python3", "")], &[]).found("p"), None);
    }
}
