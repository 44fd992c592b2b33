//! The environment of processes: what the host has, taken once, and what each process has of its own.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

/// The environment that all processes of a spawner begin with.
#[derive(Clone, Debug)]
pub(super) struct Environment {
    /// By name; each entry is `NAME=VALUE`.
    entries: Arc<BTreeMap<OsString, Arc<CString>>>,
}

/// The environment of one process, in the form in which `execve` takes it.
#[derive(Debug)]
pub(super) struct Entries(Vec<Arc<CString>>);

impl Environment {
    /// Takes that of this process.
    pub(super) fn of_this_process() -> Self {
        let entries = std::env::vars_os().filter_map(|(name, value)| Some((name.clone(), entry(&name, &value)?)));
        Self { entries: Arc::new(entries.collect()) }
    }

    /// Returns one that holds nothing but `PATH`.
    pub(super) fn bare(&self) -> Self {
        let path = self.entries.get_key_value(OsStr::new("PATH"));
        Self { entries: Arc::new(path.map(|(name, entry)| (name.clone(), Arc::clone(entry))).into_iter().collect()) }
    }

    /// Returns the environment with these changes; where a name stands twice the later one holds. A value of `None` removes
    /// the variable. A value with a NUL byte cannot be held by any environment, and is left out: it was refused before.
    pub(super) fn with<'a>(
        &self,
        changes: impl Iterator<Item = (&'a OsStr, Option<&'a OsStr>)>,
    ) -> (Entries, Option<OsString>) {
        let mut new: BTreeMap<&OsStr, Option<Arc<CString>>> = BTreeMap::new();
        for (name, value) in changes {
            new.insert(name, value.and_then(|value| entry(name, value)));
        }
        let kept = self.entries.iter().filter(|(name, _)| !new.contains_key(name.as_os_str()));
        let mut entries: Vec<Arc<CString>> = kept.map(|(_, entry)| Arc::clone(entry)).collect();
        entries.extend(new.values().flatten().map(Arc::clone));
        let path = match new.get(OsStr::new("PATH")) {
            Some(path) => path.clone(),
            None => self.entries.get(OsStr::new("PATH")).map(Arc::clone),
        };
        let path = path.map(|entry| OsString::from_vec(entry.as_bytes()["PATH=".len()..].to_vec()));
        (Entries(entries), path)
    }
}

impl Entries {
    /// Returns the entries, in no order.
    pub(super) fn into_strings(self) -> Vec<Arc<CString>> {
        self.0
    }
}

fn entry(name: &OsStr, value: &OsStr) -> Option<Arc<CString>> {
    CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok().map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(entries: &[(&str, &str)]) -> Environment {
        let entries = entries
            .iter()
            .map(|(name, value)| (OsString::from(name), entry(OsStr::new(name), OsStr::new(value)).expect("no NUL")));
        Environment { entries: Arc::new(entries.collect()) }
    }

    #[test]
    fn changes_replace_add_and_remove() {
        let base = environment(&[("A", "1"), ("B", "2"), ("PATH", "/bin")]);
        let check = |changes: &[(&str, Option<&str>)], expected: &[&str], path: Option<&str>| {
            let changes = changes.iter().map(|(name, value)| (OsStr::new(*name), value.map(OsStr::new)));
            let (entries, found) = base.with(changes);
            let mut entries: Vec<&str> = entries.0.iter().map(|entry| entry.to_str().expect("UTF-8")).collect();
            entries.sort_unstable();
            assert_eq!(entries, expected);
            assert_eq!(found.as_deref(), path.map(OsStr::new));
        };
        check(&[], &["A=1", "B=2", "PATH=/bin"], Some("/bin"));
        check(&[("B", None), ("C", Some("x=y")), ("A", Some(""))], &["A=", "C=x=y", "PATH=/bin"], Some("/bin"));
        check(&[("A", Some("0")), ("A", Some("7"))], &["A=7", "B=2", "PATH=/bin"], Some("/bin"));
        check(&[("PATH", None)], &["A=1", "B=2"], None);
        check(&[("PATH", Some("/a:/b"))], &["A=1", "B=2", "PATH=/a:/b"], Some("/a:/b"));
    }

    #[test]
    fn a_bare_environment_has_nothing_but_the_path() {
        let bare = environment(&[("A", "1"), ("PATH", "/bin")]).bare();
        let (entries, _) = bare.with([(OsStr::new("X"), Some(OsStr::new("1")))].into_iter());
        let entries: Vec<&str> = entries.0.iter().map(|entry| entry.to_str().expect("UTF-8")).collect();
        assert_eq!(entries, ["PATH=/bin", "X=1"]);
    }
}
