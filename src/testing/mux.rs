//! Variants as a tree: the YAML of Avocado's multiplexer. A mapping is a node, a nested mapping its child, and everything
//! else a parameter, which holds for the nodes below as well. The children of a node with the tag `!mux` are
//! alternatives; those of any other belong together. Each way to choose is a variant.

mod choose;
mod error;
mod tree;
mod yaml;

pub(crate) use self::error::MuxError;
pub(crate) use self::tree::Tree;
pub(super) use self::yaml::read_plain;
use super::variants::{Variant, VariantError};

impl Tree {
    /// Returns the variants, with the ids that the original gives them.
    pub(crate) fn variants(&self) -> Result<Vec<Variant>, VariantError> {
        choose::variants(self)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;

    use super::Tree;
    use crate::testing::Variant;

    fn read(text: &str) -> Result<Option<Tree>, String> {
        Tree::read(Path::new("mux.yaml"), text).map_err(|error| error.to_string())
    }

    fn variants(text: &str) -> Vec<Variant> {
        read(text).unwrap().unwrap().variants().unwrap()
    }

    fn ids(variants: &[Variant]) -> String {
        variants.iter().map(|variant| variant.id.clone().unwrap()).collect::<Vec<_>>().join(" ")
    }

    /// Files, and the ids that Avocado 113.0 gives their variants.
    const CASES: &[(&str, &str)] = &[
        (
            "nap: !mux\n    little:\n        length: 1\n    big:\n        length: 9\n",
            "run-nap-little-666b run-nap-big-1aff",
        ),
        ("!mux\nfirst:\n  variable_one: 1\nsecond:\n  variable_two: 2\n", "run-first-febe run-second-bafe"),
        ("!using : /a/b\nx: 1\nc:\n    y: 2\n", "run-b-a-c-de6e"),
        (
            "n: !mux\n    k:\n        !using : /p/q\n        v: [1, 2]\n    m:\n        v: yes\nl:\n  - one\n  - 2.50\n\
             deep:\n  l: [3]\n  d: 2020-01-01\n  e: 'null'\n  f: null\n  g: \"it's\"\n",
            "run-deep-f-n-p-q-k-e7b1 run-deep-f-n-m-0db0",
        ),
        (
            "hw: !mux\n    one:\n        !filter-out : /run/os/w\n    two:\nos: !mux\n    l:\n        !filter-only : /run/hw/two\n    w:\n",
            "run-hw-two-os-l-fc29 run-hw-two-os-w-0efb",
        ),
        ("top: !mux\n    a: {x: 1, y: 2}\n    b: {x: 3}\n    c:\n", "run-top-a-2ab4 run-top-b-e486 run-top-c-3ca6"),
    ];

    #[test]
    fn ids_are_those_of_the_original() {
        for (text, expected) in CASES {
            assert_eq!(ids(&variants(text)), *expected, "{text}");
        }
    }

    #[test]
    fn children_of_mux_are_alternatives() {
        let text = "hw: \n  cpu: !mux\n    intel:\n      flag: mmx\n    amd:\n      flag: 3dnow\n  disk: !mux\n    scsi:\n    virtio:\n\
                    os: !mux\n  linux: {init: systemd}\nspeed: 5\n";
        let variants = variants(text);
        let paths = |variant: &Variant| variant.nodes.iter().map(|node| node[0].as_str().unwrap().to_owned()).collect();
        let shown: Vec<Vec<String>> = variants.iter().map(paths).collect();
        let expected = ["intel scsi", "intel virtio", "amd scsi", "amd virtio"].map(|pair| {
            let (cpu, disk) = pair.split_once(' ').unwrap();
            vec![format!("/run/hw/cpu/{cpu}"), format!("/run/hw/disk/{disk}"), "/run/os/linux".to_owned()]
        });
        assert_eq!(shown, expected);
        assert_eq!(
            variants[2].nodes[0],
            json!(["/run/hw/cpu/amd", [["/run", "speed", 5], ["/run/hw/cpu/amd", "flag", "3dnow"]]])
        );
        assert_eq!(variants[2].paths, ["/run/*"]);
    }

    #[test]
    fn nearer_parameters_win_and_lists_are_joined() {
        let nodes = |text| variants(text)[0].nodes.clone();
        assert_eq!(
            nodes("x: 1\nn: !mux\n  a:\n    x: '!muxer'\n"),
            [json!(["/run/n/a", [["/run/n/a", "x", "!muxer"]]])]
        );
        assert_eq!(nodes("x: [1]\nn:\n  x: [2]\n"), [json!(["/run/n", [["/run/n", "x", [1, 2]]]])]);
    }

    #[test]
    fn files_are_included_and_merged() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("part")).unwrap();
        fs::write(at("part/base.yaml"), CASES[5].0).unwrap();
        fs::write(at("part/loop.yaml"), "a:\n  !include : loop.yaml\n").unwrap();
        let tree = |text: &str| Tree::read(&at("mux.yaml"), text);
        let included = tree("here:\n    !include : part/base.yaml\n    more: 1\n").unwrap().unwrap();
        assert_eq!(ids(&included.variants().unwrap()), "run-here-top-a-196e run-here-top-b-3548 run-here-top-c-30ed");
        let mut base = tree(CASES[5].0).unwrap().unwrap();
        let over =
            "top: !join\n    !remove_node : b\n    a:\n        !remove_value : x\n        z: 5\n    d:\n      k: v\n";
        base.merge(tree(over).unwrap().unwrap());
        let variants = base.variants().unwrap();
        assert_eq!(variants.len(), 1, "!join makes them belong together: {variants:?}");
        let nodes: Vec<String> = variants[0].nodes.iter().map(ToString::to_string).collect();
        assert_eq!(
            nodes,
            [
                r#"["/run/top/a",[["/run/top/a","y",2],["/run/top/a","z",5]]]"#,
                r#"["/run/top/c",[]]"#,
                r#"["/run/top/d",[["/run/top/d","k","v"]]]"#
            ]
        );
        let error = |text: &str| tree(text).unwrap_err().to_string();
        assert!(error("a:\n  !include : part/loop.yaml\n").contains("the files include each other"));
        assert!(error("a:\n  !include : part/none.yaml\n").contains("part/none.yaml: it cannot be read"));
    }

    #[test]
    fn what_is_no_tree_is_left_and_mistakes_are_named() {
        assert_eq!(read("a: [1, 2]\nb: 3\nc:\n").unwrap(), None);
        assert_eq!(read("- a: {b: 1}\n").unwrap(), None);
        assert_eq!(read("").unwrap(), None);
        let error = |text: &str| read(text).unwrap_err();
        assert!(
            error("a: !include x\n").starts_with("line 1: !include is a key and needs a colon with blanks around it")
        );
        assert!(error("a:\n  !inclde : x\n").ends_with("did you mean !include?"));
        assert!(error("a: !muxx\n  b:\n").contains("the tag !muxx is not known; there are !mux, !join"));
        assert!(error("a: !mux [1]\n").starts_with("line 1: only a mapping"));
        assert!(error("a: !mux\n  b: 1\n c").starts_with("it is not YAML"));
        assert!(error("a:\n  !using : x\n  !using : y\n").starts_with("line 3: !using can be used only once"));
        assert!(error("a:\n  !remove_node : '('\n").contains("is no regular expression"));
        assert!(error("---\na: {b: 1}\n---\nc: 1\n").contains("a second document begins"));
        let wide = |level: usize| (0..10).map(move |n| format!("  n{level}{n}:\n"));
        let level = |level: usize| std::iter::once(format!("l{level}: !mux\n")).chain(wide(level));
        let text = (0..8).flat_map(level).collect::<Vec<_>>().concat();
        let tree = read(&text).unwrap().unwrap();
        assert!(tree.variants().unwrap_err().to_string().contains("more than 1000000 variants"));
    }
}
