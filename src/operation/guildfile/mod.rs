//! Reading `guild.yml`, which means what it means to Guild.
//!
//! Guild refuses a file as a whole for one mistake; here a mistake costs the operation that it is in.

mod extends;
mod files;
mod include;
mod model;
mod params;
mod scalar;
mod shape;
#[cfg(test)]
mod tests;
mod yaml;

use std::path::{Path, PathBuf};

use super::{Broken, Origin, Project};

pub(super) use self::yaml::parse as parse_yaml;

/// The name of the file.
pub(crate) const GUILD_FILE: &str = "guild.yml";

/// What an item of a file can be.
const TYPES: [&str; 4] = ["config", "include", "model", "package"];

/// Adds what the `guild.yml` of a folder defines to a project. `shown` is the folder as the user would name it. Returns
/// whether there is such a file.
pub(crate) fn add_guild_file(folder: &Path, shown: &Path, project: &mut Project) -> bool {
    let path = folder.join(GUILD_FILE);
    if !path.exists() && !path.is_symlink() {
        return false;
    }
    match files::items(&path, &shown.join(GUILD_FILE), &mut project.broken) {
        Ok(items) => {
            let included = items.iter().map(|item| item.place.file.as_ref());
            let mut included: Vec<PathBuf> =
                included.filter_map(|file| Path::new(file).strip_prefix(shown).ok().map(Path::to_owned)).collect();
            included.sort();
            included.dedup();
            model::add_models(&items, &included, folder, &Origin::GuildFile(path), project);
        }
        Err(mistake) => project.broken.push(Broken::file(mistake)),
    }
    true
}
