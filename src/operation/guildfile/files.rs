//! The files of a project: `guild.yml`, and those that it includes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{GUILD_FILE, shape, yaml};
use crate::model::{Place, nearest};
use crate::operation::Broken;
use crate::operation::read::{Checked, Data, Fields, Mistake, Node, Spelling};

/// A larger file defines no operations.
const MOST_BYTES: u64 = 16 << 20;

/// Files that may be read for one.
const MOST_FILES: usize = 1000;

/// Returns the items of a file, with those of the files that it includes in their places. An include that cannot be read
/// goes to `broken`, and the others stay.
pub(super) fn items(path: &Path, shown: &Path, broken: &mut Vec<Broken>) -> Checked<Vec<Node>> {
    let mut reader = Reader { broken, count: 0 };
    reader.file(path, shown, &mut Vec::new(), None)
}

struct Reader<'a> {
    broken: &'a mut Vec<Broken>,
    count: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, shown: &Path, open: &mut Vec<PathBuf>, from: Option<&Place>) -> Checked<Vec<Node>> {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let at = |message: String| Mistake { place: from.cloned(), message };
        if open.contains(&real) {
            return Err(at(format!("cycle in 'include': {} is being read", shown.display())));
        }
        self.count += 1;
        if self.count > MOST_FILES {
            return Err(at(format!("more than {MOST_FILES} files are included")));
        }
        let root = yaml::parse(
            &text(path, shown).map_err(|mut mistake| {
                mistake.place = mistake.place.or_else(|| from.cloned());
                mistake
            })?,
            &shown.to_string_lossy().into(),
        )?;
        check_shape(&root)?;
        let found = shape::items(root).map_err(|node| {
            let text = format!("a file of operations is a mapping or a list of models, not {}", node.shown());
            Mistake::at(&node.place, text)
        })?;
        open.push(real);
        let mut items = Vec::new();
        for item in found {
            let kinds = super::TYPES.into_iter().filter(|kind| item.get(kind).is_some()).count();
            match item.get("include") {
                Some(_) if kinds == 1 => items.extend(self.included(&item, path, shown, open)),
                _ => items.push(item),
            }
        }
        open.pop();
        Ok(items)
    }

    fn included(&mut self, item: &Node, path: &Path, shown: &Path, open: &mut Vec<PathBuf>) -> Vec<Node> {
        let names = Fields::of(item, "an item", Spelling::Guild).and_then(|fields| fields.texts("include"));
        let names = match names {
            Ok(names) => names,
            Err(mistake) => {
                self.broken.push(Broken::file(mistake));
                return Vec::new();
            }
        };
        let place = item.get("include").map_or(&item.place, |node| &node.place);
        let mut items = Vec::new();
        for name in names {
            let folder = path.parent().unwrap_or(Path::new("."));
            let found = match find(&name, folder) {
                Some(relative) => {
                    let shown = shown.parent().unwrap_or(Path::new("")).join(&relative);
                    self.file(&folder.join(relative), &shown, open, Some(place))
                }
                None => Err(Mistake::at(place, not_found(&name, folder))),
            };
            match found {
                Ok(found) => items.extend(found),
                Err(mistake) => self.broken.push(Broken::file(mistake)),
            }
        }
        items
    }
}

/// Returns the file that is included by a name: a file, or the `guild.yml` of a package's folder.
fn find(name: &str, folder: &Path) -> Option<PathBuf> {
    let package = name.replace('.', "/");
    let candidates = [
        PathBuf::from(name),
        Path::new(name).join(GUILD_FILE),
        Path::new(&package).join(GUILD_FILE),
        Path::new("gpkg").join(package).join(GUILD_FILE),
    ];
    candidates.into_iter().find(|relative| folder.join(relative).is_file())
}

fn not_found(name: &str, folder: &Path) -> String {
    let place = folder.join(name);
    let mut names: Vec<String> = place
        .parent()
        .and_then(|folder| fs::read_dir(folder).ok())
        .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    let last = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let hint = match nearest(&last, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean '{}'?", Path::new(name).with_file_name(near).display()),
        None => "it is a file, or a folder with a guild.yml, beside the file that includes it".to_owned(),
    };
    format!("cannot find include '{name}'; {hint}")
}

/// Refuses the mapping of one model at the top, which Guild takes for operations named `model` and `operations`.
fn check_shape(root: &Node) -> Checked<()> {
    let is = |key: &str, wanted: fn(&Data) -> bool| root.get(key).is_some_and(|node| wanted(&node.data));
    let is_text = |data: &Data| matches!(data, Data::Text(_));
    let is_mapping = |data: &Data| matches!(data, Data::Map(_));
    if is("operations", is_mapping) && (is("model", is_text) || is("config", is_text)) {
        let text = "a file with models is a list; write '- model: …' and indent what belongs to it";
        return Err(Mistake::at(&root.place, text));
    }
    Ok(())
}

/// Reads the text of a file.
fn text(path: &Path, shown: &Path) -> Checked<String> {
    let unreadable =
        |what: String| Mistake { place: None, message: format!("cannot read {}: {what}", shown.display()) };
    let found = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
    if !found.is_file() {
        return Err(unreadable("it is no file".to_owned()));
    }
    if found.len() > MOST_BYTES {
        return Err(unreadable(format!("it has {} bytes; that is no file of operations", found.len())));
    }
    let bytes = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].split(|byte| *byte == b'\n').count();
        let file: Arc<str> = shown.to_string_lossy().into();
        let place = Place { file, line: u32::try_from(line).unwrap_or(u32::MAX) };
        Mistake::at(&place, "this is not UTF-8 text")
    })
}
