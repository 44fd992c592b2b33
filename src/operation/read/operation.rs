//! Operations as they are written in a definition.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::destination::{flags_dest, flags_import};
use super::flag::flags;
use super::resource::{Resources, requirements};
use super::resource_flag::add_resource_flags;
use super::{Checked, Data, Entry, Fields, Mistake, Node, Spelling, name_of};
use crate::operation::{Body, Objective, Operation, Origin, is_of_the_run};

/// The attributes of an operation.
pub(crate) const OPERATION_KEYS: [&str; 37] = [
    "description",
    "default",
    "exec",
    "main",
    "steps",
    "notebook",
    "flags",
    "flags-dest",
    "flags-import",
    "flags-import-skip",
    "requires",
    "env",
    "env-secrets",
    "python-requires",
    "python-path",
    "plugins",
    "output-scalars",
    "output-attrs",
    "sourcecode",
    "label",
    "tags",
    "compare",
    "objective",
    "optimizer",
    "optimizers",
    "default-max-trials",
    "flag-encoder",
    "can-stage-trials",
    "delete-on-success",
    "publish",
    "pip-freeze",
    "run-attrs",
    "default-flag-arg-skip",
    "stop-after",
    "stoppable",
    "handle-keyboard-interrupt",
    "references",
];

/// What is kept for batches.
const LATER: [&str; 6] =
    ["optimizer", "optimizers", "default-max-trials", "flag-encoder", "can-stage-trials", "output-attrs"];

/// What `no` takes away, as if nothing were said.
const OFF: [&str; 22] = [
    "description",
    "exec",
    "main",
    "notebook",
    "steps",
    "requires",
    "env",
    "env-secrets",
    "python-requires",
    "python-path",
    "flags-dest",
    "label",
    "tags",
    "compare",
    "objective",
    "optimizer",
    "optimizers",
    "default-max-trials",
    "publish",
    "run-attrs",
    "stop-after",
    "references",
];

/// What an operation stands among.
pub(crate) struct Surroundings<'a> {
    /// How the file spells names.
    pub(crate) spelling: Spelling,
    /// The file.
    pub(crate) origin: &'a Origin,
    /// The files that were read for it beside that, relative to the folder.
    pub(crate) definitions: &'a [std::path::PathBuf],
    /// The folder that paths are relative to.
    pub(crate) project: &'a Path,
    /// The model.
    pub(crate) model: &'a str,
    /// The resources of all models.
    pub(crate) resources: &'a Resources,
    /// The names of the operations of all models.
    pub(crate) operations: &'a [String],
    /// `sourcecode` of the model.
    pub(crate) sourcecode: Option<&'a Node>,
    /// `python-requires` of the model.
    pub(crate) python_requires: Option<String>,
    /// `plugins` of the model.
    pub(crate) plugins: Option<&'a Node>,
    /// Whether the operation's `main` is a function, which no node can hold.
    pub(crate) has_function: bool,
}

/// Reads an operation. What is worth saying of it goes to `remarks`.
pub(crate) fn read_operation(
    name: &Entry,
    around: &Surroundings<'_>,
    remarks: &mut Vec<Mistake>,
) -> Checked<Operation> {
    let node = &name.value;
    let place = &name.place;
    let name = name_of(name, "an operation")?;
    check_name(name, place)?;
    if let Some((place, problem)) = node.first_bad() {
        return Err(Mistake::at(place, problem));
    }
    let what = format!("operation '{name}'");
    node.repeated("", remarks);
    let node = match around.spelling {
        Spelling::Guild => &node.without_off(&OFF, &what, remarks),
        Spelling::Lua => node,
    };
    let fields = Fields::of(node, &what, around.spelling)?;
    fields.refuse_unknown(&OPERATION_KEYS, remarks)?;
    not_supported(&fields, &what, around, remarks)?;
    let requires = requirements(&fields, around, remarks)?;
    let mut flags = flags(&fields, around.spelling, remarks)?;
    add_resource_flags(&mut flags, &requires, remarks);
    Ok(Operation {
        model: around.model.to_owned(),
        name: name.to_owned(),
        origin: around.origin.clone(),
        project: around.project.to_owned(),
        definitions: around.definitions.to_vec(),
        place: Some(place.clone()),
        is_default: fields.boolean("default")?.unwrap_or(false),
        description: fields.text("description")?.unwrap_or_default().trim().to_owned(),
        body: body(name, place, &fields, around, remarks)?,
        flags,
        flags_dest: flags_dest(&fields, remarks)?,
        flags_import: flags_import(&fields)?,
        flags_import_skip: fields.texts("flags-import-skip")?,
        requires,
        env: environment(&fields)?,
        env_secrets: fields.texts("env-secrets")?,
        python_requires: fields.text("python-requires")?.or_else(|| around.python_requires.clone()),
        python_path: python_path(&fields)?,
        output_scalars: output_scalars(&fields)?,
        sourcecode: sourcecode(&fields, around, remarks)?,
        label: fields.text("label")?,
        tags: fields.texts("tags")?,
        compare: fields.texts("compare")?,
        objective: objective(&fields, remarks)?,
        delete_on_success: fields.boolean("delete-on-success")?.unwrap_or(false),
        publish: publish(&fields, remarks)?,
        run_attrs: run_attrs(&fields, remarks)?,
        default_flag_arg_skip: fields.boolean("default-flag-arg-skip")?.unwrap_or(false),
        stop_after: stop_after(&fields)?,
        later: later(&fields)?,
    })
}

