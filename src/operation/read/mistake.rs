//! What is wrong with a definition, and where.

use std::fmt;

use crate::model::Place;

/// A mistake in a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where it is.
    pub(crate) place: Option<Place>,
    /// What is wrong, and what to do.
    pub(crate) message: String,
}

impl Mistake {
    /// Returns a mistake at a place.
    pub(crate) fn at(place: &Place, message: impl Into<String>) -> Mistake {
        Mistake { place: Some(place.clone()), message: message.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// What comes of reading a part of a definition.
pub(crate) type Checked<T> = Result<T, Mistake>;
