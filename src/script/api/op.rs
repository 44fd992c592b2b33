//! `require "rille.op"`: what a project file declares.
//!
//! A table is taken apart by the reader that `guild.yml` has as well, so that both say the same of the same mistake.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use mlua::{Function, Lua, Table, Value};

use super::object::{check_dot, read_only};
use crate::model::{Place, nearest};
use crate::operation::read::{
    Checked, Data, Entry, Mistake, Node, OPERATION_KEYS, Resources, Spelling, Surroundings, read_operation,
};
use crate::operation::{ModelName, Project};
use crate::script::error::{calling_line, raise};
use crate::script::plain::{NotPlain, to_plain_json};
use crate::script::shown::{shown, text_of};

/// The name of the module.
pub(crate) const MODULE: &str = "rille.op";

/// What only an operation itself can say.
const NOT_SHARED: [&str; 5] = ["exec", "main", "steps", "notebook", "description"];

/// What a project file has declared.
#[derive(Default)]
pub(crate) struct Definitions {
    operations: Vec<Definition>,
    settings: Option<Node>,
    resources: Vec<Entry>,
}

struct Definition {
    name: String,
    place: Place,
    attributes: Checked<Node>,
    main: Option<Function>,
}

/// Definitions of a file, while it runs.
pub(crate) type Shared = Rc<RefCell<Definitions>>;

/// Makes the module.
pub(crate) fn module(lua: &Lua, definitions: &Shared) -> mlua::Result<Value> {
    let table = lua.create_table()?;
    let all = Rc::clone(definitions);
    let define = lua.create_function(move |lua, (name, attributes): (Value, Value)| {
        check_dot(lua, MODULE, "define", &name)?;
        let name = name_of(lua, "op.define", &name)?;
        let definition = definition(lua, name, &attributes)?;
        all.borrow_mut().operations.push(definition);
        Ok(())
    })?;
    table.set("define", define)?;
    let all = Rc::clone(definitions);
    let settings = lua.create_function(move |lua, attributes: Value| {
        check_dot(lua, MODULE, "settings", &attributes)?;
        let place = here(lua);
        let node =
            to_node(&attributes, "op.settings", &place).map_err(|bad| raise(lua, "definition", bad.to_string()))?;
        check_settings(&node).map_err(|bad| raise(lua, "definition", bad.to_string()))?;
        match all.borrow_mut().settings.replace(node) {
            None => Ok(()),
            Some(first) => {
                let text = format!("op.settings is called a second time; the first is on line {}", first.place.line);
                Err(raise(lua, "definition", text))
            }
        }
    })?;
    table.set("settings", settings)?;
    let all = Rc::clone(definitions);
    let resource = lua.create_function(move |lua, (name, attributes): (Value, Value)| {
        check_dot(lua, MODULE, "resource", &name)?;
        let name = name_of(lua, "op.resource", &name)?;
        let place = here(lua);
        let what = format!("resource '{name}'");
        let node = to_node(&attributes, &what, &place).map_err(|bad| raise(lua, "definition", bad.to_string()))?;
        let mut all = all.borrow_mut();
        if let Some(first) = all.resources.iter().find(|entry| entry.key == name) {
            let text = format!("{what} is defined a second time; the first is on line {}", first.place.line);
            return Err(raise(lua, "definition", text));
        }
        all.resources.push(Entry::new(&name, node));
        Ok(name)
    })?;
    table.set("resource", resource)?;
    Ok(Value::Table(read_only(lua, MODULE, &table)?))
}

fn here(lua: &Lua) -> Place {
    calling_line(lua).unwrap_or_else(|| Place { file: "rille.lua".into(), line: 1 })
}

fn name_of(lua: &Lua, function: &str, name: &Value) -> mlua::Result<String> {
    match name {
        Value::String(text) if !text.as_bytes().is_empty() => Ok(text.to_string_lossy()),
        other => {
            let text = format!("{function}(name, {{ … }}) begins with a name, got {}", shown(other));
            Err(raise(lua, "definition", text))
        }
    }
}

