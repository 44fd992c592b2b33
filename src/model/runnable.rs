//! What can be run: a kind and what that kind needs to know. This is Avocado's "runnable"; its JSON form is a recipe.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Blob;

/// The setting that says how a runnable without an identifier is named.
const IDENTIFIER_FORMAT: &str = "runner.identifier_format";

/// What stands for a name where there is none, as the original has it.
const UNKNOWN: &str = "<unknown>";

/// A thing that can be run, as data. It is read and written as a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(crate) struct Runnable {
    /// Which kind of runner runs it: `lua`, `exec-test`, …
    pub(crate) kind: String,
    /// What the kind runs, for most a path.
    pub(crate) uri: Option<String>,
    /// Positional arguments.
    pub(crate) args: Vec<Blob>,
    /// Parameters by name.
    pub(crate) kwargs: Map<String, Value>,
    /// Settings of the runner.
    pub(crate) config: Map<String, Value>,
    /// Labels: a name, with a sorted list of texts or null.
    pub(crate) tags: Map<String, Value>,
    /// Parameters of the one variant that this is, as Avocado's varianter dumps it: an object with `paths`, `variant_id`
    /// and `variant`, a list of nodes.
    pub(crate) variant: Option<Value>,
    /// Runnables that must have passed before this one, as they were written: objects with `type`, and perhaps `uri` and
    /// `args`; every other key is a parameter. [`Runnable::required`] returns them as runnables.
    pub(crate) dependencies: Vec<Value>,
    /// The name to report it by.
    pub(crate) identifier: Option<String>,
}

impl Runnable {
    /// Returns the name to report it by: the identifier, else what the setting `runner.identifier_format` makes of it,
    /// which is the uri where nothing is set.
    pub(crate) fn name(&self) -> String {
        if let Some(identifier) = self.identifier.as_ref().filter(|identifier| !identifier.is_empty()) {
            return identifier.clone();
        }
        let format = self.config.get(IDENTIFIER_FORMAT).and_then(Value::as_str).unwrap_or("{uri}");
        let name = self.formatted(format);
        if name.is_empty() { UNKNOWN.to_owned() } else { name }
    }

    /// Fills the fields of a format: `{uri}`, `{args}`, `{args[0]}`, `{kwargs[NAME]}`. What is not there is empty.
    fn formatted(&self, format: &str) -> String {
        let mut name = String::new();
        let mut rest = format;
        while let Some((before, after)) = rest.split_once('{') {
            name.push_str(before);
            let Some((field, after)) = after.split_once('}') else {
                name.push('{');
                rest = after;
                continue;
            };
            name.push_str(&self.field(field));
            rest = after;
        }
        name.push_str(rest);
        name
    }

    fn field(&self, field: &str) -> String {
        let (field, key) = match field.strip_suffix(']').and_then(|field| field.split_once('[')) {
            Some((field, key)) => (field, Some(key)),
            None => (field, None),
        };
        match (field, key) {
            ("uri", None) => self.uri.clone().unwrap_or_default(),
            ("kind", None) => self.kind.clone(),
            ("args", None) => self.args.iter().map(Blob::to_string).collect::<Vec<_>>().join("-"),
            ("args", Some(index)) => {
                let arg = index.parse::<usize>().ok().and_then(|index| self.args.get(index));
                arg.map(Blob::to_string).unwrap_or_default()
            }
            ("kwargs", None) => self.kwargs.values().map(bare).collect::<Vec<_>>().join("-"),
            ("kwargs", Some(key)) => self.kwargs.get(key).map(bare).unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// Returns the id of its variant, if it is one of several.
    pub(crate) fn variant_id(&self) -> Option<&str> {
        self.variant.as_ref()?.get("variant_id")?.as_str()
    }

    /// Returns the parameters of its variant, by name. Where several nodes have a name the first wins, as for the
    /// programs that the original runs.
    pub(crate) fn variant_parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        let nodes = self.variant.as_ref().and_then(|variant| variant.get("variant")).and_then(Value::as_array);
        let entries = nodes.into_iter().flatten().filter_map(|node| node.get(1)?.as_array()).flatten();
        for entry in entries {
            if let (Some(Value::String(key)), Some(value)) = (entry.get(1), entry.get(2))
                && !parameters.contains_key(key)
            {
                parameters.insert(key.clone(), value.clone());
            }
        }
        parameters
    }

    /// Returns the runnables that must have passed before this one, each once, in the order in which they were written.
    pub(crate) fn required(&self) -> Vec<Runnable> {
        let mut required: Vec<Runnable> = Vec::new();
        for runnable in self.dependencies.iter().filter_map(Runnable::of_dependency) {
            if !required.contains(&runnable) {
                required.push(runnable);
            }
        }
        required
    }

    /// Returns the runnable that a dependency is. `kind` is taken for `type`.
    fn of_dependency(dependency: &Value) -> Option<Runnable> {
        let mut kwargs = dependency.as_object()?.clone();
        let kind = kwargs.shift_remove("type").or_else(|| kwargs.shift_remove("kind"))?.as_str()?.to_owned();
        let uri = kwargs.shift_remove("uri").and_then(|uri| uri.as_str().map(str::to_owned));
        let args = kwargs.shift_remove("args");
        let args = args.as_ref().and_then(Value::as_array).into_iter().flatten();
        let args = args.filter_map(|arg| arg.as_str().map(Blob::from)).collect();
        Some(Runnable { kind, uri, args, kwargs, ..Runnable::default() })
    }
}

/// Returns a value without quotes.
fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Runnable;

