//! Rows that are to be in a cover, in the form in which PICT writes its own: names of parameters, then values, with tabs.

use super::{Model, same_text};

/// Rows, what is `None` in them is free.
pub(crate) type SeedRows = Vec<Vec<Option<u32>>>;

impl Model {
    /// Reads such rows. What is empty is free. Columns and values that the model does not have are left out, and told.
    pub(crate) fn seed_rows(&self, text: &str) -> (SeedRows, Vec<(usize, String)>) {
        let mut warnings = Vec::new();
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let Some((line, head)) = lines.next() else { return (Vec::new(), warnings) };
        let columns: Vec<Option<usize>> = head.split('\t').map(|name| self.place(name.trim())).collect();
        for (name, place) in head.split('\t').zip(&columns) {
            if place.is_none() {
                warnings.push((line, format!("the model has no parameter '{}'", name.trim())));
            }
        }
        let mut rows = Vec::new();
        for (line, content) in lines {
            let mut row = vec![None; self.parameters.len()];
            for (item, place) in content.split('\t').map(str::trim).zip(&columns) {
                let Some(place) = place.filter(|_| !item.is_empty()) else { continue };
                let own = &self.parameters[place];
                let name = item.strip_prefix(super::pict::NEGATIVE).unwrap_or(item);
                let found = own.values.iter().position(|value| value.names.iter().any(|own| same_text(own, name)));
                row[place] = found.and_then(|found| u32::try_from(found).ok());
                if found.is_none() {
                    warnings.push((line, format!("the parameter '{}' has no value '{item}'", own.name)));
                }
            }
            rows.push(row);
        }
        (rows, warnings)
    }
}