/// Takes an operation as it was written. What is wrong with it is kept, and costs no other one.
fn definition(lua: &Lua, name: String, attributes: &Value) -> mlua::Result<Definition> {
    let place = here(lua);
    let Value::Table(table) = attributes else {
        let text = format!("operation '{name}' must be a table, got {}", shown(attributes));
        return Ok(Definition { name, attributes: Err(Mistake::at(&place, text)), place, main: None });
    };
    let main = match table.raw_get::<Value>("main")? {
        Value::Function(main) => Some(main),
        _ => None,
    };
    // A function is no data; the table is left as it is.
    let data = lua.create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let is_main = matches!(&key, Value::String(key) if key.as_bytes() == b"main") && main.is_some();
        if !is_main {
            data.raw_set(key, value)?;
        }
    }
    let what = format!("operation '{name}'");
    let attributes = to_node(&Value::Table(data), &what, &place)
        .map_err(|bad| Mistake { place: Some(place.clone()), message: bad.to_string() });
    Ok(Definition { name, place, attributes, main })
}

/// What is wrong with a definition as a whole.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
enum BadDefinition {
    /// It is no table.
    #[error("{what} must be a table, got {got}")]
    NoTable {
        /// What is defined.
        what: String,
        /// What came.
        got: String,
    },
    /// Something in it has no place there.
    #[error(transparent)]
    NotPlain(#[from] NotPlain),
    /// What each operation has for itself is not shared.
    #[error("op.settings cannot have '{0}': each operation has its own")]
    NotShared(String),
    /// There is no such attribute.
    #[error("op.settings has no '{key}'; {}", match near {
        Some(near) => format!("did you mean '{near}'?"),
        None => "it has the attributes of operations".to_owned(),
    })]
    Unknown {
        /// The key.
        key: String,
        /// One that is much like it.
        near: Option<String>,
    },
    /// The operation that is meant has no name.
    #[error("op.settings.default must be the name of an operation")]
    Default,
}

fn to_node(value: &Value, what: &str, place: &Place) -> Result<Node, BadDefinition> {
    let Value::Table(_) = value else {
        return Err(BadDefinition::NoTable { what: what.to_owned(), got: shown(value) });
    };
    let json = to_plain_json(value, what)?;
    Ok(Node::of(&json, place))
}

/// Checks the names in `op.settings`: the attributes that operations can share, and which one is the default.
fn check_settings(settings: &Node) -> Result<(), BadDefinition> {
    let known: Vec<&str> = OPERATION_KEYS.into_iter().filter(|key| !NOT_SHARED.contains(key)).collect();
    for entry in settings.entries() {
        let plain = entry.key.replace('_', "-");
        if NOT_SHARED.contains(&plain.as_str()) {
            return Err(BadDefinition::NotShared(entry.key.clone()));
        }
        if known.contains(&plain.as_str()) {
            continue;
        }
        let near = nearest(&plain, known.iter().copied()).map(|near| near.replace('-', "_"));
        return Err(BadDefinition::Unknown { key: entry.key.clone(), near });
    }
    match settings.get("default").map(|node| &node.data) {
        None | Some(Data::Text(_)) => Ok(()),
        Some(_) => Err(BadDefinition::Default),
    }
}

impl Definitions {
    /// Returns the function of an operation, by its full name.
    pub(crate) fn main_of(&self, name: &str) -> Option<Function> {
        self.operations.iter().find(|definition| definition.name == name)?.main.clone()
    }

    /// Returns the full names of the operations.
    pub(crate) fn names(&self) -> Vec<String> {
        self.operations.iter().map(|definition| definition.name.clone()).collect()
    }

