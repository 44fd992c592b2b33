//! What a project defines: the operations that can be used, and what is wrong with the others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::import::FlagsImport;
use super::read::{Checked, Mistake};
use super::{Body, Operation, Origin};
use crate::model::nearest;

/// The files that define operations.
const PROJECT_FILES: [&str; 2] = ["rille.lua", "guild.yml"];

/// How the names of scripts end.
const SCRIPTS: [&str; 3] = ["py", "sh", "lua"];

/// The files that Guild runs as scripts and that are not run here: how their names end, what they are, what to do instead.
const OF_GUILD: [(&str, &str, &str); 4] = [
    ("ipynb", "a notebook of Jupyter", "'jupyter nbconvert --to script' makes a script of it"),
    ("r", "a script of R", "write an operation with 'exec: Rscript FILE ${flag_args}'"),
    ("rmd", "a document of R Markdown", "write an operation with 'exec: Rscript -e \"rmarkdown::render('FILE')\"'"),
    ("qmd", "a document of Quarto", "write an operation with 'exec: quarto render FILE'"),
];

/// An operation, a model, or a file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The model; empty for the anonymous one, and for a file.
    pub(crate) model: String,
    /// The operation; `None` for all of the model or of the file.
    pub(crate) name: Option<String>,
    /// What is wrong.
    pub(crate) mistake: Mistake,
}

impl Broken {
    /// Returns a file that is broken.
    pub(crate) fn file(mistake: Mistake) -> Broken {
        Broken { model: String::new(), name: None, mistake }
    }

    /// Returns the operation as a user would name it.
    pub(crate) fn full_name(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        Some(if self.model.is_empty() { name.clone() } else { format!("{}:{name}", self.model) })
    }
}

/// What is worth saying of a definition although it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The operation that it is about, by its full name; `None` for the project.
    pub(crate) operation: Option<String>,
    /// What.
    pub(crate) mistake: Mistake,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelName {
    /// Its name; empty for the anonymous one.
    pub(crate) name: String,
    /// Whether its operations are meant where no model is named.
    pub(crate) is_default: bool,
}

/// What a project defines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Project {
    /// The absolute folder.
    pub(crate) folder: PathBuf,
    /// Whether there is a file that defines operations.
    pub(crate) is_defined: bool,
    /// The models.
    pub(crate) models: Vec<ModelName>,
    /// The operations that can be used, by model and name.
    pub(crate) operations: Vec<Operation>,
    /// What cannot be used.
    pub(crate) broken: Vec<Broken>,
    /// What is worth saying.
    pub(crate) remarks: Vec<Remark>,
}

/// Why there is no such operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    /// None is named so.
    #[error("operation '{name}' is not defined for this project")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may be meant, or be done.
        hint: String,
    },
    /// There is one, but it cannot be used.
    #[error("{0}")]
    Broken(Mistake),
    /// None was named, and none is the default.
    #[error("a default operation is not defined for this project")]
    NoDefault {
        /// What to do.
        hint: String,
    },
    /// Several models have one.
    #[error("there are multiple operations that match '{name}'")]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Their full names.
        candidates: Vec<String>,
    },
}

impl LookupError {
    /// Returns what to do.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            LookupError::Unknown { hint, .. } | LookupError::NoDefault { hint } => Some(hint.clone()),
            LookupError::Broken(_) => None,
            LookupError::Ambiguous { candidates, .. } => Some(format!("name one of {}.", candidates.join(", "))),
        }
    }
}

impl Project {
    /// Returns a project without operations. `folder` is absolute.
    pub(crate) fn empty(folder: PathBuf) -> Project {
        Project { folder, ..Project::default() }
    }

    /// Adds an operation that was read, and what is worth saying of it.
    pub(crate) fn add(&mut self, model: &str, name: &str, read: Checked<Operation>, remarks: Vec<Mistake>) {
        match read {
            Ok(operation) => {
                let named = Some(operation.full_name());
                self.remarks.extend(remarks.into_iter().map(|mistake| Remark { operation: named.clone(), mistake }));
                self.operations.push(operation);
            }
            Err(mistake) => {
                self.broken.push(Broken { model: model.to_owned(), name: Some(name.to_owned()), mistake });
            }
        }
    }

