//! Variants as a tree: the YAML of Avocado's multiplexer. A mapping is a node, a nested mapping its child, and everything
//! else a parameter, which holds for the nodes below as well. The children of a node with the tag `!mux` are
//! alternatives; those of any other belong together. Each way to choose is a variant.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use serde_saphyr::granit_parser::{Event, Parser, options};
use sha1::{Digest, Sha1};

use super::variants::{MOST, Variant};

/// Where Avocado hangs what a file holds.
const ROOT: &str = "/run";

/// How deep a tree may be.
const MAX_DEPTH: usize = 100;

/// A leaf of the tree that was chosen: its name, its path, and its parameters with the paths of where they stand.
#[derive(Clone, Debug)]
struct Leaf {
    name: String,
    path: String,
    entries: Vec<(String, String, Value)>,
}

/// Returns the variants of a tree; `None` if the text is no tree: no node of it has the tag.
pub(super) fn read(text: &str) -> Result<Option<Vec<Variant>>, String> {
    let tagged = tagged(text)?;
    if tagged.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_saphyr::from_str(&without_tags(text, tagged.len())?)
        .map_err(|error| format!("it is not YAML: {error}"))?;
    let Value::Object(fields) = value else { return Err("a tree with !mux is a mapping".to_owned()) };
    let chosen = choose("run", ROOT, &mut Vec::new(), &fields, &[], &tagged)?;
    Ok(Some(chosen.iter().map(|leaves| variant(leaves)).collect()))
}

/// Returns the paths of the nodes with the tag. Other tags of the multiplexer are not known.
fn tagged(text: &str) -> Result<HashSet<Vec<String>>, String> {
    let mut tagged = HashSet::new();
    // One for each open collection: whether it is a mapping, and the key that waits for its value.
    let mut open: Vec<(bool, Option<String>)> = Vec::new();
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| format!("it is not YAML: {}", error.info()))?;
        let tag = match &event {
            Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, _, tag) | Event::MappingStart(_, _, tag) => {
                tag.as_deref()
            }
            _ => None,
        };
        let tag = tag.filter(|tag| tag.core_suffix().is_none()).map(|tag| tag.original().to_string());
        if let Some(tag) = tag.filter(|tag| tag != "!") {
            if tag != "!mux" {
                return Err(format!("line {}: the tag {tag} is not known; there is !mux", span.start.line()));
            }
            tagged.insert(open.iter().filter_map(|(_, key)| key.clone()).collect());
        }
        match event {
            Event::Scalar(text, ..) => match open.last_mut() {
                Some((true, key @ None)) => *key = Some(text.into_owned()),
                _ => value_ended(&mut open),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => value_ended(&mut open),
            Event::SequenceStart(..) => open.push((false, None)),
            Event::MappingStart(..) => open.push((true, None)),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                value_ended(&mut open);
            }
            _ => {}
        }
    }
    Ok(tagged)
}

fn value_ended(open: &mut [(bool, Option<String>)]) {
    if let Some((true, key)) = open.last_mut() {
        *key = None;
    }
}

/// Returns the text without its tags, which no type has.
fn without_tags(text: &str, count: usize) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut found = 0;
    let mut rest = text;
    while let Some(at) = rest.find("!mux") {
        let (before, after) = rest.split_at(at);
        let begins = before.is_empty() || before.ends_with([' ', '\t', '\n']);
        let ends = after[4..].is_empty() || after[4..].starts_with([' ', '\t', '\r', '\n']);
        plain.push_str(before);
        plain.push_str(if begins && ends { "    " } else { "!mux" });
        found += usize::from(begins && ends);
        rest = &after[4..];
    }
    plain.push_str(rest);
    match found == count {
        true => Ok(plain),
        false => Err("the word !mux stands where it is no tag, or twice for one node".to_owned()),
    }
}

