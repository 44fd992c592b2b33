//! PICT's models (`doc/pict.md` of microsoft/pict): a line for each parameter, `{A, B} @ 3` for strengths, and constraints.

use super::expression::Expressions;
use super::{Model, ModelError, ModelValue, Problem};

/// What stands before a value that is out of what is valid.
pub(super) const NEGATIVE: &str = "~";

/// Reads a model.
pub(super) fn read(text: &str) -> Result<Model, ModelError> {
    let mut model = Model::default();
    let mut offset = 0;
    for (line, whole) in (1..).zip(text.split_inclusive('\n')) {
        let content = whole.trim();
        if content.is_empty() || content.starts_with('#') {
        } else if let Some(strength) = content.strip_prefix('{') {
            read_strength(&mut model, line, strength)?;
        } else if begins_constraint(content) {
            read_constraints(&mut model, line, &text[offset..])?;
            return Ok(model);
        } else {
            read_parameter(&mut model, line, content)?;
        }
        offset += whole.len();
    }
    Ok(model)
}

fn begins_constraint(content: &str) -> bool {
    let word = content.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_ascii_lowercase();
    let rest = content[word.len()..].trim_start();
    let is_word = ["if", "not"].contains(&word.as_str()) && rest.starts_with(['[', '(', 'N', 'n', 'I', 'i']);
    let is_sign = ["isnegative", "ispositive"].contains(&word.as_str()) && rest.starts_with('(');
    content.starts_with(['[', '(']) || is_word || is_sign
}

/// Reads `Name: 1, 2 (10), ~-1, a | b, <Other>`.
fn read_parameter(model: &mut Model, line: usize, content: &str) -> Result<(), ModelError> {
    let Some((name, list)) = content.split_once(':') else {
        return Err(Problem::Expected {
            wanted: "a parameter such as 'Name: 1, 2', a strength such as '{A, B} @ 2', or a constraint",
            found: format!("'{content}'"),
        }
        .at(line));
    };
    let mut values = Vec::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match item.strip_prefix('<').and_then(|item| item.strip_suffix('>')) {
            Some(other) => values.extend(model.parameters[model.known(line, other.trim())?].values.clone()),
            None => values.push(value(item)),
        }
    }
    model.add(line, name.trim(), values)
}

fn value(item: &str) -> ModelValue {
    let weighted = item.strip_suffix(')').and_then(|item| item.rsplit_once('('));
    let weighted = weighted.and_then(|(item, weight)| {
        Some((item.trim(), weight.trim().parse::<u32>().ok().filter(|weight| *weight > 0)?))
    });
    let (item, weight) = weighted.filter(|(item, _)| !item.is_empty()).unwrap_or((item, 1));
    let valid = item.strip_prefix(NEGATIVE);
    let names: Vec<String> = valid.unwrap_or(item).split('|').map(|name| name.trim().to_owned()).collect();
    ModelValue { names, weight, is_negative: valid.is_some() }
}

/// Reads what stands behind the brace of `{A, B} @ 2`.
fn read_strength(model: &mut Model, line: usize, rest: &str) -> Result<(), ModelError> {
    let Some((names, strength)) = rest.split_once('}') else {
        return Err(Problem::Expected {
            wanted: "'}' behind the names of parameters",
            found: "the end of the line".to_owned(),
        }
        .at(line));
    };
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let strength = strength.trim().trim_end_matches(';').trim();
    match strength.strip_prefix('@') {
        Some(strength) => model.add_strength(line, &names, strength.trim()),
        None if strength.is_empty() => Ok(()),
        None => Err(Problem::Expected { wanted: "'@' and a strength", found: format!("'{strength}'") }.at(line)),
    }
}

fn read_constraints(model: &mut Model, line: usize, text: &str) -> Result<(), ModelError> {
    let mut read = Expressions::new(model, text, line)?;
    let mut clauses = Vec::new();
    while !read.is_at_end() {
        let line = read.line();
        clauses.extend(read.statement()?.clauses().map_err(|problem| problem.at(line))?);
    }
    let warnings = read.warnings;
    model.clauses.extend(clauses);
    model.warnings.extend(warnings);
    Ok(())
}
