//! Recipes: the JSON form of runnables, as Avocado's nrunner reads and writes it.
//!
//! Avocado keeps tags, variant and dependencies among the `kwargs`; here they may stand beside them as well. What is
//! written is what Avocado reads.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Blob, Runnable, nearest};

/// The keys of a recipe.
const KEYS: [&str; 9] = ["kind", "uri", "args", "kwargs", "config", "identifier", "tags", "variant", "dependencies"];

/// What is wrong with a recipe; it begins with the path of the value that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RecipeError(String);

fn wrong<T>(text: impl Into<String>) -> Result<T, RecipeError> {
    Err(RecipeError(text.into()))
}

impl TryFrom<Value> for Runnable {
    type Error = RecipeError;

    fn try_from(value: Value) -> Result<Runnable, RecipeError> {
        let Value::Object(fields) = value else {
            return wrong(format!("a recipe is an object such as {{\"kind\": \"exec-test\"}}, not {}", what(&value)));
        };
        let mut runnable = Runnable::default();
        let mut has_kind = false;
        for (key, value) in fields {
            has_kind |= key == "kind";
            runnable.set(&key, value)?;
        }
        if !has_kind {
            return wrong("'kind' is missing: the kind of runner, such as \"exec-test\"");
        }
        // Where Avocado has them. What stands beside wins over what stands among the parameters.
        if let Some(tags) = runnable.kwargs.shift_remove("tags") {
            let beside = std::mem::replace(&mut runnable.tags, read_tags(&tags, "kwargs.tags")?);
            runnable.tags.extend(beside);
        }
        if let Some(dependencies) = runnable.kwargs.shift_remove("dependencies") {
            runnable.dependencies.extend(read_dependencies(dependencies, "kwargs.dependencies")?);
        }
        if let Some(variant) = runnable.kwargs.shift_remove("variant") {
            let variant = read_variant(variant, "kwargs.variant")?;
            runnable.variant = runnable.variant.or(variant);
        }
        Ok(runnable)
    }
}

impl Runnable {
    /// Reads one key of a recipe.
    fn set(&mut self, key: &str, value: Value) -> Result<(), RecipeError> {
        match key {
            "kind" => match value {
                Value::String(kind) if !kind.is_empty() => self.kind = kind,
                other => return wrong(format!("kind must be a text such as \"exec-test\", not {}", what(&other))),
            },
            "uri" => self.uri = optional_text(value, "uri")?,
            "identifier" => self.identifier = optional_text(value, "identifier")?,
            "args" => self.args = arguments(&value)?,
            "kwargs" => self.kwargs = object(value, "kwargs")?,
            "config" => self.config = object(value, "config")?,
            "tags" => self.tags = read_tags(&value, "tags")?,
            "variant" => self.variant = read_variant(value, "variant")?,
            "dependencies" => self.dependencies = read_dependencies(value, "dependencies")?,
            _ => {
                let hint = nearest(key, KEYS).map_or_else(
                    || format!("a recipe has {}", KEYS.join(", ")),
                    |near| format!("did you mean '{near}'?"),
                );
                return wrong(format!("there is no key '{key}' in a recipe; {hint}"));
            }
        }
        Ok(())
    }
}

impl From<Runnable> for Value {
    fn from(runnable: Runnable) -> Value {
        let Runnable { kind, uri, args, mut kwargs, config, tags, variant, dependencies, identifier } = runnable;
        let mut recipe = Map::new();
        recipe.insert("kind".to_owned(), kind.into());
        if let Some(uri) = uri {
            recipe.insert("uri".to_owned(), uri.into());
        }
        if !args.is_empty() {
            recipe.insert("args".to_owned(), args.into_iter().map(argument_text).collect());
        }
        if !tags.is_empty() {
            kwargs.insert("tags".to_owned(), tags.into());
        }
        if let Some(variant) = variant {
            kwargs.insert("variant".to_owned(), variant);
        }
        if !dependencies.is_empty() {
            kwargs.insert("dependencies".to_owned(), dependencies.into());
        }
        if !kwargs.is_empty() {
            recipe.insert("kwargs".to_owned(), kwargs.into());
        }
        if !config.is_empty() {
            recipe.insert("config".to_owned(), config.into());
        }
        if let Some(identifier) = identifier {
            recipe.insert("identifier".to_owned(), identifier.into());
        }
        Value::Object(recipe)
    }
}