    /// Adds the operations to a project. `path` is the file.
    pub(crate) fn add_to(self, path: &Path, project: &mut Project) -> Result<(), Mistake> {
        let default = self.settings.as_ref().and_then(|settings| match &settings.get("default")?.data {
            Data::Text(name) => Some((name.clone(), settings.place.clone())),
            _ => None,
        });
        let names = self.names();
        if let Some((name, place)) = &default
            && !names.contains(name)
        {
            let near = nearest(name, names.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            let text = format!("op.settings.default names the operation '{name}', which is not defined{hint}");
            return Err(Mistake::at(place, text));
        }
        let split = |name: &str| match name.split_once(':') {
            Some((model, name)) => (model.to_owned(), name.to_owned()),
            None => (String::new(), name.to_owned()),
        };
        let mut resources = Resources::new();
        for name in &names {
            let own = resources.entry(split(name).0).or_default();
            own.extend(self.resources.iter().map(|entry| (entry.key.clone(), entry.value.clone())));
        }
        let origin = crate::script::operation::origin(path);
        let folder = project.folder.clone();
        for (index, definition) in self.operations.iter().enumerate() {
            let (model, name) = split(&definition.name);
            if !project.models.iter().any(|present| present.name == model) {
                project.models.push(ModelName { is_default: model.is_empty(), name: model.clone() });
            }
            if let Some(first) = self.operations[..index].iter().find(|first| first.name == definition.name) {
                let text = format!(
                    "operation '{}' is defined a second time; the first is on line {}",
                    definition.name, first.place.line
                );
                project.operations.retain(|operation| operation.full_name() != definition.name);
                project.broken.retain(|broken| broken.full_name().as_deref() != Some(definition.name.as_str()));
                project.add(&model, &name, Err(Mistake::at(&definition.place, text)), Vec::new());
                continue;
            }
            let around = Surroundings {
                spelling: Spelling::Lua,
                origin: &origin,
                definitions: &[],
                project: &folder,
                model: &model,
                resources: &resources,
                operations: &names,
                sourcecode: self.settings.as_ref().and_then(|settings| settings.get("sourcecode")),
                python_requires: None,
                plugins: None,
                has_function: definition.main.is_some(),
            };
            let mut remarks = Vec::new();
            let read = definition.attributes.clone().and_then(|attributes| {
                let mut entry = Entry::new(&name, with_settings(attributes, self.settings.as_ref()));
                entry.place = definition.place.clone();
                read_operation(&entry, &around, &mut remarks)
            });
            let read = read.map(|mut operation| {
                operation.is_default |= default.as_ref().is_some_and(|(name, _)| *name == definition.name);
                operation
            });
            project.add(&model, &name, read, remarks);
        }
        Ok(())
    }
}

/// Puts the settings of the project into an operation that does not say otherwise.
fn with_settings(mut attributes: Node, settings: Option<&Node>) -> Node {
    let Some(settings) = settings else { return attributes };
    if let Data::Map(entries) = &mut attributes.data {
        for shared in settings.entries() {
            let plain = |key: &str| key.replace('_', "-");
            let is_there = entries.iter().any(|entry| plain(&entry.key) == plain(&shared.key));
            // Rules of source code add up, and the default is one operation.
            if !is_there && !["default", "sourcecode"].contains(&shared.key.as_str()) {
                entries.push(shared.clone());
            }
        }
    }
    attributes
}

/// Returns a table whose unknown names raise, as `flags` of an operation has them.
pub(crate) fn strict(lua: &Lua, what: &'static str, fields: &Table, known: Vec<String>) -> mlua::Result<()> {
    let metatable = lua.create_table()?;
    let index = lua.create_function(move |lua, (_, name): (Table, Value)| -> mlua::Result<Value> {
        let name = text_of(&name);
        if known.contains(&name) {
            return Ok(Value::Nil);
        }
        let hint = match nearest(&name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None if known.is_empty() => "the operation has none".to_owned(),
            None => format!("it has: {}", known.join(", ")),
        };
        Err(raise(lua, "usage", format!("{what} has no '{name}'; {hint}")))
    })?;
    metatable.set("__index", index)?;
    fields.set_metatable(Some(metatable))?;
    Ok(())
}
