//! The operation reference of a run, in the file `.guild/opref`: what was run, and from where.

use std::fmt;
use std::io;
use std::path::Path;

/// `TYPE:NAME VERSION MODEL OP`, four words in shell quoting, as Guild's `opref.py` writes and reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opref {
    /// The type of the package: `script`, `guildfile`, `builtin`, `import`, …
    pub(crate) kind: String,
    /// The package, for a script its folder.
    pub(crate) name: String,
    /// The version of the package; empty for a script.
    pub(crate) version: String,
    /// The model; empty for none.
    pub(crate) model: String,
    /// The operation, for a script its file name.
    pub(crate) op: String,
}

impl Opref {
    /// Returns the reference of a jobfile, which is one to a script for Guild: its folder and its file name.
    pub(crate) fn for_script(file: &Path) -> Opref {
        let lossy = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        Opref {
            kind: "script".to_owned(),
            name: lossy(file.parent().map(Path::as_os_str)),
            version: String::new(),
            model: String::new(),
            op: lossy(file.file_name()),
        }
    }

    /// Returns the reference that `text` encodes.
    pub(crate) fn parse(text: &str) -> Result<Opref, BadOpref> {
        let words = shlex::split(text).ok_or(BadOpref::OpenQuotes)?;
        let count = words.len();
        let [package, version, model, op] = <[String; 4]>::try_from(words).map_err(|_| BadOpref::Words(count))?;
        let (kind, name) = package.split_once(':').ok_or(BadOpref::NoType)?;
        Ok(Opref { kind: kind.to_owned(), name: name.to_owned(), version, model, op })
    }

    /// Returns the operation as a user would name it: `model:op`, or the op alone.
    pub(crate) fn operation(&self) -> String {
        if self.model.is_empty() { self.op.clone() } else { format!("{}:{}", self.model, self.op) }
    }
}

/// What is wrong with a text that is to be a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadOpref {
    /// A quote has no end.
    #[error("its quotes are not closed")]
    OpenQuotes,
    /// It has so many words.
    #[error("it has {0} words and not 4")]
    Words(usize),
    /// The package has no type.
    #[error("its first word is not TYPE:NAME")]
    NoType,
}

/// Why the reference of a run is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoOpref {
    /// It is none.
    #[error("its opref is damaged: {0}")]
    Damaged(#[from] BadOpref),
    /// Its file cannot be read.
    #[error("its opref cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

/// Returns the reference of the run in the directory `run`, `None` if it has none.
pub(crate) fn read_opref(run: &Path) -> Result<Option<Opref>, NoOpref> {
    match std::fs::read_to_string(run.join(".guild/opref")) {
        Ok(text) => Ok(Some(Opref::parse(&text)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Display for Opref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (quote(&self.kind), quote(&self.name));
        let (version, model, op) = (quote(&self.version), quote(&self.model), quote(&self.op));
        write!(f, "{kind}:{name} {version} {model} {op}")
    }
}

/// Quotes one word. A NUL cannot be quoted for a shell; nothing that names a file holds one, so it is left out.
fn quote(word: &str) -> String {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => quote(&word.replace('\0', "")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_job_is_a_script_of_its_folder() {
        let cases = [
            ("/home/me/job.lua", "script:/home/me '' '' job.lua"),
            ("/home/my jobs/a b.lua", "script:'/home/my jobs' '' '' 'a b.lua'"),
        ];
        for (file, text) in cases {
            let opref = Opref::for_script(Path::new(file));
            assert_eq!(opref.to_string(), text);
            assert_eq!(Opref::parse(text), Ok(opref));
        }
    }

    #[test]
    fn what_guild_wrote_is_read() {
        let opref = Opref::parse("guildfile:gw/proj/guild.yml f21d6a9c m train").unwrap();
        assert_eq!((opref.kind.as_str(), opref.operation().as_str()), ("guildfile", "m:train"));
        assert_eq!(Opref::parse("builtin:guildai 0.9.0 '' +").unwrap().operation(), "+");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("", "it has 0 words and not 4"),
            ("script:/a '' job.lua", "it has 3 words and not 4"),
            ("script '' '' a", "its first word is not TYPE:NAME"),
            ("script:/a '' '' 'a", "its quotes are not closed"),
        ];
        for (text, what) in cases {
            assert_eq!(Opref::parse(text).unwrap_err().to_string(), what);
        }
    }

    proptest! {
        #[test]
        fn every_reference_comes_back(name in "[^\0]*", version in "[^\0]*", model in "[^\0]*", op in "[^\0]*") {
            let opref = Opref { kind: "script".into(), name, version, model, op };
            prop_assert_eq!(Opref::parse(&opref.to_string()), Ok(opref));
        }
    }
}