/// Reads the text of a recipe file: one recipe, or a list of them. The error says where in the file.
pub(crate) fn read_recipes(text: &[u8]) -> Result<Recipes, RecipeError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let value: Value = serde_json::from_slice(text).map_err(|error| RecipeError(format!("it is not JSON: {error}")))?;
    match value {
        Value::Array(items) => (1..)
            .zip(items)
            .map(|(number, item)| {
                Runnable::try_from(item).map_err(|error| RecipeError(format!("recipe {number} of the list: {error}")))
            })
            .collect::<Result<_, _>>()
            .map(Recipes::List),
        other => Runnable::try_from(other).map(|runnable| Recipes::One(Box::new(runnable))),
    }
}

/// What a recipe file holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recipes {
    /// One recipe.
    One(Box<Runnable>),
    /// A list of recipes.
    List(Vec<Runnable>),
}

/// Reads labels: an object, or a list or comma-separated text of `name` and `name:value`.
fn read_tags(value: &Value, path: &str) -> Result<Map<String, Value>, RecipeError> {
    let mut tags = Map::new();
    match value {
        Value::Null => {}
        Value::String(text) => text.split(',').for_each(|tag| add_tag(&mut tags, tag.trim())),
        Value::Array(_) => texts(value, path)?.iter().for_each(|tag| add_tag(&mut tags, tag.trim())),
        Value::Object(fields) => {
            for (name, value) in fields {
                let values = match value {
                    Value::Null | Value::Bool(true) => Value::Null,
                    Value::String(text) => json!([text]),
                    Value::Object(set) if set.len() == 1 && set.contains_key("__encoded_set__") => {
                        sorted(texts(&set["__encoded_set__"], &format!("{path}.{name}"))?)
                    }
                    other => sorted(texts(other, &format!("{path}.{name}"))?),
                };
                tags.insert(name.clone(), values);
            }
        }
        other => return wrong(format!("{path} must be an object of names and lists of values, not {}", what(other))),
    }
    Ok(tags)
}

/// Adds one label as it is written in a docstring: `name` or `name:value`. An empty one is none.
pub(crate) fn add_tag(tags: &mut Map<String, Value>, tag: &str) {
    match tag.split_once(':') {
        _ if tag.is_empty() => {}
        None => {
            tags.entry(tag).or_insert(Value::Null);
        }
        Some((name, value)) => {
            let mut values: Vec<String> = match tags.get(name) {
                Some(Value::Array(values)) => values.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            };
            values.push(value.to_owned());
            tags.insert(name.to_owned(), sorted(values));
        }
    }
}

fn sorted(mut values: Vec<String>) -> Value {
    values.sort();
    values.dedup();
    values.into()
}

fn read_dependencies(value: Value, path: &str) -> Result<Vec<Value>, RecipeError> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(fields) if fields.is_empty() => return Ok(Vec::new()),
        Value::Array(items) => items,
        other => return wrong(format!("{path} must be a list of objects, not {}", what(&other))),
    };
    for (number, item) in (1..).zip(&items) {
        let Value::Object(fields) = item else {
            return wrong(format!(
                "{path}[{number}] must be an object such as {{\"type\": \"package\", \"name\": \"gcc\"}}, not {}",
                what(item)
            ));
        };
        match fields.get("type").or_else(|| fields.get("kind")) {
            Some(Value::String(_)) => {}
            Some(other) => return wrong(format!("{path}[{number}].type must be a text, not {}", what(other))),
            None => {
                return wrong(format!(
                    "{path}[{number}] has no 'type', the kind of the dependency, such as \"package\""
                ));
            }
        }
        optional_text(fields.get("uri").cloned().unwrap_or_default(), &format!("{path}[{number}].uri"))?;
        texts(fields.get("args").unwrap_or(&Value::Null), &format!("{path}[{number}].args"))?;
    }
    Ok(items)
}

fn read_variant(value: Value, path: &str) -> Result<Option<Value>, RecipeError> {
    match &value {
        Value::Null => Ok(None),
        Value::Object(fields) if fields.get("variant").is_some_and(Value::is_array) => Ok(Some(value)),
        other => {
            wrong(format!("{path} must be an object with 'paths', 'variant_id' and 'variant', not {}", what(other)))
        }
    }
}

fn object(value: Value, path: &str) -> Result<Map<String, Value>, RecipeError> {
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(fields) => Ok(fields),
        // An empty table of Lua may be either.
        Value::Array(items) if items.is_empty() => Ok(Map::new()),
        other => wrong(format!("{path} must be an object, not {}", what(&other))),
    }
}

