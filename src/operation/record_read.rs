//! The attribute `op` of a run, read as it was written by whoever started the run: Rille, or Guild of any release.
//!
//! Guild writes what a definition says in the form that its author chose: `select: a.csv` is a text, `rename` a text, a
//! mapping or a list. So a record is read by what reads definitions, and null is as if nothing were there.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::read::recorded_resource;
use super::record_new::folded;
use super::{DependencyRecord, OpRecord};

impl OpRecord {
    /// Reads the attribute `op`; the error says what in it cannot be read.
    pub(crate) fn read(value: &Value) -> Result<OpRecord, RecordError> {
        let Value::Object(fields) = value else { return Err(RecordError::NoMapping) };
        let mut fields = with_values(fields);
        at(&mut fields, "op-cmd", |command| {
            let Value::Object(map) = command else { return };
            *map = with_values(map);
            // The values of variables may be null, which is an empty text.
            at(map, "cmd-flags", |flags| each(flags, |_, passing| drop_nulls(passing)));
        });
        at(&mut fields, "deps", |deps| each_item(deps, drop_nulls));
        at(&mut fields, "sourcecode", drop_nulls);
        // Guild before 0.9 had another name for it.
        if let Some(dest) = fields.remove("sourcecode-root") {
            fields.entry("sourcecode").or_insert_with(|| serde_json::json!({ "dest": dest }));
        }
        for name in ["label-template", "python-requires"] {
            // `python-requires: 3.8` is a number to YAML.
            at(&mut fields, name, |value| {
                if let Value::Number(_) | Value::Bool(_) = value {
                    *value = Value::String(value.to_string());
                }
            });
        }
        let mut record: OpRecord = serde_json::from_value(Value::Object(fields))?;
        let taken: BTreeSet<String> = record.op_cmd.cmd_flags.keys().cloned().collect();
        record.deps.iter_mut().for_each(|dep| dep.taken.clone_from(&taken));
        if record.op_cmd.cmd_args.is_empty() {
            return Err(RecordError::NoCommand);
        }
        Ok(record)
    }
}

/// Why a record says nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// It is something else altogether.
    #[error("it is no mapping")]
    NoMapping,
    /// It does not say what is run.
    #[error("it has no command")]
    NoCommand,
    /// It requires something that makes no sense.
    #[error("{0}")]
    Dependency(String),
    /// A part of it is not what it must be.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
}

/// A dependency is read as a definition of one: its sources in any form that one can have, and what is said for all of them.
impl TryFrom<Value> for DependencyRecord {
    type Error = RecordError;

    fn try_from(value: Value) -> Result<Self, RecordError> {
        let Value::Object(mut fields) = value else { return Err(RecordError::NoMapping) };
        let location =
            fields.remove("location").and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let config = fields.remove("config").filter(|config| !config.is_null());
        let resource =
            recorded_resource(&Value::Object(fields)).map_err(|mistake| RecordError::Dependency(mistake.message))?;
        let sources = resource.sources.iter().map(|source| folded(&resource, source)).collect();
        Ok(DependencyRecord { name: resource.name, location, sources, config, taken: BTreeSet::new() })
    }
}

fn with_values(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(fields) = value {
        *fields = with_values(fields);
    }
}

fn at(fields: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Value)) {
    if let Some(value) = fields.get_mut(name) {
        change(value);
    }
}

fn each(value: &mut Value, change: impl Fn(&str, &mut Value)) {
    if let Value::Object(fields) = value {
        fields.iter_mut().for_each(|(name, value)| {
            // A flag of which nothing is said.
            if value.is_null() {
                *value = Value::Object(Map::new());
            }
            change(name, value);
        });
    }
}

