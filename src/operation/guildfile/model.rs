//! The items of a file: models with their operations, and the configs that they share.

use std::path::{Path, PathBuf};

use super::shape::INCLUDE;
use super::{TYPES, extends, include, params};
use crate::operation::read::{
    Checked, Data, Entry, Fields, Mistake, Node, Resources, Spelling, Surroundings, read_operation,
};
use crate::operation::{Broken, ModelName, Origin, Project, Remark};

/// The attributes of a model.
const MODEL_KEYS: [&str; 15] = [
    "model",
    "config",
    "extends",
    "params",
    "default",
    "description",
    "references",
    "operations",
    "resources",
    "flags",
    "operation-defaults",
    "plugins",
    "sourcecode",
    "python-requires",
    "extra",
];

/// Returns the name of a model or config.
pub(super) fn name_of_item(item: &Node) -> Option<&str> {
    ["model", "config"].into_iter().find_map(|kind| match &item.get(kind)?.data {
        Data::Text(name) => Some(name.as_str()),
        _ => None,
    })
}

/// Returns the model or config of a name.
pub(super) fn item_named<'a>(items: &'a [Node], name: &str) -> Option<&'a Node> {
    items.iter().find(|item| name_of_item(item) == Some(name))
}

/// A model with all that it takes over.
struct Model {
    name: String,
    data: Node,
    operations: Vec<Entry>,
}

/// Adds the models of a file to a project.
pub(super) fn add_models(
    items: &[Node],
    definitions: &[PathBuf],
    folder: &Path,
    origin: &Origin,
    project: &mut Project,
) {
    let mut models: Vec<Model> = Vec::new();
    let mut resources = Resources::new();
    for item in items {
        let mut repeated = Vec::new();
        item.repeated("operations", &mut repeated);
        let operations = item.get("operations").map(Node::entries).unwrap_or_default();
        repeated.extend(operations.iter().filter_map(Entry::repeated));
        project.remarks.extend(repeated.into_iter().map(|mistake| Remark { operation: None, mistake }));
        let name = match model_name(item, &models) {
            Ok(Some(name)) => name,
            Ok(None) => continue,
            Err(mistake) => {
                project.broken.push(Broken::file(mistake));
                continue;
            }
        };
        match prepared(&name, item, items, project) {
            Ok((model, own)) => {
                resources.insert(name, own);
                models.push(model);
            }
            Err(mistake) => {
                let place = item.place.clone();
                let data = Node { data: Data::Null, place };
                project.broken.push(Broken { model: name.clone(), name: None, mistake });
                models.push(Model { name, data, operations: Vec::new() });
            }
        }
    }
    let names: Vec<String> =
        models.iter().flat_map(|model| model.operations.iter().map(|entry| entry.key.clone())).collect();
    for model in &models {
        let is_default = matches!(model.data.get("default").map(|node| &node.data), Some(Data::Bool(true)));
        project.models.push(ModelName { name: model.name.clone(), is_default });
        let python_requires = match model.data.get("python-requires").map(|node| &node.data) {
            Some(Data::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let around = Surroundings {
            spelling: Spelling::Guild,
            origin,
            definitions,
            project: folder,
            model: &model.name,
            resources: &resources,
            operations: &names,
            sourcecode: model.data.get("sourcecode"),
            python_requires,
            plugins: model.data.get("plugins"),
            has_function: false,
        };
        for entry in &model.operations {
            let mut remarks = Vec::new();
            let read = with_flags(entry, items).and_then(|entry| read_operation(&entry, &around, &mut remarks));
            project.add(&model.name, &entry.key, read, remarks);
        }
    }
}

/// Returns the name if an item is a model.
fn model_name(item: &Node, models: &[Model]) -> Checked<Option<String>> {
    let Data::Map(_) = &item.data else {
        return Err(Mistake::at(&item.place, format!("an item of the list must be a mapping, got {}", item.shown())));
    };
    let used: Vec<&str> = TYPES.into_iter().filter(|kind| item.get(kind).is_some()).collect();
    let kind = match used[..] {
        [kind] => kind,
        [] => {
            let near = item.entries().iter().find_map(|entry| crate::model::nearest(&entry.key, TYPES));
            let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            let text = format!("missing required type (one of: {}){hint}", TYPES.join(", "));
            return Err(Mistake::at(&item.place, text));
        }
        _ => return Err(Mistake::at(&item.place, format!("multiple types ({})", used.join(", ")))),
    };
    let node = item.get(kind).filter(|node| matches!(node.data, Data::Text(_)));
    let Some(Data::Text(name)) = node.map(|node| &node.data) else {
        return Err(Mistake::at(&item.place, format!("invalid {kind} name: expected a string")));
    };
    if kind == "model" && models.iter().any(|model| model.name == *name) {
        return Err(Mistake::at(&item.place, format!("duplicate model '{name}'")));
    }
    Ok((kind == "model").then(|| name.clone()))
}

/// Returns a model with what it extends, its parameters and its defaults put in, and its resources.
fn prepared(
    name: &str,
    item: &Node,
    items: &[Node],
    project: &mut Project,
) -> Checked<(Model, std::collections::BTreeMap<String, Node>)> {
    let what = if name.is_empty() { "the model".to_owned() } else { format!("model '{name}'") };
    let item = params::substituted(&extends::extended(item, items, &[])?)?;
    let fields = Fields::of(&item, &what, Spelling::Guild)?;
    for entry in item.entries().iter().filter(|entry| !MODEL_KEYS.contains(&entry.key.as_str())) {
        let near = crate::model::nearest(&entry.key, MODEL_KEYS);
        let hint = near.map_or_else(|| "it has no effect".to_owned(), |near| format!("did you mean '{near}'?"));
        let mistake = Mistake::at(&entry.place, format!("{what} has no attribute '{}'; {hint}", entry.key));
        project.remarks.push(Remark { operation: None, mistake });
    }
    for key in ["operations", "resources"] {
        if let Some(node) = fields.get(key)
            && !matches!(node.data, Data::Map(_))
        {
            return Err(fields.wrong(key, "a mapping", node));
        }
    }
    let defaults = fields.mapping("operation-defaults")?.to_vec();
    let mut operations = include::section(fields.get("operations"), "operations", items)?;
    operations.sort_by(|a, b| a.key.cmp(&b.key));
    for operation in &mut operations {
        if let Data::Map(entries) = &mut operation.value.data {
            for default in &defaults {
                if !entries.iter().any(|entry| entry.key == default.key) {
                    entries.push(default.clone());
                }
            }
        }
    }
    let resources = include::section(fields.get("resources"), "resources", items)?;
    let resources = resources.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Ok((Model { name: name.to_owned(), data: item.clone(), operations }, resources))
}

/// Returns an operation with the flags that its flags include.
fn with_flags(operation: &Entry, items: &[Node]) -> Checked<Entry> {
    let mut operation = operation.clone();
    if let Data::Map(entries) = &mut operation.value.data {
        for entry in entries.iter_mut().filter(|entry| entry.key == "flags") {
            if entry.value.get(INCLUDE).is_some() {
                let flags = include::section(Some(&entry.value), "flags", items)?;
                entry.value.data = Data::Map(flags);
            }
        }
    }
    Ok(operation)
}
