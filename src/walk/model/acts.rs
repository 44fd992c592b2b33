//! ACTS's models, as far as they say what PICT's do: `[Parameter]`, `[Relation]` and `[Constraint]`.

use super::expression::Expressions;
use super::{Model, ModelError, ModelValue, Problem};

/// Reads a model.
pub(super) fn read(text: &str) -> Result<Model, ModelError> {
    let mut model = Model::default();
    let mut section = String::new();
    for (line, whole) in (1..).zip(text.lines()) {
        let content = whole.trim();
        if content.is_empty() || content.starts_with("--") || content.starts_with('#') {
            continue;
        }
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_ascii_lowercase();
            if !["system", "parameter", "relation", "constraint", "test set"].contains(&section.as_str()) {
                let hint = "the sections are [System], [Parameter], [Relation], [Constraint] and [Test Set]";
                return Err(Problem::Unknown(content.to_owned(), hint).at(line));
            }
            continue;
        }
        match section.as_str() {
            "system" => {}
            "parameter" => read_parameter(&mut model, line, content)?,
            "relation" => read_relation(&mut model, line, content)?,
            "constraint" => {
                let mut read = Expressions::new(&model, content, line)?;
                let clauses = read.whole()?.clauses().map_err(|problem| problem.at(line))?;
                let warnings = read.warnings;
                model.clauses.extend(clauses);
                model.warnings.extend(warnings);
            }
            _ => {
                let hint = "rows of a test set are given by --seed-rows FILE";
                return Err(Problem::Unknown(content.to_owned(), hint).at(line));
            }
        }
    }
    Ok(model)
}

/// Reads `name (enum) : a, b`.
fn read_parameter(model: &mut Model, line: usize, content: &str) -> Result<(), ModelError> {
    let Some((head, list)) = content.split_once(':') else {
        return Err(Problem::Expected {
            wanted: "a parameter such as 'name (enum): a, b'",
            found: format!("'{content}'"),
        }
        .at(line));
    };
    let (name, kind) = head.split_once('(').unwrap_or((head, ""));
    let kind = kind.trim().trim_end_matches(')').trim().to_ascii_lowercase();
    if !["", "enum", "int", "boolean", "range"].contains(&kind.as_str()) {
        return Err(Problem::Unknown(kind, "parameters are enum, int or boolean").at(line));
    }
    let values = list.split(',').map(str::trim).filter(|item| !item.is_empty());
    model.add(line, name.trim(), values.map(|item| ModelValue::plain(item.trim_matches('"'))).collect())
}

/// Reads `name : (a, b, c, 3)`.
fn read_relation(model: &mut Model, line: usize, content: &str) -> Result<(), ModelError> {
    let list = content.split_once('(').and_then(|(_, rest)| rest.trim_end().strip_suffix(')'));
    let mut names: Vec<&str> = list.unwrap_or_default().split(',').map(str::trim).collect();
    let strength = names.pop().filter(|_| list.is_some());
    match strength {
        Some(strength) => model.add_strength(line, &names, strength),
        None => {
            Err(Problem::Expected { wanted: "a relation such as 'R1: (a, b, c, 3)'", found: format!("'{content}'") }
                .at(line))
        }
    }
}