fn each_item(value: &mut Value, change: impl Fn(&mut Value)) {
    if let Value::Array(items) = value {
        items.iter_mut().for_each(change);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Source, SourceKind};
    use super::*;

    fn read_sources(sources: &Value) -> Result<Vec<Source>, String> {
        let value = json!({
            "op-cmd": {"cmd-args": ["true"], "cmd-env": null, "cmd-flags": {"a": null, "b": {"arg-name": null}}},
            "deps": [{"name": "d", "location": "/p", "sources": sources, "config": null}], "label-template": null,
            "python-requires": 3.8, "delete-on-success": null, "flag-null-labels": null, "sourcecode": {"dest": null},
        });
        let record = OpRecord::read(&value).map_err(|error| error.to_string())?;
        assert_eq!(record.python_requires.as_deref(), Some("3.8"));
        Ok(record.deps.into_iter().next().unwrap().sources)
    }

    #[test]
    fn sources_are_read_in_every_form_of_a_definition() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(pattern, repl)| ((*pattern).to_owned(), (*repl).to_owned())).collect()
        };
        let selects = [
            (json!("a"), vec!["a"]),
            (json!(["a", "b"]), vec!["a", "b"]),
            (json!(null), vec![]),
            (json!(3), vec!["3"]),
        ];
        for (select, expected) in selects {
            let sources = read_sources(&json!([{"operation": "up", "select": select, "optional": null}])).unwrap();
            assert_eq!(sources[0].select, expected, "{select}");
        }
        let renames = [
            (json!("a b"), pairs(&[("a", "b")])),
            (json!("b"), pairs(&[(".*", "b")])),
            (json!({"pattern": "a", "repl": "b"}), pairs(&[("a", "b")])),
            (json!(["a b", {"pattern": "c"}]), pairs(&[("a", "b"), ("c", "")])),
            (json!([["a", "b"], ["c", "d"]]), pairs(&[("a", "b"), ("c", "d")])),
        ];
        for (rename, expected) in renames {
            let sources = read_sources(&json!([{"file": "a", "rename": rename}])).unwrap();
            assert_eq!(sources[0].rename, expected, "{rename}");
        }
        let sources = read_sources(&json!(["a.txt", {"file": "b", "name": "n", "path": "to", "unknown": 1}])).unwrap();
        assert_eq!(sources[0].kind, SourceKind::File("a.txt".to_owned()));
        assert_eq!((sources[1].name.as_deref(), sources[1].target_path.as_deref()), (Some("n"), Some("to")));
        assert_eq!(read_sources(&json!(null)).unwrap(), []);
        let whole =
            json!({"name": "d", "path": "in", "target-type": "link", "sources": ["a", {"file": "b", "path": "x"}]});
        let dep = DependencyRecord::try_from(whole).unwrap();
        let targets: Vec<_> = dep.sources.iter().map(|source| source.target_path.as_deref()).collect();
        assert_eq!(targets, [Some("in"), Some("x")]);
        let wrong = read_sources(&json!([{"filee": "a"}])).unwrap_err();
        assert!(wrong.contains("did you mean 'file'?"), "{wrong}");
    }

    #[test]
    fn what_is_written_is_what_guild_reads_and_comes_back() {
        let source = json!({"file": "a", "select": ["x"], "rename": [{"pattern": "a", "repl": "b"}]});
        let sources = read_sources(&json!([source])).unwrap();
        assert_eq!(serde_json::to_value(&sources[0]).unwrap(), source);
    }

    #[test]
    fn the_folder_of_the_source_code_had_another_name_before() {
        let old = json!({"op-cmd": {"cmd-args": ["a"]}, "sourcecode-root": ".guild/sourcecode"});
        assert_eq!(OpRecord::read(&old).unwrap().sourcecode.dest.as_deref(), Some(".guild/sourcecode"));
        for (value, told) in [
            (json!([]), "no mapping"),
            (json!({"op-cmd": {}}), "cmd-args"),
            (json!({"op-cmd": {"cmd-args": []}}), "no command"),
        ] {
            assert!(OpRecord::read(&value).unwrap_err().to_string().contains(told), "{value}");
        }
    }
}
