//! The short forms of `guild.yml` made long, before anything is merged: `op: foo` is `op: {main: foo}`, `lr: 0.1` is `lr:
//! {default: 0.1}`.
//!
//! What has a wrong shape stays as it is; whoever reads it says so.

use crate::operation::read::{Data, Entry, Node};

/// The key by which a section takes over another.
pub(super) const INCLUDE: &str = "$include";

/// Returns the items of a file: a list has them, a mapping is the operations of a model without a name.
pub(super) fn items(root: Node) -> Result<Vec<Node>, Node> {
    match root.data {
        Data::Null => Ok(Vec::new()),
        Data::List(items) => Ok(items.into_iter().map(item).collect()),
        Data::Map(_) => {
            let place = root.place.clone();
            let model = Entry::new("model", Node::text("", place.clone()));
            Ok(vec![item(Node::map(vec![model, Entry::new("operations", root)], place))])
        }
        data => Err(Node { data, place: root.place }),
    }
}

/// Makes the short forms in an item long. An item that has operations and says nothing of what it is, is a model without a
/// name.
fn item(mut node: Node) -> Node {
    let is_typed = super::TYPES.iter().any(|kind| node.get(kind).is_some());
    let place = node.place.clone();
    if let Data::Map(entries) = &mut node.data {
        for entry in entries.iter_mut() {
            match entry.key.as_str() {
                "flags" => flags(&mut entry.value),
                "operation-defaults" => operation(&mut entry.value),
                "operations" => each(&mut entry.value, operation),
                _ => {}
            }
        }
        if !is_typed && entries.iter().any(|entry| entry.key == "operations") {
            entries.push(Entry::new("model", Node::text("", place)));
        }
    }
    node
}

fn each(node: &mut Node, change: fn(&mut Node)) {
    if let Data::Map(entries) = &mut node.data {
        for entry in entries.iter_mut().filter(|entry| entry.key != INCLUDE) {
            change(&mut entry.value);
        }
    }
}

fn operation(node: &mut Node) {
    if let Data::Text(_) = node.data {
        let main = Entry::new("main", node.clone());
        *node = Node::map(vec![main], node.place.clone());
    }
    if let Data::Map(entries) = &mut node.data {
        for entry in entries.iter_mut().filter(|entry| entry.key == "flags") {
            flags(&mut entry.value);
        }
    }
}

fn flags(node: &mut Node) {
    each(node, |flag| {
        if !matches!(flag.data, Data::Map(_) | Data::Bad(_)) {
            let place = flag.place.clone();
            let default =
                Entry::new("default", std::mem::replace(flag, Node { data: Data::Null, place: place.clone() }));
            *flag = Node::map(vec![default], place);
        }
    });
}