fn check_name(name: &str, place: &crate::model::Place) -> Checked<()> {
    if name.is_empty() || name.chars().any(char::is_whitespace) || name.contains([':', '/', '\\', '=']) {
        let text = format!("'{}' is no name of an operation: it has no spaces, ':', '/' or '='", name.escape_debug());
        return Err(Mistake::at(place, text));
    }
    Ok(())
}

/// Reads the attributes that runs get. Those that say what the run itself is are no definition's.
fn run_attrs(fields: &Fields<'_>, remarks: &mut Vec<Mistake>) -> Checked<Map<String, Value>> {
    let mut attributes = Map::new();
    for entry in fields.mapping("run-attrs")? {
        let text = match &entry.key {
            key if is_of_the_run(key) => {
                format!("the attribute '{key}' is the run's own, and is left out of run-attrs")
            }
            key if !is_file_name(key) => {
                format!("'{}' cannot be the name of an attribute, and is left out of run-attrs", key.escape_debug())
            }
            key => {
                attributes.insert(key.clone(), entry.value.to_value());
                continue;
            }
        };
        remarks.push(Mistake::at(&entry.place, text));
    }
    Ok(attributes)
}

/// An attribute is a file of its name.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']) && name.len() <= 255
}

/// Says what is asked for and not there yet; a mistake where the run would be another than the one that is meant.
fn not_supported(
    fields: &Fields<'_>,
    what: &str,
    around: &Surroundings<'_>,
    remarks: &mut Vec<Mistake>,
) -> Checked<()> {
    if let Some(node) = fields.get("notebook")
        && fields.get("main").is_none()
        && fields.get("exec").is_none()
    {
        return Err(Mistake::at(&node.place, "'notebook' is not supported yet; write 'main' or 'exec'"));
    }
    if fields.get("optimizer").is_some()
        && let Some(node) = fields.get("optimizers")
    {
        let text = "conflicting optimizer configuration - cannot define both 'optimizer' and 'optimizers'";
        return Err(Mistake::at(&node.place, text));
    }
    let plugins = fields.entry("plugins").map(|entry| &entry.value).or(around.plugins);
    if let Some(node) = plugins.filter(|node| !is_off(node)) {
        let text = format!("{what}: 'plugins' is not supported yet; it runs without them");
        remarks.push(Mistake::at(&node.place, text));
    }
    Ok(())
}

/// Returns whether a value says that something is not there: `no`, nothing, an empty list.
pub(super) fn is_off(node: &Node) -> bool {
    match &node.data {
        Data::Bool(on) => !on,
        Data::List(items) => items.is_empty(),
        Data::Map(entries) => entries.is_empty(),
        Data::Null => true,
        _ => false,
    }
}

/// Reads what is run: `exec` wins over `main`, and that over `steps`.
fn body(
    name: &str,
    place: &crate::model::Place,
    fields: &Fields<'_>,
    around: &Surroundings<'_>,
    remarks: &mut Vec<Mistake>,
) -> Checked<Body> {
    let exec = fields.command("exec")?.filter(|text| !text.trim().is_empty());
    let main = fields.command("main")?.filter(|text| !text.trim().is_empty());
    let has_main = main.is_some() || around.has_function;
    let steps = match fields.get("steps").map(|node| (node, &node.data)) {
        None => None,
        Some((_, Data::List(items))) => Some(items.iter().map(Node::to_value).collect::<Vec<_>>()),
        Some((node, _)) => return Err(fields.wrong("steps", "a list", node)),
    };
    let steps = steps.filter(|steps| !steps.is_empty());
    let given = [("exec", exec.is_some()), ("main", has_main), ("steps", steps.is_some())];
    let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
    if let Some(used) = given.next() {
        for ignored in given {
            let text = format!("operation '{used}' and '{ignored}' both specified, ignoring '{ignored}'");
            remarks.push(Mistake::at(place, text));
        }
    }
    Ok(match (exec, main, steps) {
        (Some(exec), _, _) => Body::Exec(exec),
        _ if around.has_function => Body::LuaFunction,
        (_, Some(main), _) if around.spelling == Spelling::Lua => Body::Script(main),
        (_, Some(main), _) => Body::Main(main),
        (_, _, Some(steps)) => Body::Steps(steps),
        // An operation that says nothing of it is the Python module of its name.
        _ if around.spelling == Spelling::Guild
            && ["exec", "main", "steps"].into_iter().all(|key| fields.get(key).is_none()) =>
        {
            let module = name.strip_suffix(".py").unwrap_or(name);
            Body::Main(module.replace('-', "_"))
        }
        _ => return Err(Mistake::at(place, format!("operation '{name}' must define either exec, main, or steps"))),
    })
}