/// Returns every way to choose leaves below a node.
fn choose(
    name: &str,
    path: &str,
    keys: &mut Vec<String>,
    fields: &Map<String, Value>,
    inherited: &[(String, String, Value)],
    tagged: &HashSet<Vec<String>>,
) -> Result<Vec<Vec<Leaf>>, String> {
    if keys.len() > MAX_DEPTH {
        return Err(format!("the tree is more than {MAX_DEPTH} deep"));
    }
    let is_mux = tagged.contains(keys.as_slice());
    let is_child = |value: &Value| value.is_object() || (is_mux && value.is_null());
    let mut entries: Vec<(String, String, Value)> = inherited.to_vec();
    for (key, value) in fields.iter().filter(|(_, value)| !is_child(value)) {
        // What stands nearer wins.
        entries.retain(|(_, known, _)| known != key);
        entries.push((path.to_owned(), key.clone(), value.clone()));
    }
    let mut ways: Vec<Vec<Leaf>> = Vec::new();
    for (key, value) in fields.iter().filter(|(_, value)| is_child(value)) {
        let empty = Map::new();
        keys.push(key.clone());
        let below = choose(key, &format!("{path}/{key}"), keys, value.as_object().unwrap_or(&empty), &entries, tagged)?;
        keys.pop();
        match is_mux || ways.is_empty() {
            true => ways.extend(below),
            false => {
                if ways.len().saturating_mul(below.len()) > MOST {
                    return Err(format!("there are more than {MOST} variants"));
                }
                let join =
                    |way: &Vec<Leaf>| below.iter().map(|more| way.iter().chain(more).cloned().collect()).collect();
                ways = ways.iter().flat_map(|way| -> Vec<Vec<Leaf>> { join(way) }).collect();
            }
        }
    }
    if ways.is_empty() {
        ways.push(vec![Leaf { name: name.to_owned(), path: path.to_owned(), entries }]);
    }
    match ways.len() > MOST {
        true => Err(format!("there are more than {MOST} variants")),
        false => Ok(ways),
    }
}

fn variant(leaves: &[Leaf]) -> Variant {
    let node = |leaf: &Leaf| {
        let entries = leaf.entries.iter().map(|(origin, key, value)| json!([origin, key, value]));
        json!([leaf.path, entries.collect::<Vec<_>>()])
    };
    let nodes: Vec<Value> = leaves.iter().map(node).collect();
    let names: Vec<&str> = leaves.iter().map(|leaf| leaf.name.as_str()).collect();
    let digest = Sha1::digest(Value::Array(nodes.clone()).to_string());
    let id = format!("{}-{:02x}{:02x}", names.join("-"), digest[0], digest[1]);
    Variant { id: Some(id), paths: vec![format!("{ROOT}/*")], nodes }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;
    use crate::testing::Variant;

    fn shown(text: &str) -> Vec<String> {
        let one = |variant: &Variant| {
            let id = variant.id.clone().unwrap();
            let (name, digits) = id.rsplit_once('-').unwrap();
            assert_eq!(digits.len(), 4, "{id}");
            let paths: Vec<&str> = variant.nodes.iter().map(|node| node[0].as_str().unwrap()).collect();
            format!("{name}: {}", paths.join(" "))
        };
        read(text).unwrap().unwrap().iter().map(one).collect()
    }

    #[test]
    fn children_of_mux_are_alternatives() {
        let text = "hw: \n  cpu: !mux\n    intel:\n      flag: mmx\n    amd:\n      flag: 3dnow\n  disk: !mux\n    scsi:\n    virtio:\n\
                    os: !mux\n  linux: {init: systemd}\nspeed: 5\n";
        let expected = [
            "intel-scsi-linux: /run/hw/cpu/intel /run/hw/disk/scsi /run/os/linux",
            "intel-virtio-linux: /run/hw/cpu/intel /run/hw/disk/virtio /run/os/linux",
            "amd-scsi-linux: /run/hw/cpu/amd /run/hw/disk/scsi /run/os/linux",
            "amd-virtio-linux: /run/hw/cpu/amd /run/hw/disk/virtio /run/os/linux",
        ];
        assert_eq!(shown(text), expected);
        let variants = read(text).unwrap().unwrap();
        assert_eq!(
            variants[2].nodes[0],
            json!(["/run/hw/cpu/amd", [["/run", "speed", 5], ["/run/hw/cpu/amd", "flag", "3dnow"]]])
        );
        assert_eq!(variants[2].paths, ["/run/*"]);
        assert_eq!(shown("!mux\na: {x: 1}\nb: {x: 2}\n"), ["a: /run/a", "b: /run/b"]);
    }

    #[test]
    fn nearer_parameters_win_and_text_stays_text() {
        let variants = read("x: 1\nn: !mux\n  a:\n    x: '!muxer'\n").unwrap().unwrap();
        assert_eq!(variants[0].nodes, [json!(["/run/n/a", [["/run/n/a", "x", "!muxer"]]])]);
    }

    #[test]
    fn what_is_no_tree_is_left_and_mistakes_are_named() {
        assert_eq!(read("a: [1, 2]\nb: 3\n").unwrap(), None);
        let error = |text: &str| read(text).unwrap_err();
        assert!(error("a: !include x\n").starts_with("line 1: the tag !include is not known"));
        assert!(error("a: !mux\n  - 1\n b").starts_with("it is not YAML"));
        let wide = |level: usize| (0..10).map(|n| format!("  n{level}{n}:\n")).collect::<String>();
        let text: String = (0..8).map(|level| format!("l{level}: !mux\n{}", wide(level))).collect();
        assert!(error(&text).contains("more than 1000000 variants"));
    }
}
