//! A pipeline as a picture: text, Mermaid, DOT.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Parent, Step, StepError, plan};
use crate::operation::{Body, FlagValues, Operation};

/// In which form a pipeline is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GraphForm {
    /// A line for each step, with what it needs.
    Text,
    /// For documents that render Mermaid.
    Mermaid,
    /// For Graphviz.
    Dot,
}

/// Returns the steps of an operation as a picture, by the defaults of its flags.
pub(crate) fn picture(operation: &Operation, form: GraphForm) -> Result<String, StepError> {
    let Body::Steps(data) = &operation.body else { return Err(StepError::None) };
    let values: FlagValues = operation.flags.iter().map(|(name, flag)| (name.clone(), flag.default.clone())).collect();
    let parent = Parent { model: &operation.model, flags: &values, given: &BTreeMap::new(), label: None, tags: &[] };
    Ok(graph(&operation.full_name(), &plan(data, parent)?.steps, form))
}

/// Returns a pipeline as a picture.
pub(super) fn graph(name: &str, steps: &[Step], form: GraphForm) -> String {
    let mut out = String::new();
    let index = |link: &str| steps.iter().position(|step| step.link == link).map_or(0, |at| at + 1);
    let quoted = |text: &str| text.replace(['"', '\n'], "'");
    // Writing to a string cannot fail.
    match form {
        GraphForm::Text => {
            let _ = writeln!(out, "{name}");
            let width = steps.iter().map(|step| step.link.chars().count()).max().unwrap_or_default();
            for step in steps {
                let mut line = format!("  {:width$}  rille run {}", step.link, super::super::join(&step.words));
                if !step.needs.is_empty() {
                    let _ = write!(line, "  (after {})", step.needs.join(", "));
                }
                if let Some(each) = &step.for_each {
                    let _ = write!(line, "  (for each trial of {each})");
                }
                let _ = writeln!(out, "{line}");
            }
        }
        GraphForm::Mermaid => {
            let _ = writeln!(out, "flowchart TD");
            for (at, step) in steps.iter().enumerate() {
                let _ = writeln!(out, "    s{}[\"{}\"]", at + 1, quoted(&step.link));
            }
            for (at, step) in steps.iter().enumerate() {
                for need in &step.needs {
                    let arrow = if step.for_each.as_ref() == Some(need) { "-- each -->" } else { "-->" };
                    let _ = writeln!(out, "    s{} {arrow} s{}", index(need), at + 1);
                }
            }
        }
        GraphForm::Dot => {
            let _ = writeln!(out, "digraph \"{}\" {{", quoted(name));
            for step in steps {
                let _ = writeln!(out, "    \"{}\";", quoted(&step.link));
            }
            for step in steps {
                for need in &step.needs {
                    let label = if step.for_each.as_ref() == Some(need) { " [label=\"each\"]" } else { "" };
                    let _ = writeln!(out, "    \"{}\" -> \"{}\"{label};", quoted(need), quoted(&step.link));
                }
            }
            let _ = writeln!(out, "}}");
        }
    }
    out
}