fn environment(fields: &Fields<'_>) -> Checked<BTreeMap<String, Value>> {
    let mut environment = BTreeMap::new();
    for entry in fields.mapping("env")? {
        let name = name_of(entry, "a variable")?;
        if name.is_empty() || name.contains(['=', '\0']) {
            let text = format!("'{}' is no name of an environment variable", name.escape_debug());
            return Err(Mistake::at(&entry.place, text));
        }
        if matches!(entry.value.data, Data::List(_) | Data::Map(_)) {
            let text = format!("the variable '{name}' must be a text or a number, got {}", entry.value.shown());
            return Err(Mistake::at(&entry.value.place, text));
        }
        environment.insert(name.to_owned(), entry.value.to_value());
    }
    Ok(environment)
}

fn python_path(fields: &Fields<'_>) -> Checked<Option<Value>> {
    match fields.get("python-path") {
        None => Ok(None),
        Some(_) => {
            let folders = fields.texts("python-path")?.into_iter().map(Value::String).collect();
            Ok(Some(Value::Array(folders)))
        }
    }
}

fn output_scalars(fields: &Fields<'_>) -> Checked<Option<Value>> {
    match fields.get("output-scalars") {
        None => Ok(None),
        Some(node) => match &node.data {
            Data::Bool(false) | Data::Text(_) | Data::List(_) | Data::Map(_) => Ok(Some(node.to_value())),
            _ => Err(fields.wrong("output-scalars", "a mapping, a list, a pattern, or no", node)),
        },
    }
}

/// Reads the rules by which files are source code: those of the model, then those of the operation.
fn sourcecode(fields: &Fields<'_>, around: &Surroundings<'_>, remarks: &mut Vec<Mistake>) -> Checked<Vec<Value>> {
    let nodes = around.sourcecode.into_iter().chain(fields.get("sourcecode")).filter(|node| !node.is_null());
    nodes
        .map(|node| match &node.data {
            Data::Bool(false) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
                let value = node.to_value();
                let odd = crate::operation::sourcecode::check(&value).map_err(|what| Mistake::at(&node.place, what))?;
                if around.spelling == Spelling::Lua
                    && let Some(odd) = odd.first()
                {
                    return Err(Mistake::at(&node.place, &odd.message));
                }
                remarks.extend(odd.into_iter().map(|odd| Mistake::at(node.place_of(&odd.key), odd.message)));
                Ok(value)
            }
            _ => Err(fields.wrong("sourcecode", "a pattern, a list of rules, a mapping, or no", node)),
        })
        .collect()
}

fn objective(fields: &Fields<'_>, remarks: &mut Vec<Mistake>) -> Checked<Option<Objective>> {
    let Some(node) = fields.get("objective") else { return Ok(None) };
    if let Data::Map(_) = &node.data {
        let inner = Fields::of(node, "objective", Spelling::Guild)?;
        inner.refuse_unknown(&["minimize", "maximize"], remarks)?;
        return match (inner.text("minimize")?, inner.text("maximize")?) {
            (Some(name), None) => Ok(Some(Objective::Minimize(name))),
            (None, Some(name)) => Ok(Some(Objective::Maximize(name))),
            _ => Err(fields.wrong("objective", "the name of a scalar, or a mapping with minimize or maximize", node)),
        };
    }
    let name = fields.text("objective")?.unwrap_or_default();
    Ok(Some(match name.strip_prefix('-') {
        Some(name) => Objective::Maximize(name.to_owned()),
        None => Objective::Minimize(name),
    }))
}

fn publish(fields: &Fields<'_>, remarks: &mut Vec<Mistake>) -> Checked<Option<Value>> {
    let Some(node) = fields.get("publish") else { return Ok(None) };
    let inner = Fields::of(node, "publish", Spelling::Guild)?;
    inner.refuse_unknown(&["files", "template"], remarks)?;
    Ok(Some(node.to_value()))
}

/// Reads the time limit, which is given in minutes as on the command line.
fn stop_after(fields: &Fields<'_>) -> Checked<Option<f64>> {
    let Some(minutes) = fields.number("stop-after")? else { return Ok(None) };
    match (fields.get("stop-after"), minutes > 0.0) {
        (Some(node), false) => Err(fields.wrong("stop-after", "a number of minutes above 0", node)),
        _ => Ok(Some(minutes * 60.0)),
    }
}

fn later(fields: &Fields<'_>) -> Checked<Map<String, Value>> {
    let mut later = Map::new();
    for name in LATER {
        if let Some(value) = fields.value(name) {
            later.insert(name.to_owned(), value);
        }
    }
    if let Some(node) = fields.get("optimizers")
        && !matches!(node.data, Data::List(_) | Data::Map(_))
    {
        return Err(fields.wrong("optimizers", "a list of names or a mapping", node));
    }
    Ok(later)
}
