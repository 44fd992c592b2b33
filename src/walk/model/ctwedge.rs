//! The models of `CTWedge`, as far as they say what PICT's do: `Parameters:` and `Constraints:` of comparisons.

use super::expression::Expressions;
use super::{Model, ModelError, ModelValue, Problem};

/// The most values of a range.
const MOST: i64 = 100_000;

/// Where in the file it is.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Begin,
    Parameters,
    Constraints,
}

/// Reads a model.
pub(super) fn read(text: &str) -> Result<Model, ModelError> {
    let mut model = Model::default();
    let mut part = Part::Begin;
    let mut open: Option<(usize, String)> = None;
    for (line, whole) in (1..).zip(text.lines()) {
        let content = whole.split("//").next().unwrap_or_default().trim();
        match content.to_ascii_lowercase().trim_end_matches(':').trim_end() {
            "" => {}
            "parameters" => part = Part::Parameters,
            "constraints" => part = Part::Constraints,
            _ => match part {
                Part::Begin if content.starts_with("Model") => {}
                Part::Begin => {
                    return Err(Problem::Unknown(content.to_owned(), "'Parameters:' begins what is read").at(line));
                }
                Part::Parameters => read_parameter(&mut model, line, content.trim_end_matches(';').trim_end())?,
                Part::Constraints => {
                    // A constraint stands between two '#', on one line or on several.
                    for (number, piece) in content.split('#').enumerate() {
                        if number > 0 {
                            match open.take() {
                                Some((begun, constraint)) => read_constraint(&mut model, begun, &constraint)?,
                                None => open = Some((line, String::new())),
                            }
                        }
                        match &mut open {
                            Some((_, constraint)) => constraint.push_str(piece),
                            None if piece.trim().is_empty() => {}
                            None => {
                                return Err(Problem::Expected {
                                    wanted: "'#' before and behind a constraint",
                                    found: format!("'{}'", piece.trim()),
                                }
                                .at(line));
                            }
                        }
                    }
                    if let Some((_, constraint)) = &mut open {
                        constraint.push('\n');
                    }
                }
            },
        }
    }
    match open {
        Some((line, _)) => {
            Err(Problem::Expected { wanted: "'#' behind the constraint", found: "the end".to_owned() }.at(line))
        }
        None => Ok(model),
    }
}

fn read_parameter(model: &mut Model, line: usize, content: &str) -> Result<(), ModelError> {
    let Some((name, list)) = content.split_once(':') else {
        return Err(
            Problem::Expected { wanted: "a parameter such as 'name: {a b}'", found: format!("'{content}'") }.at(line)
        );
    };
    let list = list.trim();
    let values: Vec<ModelValue> = if list.eq_ignore_ascii_case("boolean") {
        ["true", "false"].map(ModelValue::plain).to_vec()
    } else if let Some(items) = list.strip_prefix('{').and_then(|list| list.strip_suffix('}')) {
        let items = items.split([',', ' ', '\t']).filter(|item| !item.is_empty());
        items.map(|item| ModelValue::plain(item.trim_matches('"'))).collect()
    } else {
        range(list)
            .ok_or_else(|| Problem::Unknown(list.to_owned(), "values are Boolean, {a b c} or [1 .. 9]").at(line))?
    };
    model.add(line, name.trim(), values)
}

/// Reads `[1 .. 9]` or `[0 .. 10] step 2`.
fn range(list: &str) -> Option<Vec<ModelValue>> {
    let (range, step) = list.strip_prefix('[')?.split_once(']')?;
    let step = match step.trim() {
        "" => 1,
        step => step.strip_prefix("step")?.trim().parse::<i64>().ok()?,
    };
    let (from, to) = range.split_once("..")?;
    let (from, to) = (from.trim().parse::<i64>().ok()?, to.trim().parse::<i64>().ok()?);
    if step < 1 || to.checked_sub(from)? / step >= MOST {
        return None;
    }
    let step = usize::try_from(step).ok()?;
    Some((from..=to).step_by(step).map(|number| ModelValue::plain(&number.to_string())).collect())
}

fn read_constraint(model: &mut Model, line: usize, text: &str) -> Result<(), ModelError> {
    let mut read = Expressions::new(model, text, line)?;
    let clauses = read.whole()?.clauses().map_err(|problem| problem.at(line))?;
    let warnings = read.warnings;
    model.clauses.extend(clauses);
    model.warnings.extend(warnings);
    Ok(())
}
