//! Models of combinatorial tests in the languages of other programs: PICT's, and what `CTWedge` and ACTS have in common with it.
//!
//! Parameters with their values, strengths of their own for some of them, and constraints, which become clauses. Nothing is
//! read from files here, and nothing is run.

mod acts;
mod condition;
mod ctwedge;
mod expression;
mod pict;
mod seeds;

use super::cover::{Clause, Factors};

/// What a value of a model is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelValue {
    /// Its names: they are used by turns.
    pub(crate) names: Vec<String>,
    /// How much it is preferred where it makes no difference; 1 is the usual.
    pub(crate) weight: u32,
    /// It is out of what is valid.
    pub(crate) is_negative: bool,
}

impl ModelValue {
    fn plain(name: &str) -> ModelValue {
        ModelValue { names: vec![name.to_owned()], weight: 1, is_negative: false }
    }

    fn number(&self) -> Option<f64> {
        self.names[0].parse().ok().filter(|number: &f64| number.is_finite())
    }
}

/// A parameter with its values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) values: Vec<ModelValue>,
}

impl Parameter {
    /// Returns whether all values are numbers, and are compared as such.
    fn is_numeric(&self) -> bool {
        self.values.iter().all(|value| value.number().is_some())
    }
}

/// A model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) parameters: Vec<Parameter>,
    /// Parameters with a strength of their own.
    pub(crate) strengths: Vec<(Vec<usize>, usize)>,
    pub(crate) clauses: Vec<Clause>,
    /// What is odd in it, with the line.
    pub(crate) warnings: Vec<(usize, String)>,
}

/// What is wrong with a model, and in which line (from 1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct ModelError {
    pub(crate) line: usize,
    pub(crate) problem: Problem,
}

/// See [`ModelError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("'{0}' is no parameter of the model{1}")]
    UnknownParameter(String, String),
    #[error("the parameter '{0}' is defined twice")]
    Twice(String),
    #[error("the parameter '{0}' has no values")]
    NoValues(String),
    #[error("{wanted} was expected, not {found}")]
    Expected { wanted: &'static str, found: String },
    #[error("'{0}' is not understood here; {1}")]
    Unknown(String, &'static str),
    #[error("the strength {strength} does not go with {parameters} parameters")]
    Strength { strength: String, parameters: usize },
    #[error("the constraint would take more than {0} clauses; part it into several")]
    TooLarge(usize),
    #[error("the model has no parameters")]
    Empty,
}

impl Problem {
    const fn at(self, line: usize) -> ModelError {
        ModelError { line, problem: self }
    }
}

impl Model {
    /// Reads a model: that of ACTS where it begins with `[System]`, of `CTWedge` where it begins with `Model`, else PICT's.
    pub(crate) fn read(text: &str) -> Result<Model, ModelError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let meaning = |line: &&str| {
            !(line.is_empty() || line.starts_with('#') || line.starts_with("//") || line.starts_with("--"))
        };
        let first = text.lines().map(str::trim).find(meaning).unwrap_or_default();
        let model = match first {
            first if first.to_ascii_lowercase().starts_with("[system]") => acts::read(text)?,
            first if first.split_whitespace().next() == Some("Model") && !first.contains(':') => ctwedge::read(text)?,
            _ => pict::read(text)?,
        };
        match model.parameters.is_empty() {
            true => Err(Problem::Empty.at(text.lines().count().max(1))),
            false => Ok(model),
        }
    }

    /// Returns what is to be covered of it.
    pub(crate) fn factors(&self, strength: usize, seed: u64, seed_rows: Vec<Vec<Option<u32>>>) -> Factors {
        let of = |parameter: &Parameter| parameter.values.len();
        let has_weights = self.parameters.iter().flat_map(|own| &own.values).any(|value| value.weight != 1);
        let weights = |own: &Parameter| own.values.iter().map(|value| value.weight).collect();
        let invalid = |own: &Parameter| own.values.iter().map(|value| value.is_negative).collect();
        Factors {
            counts: self.parameters.iter().map(of).collect(),
            strength: strength.min(self.parameters.len()),
            mixed: self.strengths.clone(),
            weights: if has_weights { self.parameters.iter().map(weights).collect() } else { Vec::new() },
            invalid: self.parameters.iter().map(invalid).collect(),
            seed_rows,
            seed,
        }
    }

    /// Returns rows with the names of their values: a value with several has them by turns.
    pub(crate) fn named(&self, rows: &[Vec<u32>]) -> Vec<Vec<String>> {
        let mut turns: Vec<Vec<usize>> = self.parameters.iter().map(|own| vec![0; own.values.len()]).collect();
        let mut name = |(place, value): (usize, &u32)| {
            let own = &self.parameters[place].values[*value as usize];
            let turn = &mut turns[place][*value as usize];
            let name = &own.names[*turn % own.names.len()];
            *turn += 1;
            format!("{}{name}", if own.is_negative { pict::NEGATIVE } else { "" })
        };
        rows.iter().map(|row| row.iter().enumerate().map(&mut name).collect()).collect()
    }

    /// Adds a parameter that is not there yet.
    fn add(&mut self, line: usize, name: &str, values: Vec<ModelValue>) -> Result<(), ModelError> {
        if self.place(name).is_some() {
            return Err(Problem::Twice(name.to_owned()).at(line));
        }
        if values.is_empty() || name.is_empty() {
            return Err(Problem::NoValues(name.to_owned()).at(line));
        }
        self.parameters.push(Parameter { name: name.to_owned(), values });
        Ok(())
    }

    /// Returns the place of a parameter, whose name is the same in large and small letters.
    fn place(&self, name: &str) -> Option<usize> {
        self.parameters.iter().position(|own| same_text(&own.name, name))
    }

    fn known(&self, line: usize, name: &str) -> Result<usize, ModelError> {
        self.place(name).ok_or_else(|| {
            let near = crate::model::nearest(name, self.parameters.iter().map(|own| own.name.as_str()));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            Problem::UnknownParameter(name.to_owned(), hint).at(line)
        })
    }

    fn add_strength(&mut self, line: usize, names: &[&str], strength: &str) -> Result<(), ModelError> {
        let wrong = || Problem::Strength { strength: strength.to_owned(), parameters: names.len() }.at(line);
        let number = strength.parse::<usize>().map_err(|_| wrong())?;
        let places = names.iter().map(|name| self.known(line, name)).collect::<Result<Vec<_>, _>>()?;
        if number == 0 || number > places.len() {
            return Err(wrong());
        }
        self.strengths.push((places, number));
        Ok(())
    }
}

/// Returns whether texts are the same in large and small letters.
fn same_text(one: &str, other: &str) -> bool {
    one == other || one.to_lowercase() == other.to_lowercase()
}

#[cfg(test)]
mod tests;