    /// Returns the remarks on an operation, and those on the project.
    pub(crate) fn remarks_on<'a>(&'a self, operation: &Operation) -> impl Iterator<Item = &'a Mistake> + use<'a> {
        let name = operation.full_name();
        let is_meant = move |remark: &&Remark| remark.operation.as_ref().is_none_or(|about| *about == name);
        self.remarks.iter().filter(is_meant).map(|remark| &remark.mistake)
    }

    /// Returns the operation that is meant: `OP`, `MODEL:OP`, `MODEL:`, a script, or the default where none is named.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<Operation, LookupError> {
        let Some(name) = name else { return self.default_of(None) };
        if let Some(model) = name.strip_suffix(':') {
            return self.default_of(Some(model));
        }
        if let Some(operation) = self.defined(name)? {
            return Ok(operation.clone());
        }
        if let Some(script) = self.script(name) {
            return Ok(script);
        }
        // A file or model that could not be read may define it.
        let model = name.split_once(':').map(|(model, _)| model);
        let is_known = |model: &str| self.models.iter().any(|known| known.name == model);
        let may_hold = |broken: &&Broken| {
            let holds = |model: &str| model == broken.model || (broken.model.is_empty() && !is_known(model));
            broken.name.is_none() && model.is_none_or(holds)
        };
        if let Some(broken) = self.broken.iter().find(may_hold) {
            return Err(LookupError::Broken(broken.mistake.clone()));
        }
        Err(LookupError::Unknown { name: name.to_owned(), hint: self.hint(name) })
    }

    /// Returns the operation that is defined by this name.
    fn defined(&self, name: &str) -> Result<Option<&Operation>, LookupError> {
        let exact = self.operations.iter().find(|operation| operation.full_name() == name);
        if exact.is_some() {
            return Ok(exact);
        }
        if let Some(broken) = self.broken.iter().find(|broken| broken.full_name().as_deref() == Some(name)) {
            return Err(LookupError::Broken(broken.mistake.clone()));
        }
        let default = self.default_model();
        let in_default = |model: &str| Some(model) == default;
        if let Some(found) = self.operations.iter().find(|found| found.name == name && in_default(&found.model)) {
            return Ok(Some(found));
        }
        let is_named = |broken: &&Broken| broken.name.as_deref() == Some(name);
        if let Some(broken) = self.broken.iter().filter(is_named).find(|broken| in_default(&broken.model)) {
            return Err(LookupError::Broken(broken.mistake.clone()));
        }
        let found: Vec<&Operation> = self.operations.iter().filter(|operation| operation.name == name).collect();
        match (found[..].len(), self.broken.iter().find(is_named)) {
            (0, Some(broken)) => Err(LookupError::Broken(broken.mistake.clone())),
            (0 | 1, _) => Ok(found.first().copied()),
            _ => {
                let candidates = found.iter().map(|operation| operation.full_name()).collect();
                Err(LookupError::Ambiguous { name: name.to_owned(), candidates })
            }
        }
    }

    /// Returns the model that is meant where none is named.
    fn default_model(&self) -> Option<&str> {
        match &self.models[..] {
            [model] => Some(&model.name),
            models => models.iter().find(|model| model.is_default).map(|model| model.name.as_str()),
        }
    }

    /// Returns the operation that is run where none is named: the one that says so, else the only one that does not begin
    /// with `_`.
    fn default_of(&self, model: Option<&str>) -> Result<Operation, LookupError> {
        let file = self.broken.iter().find(|broken| broken.name.is_none());
        if let Some(broken) = file {
            return Err(LookupError::Broken(broken.mistake.clone()));
        }
        let Some(model) = model.or_else(|| self.default_model()) else {
            return Err(LookupError::NoDefault { hint: self.list_hint() });
        };
        let own: Vec<&Operation> = self.operations.iter().filter(|operation| operation.model == model).collect();
        if let Some(default) = own.iter().find(|operation| operation.is_default) {
            return Ok((*default).clone());
        }
        let public = own.iter().filter(|operation| !operation.name.starts_with('_')).collect::<Vec<_>>();
        // One that cannot be read may be the default.
        let broken = self.broken.iter().find(|broken| broken.model == model);
        match (&public[..], broken) {
            ([only], None) => Ok((**only).clone()),
            (_, Some(broken)) => Err(LookupError::Broken(broken.mistake.clone())),
            _ => Err(LookupError::NoDefault { hint: self.list_hint() }),
        }
    }

    /// Returns the script of this path as an operation.
    fn script(&self, name: &str) -> Option<Operation> {
        let path = self.folder.join(name);
        let found = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_script = SCRIPTS.contains(&extension) || found.permissions().mode() & 0o111 != 0;
        is_script.then(|| Operation::of_script(name, &path, &self.folder))
    }

    fn hint(&self, name: &str) -> String {
        let folder = Path::new(name).parent().unwrap_or(Path::new(""));
        let names = self.operations.iter().map(Operation::full_name);
        let broken = self.broken.iter().filter_map(Broken::full_name);
        let files = fs::read_dir(self.folder.join(folder)).into_iter().flatten().flatten();
        let files = files.filter_map(|entry| Some(folder.join(entry.file_name()).to_str()?.to_owned()));
        let mut scripts: Vec<String> = files.filter(|file| self.script(file).is_some()).collect();
        scripts.sort();
        let known: Vec<String> = names.chain(broken).chain(scripts).collect();
        let file = self.folder.join(name);
        if file.is_dir() {
            return format!("'{name}' is a folder; name a file in it.");
        }
        if file.is_file() {
            let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            let extension = extension.to_lowercase();
            if let Some((_, what, instead)) = OF_GUILD.iter().find(|(known, ..)| *known == extension) {
                return format!("'{name}' is {what}, which rille does not run yet; {instead}.");
            }
            return format!(
                "'{name}' is no script: its name ends in none of .py, .sh and .lua, and it cannot be executed."
            );
        }
        nearest(name, known.iter().map(String::as_str))
            .map_or_else(|| self.list_hint(), |near| format!("did you mean '{near}'?"))
    }

    /// Returns the nearest folder above that has a project file, where this one has none.
    pub(crate) fn parent(&self) -> Option<&Path> {
        let has_file = |folder: &&Path| PROJECT_FILES.iter().any(|name| folder.join(name).is_file());
        self.folder.ancestors().skip(1).find(has_file)
    }

    fn list_hint(&self) -> String {
        if self.is_defined {
            return "'rille ops' lists the operations.".to_owned();
        }
        match self.parent() {
            Some(parent) => {
                format!("there is no rille.lua or guild.yml here, but one in {}; go there.", parent.display())
            }
            None => format!("there is no rille.lua or guild.yml in {}.", self.folder.display()),
        }
    }
}

impl Operation {
    /// Returns a script that is run without a definition. `name` is its path as the user gave it.
    fn of_script(name: &str, path: &Path, folder: &Path) -> Operation {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        let quoted = inside.to_str().and_then(|inside| shlex::try_quote(inside).ok()).unwrap_or_default();
        let body = Body::Script(quoted.into_owned());
        let name = name.strip_prefix("./").unwrap_or(name);
        let bare = Operation::bare(name, Origin::Script(path.to_owned()), folder, body);
        Operation { flags_import: FlagsImport::All, ..bare }
    }
}
