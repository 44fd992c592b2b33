//! All settings, from wherever they come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::file::{self, Remark};
use super::keys::{Config, KEYS, Key, SettingOptions};
use super::layers::{Entry, Origin, assemble, entries, lay_over};
use super::places::{Place, places, user_home};
use super::{machine, variables};
use crate::cli::Failure;
use crate::cli::near::near_file;
use crate::model::META;
use crate::store::{self, Home};

/// What came of the search for settings.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings; what has a default has a value.
    pub(crate) config: Config,
    /// Each value with its origin.
    pub(crate) entries: Vec<Entry>,
    /// Where files were looked for, and whether one was read.
    pub(crate) files: Vec<(Place, bool)>,
    /// What the user should know.
    pub(crate) remarks: Vec<Remark>,
    /// The option `--home`, in its own bytes.
    home: Option<PathBuf>,
}

/// Loads the settings for a jobfile, or for a folder.
pub(crate) fn load(anchor: &Path, options: &SettingOptions, home: Option<&Path>) -> Result<Loaded, Failure> {
    let started_in = std::env::current_dir()
        .map_err(|error| Failure::general(format!("cannot find the working folder: {error}")))?;
    let anchor = std::path::absolute(anchor)
        .map_err(|error| Failure::usage(format!("cannot find {}: {error}", anchor.display())))?;
    let user_home = user_home();
    let mut all = defaults(user_home.as_deref())?;
    let mut files = Vec::new();
    let mut remarks = Vec::new();
    for place in places(&anchor, &started_in, options.config.as_deref()) {
        if place.is_foreign {
            let shown = place.path.display();
            let text =
                format!("{shown} belongs to another user and is not read; if you trust it, name it with --config");
            remarks.push(Remark { text, place: None });
            files.push((place, false));
            continue;
        }
        let found = file::read(&place.path, user_home.as_deref())?;
        if found.is_none() && place.is_named {
            return Err(missing(&place));
        }
        files.push((place, found.is_some()));
        if let Some((entries, more)) = found {
            lay_over(&mut all, entries);
            remarks.extend(more);
        }
    }
    let (entries, more) = variables::read(std::env::vars_os(), &started_in)?;
    lay_over(&mut all, entries);
    remarks.extend(more);
    lay_over(&mut all, options.entries(home, &started_in)?);
    let config = assemble(&all).map_err(|error| Failure::usage(format!("the settings cannot be used: {error}")))?;
    remarks.extend(super::meta::slips(&all).into_iter().map(|text| Remark { text, place: None }));
    super::hide::check(&config.secrets.hide)?;
    Ok(Loaded { config, entries: all, files, remarks, home: home.map(Path::to_owned) })
}

impl Loaded {
    /// Returns whether somebody has set a key.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.path == [key] && !matches!(entry.origin, Origin::Default))
    }

    /// Returns the metadata of the run. One that is gone on with keeps what it has, but for what is typed now.
    pub(crate) fn meta(&self, resume: Option<&Path>) -> BTreeMap<String, String> {
        let set = self.config.meta.iter().map(|(key, value)| (key.to_string(), value.0.clone()));
        let Some(run) = resume else { return set.collect() };
        let is_typed = |key: &str| {
            let typed = |entry: &&Entry| entry.path == [META, key] && matches!(entry.origin, Origin::Option(_));
            self.entries.iter().any(|entry| typed(&entry))
        };
        let kept = store::attribute(run, META).and_then(|kept| kept.as_object().cloned()).unwrap_or_default();
        let text = |value: Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let kept = kept.into_iter().map(|(key, value)| (key, text(value)));
        kept.chain(set.filter(|(key, _)| is_typed(key))).collect()
    }

    /// Returns the home that holds the runs.
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        Ok(self.locate_home()?)
    }

    /// As [`Loaded::home`], for a run in the directory `run`, if it has one of its own: then it needs no home, and what would
    /// be kept in one, such as downloads, is kept with the run.
    pub(crate) fn home_beside(&self, run: Option<&Path>) -> Result<Home, Failure> {
        match (self.locate_home(), run) {
            (Err(store::Error::NoHome), Some(run)) => Ok(Home::locate(Some(&run.join(".guild").join("home")))?),
            (home, _) => Ok(home?),
        }
    }

    fn locate_home(&self) -> store::Result<Home> {
        let is_given = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let home = match &self.home {
            None if !is_given("RILLE_HOME") => self.config.home.as_deref(),
            // Not as the settings show it: a path need not be UTF-8.
            given => given.as_deref(),
        };
        Home::locate(home)
    }
}

fn missing(place: &Place) -> Failure {
    let failure =
        Failure::usage(format!("the configuration '{}' of {} does not exist", place.path.display(), place.whose));
    match near_file(&place.path) {
        Some(near) => failure.hint(format!("did you mean '{near}'?")),
        None => failure,
    }
}

/// Returns the settings where nobody says anything.
fn defaults(user_home: Option<&Path>) -> Result<Vec<Entry>, Failure> {
    let internal = |error: serde_json::Error| Failure::general(format!("the defaults cannot be used: {error}"));
    let mut all = Vec::new();
    for Key { name, default, .. } in &KEYS {
        let Some(default) = default else { continue };
        let value = serde_json::from_str(default).map_err(internal)?;
        let path = name.split('.').map(str::to_owned).collect();
        all.push(Entry { path, is_item: false, value, origin: Origin::Default });
    }
    // In the form that a file would give them.
    let mut config = assemble(&all).map_err(internal)?;
    config.resources = machine::resources();
    config.home = user_home.map(|home| home.join(".rille").to_string_lossy().into_owned().into());
    entries(&config, |_| Origin::Default)
}
