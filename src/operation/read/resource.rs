//! What an operation requires, as it is written in a definition.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Checked, Data, Fields, Mistake, Node, Spelling, Surroundings};
use crate::model::{Place, nearest};
use crate::operation::{Resource, Source, SourceKind, TargetType};

/// The kinds of sources, of which each source has one.
pub(super) const KINDS: &[&str] = &["config", "file", "module", "url", "operation", "stdin"];

/// The attributes of a source beside its kind.
pub(super) const SOURCE: &[&str] = &[
    "name",
    "flag-name",
    "sha256",
    "unpack",
    "type",
    "select",
    "select-min",
    "select-max",
    "warn-if-empty",
    "optional",
    "fail-if-empty",
    "rename",
    "help",
    "post-process",
    "target-path",
    "target-type",
    "replace-existing",
    "always-resolve",
    "path",
    "preserve-path",
    "params",
    "description",
    "references",
];

/// Those of them that say yes or no.
const YES_OR_NO: [&str; 7] =
    ["unpack", "warn-if-empty", "optional", "fail-if-empty", "replace-existing", "always-resolve", "preserve-path"];

/// The attributes of a resource.
pub(super) const RESOURCE: &[&str] = &[
    "name",
    "flag-name",
    "sources",
    "description",
    "path",
    "target-path",
    "target-type",
    "preserve-path",
    "default-unpack",
    "references",
];

/// The resources of a project by model and name, as they were written.
pub(crate) type Resources = BTreeMap<String, BTreeMap<String, Node>>;

/// Reads `requires`: names of resources, and resources or single sources in place.
pub(super) fn requirements(
    fields: &Fields<'_>,
    around: &Surroundings<'_>,
    remarks: &mut Vec<Mistake>,
) -> Checked<Vec<Resource>> {
    let mut required = Vec::new();
    for node in fields.list("requires") {
        required.push(match &node.data {
            Data::Text(name) => named(name, node, around, remarks)?,
            Data::Map(_) => match node.get("resource").map(|node| (node, &node.data)) {
                Some((node, Data::Text(name))) => named(name, node, around, remarks)?,
                Some((node, _)) => {
                    return Err(Mistake::at(&node.place, format!("resource must be a name, got {}", node.shown())));
                }
                None => in_place(node, around.spelling, remarks)?,
            },
            _ => {
                let text = format!("what is required must be a name or a mapping, got {}", node.shown());
                return Err(Mistake::at(&node.place, text));
            }
        });
    }
    Ok(required)
}

