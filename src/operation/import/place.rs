//! Which module of Python an operation runs, and where its file is.

use std::path::{Path, PathBuf};

use super::super::encode::split;
use super::super::{Body, Operation, python};

/// A module of Python that an operation runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunModule {
    /// Its name as Python has it, `package.module`.
    pub(crate) name: String,
    /// The package that it is in; empty for none.
    pub(crate) package: String,
    /// The folder that Python finds it in, in the order in which folders are tried.
    pub(crate) folders: Vec<PathBuf>,
    /// Its file, if the project has it.
    pub(crate) file: Option<PathBuf>,
    /// The arguments that the definition has behind it.
    pub(crate) arguments: Vec<String>,
}

impl Operation {
    /// Returns the module that it runs; `None` where it runs something else.
    pub(crate) fn module(&self) -> Option<RunModule> {
        let (mut words, is_script) = match &self.body {
            Body::Main(line) => (split(line).ok()?, false),
            Body::Script(line) => (split(line).ok()?, true),
            Body::Exec(_) | Body::LuaFunction | Body::Steps(_) => return None,
        };
        if words.is_empty() {
            return None;
        }
        let arguments = words.split_off(1);
        let mut spec = words.pop()?;
        let of_python = |file: &Path| file.extension().is_some_and(|extension| extension == "py");
        if is_script && !of_python(Path::new(&spec)) {
            return None;
        }
        if let Some(without) = spec.strip_suffix(".py") {
            spec = without.to_owned();
        }
        let (path, name) = spec.rsplit_once('/').unwrap_or(("", &spec));
        let package = name.rsplit_once('.').map_or("", |(package, _)| package);
        let mut folders: Vec<PathBuf> =
            python::folders(self.python_path.as_ref()).iter().map(|path| self.project.join(path)).collect();
        folders.push(self.project.clone());
        let file = folders.iter().find_map(|folder| python::file_of(&spec, folder));
        let folders = folders.iter().map(|folder| if path.is_empty() { folder.clone() } else { folder.join(path) });
        Some(RunModule {
            package: package.to_owned(),
            folders: folders.collect(),
            file,
            arguments,
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::operation::Origin;

    #[test]
    fn a_module_is_found_where_python_finds_it() {
        let project = tempfile::tempdir().unwrap();
        let folder = project.path();
        for file in ["train.py", "sub/deep.py", "pkg/mod.py", "pkg/__main__.py", "src/other.py", "src/train.py"] {
            fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            fs::write(folder.join(file), "").unwrap();
        }
        let main = |line: &str| Body::Main(line.to_owned());
        let script = |line: &str| Body::Script(line.to_owned());
        // Name, package, file, arguments.
        let cases = [
            (main("train a 'b c'"), "train", "", Some("train.py"), vec!["a", "b c"]),
            (main("sub/deep"), "deep", "", Some("sub/deep.py"), vec![]),
            (main("pkg.mod"), "pkg.mod", "pkg", Some("pkg/mod.py"), vec![]),
            (main("pkg"), "pkg", "", Some("pkg/__main__.py"), vec![]),
            (main("absent"), "absent", "", None, vec![]),
            (script("sub/deep.py x"), "deep", "", Some("sub/deep.py"), vec!["x"]),
        ];
        for (body, name, package, file, arguments) in cases {
            let origin = Origin::GuildFile(folder.join("guild.yml"));
            let found = Operation::bare("op", origin, folder, body.clone()).module().unwrap();
            assert_eq!((found.name.as_str(), found.package.as_str()), (name, package), "{body:?}");
            assert_eq!(found.file, file.map(|file| folder.join(file)), "{body:?}");
            assert_eq!(found.arguments, arguments, "{body:?}");
        }
        let of = |body: Body| Operation::bare("op", Origin::Script(folder.to_owned()), folder, body);
        assert_eq!(of(script("run.sh")).module(), None);
        assert_eq!(of(Body::Exec("train.py".to_owned())).module(), None);
        let with_path = Operation { python_path: Some(serde_json::json!(["src"])), ..of(main("train")) };
        assert_eq!(with_path.module().unwrap().file, Some(folder.join("src/train.py")));
    }
}
