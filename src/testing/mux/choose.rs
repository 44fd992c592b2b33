//! From the tree to variants: every way to choose leaves, less those that the filters in it leave out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::tree::Tree;
use crate::model::python_text_of;
use crate::testing::variants::{MOST, Variant, VariantError};

/// Where parameters are looked for first.
const PATHS: &str = "/run/*";

/// A leaf of the tree, with what it inherits.
#[derive(Clone, Debug)]
struct Leaf {
    path: String,
    /// The names of the nodes from the top, which has none.
    names: Vec<String>,
    /// Each parameter with the path of the node that it is from.
    parameters: Vec<(String, String, Value)>,
    filter_only: BTreeSet<String>,
    filter_out: BTreeSet<String>,
}

/// A set of alternatives, or a single leaf, of a part of the tree.
type Pools = Vec<Vec<Vec<Leaf>>>;

/// Returns the variants of a tree in the order of the original.
pub(super) fn variants(tree: &Tree) -> Result<Vec<Variant>, VariantError> {
    let top = Leaf {
        path: String::new(),
        names: Vec::new(),
        parameters: Vec::new(),
        filter_only: BTreeSet::new(),
        filter_out: BTreeSet::new(),
    };
    let all = choices(tree, &top.with(tree))?;
    Ok(all.iter().filter(|leaves| is_kept(leaves)).map(|leaves| variant(leaves)).collect())
}

/// Returns every way to choose leaves at or below a node.
fn choices(tree: &Tree, own: &Leaf) -> Result<Vec<Vec<Leaf>>, VariantError> {
    let mut pools = Pools::new();
    collect(tree, own, &mut pools)?;
    let mut ways: Vec<Vec<Leaf>> = vec![Vec::new()];
    for pool in pools {
        if ways.len().saturating_mul(pool.len()) > MOST {
            return Err(VariantError::TooMany);
        }
        ways = ways
            .iter()
            .flat_map(|way| pool.iter().map(move |more| way.iter().chain(more).cloned().collect()))
            .collect();
    }
    Ok(ways)
}

/// Collects what there is to choose from below a node: a pool for each leaf that is there anyway, and one for each node
/// whose children are alternatives.
fn collect(tree: &Tree, own: &Leaf, pools: &mut Pools) -> Result<(), VariantError> {
    if tree.children.is_empty() {
        pools.push(vec![vec![own.clone()]]);
        return Ok(());
    }
    if tree.is_mux != Some(true) {
        return tree.children.iter().try_for_each(|child| collect(child, &own.with(child), pools));
    }
    let mut pool = Vec::new();
    for child in &tree.children {
        pool.extend(choices(child, &own.with(child))?);
        if pool.len() > MOST {
            return Err(VariantError::TooMany);
        }
    }
    pools.push(pool);
    Ok(())
}

impl Leaf {
    /// Returns what a child of this node is. A list is added to one that is inherited; anything else takes its place.
    fn with(&self, child: &Tree) -> Leaf {
        let mut leaf = self.clone();
        leaf.path = match self.path.as_str() {
            "" if child.name.is_empty() => "/".to_owned(),
            "/" => format!("/{}", child.name),
            path => format!("{path}/{}", child.name),
        };
        if !child.name.is_empty() {
            leaf.names.push(child.name.clone());
        }
        for (name, value) in &child.values {
            match leaf.parameters.iter_mut().find(|(_, known, _)| known == name) {
                Some((origin, _, known)) => {
                    match (known, value) {
                        (Value::Array(known), Value::Array(more)) => known.extend(more.iter().cloned()),
                        (known, value) => known.clone_from(value),
                    }
                    origin.clone_from(&leaf.path);
                }
                None => leaf.parameters.push((leaf.path.clone(), name.clone(), value.clone())),
            }
        }
        leaf.filter_only.extend(child.filter_only.iter().cloned());
        leaf.filter_out.extend(child.filter_out.iter().cloned());
        leaf
    }

    /// Returns all that makes the leaf what it is, as the original writes it down to make ids.
    fn fingerprint(&self) -> String {
        let sorted: BTreeMap<&str, (&str, &Value)> =
            self.parameters.iter().map(|(origin, name, value)| (name.as_str(), (origin.as_str(), value))).collect();
        let values: Vec<String> =
            sorted.iter().map(|(name, (_, value))| format!("{name}: {}", python_text_of(value))).collect();
        let origins: Vec<String> = sorted.iter().map(|(name, (origin, _))| format!("{name}: {origin}")).collect();
        let filters = |filters: &BTreeSet<String>| {
            let quoted: Vec<String> = filters.iter().map(|filter| format!("'{filter}'")).collect();
            format!("FilterSet([{}])", quoted.join(", "))
        };
        format!(
            "{}{{{}}},{{{}}},{},{}[]",
            self.path,
            values.join(", "),
            origins.join(", "),
            filters(&self.filter_only),
            filters(&self.filter_out)
        )
    }
}

/// Returns whether the filters in the leaves let them be together. Where several filters know a leaf, the deepest decides.
fn is_kept(leaves: &[Leaf]) -> bool {
    let only: BTreeSet<&str> = leaves.iter().flat_map(|leaf| leaf.filter_only.iter().map(String::as_str)).collect();
    let out: BTreeSet<&str> = leaves.iter().flat_map(|leaf| leaf.filter_out.iter().map(String::as_str)).collect();
    let is_out = |leaf: &Leaf| out.iter().any(|filter| format!("{}/", leaf.path).starts_with(filter));
    if leaves.iter().any(is_out) {
        return false;
    }
    leaves.iter().all(|leaf| {
        let path = format!("{}/", leaf.path);
        let (mut keep, mut remove) = (0, 0);
        for filter in &only {
            let level = filter.matches('/').count();
            if level >= keep.max(remove) && parent(&path).starts_with(parent(filter)) {
                *(if path.starts_with(filter) { &mut keep } else { &mut remove }) = level;
            }
        }
        remove <= keep
    })
}

/// Returns the path, with a stroke at its end, of what a path with a stroke at its end is in.
fn parent(path: &str) -> &str {
    let inner = path.strip_suffix('/').unwrap_or(path);
    inner.rfind('/').map_or("/", |at| &path[..=at])
}

fn variant(leaves: &[Leaf]) -> Variant {
    let node = |leaf: &Leaf| {
        let entries = leaf.parameters.iter().map(|(origin, key, value)| json!([origin, key, value]));
        json!([leaf.path, entries.collect::<Vec<_>>()])
    };
    Variant { id: Some(id(leaves)), paths: vec![PATHS.to_owned()], nodes: leaves.iter().map(node).collect() }
}

/// Returns the id that the original gives: the names on the ways to the leaves, each once, and four digits of all that is
/// in them.
fn id(leaves: &[Leaf]) -> String {
    let mut sorted: Vec<&Leaf> = leaves.iter().collect();
    sorted.sort_by(|one, other| one.path.cmp(&other.path));
    let mut names: Vec<&str> = Vec::new();
    for name in sorted.iter().flat_map(|leaf| &leaf.names) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let prints: Vec<String> = sorted.iter().map(|leaf| leaf.fingerprint()).collect();
    let digest = Sha1::digest(prints.join("\n"));
    format!("{}-{:02x}{:02x}", names.join("-"), digest[0], digest[1])
}
