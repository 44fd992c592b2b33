//! stub
use crate::operation::Project;
use std::path::Path;
pub(crate) fn load_project(folder: &Path) -> Project {
    let mut project = Project::empty(folder.to_owned());
    project.is_defined = crate::operation::add_guild_file(folder, folder, &mut project);
    project
}