fn optional_text(value: Value, path: &str) -> Result<Option<String>, RecipeError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        other => wrong(format!("{path} must be a text, not {}", what(&other))),
    }
}

fn texts(value: &Value, path: &str) -> Result<Vec<String>, RecipeError> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Object(fields) if fields.is_empty() => Ok(Vec::new()),
        Value::Array(items) => (1..)
            .zip(items)
            .map(|(number, item)| match item {
                Value::String(text) => Ok(text.clone()),
                other => wrong(format!("{path}[{number}] must be a text, not {}", what(other))),
            })
            .collect(),
        other => wrong(format!("{path} must be a list of texts, not {}", what(other))),
    }
}

/// Reads arguments: texts, or bytes in the form that Avocado has for them.
fn arguments(value: &Value) -> Result<Vec<Blob>, RecipeError> {
    let Value::Array(items) = value else { return Ok(texts(value, "args")?.into_iter().map(Blob::from).collect()) };
    (1..)
        .zip(items)
        .map(|(number, item)| {
            let read = Blob::deserialize(item);
            read.or_else(|_| wrong(format!("args[{number}] must be a text, not {}", what(item))))
        })
        .collect()
}

/// Returns an argument as it stands in a recipe.
fn argument_text(argument: Blob) -> Value {
    match String::from_utf8(argument.0) {
        Ok(text) => Value::String(text),
        Err(bytes) => super::Value::Bytes(bytes.into_bytes()).into(),
    }
}

/// Returns a value as an error names it: short ones as they are.
fn what(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "a long text".to_owned(),
        other => other.to_string(),
    }
}