    fn runnable(recipe: serde_json::Value) -> Runnable {
        serde_json::from_value(recipe).unwrap()
    }

    #[test]
    fn names_follow_the_identifier_then_the_format_then_the_uri() {
        let cases = [
            (json!({"kind": "noop"}), "<unknown>"),
            (json!({"kind": "exec-test", "uri": "/bin/true"}), "/bin/true"),
            (json!({"kind": "exec-test", "uri": "a", "identifier": "b"}), "b"),
            (
                json!({"kind": "k", "uri": "a", "args": ["x", "y"], "config": {"runner.identifier_format": "{uri}-{args}"}}),
                "a-x-y",
            ),
            (
                json!({"kind": "k", "uri": "a", "args": ["x"], "config": {"runner.identifier_format": "{uri}-{args[0]}"}}),
                "a-x",
            ),
            (json!({"kind": "k", "uri": "a", "config": {"runner.identifier_format": "{uri}-{args[0]}"}}), "a-"),
            (json!({"kind": "k", "kwargs": {"N": 3}, "config": {"runner.identifier_format": "n{kwargs[N]}"}}), "n3"),
            (json!({"kind": "k", "uri": "a", "config": {"runner.identifier_format": "{uri"}}), "{uri"),
        ];
        for (recipe, name) in cases {
            assert_eq!(runnable(recipe.clone()).name(), name, "{recipe}");
        }
    }

    #[test]
    fn dependencies_become_runnables_once() {
        let recipe = json!({"kind": "noop", "kwargs": {"dependencies": [
            {"type": "package", "name": "gcc"}, {"type": "package", "name": "gcc"},
            {"type": "exec-test", "uri": "/bin/true", "args": ["x"]},
        ]}});
        let required = runnable(recipe).required();
        let shown: Vec<_> =
            required.iter().map(|r| (r.kind.as_str(), r.uri.as_deref(), r.args.len(), r.kwargs.len())).collect();
        assert_eq!(shown, [("package", None, 0, 1), ("exec-test", Some("/bin/true"), 1, 0)]);
    }

    #[test]
    fn parameters_of_a_variant_are_read_from_all_its_nodes() {
        let variant = json!({"paths": ["/run/*"], "variant_id": "v1", "variant": [
            ["/run/a", [["/run/a", "one", 1], ["/run", "two", "2"]]], ["/run/b", [["/run/b", "one", 9]]]]});
        let with = runnable(json!({"kind": "noop", "kwargs": {"variant": variant}}));
        assert_eq!(with.variant_id(), Some("v1"));
        assert_eq!(serde_json::Value::Object(with.variant_parameters()), json!({"one": 1, "two": "2"}));
        assert!(with.kwargs.is_empty());
    }
}
