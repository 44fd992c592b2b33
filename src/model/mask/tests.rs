//! What is masked: by tables of what programs print, and against a search that looks everywhere for everything.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::*;

fn masked(secrets: &[&str], text: &[u8]) -> String {
    String::from_utf8_lossy(&Masks::new(secrets).mask(text)).into_owned()
}

/// What is masked where every form is looked for at every place.
fn masked_slowly(secrets: &[Vec<u8>], text: &[u8]) -> Vec<u8> {
    let values = secrets.iter().flat_map(|secret| {
        let lines = secret.split(|byte| *byte == b'\n').chain([secret.as_slice()]);
        lines.map(<[u8]>::trim_ascii).filter(|line| is_secret(line))
    });
    let forms: Vec<Vec<u8>> = values.flat_map(forms::forms).collect();
    let mut ends = vec![0; text.len()];
    for at in 0..text.len() {
        let fitting = forms.iter().filter(|form| text[at..].starts_with(form));
        ends[at] = fitting.map(|form| at + form.len()).max().unwrap_or(0);
    }
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if ends[at] == 0 {
            out.push(text[at]);
            at += 1;
            continue;
        }
        let mut end = ends[at];
        while at < end {
            end = end.max(ends[at]);
            at += 1;
        }
        out.extend_from_slice(MASK.as_bytes());
    }
    out
}

/// Masks a text that comes in pieces, cut at these places.
fn in_pieces(masks: &Masks, text: &[u8], cuts: &[Index]) -> Vec<u8> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    cuts.sort_unstable();
    let (mut stream, mut out, mut from) = (masks.stream(), Vec::new(), 0);
    for to in cuts.into_iter().chain([text.len()]) {
        stream.write(&text[from..to], &mut |bytes| out.extend_from_slice(bytes));
        from = to;
    }
    stream.finish(&mut |bytes| out.extend_from_slice(bytes));
    out
}

