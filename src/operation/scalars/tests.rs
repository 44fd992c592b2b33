//! What is found in output, by patterns as users write them.

use serde_json::json;

use super::*;
use crate::model::Stream;

/// Returns the scalars of this output as `key=value@step`, which must be the same however it is cut.
fn found(spec: Option<&Value>, output: &[u8]) -> Vec<String> {
    let patterns = ScalarPatterns::read(spec, ["lr", "step_size"]).unwrap().unwrap();
    let cut = |size: usize| {
        let mut scan = ScalarScan::new(patterns.clone());
        let mut found = Vec::new();
        let mut take = |scalar: FoundScalar| found.push(format!("{}={}@{}", scalar.key, scalar.value, scalar.step));
        for piece in output.chunks(size) {
            scan.take(Stream::Stdout, piece, &mut take);
        }
        scan.finish(&mut take);
        found
    };
    let whole = cut(output.len().max(1));
    for size in [1, 2, 7, 64] {
        assert_eq!(cut(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn the_default_finds_names_with_values_and_steps() {
    let output = b"loss: 0.5\nlr: 0.1\nstep: 3\nloss: 0.25\nacc: 1e-3 (step 7)\nacc: 2 (8)\nacc: 3 (whatever)\n\
        two words: 4\n  in: 5\nx:6\ntime: 12:30\nz:   9  \r\nlast: -1";
    let expected = ["loss=0.5@0", "loss=0.25@3", "acc=0.001@7", "acc=2@8", "acc=3@8", "z=9@8", "last=-1@8"];
    assert_eq!(found(None, output), expected);
    let odd = "a::\t1\n12:30: 2\nc:\u{b}3\nd:\u{a0}4\n:: 5\ne:f 6\n";
    assert_eq!(found(None, odd.as_bytes()), ["a:=1@0", "12:30=2@0", "c=3@0", "d=4@0", ":=5@0"]);
    assert_eq!(found(Some(&Value::Null), b"a: 1\n\xff\xfe: 2\nb\xc3\xa9: 3\n"), ["a=1@0", "b\u{e9}=3@0"]);
}

#[test]
fn every_form_of_the_specification_is_read() {
    let output = b"epoch 3: train_loss=0.5 val_loss=0.25 (took 3s)\naccuracy 0.75 is nan\n";
    let cases = [
        (json!(r"(\key)=(\value)"), &["train_loss=0.5@0", "val_loss=0.25@0"][..]),
        (json!({"loss": r"train_loss=(\value)", "step": r"epoch (\step)"}), &["loss=0.5@3"]),
        (json!([{"step": r"epoch (\step)"}, r"accuracy (?P<acc>\value)"]), &["acc=0.75@3"]),
        (json!(r"(?P<_val>\value) is (?P<_key>\key)"), &["nan=0.75@0"]),
        (json!([r"train_loss=(?P<a>\value) val_loss=(?P<b>\value)"]), &["a=0.5@0", "b=0.25@0"]),
        // The last pattern that matches says it, and maps are taken by name.
        (json!({"x": r"val_loss=(\value)", "b": r"took (\d+)s"}), &["b=3@0", "x=0.25@0"]),
        (json!([{"x": r"train_loss=(\value)"}, {"x": r"val_loss=(\value)"}]), &["x=0.25@0"]),
        (json!({"x": r"is (\w+)"}), &["x=NaN@0"]),
        (json!({"x": r"(?i)ACCURACY (.*) is"}), &["x=0.75@0"]),
        (json!({"x": r"(epoch) (\step)"}), &["epoch=3@0"]),
    ];
    for (spec, expected) in cases {
        assert_eq!(found(Some(&spec), output), expected, "{spec}");
    }
    for off in [json!(false), json!([]), json!({}), json!("")] {
        assert!(ScalarPatterns::read(Some(&off), []).unwrap().is_none(), "{off}");
    }
}

#[test]
fn flags_are_scalars_where_patterns_were_given() {
    assert_eq!(found(Some(&json!(r"(\key): (\value)")), b"lr: 0.1\n"), ["lr=0.1@0"]);
}

#[test]
fn what_cannot_be_used_is_named_with_its_place() {
    let cases = [
        (
            json!(true),
            "output-scalars must be 'no', a pattern, a map of names and patterns, or a list of these, not true",
        ),
        (json!([1]), "output-scalars[1] must be a pattern, or a map of names and patterns, not 1"),
        (json!(["(a) (b)", {"loss": ["x"]}]), "output-scalars[2].loss must be a pattern, not a list"),
        (
            json!({"loss": r"(?<=loss: )(\value)"}),
            "output-scalars.loss: cannot use the pattern '(?<=loss: )(\\value)': it has a look-behind (?<=…), which is not \
             supported",
        ),
        (json!(["(a"]), "output-scalars[1]: cannot use the pattern '(a': unclosed group"),
        (
            json!("(a)"),
            "output-scalars: cannot use the pattern '(a)': its one group is a value without a name; write it as the value \
             of a map, NAME: PATTERN",
        ),
        (
            json!({"a": "b"}),
            "output-scalars.a: cannot use the pattern 'b': it has no group for the value; put what is the value into \
             parentheses",
        ),
        (
            json!("(a)(b)(c)"),
            "output-scalars: cannot use the pattern '(a)(b)(c)': it has 3 groups, more than a key and a value; name them, \
             (?P<NAME>…), or make them (?:…)",
        ),
        (
            json!(r"(\w{1000}){1000}(a)"),
            "output-scalars: cannot use the pattern '(\\w{1000}){1000}(a)': it would take more than 10485760 bytes",
        ),
    ];
    for (spec, expected) in cases {
        let error = ScalarPatterns::read(Some(&spec), []).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_long_line_takes_no_longer_than_its_bytes_and_streams_are_apart() {
    let patterns = ScalarPatterns::read(Some(&json!({"x": r"(?:a.*)*b (\d+)"})), []).unwrap().unwrap();
    let mut scan = ScalarScan::new(patterns);
    let mut found = Vec::new();
    let mut take = |scalar: FoundScalar| found.push((scalar.value, scalar.step));
    scan.take(Stream::Stderr, b"ab", &mut take);
    let piece = vec![b'a'; 256 << 10];
    for _ in 0..64 {
        scan.take(Stream::Stdout, &piece, &mut take);
    }
    scan.take(Stream::Stdout, b"b 1\nb 2\n", &mut take);
    let mut long = piece;
    long.extend_from_slice(b"b 3\nab 4\n");
    scan.take(Stream::Stdout, &long, &mut take);
    scan.take(Stream::Stderr, b" 5\n", &mut take);
    assert_eq!(found, [(2.0, 0), (4.0, 0), (5.0, 0)]);
}