/// Reads a resource that is required by name: `NAME`, or `MODEL:NAME`.
fn named(spec: &str, node: &Node, around: &Surroundings<'_>, remarks: &mut Vec<Mistake>) -> Checked<Resource> {
    let wrong = |text: String| Err(Mistake::at(&node.place, text));
    if spec.contains("${") {
        return wrong(format!("'{spec}': a flag in the name of a resource is not supported yet"));
    }
    if spec.contains('/') {
        return wrong(format!("'{spec}': resources of installed packages are not supported yet"));
    }
    let (model, name) = spec.split_once(':').unwrap_or((around.model, spec));
    let Some(resources) = around.resources.get(model) else {
        let near = nearest(model, around.resources.keys().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean '{near}:{name}'?")).unwrap_or_default();
        return wrong(format!("model '{model}' of the resource '{spec}' is not defined{hint}"));
    };
    if let Some(definition) = resources.get(name) {
        return resource(name, definition, around.spelling, remarks);
    }
    let key = if around.spelling == Spelling::Lua { "{ operation = \"" } else { "'operation: " };
    let end = if around.spelling == Spelling::Lua { "\" }" } else { "'" };
    let hint = match nearest(name, resources.keys().map(String::as_str)) {
        Some(near) => format!("; did you mean '{near}'?"),
        None if around.operations.iter().any(|operation| operation == spec) => {
            format!("; for the files of the operation write {key}{spec}{end}")
        }
        None if name.contains('.') => {
            let key = key.replace("operation", "file");
            format!("; for the file write {key}{spec}{end}")
        }
        None => String::new(),
    };
    wrong(format!("resource '{spec}' is not defined{hint}"))
}

/// Reads a resource that is written where it is required; one source alone stands for a resource.
fn in_place(node: &Node, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Resource> {
    if node.get("sources").is_some() {
        return resource("", node, spelling, remarks);
    }
    let source = source(node, "what is required", spelling, remarks)?;
    Ok(Resource { name: source_name(&source), sources: vec![source], ..Resource::default() })
}

/// Reads a resource: a mapping, or a list of its sources.
fn resource(name: &str, node: &Node, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Resource> {
    let what = if name.is_empty() { "a resource".to_owned() } else { format!("resource '{name}'") };
    if let Data::List(items) = &node.data {
        let sources = items.iter().map(|item| source(item, &what, spelling, remarks)).collect::<Checked<Vec<_>>>()?;
        return Ok(Resource { name: name.to_owned(), sources, ..Resource::default() });
    }
    let Data::Map(_) = &node.data else {
        return Err(Mistake::at(
            &node.place,
            format!("{what} must be a mapping or a list of sources, got {}", node.shown()),
        ));
    };
    // A source alone, where a resource is wanted, means just that.
    if node.get("sources").is_none() && KINDS.iter().any(|kind| node.get(kind).is_some()) {
        let source = source(node, &what, spelling, remarks)?;
        return Ok(Resource { name: name.to_owned(), sources: vec![source], ..Resource::default() });
    }
    let fields = Fields::of(node, &what, spelling)?;
    fields.refuse_unknown(&[RESOURCE, &["private"]].concat(), remarks)?;
    let sources = fields.list("sources").iter();
    let sources = sources.map(|item| source(item, &what, spelling, remarks)).collect::<Checked<Vec<_>>>()?;
    let given = fields.text("name")?;
    let name = match (name, given) {
        ("", Some(given)) => given,
        ("", None) => sources.iter().map(source_name).collect::<Vec<_>>().join(","),
        (name, _) => name.to_owned(),
    };
    Ok(Resource {
        name,
        flag_name: fields.text("flag-name")?,
        sources,
        target_path: target_path(&fields, &what, remarks)?,
        target_type: target_type(&fields)?,
        preserve_path: fields.boolean("preserve-path")?,
        default_unpack: fields.boolean("default-unpack")?,
        description: fields.text("description")?.unwrap_or_default().trim().to_owned(),
    })
}

/// Returns the name that a source gives a resource of its own.
fn source_name(source: &Source) -> String {
    source.name.clone().or_else(|| source.flag_name.clone()).unwrap_or_else(|| match &source.kind {
        SourceKind::File(path) => format!("file:{path}"),
        SourceKind::Url(url) => url.clone(),
        SourceKind::Operation(name) => name.clone(),
        SourceKind::Config(path) => format!("config:{path}"),
        SourceKind::Module(name) => format!("module:{name}"),
        SourceKind::Stdin(name) => format!("stdin:{name}"),
    })
}

/// Reads a dependency that the record of a run has, as some definition had it.
pub(crate) fn recorded_resource(value: &Value) -> Checked<Resource> {
    let place = Place { file: "op".into(), line: 0 };
    resource("", &Node::of(value, &place), Spelling::Guild, &mut Vec::new())
}

/// Reads a source. A text is a file.
fn source(node: &Node, what: &str, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Source> {
    match &node.data {
        Data::Text(path) => return Ok(Source::of(SourceKind::File(path.clone()))),
        Data::Map(_) => {}
        _ => {
            let text = format!("a source of {what} must be a file or a mapping, got {}", node.shown());
            return Err(Mistake::at(&node.place, text));
        }
    }
    let subject = match what {
        "what is required" => "a source".to_owned(),
        what => format!("a source of {what}"),
    };
    let node = match spelling {
        Spelling::Guild => {
            let names: Vec<&str> = SOURCE.iter().copied().filter(|name| !YES_OR_NO.contains(name)).collect();
            &node.without_off(&names, &subject, remarks)
        }
        Spelling::Lua => node,
    };
    let fields = Fields::of(node, &subject, spelling)?;
    for kind in ["dvcfile", "dvcstage"] {
        if let Some(node) = fields.get(kind) {
            return Err(Mistake::at(&node.place, format!("'{kind}' sources are not supported yet")));
        }
    }
    let known = [KINDS, SOURCE, &["private"]].concat();
    let before = remarks.len();
    fields.refuse_unknown(&known, remarks)?;
    let given: Vec<&str> = KINDS.iter().copied().filter(|kind| fields.get(kind).is_some()).collect();
    let kind = match given[..] {
        [kind] => kind,
        // Its kind is misspelled, more likely than not.
        [] if remarks.len() > before => return Err(remarks.swap_remove(before)),
        [] => {
            let kinds = KINDS.join(", ");
            let text = format!("{subject} says nothing of what it is: missing required attribute (one of {kinds})");
            return Err(Mistake::at(&node.place, text));
        }
        _ => {
            let text = format!("{subject} is more than one thing: conflicting attributes ({})", given.join(", "));
            return Err(Mistake::at(&node.place, text));
        }
    };
    let value = fields.text(kind)?.unwrap_or_default();
    if value.trim().is_empty() {
        return Err(Mistake::at(&node.place, format!("{subject}: '{kind}' is empty")));
    }
    Ok(Source {
        name: fields.text("name")?,
        flag_name: fields.text("flag-name")?,
        select: fields.texts("select")?,
        select_min: fields.text("select-min")?,
        select_max: fields.text("select-max")?,
        rename: renames(&fields, spelling, remarks)?,
        target_path: target_path(&fields, &subject, remarks)?,
        target_type: target_type(&fields)?,
        preserve_path: fields.boolean("preserve-path")?,
        unpack: fields.boolean("unpack")?,
        archive_type: fields.text("type")?,
        sha256: fields.text("sha256")?,
        optional: fields.boolean("optional")?.unwrap_or(false),
        warn_if_empty: fields.boolean("warn-if-empty")?,
        fail_if_empty: fields.boolean("fail-if-empty")?.unwrap_or(false),
        replace_existing: fields.boolean("replace-existing")?.unwrap_or(false),
        always_resolve: fields.boolean("always-resolve")?.unwrap_or(false),
        params: params(&fields)?,
        help: fields.text("help")?,
        post_process: fields.text("post-process")?,
        ..Source::of(source_kind(kind, value))
    })
}

fn source_kind(kind: &str, value: String) -> SourceKind {
    match kind {
        "config" => SourceKind::Config(value),
        "file" => SourceKind::File(value),
        "module" => SourceKind::Module(value),
        "url" => SourceKind::Url(value),
        "operation" => SourceKind::Operation(value),
        _ => SourceKind::Stdin(value),
    }
}

fn params(fields: &Fields<'_>) -> Checked<Map<String, Value>> {
    Ok(fields.mapping("params")?.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
}

/// Reads where it goes; `path` is the older name.
fn target_path(fields: &Fields<'_>, what: &str, remarks: &mut Vec<Mistake>) -> Checked<Option<String>> {
    let (target, path) = (fields.text("target-path")?, fields.text("path")?);
    if target.is_some() && path.is_some() {
        let text = format!("target-path and path both specified for {what} - using target-path");
        remarks.push(Mistake::at(fields.place(), text));
    }
    Ok(target.or(path))
}

fn target_type(fields: &Fields<'_>) -> Checked<Option<TargetType>> {
    match fields.text("target-type")?.as_deref() {
        None => Ok(None),
        Some("copy") => Ok(Some(TargetType::Copy)),
        Some("link") => Ok(Some(TargetType::Link)),
        Some(_) => {
            let node = fields.get("target-type");
            Err(node.map_or_else(
                || Mistake::at(fields.place(), "target-type must be copy or link"),
                |node| fields.wrong("target-type", "copy or link", node),
            ))
        }
    }
}

/// Reads `rename`: `PATTERN REPLACEMENT`, a new name, a mapping of both, or a list of these.
fn renames(fields: &Fields<'_>, spelling: Spelling, remarks: &mut Vec<Mistake>) -> Checked<Vec<(String, String)>> {
    let wanted = "'PATTERN REPL', 'NAME', or a mapping with pattern and repl";
    let mut rename = |node: &Node| match &node.data {
        Data::Text(text) => match shlex::split(text).as_deref() {
            Some([pattern, replacement]) => Ok((pattern.clone(), replacement.clone())),
            Some([name]) => Ok((".*".to_owned(), name.clone())),
            _ => Err(fields.wrong("rename", wanted, node)),
        },
        // As runs of earlier releases have it.
        Data::List(pair) => match pair.iter().map(|part| &part.data).collect::<Vec<_>>()[..] {
            [Data::Text(pattern), Data::Text(replacement)] => Ok((pattern.clone(), replacement.clone())),
            _ => Err(fields.wrong("rename", wanted, node)),
        },
        Data::Map(_) => {
            let inner = Fields::of(node, "rename", spelling)?;
            inner.refuse_unknown(&["pattern", "repl"], remarks)?;
            Ok((inner.text("pattern")?.unwrap_or_default(), inner.text("repl")?.unwrap_or_default()))
        }
        _ => Err(fields.wrong("rename", wanted, node)),
    };
    fields.list("rename").iter().map(&mut rename).collect()
}
