//! `extends`: a model or config takes over what it does not say itself.

use super::model::item_named;
use crate::operation::read::{Checked, Data, Fields, Mistake, Node, Spelling};

/// What is taken over.
const INHERITED: [&str; 9] = [
    "description",
    "extra",
    "flags",
    "operation-defaults",
    "operations",
    "params",
    "references",
    "resources",
    "sourcecode",
];

/// Returns an item with what it takes over from those it extends, and they from theirs.
pub(super) fn extended(item: &Node, items: &[Node], seen: &[String]) -> Checked<Node> {
    let mut data = item.clone();
    let fields = Fields::of(item, "a model", Spelling::Guild)?;
    let Some(extends) = fields.get("extends") else { return Ok(data) };
    for name in fields.texts("extends")? {
        let wrong = |text: String| Err(Mistake::at(&extends.place, text));
        if seen.contains(&name) {
            return wrong(format!("cycle in 'extends' ({} -> {name})", seen.join(" -> ")));
        }
        if name.contains('/') {
            return wrong(format!("'{name}': models of installed packages are not supported yet"));
        }
        let Some(parent) = item_named(items, &name) else {
            let known = items.iter().filter_map(super::model::name_of_item);
            let near = crate::model::nearest(&name, known);
            let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            return wrong(format!("undefined model or config '{name}'{hint}"));
        };
        let seen: Vec<String> = seen.iter().cloned().chain([name.clone()]).collect();
        let parent = extended(parent, items, &seen)?;
        for name in INHERITED {
            if let Some(inherited) = parent.entries().iter().find(|entry| entry.key == name) {
                fill(&mut data, std::slice::from_ref(inherited));
            }
        }
    }
    Ok(data)
}

/// Puts into a mapping what it lacks, however deep.
fn fill(child: &mut Node, parent: &[crate::operation::read::Entry]) {
    let Data::Map(entries) = &mut child.data else { return };
    for inherited in parent {
        match entries.iter_mut().find(|entry| entry.key == inherited.key) {
            None => entries.push(inherited.clone()),
            Some(own) => fill(&mut own.value, inherited.value.entries()),
        }
    }
}
