//! What docstrings tell Avocado: `:avocado: enable`, `disable`, `recursive`, `tags=a,k:v`, `dependency={…}`.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::add_tag;

/// What a docstring says of its class or method.
#[derive(Clone, Debug, Default)]
pub(super) struct Directives {
    /// It is no test, whatever it descends from.
    pub(super) disable: bool,
    /// It is a test, whatever it descends from.
    pub(super) enable: bool,
    /// It and its ancestors are tests.
    pub(super) recursive: bool,
    /// Its labels.
    pub(super) tags: Map<String, Value>,
    /// What must have passed before it, as it was written.
    pub(super) dependencies: Vec<Value>,
    /// What is wrong with a directive.
    pub(super) mistake: Option<Mistake>,
}

/// What is wrong with a directive.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Mistake {
    #[error("'dependency={0}' has no \"type\"")]
    NoType(String),
    #[error("'dependency={text}' is not JSON: {source}")]
    NoJson { text: String, source: Arc<serde_json::Error> },
}

impl Directives {
    /// Reads a docstring.
    pub(super) fn read(docstring: &str) -> Directives {
        let mut directives = Directives::default();
        for line in docstring.lines() {
            let Some(rest) = line.trim().strip_prefix(":avocado:").filter(|rest| rest.starts_with([' ', '\t'])) else {
                continue;
            };
            directives.take(rest.trim());
        }
        directives
    }

    fn take(&mut self, directive: &str) {
        if let Some(dependency) = directive.strip_prefix("dependency=") {
            match serde_json::from_str::<Value>(dependency) {
                Ok(value) if value.get("type").is_some_and(Value::is_string) => self.dependencies.push(value),
                Ok(_) => self.wrong(Mistake::NoType(dependency.to_owned())),
                Err(error) => self.wrong(Mistake::NoJson { text: dependency.to_owned(), source: Arc::new(error) }),
            }
            return;
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_:,=-.".contains(c);
        // What is more than one word is prose.
        if !directive.chars().all(is_word) {
            return;
        }
        match directive {
            "disable" => self.disable = true,
            "enable" => self.enable = true,
            "recursive" => self.recursive = true,
            _ => {
                if let Some(tags) = directive.strip_prefix("tags=") {
                    tags.split(',').for_each(|tag| add_tag(&mut self.tags, tag));
                }
            }
        }
    }

    fn wrong(&mut self, mistake: Mistake) {
        self.mistake.get_or_insert(mistake);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Directives;

    #[test]
    fn directives_are_read() {
        let text = "A test.\n\n    :avocado: tags=fast,net:ip\n    :avocado: tags=net:eth,\n  :avocado: enable\n\
                    :avocado: dependency={\"type\": \"package\", \"name\": \"gcc\"}\n see :avocado: disable\n:avocado: not at all";
        let read = Directives::read(text);
        assert_eq!(Value::Object(read.tags), json!({"fast": null, "net": ["eth", "ip"]}));
        assert_eq!(read.dependencies, [json!({"type": "package", "name": "gcc"})]);
        assert!(read.enable && !read.disable && !read.recursive && read.mistake.is_none());
    }

    #[test]
    fn a_dependency_that_cannot_be_read_is_told() {
        let mistake = |text: &str| Directives::read(text).mistake.unwrap().to_string();
        assert!(mistake(":avocado: dependency={\"type\": ").contains("is not JSON"));
        assert!(mistake(":avocado: dependency={\"name\": \"x\"}").contains("has no \"type\""));
    }
}