/// Returns the JSON Schema of a recipe file.
pub(crate) fn recipe_schema() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let tags = json!({
        "description": "Labels: a name, with the values it has, or null",
        "type": "object",
        "additionalProperties": {"anyOf": [
            {"type": "null"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}},
            {"type": "object", "properties": {"__encoded_set__": texts}, "required": ["__encoded_set__"],
             "additionalProperties": false},
        ]},
    });
    let dependencies = json!({
        "description": "What must have passed before: kind (type), uri, args, and parameters",
        "type": "array",
        "items": {"type": "object", "properties": {"type": {"type": "string"}, "uri": {"type": ["string", "null"]},
            "args": texts}, "required": ["type"]},
    });
    let variant = json!({
        "description": "The parameters of one variant, as a varianter dumps them",
        "type": ["object", "null"],
        "properties": {
            "paths": texts,
            "variant_id": {"type": ["string", "null"]},
            "variant": {"type": "array", "items": {"type": "array", "prefixItems": [
                {"description": "The path of a node", "type": "string"},
                {"description": "Its parameters: path, name, value", "type": "array", "items": {"type": "array",
                    "prefixItems": [{"type": "string"}, {"type": "string"}, true], "minItems": 3, "maxItems": 3}},
            ], "minItems": 2, "maxItems": 2}},
        },
        "required": ["variant"],
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe",
        "description": "What can be run: one runnable, or a list of them",
        "oneOf": [{"$ref": "#/$defs/runnable"}, {"type": "array", "items": {"$ref": "#/$defs/runnable"}}],
        "$defs": {"runnable": {
            "type": "object",
            "properties": {
                "kind": {"description": "Which kind of runner runs it", "type": "string", "minLength": 1},
                "uri": {"description": "What it runs, for most kinds a path", "type": ["string", "null"]},
                "args": {"description": "Positional arguments", "type": "array", "items": {"type": "string"}},
                "kwargs": {"description": "Parameters by name; tags, variant and dependencies may stand here",
                    "type": "object",
                    "properties": {"tags": tags, "variant": variant, "dependencies": dependencies}},
                "config": {"description": "Settings of the runner", "type": "object"},
                "identifier": {"description": "The name to report it by", "type": ["string", "null"]},
                "tags": tags, "variant": variant, "dependencies": dependencies,
            },
            "required": ["kind"],
            "additionalProperties": false,
        }},
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Recipes, read_recipes, recipe_schema};
    use crate::model::Runnable;

    fn read(recipe: &Value) -> Result<Runnable, String> {
        Runnable::try_from(recipe.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_what_avocado_reads() {
        let recipe = json!({
            "kind": "lua", "uri": "job.lua", "args": ["x", "-y"], "identifier": "lua-one",
            "config": {"runner.exectest.exitcodes.skip": {"__encoded_set__": [2]}},
            "kwargs": {"mode": "ok", "n": 5, "l": [1, 2], "big": 1e300, "null": null},
            "tags": {"fast": null, "net": ["ip", "eth", "ip"], "one": "a"},
            "dependencies": [{"type": "package", "name": "gcc"}],
        });
        let runnable = read(&recipe).unwrap();
        let written = Value::from(runnable.clone());
        let kwargs = &written["kwargs"];
        assert_eq!(kwargs["tags"], json!({"fast": null, "net": ["eth", "ip"], "one": ["a"]}));
        assert_eq!(kwargs["dependencies"], recipe["dependencies"]);
        assert_eq!(kwargs["big"], recipe["kwargs"]["big"]);
        assert_eq!(kwargs["null"], Value::Null);
        let avocados = ["kind", "uri", "args", "kwargs", "config", "identifier"];
        assert!(written.as_object().unwrap().keys().all(|key| avocados.contains(&key.as_str())), "{written}");
        assert_eq!(read(&written), Ok(runnable));
    }

    #[test]
    fn mistakes_name_their_place() {
        let cases = [
            (json!({}), "'kind' is missing"),
            (json!({"kind": ""}), "kind must be a text"),
            (json!({"kind": 3}), "kind must be a text such as \"exec-test\", not 3"),
            (json!([]), "a recipe is an object"),
            (json!({"kind": "noop", "arg": []}), "there is no key 'arg' in a recipe; did you mean 'args'?"),
            (json!({"kind": "noop", "zzz": []}), "there is no key 'zzz' in a recipe; a recipe has kind, uri,"),
            (json!({"kind": "noop", "args": "x"}), "args must be a list of texts, not \"x\""),
            (json!({"kind": "noop", "args": ["x", 5]}), "args[2] must be a text, not 5"),
            (json!({"kind": "noop", "kwargs": 5}), "kwargs must be an object, not 5"),
            (json!({"kind": "noop", "kwargs": {"tags": 5}}), "kwargs.tags must be an object"),
            (json!({"kind": "noop", "tags": {"a": [5]}}), "tags.a[1] must be a text, not 5"),
            (json!({"kind": "noop", "kwargs": {"dependencies": [5]}}), "kwargs.dependencies[1] must be an object"),
            (json!({"kind": "noop", "dependencies": [{"name": "x"}]}), "dependencies[1] has no 'type'"),
            (json!({"kind": "noop", "variant": []}), "variant must be an object"),
        ];
        let schema = jsonschema::validator_for(&recipe_schema()).unwrap();
        for (recipe, expected) in cases {
            let error = read(&recipe).unwrap_err();
            assert!(error.starts_with(expected), "{recipe}: {error}");
            assert!(!schema.is_valid(&recipe) || recipe == json!([]), "the schema takes {recipe}");
        }
    }

    #[test]
    fn the_schema_takes_what_is_read() {
        let schema = jsonschema::validator_for(&recipe_schema()).unwrap();
        let cases = [
            json!({"kind": "noop"}),
            json!({"kind": "noop", "uri": null, "identifier": null}),
            json!([{"kind": "exec-test", "uri": "/bin/true", "args": ["a"]}, {"kind": "noop"}]),
            json!({"kind": "x", "kwargs": {"tags": {"a": {"__encoded_set__": ["b"]}}, "dependencies": [{"type": "p"}]}}),
            json!({"kind": "x", "kwargs": {"variant": {"paths": ["/"], "variant_id": null,
                "variant": [["/", [["/", "foo", "bar"]]]]}}}),
        ];
        for recipe in cases {
            assert!(schema.is_valid(&recipe), "the schema refuses {recipe}");
            let read = read_recipes(recipe.to_string().as_bytes()).unwrap();
            let written: Value = match read {
                Recipes::One(runnable) => (*runnable).into(),
                Recipes::List(list) => list.into_iter().map(Value::from).collect::<Vec<_>>().into(),
            };
            assert!(schema.is_valid(&written), "the schema refuses {written}");
        }
    }

    #[test]
    fn mistakes_in_files_say_where() {
        let error = |text: &[u8]| read_recipes(text).unwrap_err().to_string();
        assert!(error(b"{").starts_with("it is not JSON: EOF"), "{}", error(b"{"));
        assert_eq!(
            error(br#"[{"kind": "noop"}, {"knd": "noop"}]"#),
            "recipe 2 of the list: there is no key 'knd' in a recipe; did you mean 'kind'?"
        );
        assert!(read_recipes(b"\xef\xbb\xbf{\"kind\": \"noop\"}").is_ok());
    }
}