#[test]
fn what_programs_print_of_a_secret_is_masked() {
    let secret = "p\u{e4}ss \"w/o'rd\" <&>\\ $x #1";
    let quoted: [(&str, &str); 35] = [
        ("json in ascii, with capitals", r#"p\u00E4ss \"w/o'rd\" <&>\\ $x #1"#),
        ("json of PHP, unescaped", r#"päss \"w\/o'rd\" <&>\\ $x #1"#),
        ("repr with other quotes", r#"päss "w/o'rd" <&>\\ $x #1"#),
        ("ascii with other quotes", r#"p\xe4ss "w/o'rd" <&>\\ $x #1"#),
        ("SQL with backslashes", r#"päss \"w/o\'rd\" <&>\\ $x #1"#),
        ("as it is", "p\u{e4}ss \"w/o'rd\" <&>\\ $x #1"),
        ("json", r#"päss \"w/o'rd\" <&>\\ $x #1"#),
        ("json in ascii", r#"p\u00e4ss \"w/o'rd\" <&>\\ $x #1"#),
        ("json of C#", r"p\u00E4ss \u0022w/o\u0027rd\u0022 \u003C\u0026\u003E\\ $x #1"),
        ("json of Go", r#"päss \"w/o'rd\" \u003c\u0026\u003e\\ $x #1"#),
        ("json of PHP", r#"p\u00e4ss \"w\/o'rd\" <&>\\ $x #1"#),
        ("json in json", r#"päss \\\"w/o'rd\\\" <&>\\\\ $x #1"#),
        ("repr", r#"päss "w/o\'rd" <&>\\ $x #1"#),
        ("ascii", r#"p\xe4ss "w/o\'rd" <&>\\ $x #1"#),
        ("repr of bytes", r#"p\xc3\xa4ss "w/o\'rd" <&>\\ $x #1"#),
        ("repr in json", r#"päss \"w/o\\'rd\" <&>\\\\ $x #1"#),
        ("json in repr", r#"päss \\"w/o\'rd\\" <&>\\\\ $x #1"#),
        ("octal of git", r#"p\303\244ss \"w/o'rd\" <&>\\ $x #1"#),
        ("single quotes of a shell", r#"päss "w/o'\''rd" <&>\ $x #1"#),
        ("shlex.quote", r#"päss "w/o'"'"'rd" <&>\ $x #1"#),
        ("the same in json", r#"päss \"w/o'\\''rd\" <&>\\ $x #1"#),
        ("double quotes of a shell", r#"päss \"w/o'rd\" <&>\\ \$x #1"#),
        ("printf %q", r#"päss\ \"w/o\'rd\"\ \<\&\>\\\ \$x\ #1"#),
        ("re.escape", r#"päss\ "w/o'rd"\ <\&>\\\ \$x\ \#1"#),
        ("quotemeta", r#"päss\ \"w\/o\'rd\"\ \<\&\>\\\ \$x\ \#1"#),
        ("SQL and YAML", r#"päss "w/o''rd" <&>\ $x #1"#),
        ("CSV", r#"päss ""w/o'rd"" <&>\ $x #1"#),
        ("Ruby", r#"päss \"w/o'rd\" <&>\\ $x \#1"#),
        ("XML", r"päss &quot;w/o&apos;rd&quot; &lt;&amp;&gt;\ $x #1"),
        ("XML text", r#"päss "w/o'rd" &lt;&amp;>\ $x #1"#),
        ("html.escape", r"päss &quot;w/o&#x27;rd&quot; &lt;&amp;&gt;\ $x #1"),
        ("Go's", r"päss &#34;w/o&#39;rd&#34; &lt;&amp;&gt;\ $x #1"),
        ("quote", "p%C3%A4ss%20%22w/o%27rd%22%20%3C%26%3E%5C%20%24x%20%231"),
        ("encodeURIComponent", "p%C3%A4ss%20%22w%2Fo'rd%22%20%3C%26%3E%5C%20%24x%20%231"),
        ("a form", "p%c3%a4ss+%22w%2fo%27rd%22+%3c%26%3e%5c+%24x+%231"),
    ];
    for (name, form) in quoted {
        assert_eq!(masked(&[secret], format!("a '{form}' b").as_bytes()), "a '***' b", "{name}: {form}");
    }
    let controlled = "bell\u{7}\"'\u{20ac}\u{1f600}.";
    let shown = [
        r#"bell\u0007\"'€😀."#,
        r#"bell\u0007\"'\u20ac\ud83d\ude00."#,
        r#"bell\u0007\"'\u20AC\uD83D\uDE00."#,
        r#"bell\x07\"'€😀."#,
        r#"bell\x07"\'€😀."#,
        r#"bell\x07"\'\u20ac\U0001f600."#,
        r#"bell\007\"'\342\202\254\360\237\230\200."#,
    ];
    for form in shown {
        assert_eq!(masked(&[controlled], format!("a '{form}' b").as_bytes()), "a '***' b", "{form}");
    }
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    assert_eq!(masked(&[secret], format!("<{hex}>").as_bytes()), "<***>");
    assert_eq!(masked(&[secret], format!("<{}>", hex.to_uppercase()).as_bytes()), "<***>");
}

#[test]
fn base_64_is_masked_wherever_the_secret_begins() {
    let engines = [STANDARD, URL_SAFE];
    for secret in
        ["abcdef", "hunter2", "hunter2hunter2", "??>>~~ab", "\u{fc}\u{fe}\u{ff}\u{fb}", &("long ".repeat(30) + "end")]
    {
        for (before, after) in [("", ""), ("u", ""), ("us", ""), ("user:", ""), ("", "\n"), ("u", ":x"), ("us", ":xyz")]
        {
            for engine in &engines {
                let encoded = engine.encode(format!("{before}{secret}{after}"));
                let found = masked(&[secret], encoded.as_bytes());
                // What is left beside the mask are digits of the neighbours, and those that are shared with them.
                let (head, tail) = found.split_once(MASK).unwrap_or_else(|| panic!("{secret}: {encoded}: {found}"));
                let most = (before.len() * 8).div_ceil(6);
                assert!(head.len() <= most && tail.len() <= (after.len() * 8).div_ceil(6) + 3, "{encoded}: {found}");
            }
        }
    }
    // As `base64` and `openssl` break lines.
    let key = "k3y/".repeat(60);
    for columns in [64, 76] {
        let lines: Vec<String> =
            STANDARD.encode(&key).as_bytes().chunks(columns).map(|line| masked(&[&key], line)).collect();
        assert!(lines.iter().all(|line| line == MASK || line == "***="), "{lines:?}");
    }
}

#[test]
fn lines_of_a_secret_are_secrets_and_short_values_are_none() {
    let key = "-----BEGIN KEY-----\r\nabcdefgh1\r\nab\r\n======\r\nijklmnop2\n-----END KEY-----\n";
    let text = "> ijklmnop2 < ab ====== abcdefgh1";
    assert_eq!(masked(&[key], text.as_bytes()), "> *** < ab ====== ***");
    assert_eq!(masked(&[key], key.as_bytes()), "***\n");
    assert_eq!(masked(&[key], json!({"key": key}).to_string().as_bytes()), r#"{"key":"***\n"}"#);
    assert_eq!(masked(&["1", "yes", "false", "  12345\n"], b"1 yes false 12345"), "1 yes false 12345");
    assert_eq!(masked(&["******", "------"], b"****** ------"), "****** ------");
    assert_eq!(masked(&[" 123456\n"], b"0.123456 a"), "0.*** a");
    assert!(Masks::new(["12345", "", "******"]).is_empty() && !Masks::new(["123456"]).is_empty());
}

#[test]
fn what_overlaps_has_one_mask_and_neighbours_have_two() {
    assert_eq!(masked(&["abcdef", "defghi"], b"xabcdefghiy"), "x***y");
    assert_eq!(masked(&["secret", "secret-longer"], b"secret-longer secret"), "*** ***");
    assert_eq!(masked(&["secret"], b"secretsecret"), "******");
    assert_eq!(masked(&["ababab"], b"abababab"), "***");
    assert_eq!(masked(&["\u{e9}\u{e9}\u{e9}"], "a\u{e9}\u{e9}\u{e9} \u{e9}b".as_bytes()), "a*** \u{e9}b");
}

#[test]
fn only_what_may_be_a_secret_is_kept_and_not_for_longer_than_somebody_waits() {
    let masks = Masks::new(["hunter2hunter2", "abcdef"]);
    let mut stream = masks.stream();
    let mut out = Vec::new();
    let mut step = |stream: &mut MaskStream, bytes: &str| {
        out.clear();
        stream.write(bytes.as_bytes(), &mut |bytes| out.extend_from_slice(bytes));
        (String::from_utf8_lossy(&out).into_owned(), stream.is_holding())
    };
    assert_eq!(step(&mut stream, "Name? "), ("Name? ".into(), false));
    assert_eq!(step(&mut stream, "the hunt"), ("the ".into(), true));
    assert_eq!(step(&mut stream, "s hun"), ("hunts ".into(), true));
    let mut given = Vec::new();
    stream.let_go(&mut |bytes| given.extend_from_slice(bytes));
    assert_eq!((given.as_slice(), stream.is_holding()), (&b"hun"[..], false));
    assert_eq!(step(&mut stream, "ter2hunter2!"), ("***!".into(), false));
    // Too much of it: it is one, most likely.
    assert_eq!(step(&mut stream, "hunter2hunt"), (String::new(), true));
    stream.let_go(&mut |_| panic!("it is kept"));
    assert_eq!(step(&mut stream, "s"), ("hunter2hunts".into(), false));
    // No more than half of the shortest that it may become.
    let masks = Masks::new(["hunter2hunter2hunter2", "other2other2other2", "other2othe"]);
    for (beginning, is_let_go) in [("hunter2hun", true), ("hunter2hunt", false), ("other", true), ("other2", false)] {
        let (mut stream, mut given) = (masks.stream(), Vec::new());
        stream.write(beginning.as_bytes(), &mut |_| panic!("it is kept"));
        stream.let_go(&mut |bytes| given.extend_from_slice(bytes));
        assert_eq!(given == beginning.as_bytes(), is_let_go, "{beginning}");
    }
    assert_eq!(step(&mut stream, "abcd"), (String::new(), true));
    stream.let_go(&mut |bytes| assert_eq!(bytes, b"abcd"));
    stream.let_go(&mut |_| panic!("it is out"));
    stream.finish(&mut |_| panic!("nothing is left"));
    assert_eq!(step(&mut stream, "ef"), ("ef".into(), false), "another stream");
}

#[test]
fn a_mask_stands_as_soon_as_a_secret_is_whole() {
    let masks = Masks::new(["first line\nsecond line"]);
    let (mut stream, mut out) = (masks.stream(), Vec::new());
    for piece in ["> first line", "\nsecond ", "li", "ne\nthird"] {
        stream.write(piece.as_bytes(), &mut |bytes| out.extend_from_slice(bytes));
        assert!(out.starts_with(b"> ***"), "{piece}");
    }
    assert_eq!(String::from_utf8_lossy(&out), "> ***\nthird");
}

#[test]
fn secrets_that_become_known_hold_for_all_from_then_on() {
    let masks = Masks::default();
    let (mut stream, other, mut out) = (masks.stream(), masks.clone(), Vec::new());
    let mut write =
        |stream: &mut MaskStream, bytes: &[u8]| stream.write(bytes, &mut |bytes| out.extend_from_slice(bytes));
    write(&mut stream, b"hunter22 ");
    other.add(["hunter22"]);
    write(&mut stream, b"hunter22 hunt");
    other.add(["hunter22-longer"]);
    write(&mut stream, b"er22-longer ");
    assert_eq!(String::from_utf8_lossy(&out), "hunter22 *** *** ");
    let plain = Masks::new(["hunter22"]);
    let shown = format!("{plain:?}");
    // As it is, in digits of 16, with small letters and capitals, and in base 64 by its three places and two ends.
    assert_eq!(shown, "Masks(9 forms)");
}

#[test]
fn values_keep_their_shape() {
    let mut value = json!({"a": ["x hunter22", 123_456, null], "hunter22": {"b": true}, "c": "plain"});
    Masks::new(["hunter22", "123456"]).mask_json(&mut value);
    assert_eq!(value, json!({"a": ["x ***", 123_456, null], "***": {"b": true}, "c": "plain"}));
    let [secret, plain] = ["hunter22", "plain"].map(|text| Value::Text(text.to_owned()));
    let key = |bytes: &[u8]| Key::of_bytes(bytes);
    let map = |entries: Vec<(Key, Value)>| Value::Map(entries.into_iter().collect());
    let mut value = map(vec![
        (key(b"\xffhunter22"), Value::List(vec![secret.clone(), plain.clone(), Value::Float(f64::INFINITY)])),
        (Key::Integer(1), Value::Bytes(b"\xfe hunter22".to_vec())),
        (key(b"hunter22"), Value::Object(Box::new(("Task".to_owned(), secret)))),
    ]);
    Masks::new(["hunter22"]).mask_value(&mut value);
    let mask = Value::Text("***".to_owned());
    let expected = map(vec![
        (key(b"\xff***"), Value::List(vec![mask.clone(), plain, Value::Float(f64::INFINITY)])),
        (Key::Integer(1), Value::Bytes(b"\xfe ***".to_vec())),
        (key(b"***"), Value::Object(Box::new(("Task".to_owned(), mask)))),
    ]);
    assert_eq!(value, expected);
    assert_eq!(Masks::new([b"\xc3\xa9\xff\xfe\xfdab"]).mask_text("\u{e9}\u{fffd}\u{fffd}\u{fffd}ab"), "***");
}

#[test]
fn the_shortest_secret_is_known_that_a_text_begins() {
    let masks = Masks::new(["hunterABCD", "hunter-long-one", "hunter-long-one-more"]);
    let cases = [
        ("hunter", Some(10)),
        ("hunter-l", Some(15)),
        ("hunterAB", Some(10)),
        ("hunterABCD", None),
        ("hunter-long-one", Some(20)),
        ("hunter-long-one-more", None),
        ("hunterX", None),
        ("other1", None),
    ];
    for (text, shortest) in cases {
        assert_eq!(masks.shared.patterns.read().shortest_with(text.as_bytes()), shortest, "{text}");
    }
}

#[test]
fn a_secret_is_found_in_the_values_and_not_in_the_names() {
    let masks = Masks::new(["hunter22"]);
    let cases = [
        (json!("x hunter22"), true),
        (json!("x hunter"), false),
        (json!(["plain", {"a": [null, "hunter22"]}]), true),
        (json!({"a": 1, "b": "hunter22"}), true),
        (json!({"hunter22": ["plain", 1, true, null]}), false),
        (json!(null), false),
        (json!(1), false),
    ];
    for (value, is_there) in cases {
        assert_eq!(masks.finds_in(&value), is_there, "{value}");
        assert!(!Masks::default().finds_in(&value), "{value}");
    }
}

#[test]
fn a_secret_that_repeats_itself_costs_no_more_than_its_length() {
    let masks = Masks::new(["a".repeat(2000) + "b"]);
    let text = vec![b'a'; 200_000];
    let (mut stream, mut count) = (masks.stream(), 0);
    for piece in text.chunks(1000) {
        stream.write(piece, &mut |bytes| count += bytes.len());
    }
    assert!(count < text.len() && count > text.len() - 4001 * 2, "{count}");
    stream.finish(&mut |bytes| count += bytes.len());
    assert_eq!(count, text.len());
}

#[test]
fn what_was_masked_may_have_been_anything_there() {
    for text in ["a[hunter22]", "a[***]", "a[]"] {
        assert!(may_be_behind("a[***]", text), "{text}");
    }
    assert!(may_be_behind("***", "x") && may_be_behind("a***b***c", "a1b2c") && may_be_behind("plain", "plain"));
    for text in ["b[hunter22]", "a[hunter22", "a"] {
        assert!(!may_be_behind("a[***]", text), "{text}");
    }
    assert!(
        !may_be_behind("a***b***c", "a1c") && !may_be_behind("plain", "plainer") && !may_be_behind("aa***aa", "aaa")
    );
}

/// A secret: of few letters, so that secrets and their beginnings stand everywhere.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(prop::sample::select(b"ab".to_vec()), 6..14),
        2 => prop::collection::vec(prop::sample::select(b"ab'\"\\ \n&/%+\xc3\xa9".to_vec()), 6..24),
        1 => prop::collection::vec(any::<u8>().prop_filter("a mask is no secret", |byte| *byte != b'*'), 6..24),
    ]
}

/// Parts of a text: secrets in their forms, whole or cut, and what is none.
fn parts() -> impl Strategy<Value = Vec<(Index, Index, Option<Index>, Vec<u8>)>> {
    let other = prop_oneof![
        3 => prop::collection::vec(prop::sample::select(b"ab".to_vec()), 0..9),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec((any::<Index>(), any::<Index>(), any::<Option<Index>>(), other), 0..12)
}

proptest! {
    /// However a stream is cut: what goes out is what the slow search makes of the whole, and no form is in it.
    #[test]
    fn pieces_do_not_matter_and_nothing_is_left(
        secrets in prop::collection::vec(secret(), 1..4),
        parts in parts(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let mut text = Vec::new();
        for (which, form, cut, other) in parts {
            let forms: Vec<Vec<u8>> = forms::forms(which.get::<Vec<u8>>(&secrets)).into_iter().collect();
            if !forms.is_empty() {
                let form = form.get(&forms);
                text.extend_from_slice(&form[..cut.map_or(form.len(), |cut| cut.index(form.len()))]);
            }
            text.extend(other);
        }
        let masks = Masks::new(&secrets);
        let expected = masked_slowly(&secrets, &text);
        let whole = masks.mask(&text).into_owned();
        prop_assert!(whole == expected, "{:?} is {:?}", whole.escape_ascii(), expected.escape_ascii());
        let pieces = in_pieces(&masks, &text, &cuts);
        prop_assert!(pieces == expected, "{:?} is {:?}", pieces.escape_ascii(), expected.escape_ascii());
        // A secret that holds a part of the mask itself may come about where nothing stood.
        if !secrets.iter().any(|secret| secret.contains(&b'*')) {
            prop_assert!(masks.mask(&pieces) == pieces, "{:?}", pieces.escape_ascii());
        }
    }

    /// What is kept is what may become a secret, and nothing else is.
    #[test]
    fn what_may_become_a_secret_is_kept_and_nothing_else(
        // Without white space: the lines of a secret are secrets too.
        secrets in prop::collection::vec(prop::collection::vec(prop::sample::select(b"abab&".to_vec()), 6..14), 1..4),
        which in any::<Index>(),
        length in 0_usize..14,
        before in "[abx]{0,20}",
    ) {
        let masks = Masks::new(&secrets);
        let secret = which.get::<Vec<u8>>(&secrets);
        let text = [before.as_bytes(), &secret[..length.min(secret.len())]].concat();
        let forms: Vec<Vec<u8>> =
            secrets.iter().filter(|secret| is_secret(secret)).flat_map(|secret| forms::forms(secret)).collect();
        let is_in = |form: &Vec<u8>| text.windows(form.len()).any(|part| part == form);
        prop_assume!(!forms.iter().any(is_in));
        let may_become = |part: &[u8]| forms.iter().any(|form| form.len() > part.len() && form.starts_with(part));
        let kept = (0..text.len()).map(|at| &text[at..]).find(|part| may_become(part)).unwrap_or_default();
        let (mut stream, mut out) = (masks.stream(), Vec::new());
        let mut pieces = 0;
        stream.write(&text, &mut |bytes| {
            out.extend_from_slice(bytes);
            pieces += usize::from(bytes.is_empty());
        });
        prop_assert_eq!((stream.is_holding(), stream.is_idle(), pieces), (!kept.is_empty(), kept.is_empty(), 0));
        prop_assert_eq!(out.len() + kept.len(), text.len());
        let longer = forms.iter().filter(|form| form.len() > text.len() && form.starts_with(&text));
        let shortest = longer.map(Vec::len).min().filter(|_| text.len() >= patterns::WINDOW);
        prop_assert_eq!(masks.shared.patterns.read().shortest_with(&text), shortest);
    }

    /// Whoever is let see the beginning of a secret does not see the whole.
    #[test]
    fn nothing_that_is_let_go_makes_a_secret_whole(
        secrets in prop::collection::vec(secret(), 1..3),
        which in any::<Index>(),
        steps in prop::collection::vec((1_usize..6, any::<bool>()), 1..20),
        before in "[ab]{0,3}",
    ) {
        let masks = Masks::new(&secrets);
        let text = [before.as_bytes(), which.get::<Vec<u8>>(&secrets), b" ."].concat();
        let (mut stream, mut out, mut rest) = (masks.stream(), Vec::new(), text.as_slice());
        for (length, waits) in steps {
            let (piece, more) = rest.split_at(length.min(rest.len()));
            rest = more;
            stream.write(piece, &mut |bytes| out.extend_from_slice(bytes));
            if waits {
                stream.let_go(&mut |bytes| out.extend_from_slice(bytes));
            }
        }
        stream.write(rest, &mut |bytes| out.extend_from_slice(bytes));
        stream.finish(&mut |bytes| out.extend_from_slice(bytes));
        let secret = which.get::<Vec<u8>>(&secrets).trim_ascii();
        if is_secret(secret) {
            prop_assert!(!out.windows(secret.len()).any(|part| part == secret), "{:?}", out.escape_ascii());
        }
    }
}
