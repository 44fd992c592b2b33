//! `$include`: a section takes over entries of the same section of a config, a model or an operation.

use super::model::{item_named, name_of_item};
use super::shape::INCLUDE;
use crate::model::nearest;
use crate::operation::read::{Checked, Data, Entry, Mistake, Node};

/// Returns the entries of a section, with those that it includes. Its own keys win.
pub(super) fn section(node: Option<&Node>, name: &str, items: &[Node]) -> Checked<Vec<Entry>> {
    let mut resolved = Vec::new();
    if let Some(node) = node {
        apply(node.entries(), name, items, &mut Vec::new(), &mut resolved)?;
    }
    Ok(resolved)
}

fn apply(
    entries: &[Entry],
    section: &str,
    items: &[Node],
    seen: &mut Vec<String>,
    resolved: &mut Vec<Entry>,
) -> Checked<()> {
    for entry in entries.iter().filter(|entry| entry.key == INCLUDE) {
        for (reference, place) in references(&entry.value)? {
            if seen.contains(&reference) {
                continue;
            }
            seen.push(reference.clone());
            let found =
                find(&reference, section, items).map_err(|text| Mistake { place: Some(place), message: text })?;
            apply(&found, section, items, seen, resolved)?;
        }
    }
    for entry in entries.iter().filter(|entry| entry.key != INCLUDE) {
        let Some(present) = resolved.iter_mut().find(|present| present.key == entry.key) else {
            resolved.push(entry.clone());
            continue;
        };
        match (&mut present.value.data, &entry.value.data) {
            (Data::Map(present), Data::Map(own)) => {
                for attribute in own {
                    present.retain(|present| present.key != attribute.key);
                    present.push(attribute.clone());
                }
            }
            _ => *present = entry.clone(),
        }
        present.place = entry.place.clone();
    }
    Ok(())
}

/// Returns what is included, a text or a list of them.
fn references(node: &Node) -> Checked<Vec<(String, crate::model::Place)>> {
    let items = match &node.data {
        Data::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let text = |node: &Node| match &node.data {
        Data::Text(text) => Ok((text.clone(), node.place.clone())),
        // The value of a flag has been made long.
        Data::Map(_) => match node.get("default").map(|node| &node.data) {
            Some(Data::Text(text)) => Ok((text.clone(), node.place.clone())),
            _ => Err(Mistake::at(&node.place, format!("{INCLUDE} must be a name or a list of names"))),
        },
        _ => {
            Err(Mistake::at(&node.place, format!("{INCLUDE} must be a name or a list of names, got {}", node.shown())))
        }
    };
    items.iter().map(text).collect()
}

/// Finds what `CONFIG[#NAMES]` or `MODEL:OPERATION[#NAMES]` stands for.
fn find(reference: &str, section: &str, items: &[Node]) -> Result<Vec<Entry>, String> {
    let (target, names) = match reference.split_once('#') {
        Some((target, names)) => (target, Some(names)),
        None => (reference, None),
    };
    let (item, operation) = match target.split_once(':') {
        Some((item, operation)) => (item, Some(operation)),
        None => (target, None),
    };
    let invalid = |hint: String| format!("invalid include reference '{reference}': cannot find target{hint}");
    let near = |word: &str, known: Vec<&str>| {
        nearest(word, known).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
    };
    let Some(found) = item_named(items, item) else {
        return Err(invalid(near(item, items.iter().filter_map(name_of_item).collect())));
    };
    let holder = match operation {
        None => found,
        Some(operation) => {
            let operations = found.get("operations");
            match operations.and_then(|operations| operations.get(operation)) {
                Some(node) => node,
                None => {
                    let known = operations.map(Node::entries).unwrap_or_default();
                    return Err(invalid(near(operation, known.iter().map(|entry| entry.key.as_str()).collect())));
                }
            }
        }
    };
    let entries = holder.get(section).map(Node::entries).unwrap_or_default();
    let Some(names) = names else { return Ok(entries.to_vec()) };
    let mut chosen = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match entries.iter().find(|entry| entry.key == name) {
            Some(entry) => chosen.push(entry.clone()),
            None => {
                let hint = near(name, entries.iter().map(|entry| entry.key.as_str()).collect());
                return Err(format!("invalid include reference '{reference}': '{target}' has no '{name}'{hint}"));
            }
        }
    }
    Ok(chosen)
}
