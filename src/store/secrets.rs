//! What is secret of a run, and how it is taken out of what leaves the machine.
//!
//! A value is secret by its name: that of an environment variable, or of a key in a testbed or in parameters. It is found
//! as it is and in the forms that JSON, XML, YAML, URLs and base 64 give it. The output is worked through piece by piece,
//! so that its size costs no memory.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::Value;

use super::environment::is_secret;

/// What stands in the place of a secret.
const MASK: &[u8] = b"***";

/// Shorter values, `1`, `yes` or `false`, are no secrets: they would be masked wherever they happen to stand.
const MIN_LENGTH: usize = 6;

/// A form that came out shorter than this would be found by chance.
const MIN_ENCODED: usize = 8;

/// Bytes that are searched at a time.
const PIECE: usize = 256 << 10;

/// Values that are secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    values: BTreeSet<Vec<u8>>,
    /// Names of variables that the user calls secret.
    hidden: GlobSet,
}

impl Secrets {
    /// Makes an empty collection. Beside what is secret by its name, so are variables whose names match these patterns.
    pub(crate) fn new(hide: &[String]) -> Self {
        let mut hidden = GlobSetBuilder::new();
        // They were checked when the settings were read.
        let globs = hide.iter().filter_map(|pattern| GlobBuilder::new(pattern).case_insensitive(true).build().ok());
        globs.for_each(|glob| {
            hidden.add(glob);
        });
        Self { values: BTreeSet::new(), hidden: hidden.build().unwrap_or_default() }
    }

    /// Adds the values of those variables whose names say that they are secret.
    pub(crate) fn add_variables(&mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) {
        for (name, value) in variables {
            if is_secret(&name.to_string_lossy()) || self.hidden.is_match(&name) {
                self.add(value.as_bytes());
            }
        }
    }

    /// Adds the texts in `value` if `name` says that it is secret, and those within it whose own names do.
    pub(crate) fn add_named(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if is_secret(name) => self.add(text.as_bytes()),
            Value::Number(number) if is_secret(name) => self.add(number.to_string().as_bytes()),
            Value::Array(items) => items.iter().for_each(|item| self.add_named(name, item)),
            Value::Object(map) => {
                for (key, value) in map {
                    // All of `credentials = { user = …, word = … }` is.
                    self.add_named(if is_secret(name) { name } else { key }, value);
                }
            }
            _ => {}
        }
    }

    /// Adds the texts within a value whose names say that they are secret.
    pub(crate) fn add_values(&mut self, value: &Value) {
        self.add_named("", value);
    }

    fn add(&mut self, value: &[u8]) {
        let value = value.trim_ascii();
        if value.len() < MIN_LENGTH {
            return;
        }
        if self.values.insert(value.to_vec()) {
            // A key of many lines is logged line by line.
            let lines = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines: Vec<_> = lines.filter(|line| line.len() >= MIN_ENCODED).map(<[u8]>::to_vec).collect();
            self.values.extend(lines);
        }
    }

    /// Returns what masks these secrets.
    pub(crate) fn masker(&self) -> Masker {
        let forms: BTreeSet<Vec<u8>> = self.values.iter().flat_map(|value| forms(value)).collect();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        // Only too many bytes of secrets for the memory make this fail, and then nothing may get out.
        let automaton = (!forms.is_empty()).then(|| {
            let built = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&forms);
            built.expect("the secrets of an environment fit into an automaton")
        });
        Masker { automaton, longest }
    }
}

/// Returns a value in all forms in which it may be written down.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    if let Ok(text) = std::str::from_utf8(value) {
        let json = serde_json::to_string(text).unwrap_or_default();
        // Without the quotes around it.
        let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let ascii: String = json.chars().map(|c| if c.is_ascii() { c.to_string() } else { utf16_escapes(c) }).collect();
        let xml = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        forms.extend([
            json.replace('/', "\\/").into_bytes(),
            // A JSON document within a JSON document.
            json.replace('\\', "\\\\").replace('"', "\\\"").into_bytes(),
            json.into_bytes(),
            ascii.into_bytes(),
            xml.replace('"', "&quot;").replace('\'', "&#39;").into_bytes(),
            xml.replace('"', "&quot;").replace('\'', "&apos;").into_bytes(),
            xml.replace('"', "&quot;").into_bytes(),
            xml.into_bytes(),
            text.replace('\'', "''").into_bytes(),
            text.replace('\'', "'\\''").into_bytes(),
        ]);
    }
    for upper in [true, false] {
        let url = percent(value, upper, b"-_.~");
        forms.extend([url.replace("%20", "+").into_bytes(), url.into_bytes()]);
        forms.push(percent(value, upper, b"-_.~/:@!$&'()*+,;=").into_bytes());
    }
    for skipped in 0..3 {
        // In base 64 the neighbours of a value change the first and the last digit; what lies between is the same.
        let padded = [&b"\0\0"[..skipped], value].concat();
        let from = [0, 2, 3][skipped];
        let cut = usize::from(padded.len() % 3 != 0);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let inner = &encoded.as_bytes()[from..encoded.len() - cut];
            if inner.len() >= MIN_ENCODED {
                forms.push(inner.to_vec());
            }
        }
    }
    forms.retain(|form| form.len() >= MIN_LENGTH);
    forms
}

fn utf16_escapes(c: char) -> String {
    let units = c.encode_utf16(&mut [0; 2]).to_vec();
    units.iter().flat_map(|unit| ["\\u".to_owned(), format!("{unit:04x}")]).collect()
}

fn percent(value: &[u8], upper: bool, plain: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        byte if byte.is_ascii_alphanumeric() || plain.contains(byte) => char::from(*byte).to_string(),
        byte if upper => format!("%{byte:02X}"),
        byte => format!("%{byte:02x}"),
    };
    value.iter().map(encode).collect()
}

/// Replaces secrets in what passes through.
#[derive(Debug)]
pub(crate) struct Masker {
    automaton: Option<AhoCorasick>,
    longest: usize,
}

impl Masker {
    /// Returns whether nothing is secret.
    pub(crate) const fn is_idle(&self) -> bool {
        self.automaton.is_none()
    }

    /// Returns a text with the secrets masked.
    pub(crate) fn mask(&self, text: &OsStr) -> Vec<u8> {
        let mut masked = Vec::with_capacity(text.len());
        // Memory can be read.
        let _ = self.reader(text.as_bytes()).read_to_end(&mut masked);
        masked
    }

    /// Returns a reader of the same with the secrets masked.
    pub(crate) const fn reader<R: Read>(&self, from: R) -> MaskedReader<'_, R> {
        MaskedReader { masker: self, from, buffer: Vec::new(), covered: 0, out: Vec::new(), given: 0, ended: false }
    }
}

/// Reads with secrets masked.
pub(crate) struct MaskedReader<'a, R> {
    masker: &'a Masker,
    from: R,
    buffer: Vec<u8>,
    /// Bytes at the front of the buffer that a mask already stands for.
    covered: usize,
    out: Vec<u8>,
    /// How much of `out` was handed out.
    given: usize,
    ended: bool,
}

impl<R: Read> Read for MaskedReader<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(automaton) = &self.masker.automaton else { return self.from.read(into) };
        while self.given == self.out.len() && !self.ended {
            self.fill(automaton)?;
        }
        let count = (&self.out[self.given..]).read(into)?;
        self.given += count;
        Ok(count)
    }
}

impl<R: Read> MaskedReader<'_, R> {
    /// Works one piece through.
    fn fill(&mut self, automaton: &AhoCorasick) -> io::Result<()> {
        self.ended = (&mut self.from).take(PIECE as u64).read_to_end(&mut self.buffer)? == 0;
        let length = self.buffer.len();
        // Whatever begins before this is known to its end.
        let safe = if self.ended { length } else { (length + 1).saturating_sub(self.masker.longest) };
        self.out.clear();
        self.given = 0;
        let mut at = 0;
        for (start, end) in spans(automaton, &self.buffer, safe, self.covered) {
            // What goes on from the piece before has its mask.
            if start > 0 || self.covered == 0 {
                self.out.extend_from_slice(&self.buffer[at..start]);
                self.out.extend_from_slice(MASK);
            }
            at = end;
        }
        if at < safe {
            self.out.extend_from_slice(&self.buffer[at..safe]);
            at = safe;
        }
        self.covered = at - safe;
        self.buffer.drain(..safe);
        Ok(())
    }
}

/// Returns the parts of the buffer that are secret and begin before `safe`, joined where they overlap. `covered` bytes at
/// its front are secret already.
fn spans(automaton: &AhoCorasick, buffer: &[u8], safe: usize, covered: usize) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = automaton
        .find_overlapping_iter(buffer)
        .map(|found| (found.start(), found.end()))
        .filter(|(start, _)| *start < safe)
        .collect();
    if covered > 0 {
        found.push((0, covered));
    }
    found.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::with_capacity(found.len());
    for (start, end) in found {
        match joined.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => joined.push((start, end)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        let mut secrets = Secrets::default();
        for value in values {
            secrets.add(value.as_bytes());
        }
        secrets
    }

    fn masked(values: &[&str], text: &[u8]) -> String {
        String::from_utf8_lossy(&secrets(values).masker().mask(OsStr::from_bytes(text))).into_owned()
    }

    #[test]
    fn every_form_of_a_secret_is_masked() {
        let secret = "p\u{e4}ss \"w/o'rd\" <&>\\";
        let cases = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
            "p\\u00e4ss \\\"w/o'rd\\\" <&>\\\\".to_owned(),
            "p\u{e4}ss &quot;w/o&#39;rd&quot; &lt;&amp;&gt;\\".to_owned(),
            "p%C3%A4ss%20%22w%2Fo%27rd%22%20%3C%26%3E%5C".to_owned(),
            "p%c3%a4ss+%22w%2fo%27rd%22+%3c%26%3e%5c".to_owned(),
        ];
        for case in cases {
            let text = format!("before {case} after");
            let found = masked(&[secret], text.as_bytes());
            assert!(!found.contains("rd") && found.starts_with("before ") && found.contains("***"), "{text}: {found}");
        }
        for before in ["", "u", "us", "user:"] {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{before}hunter2hunter2:x"));
            let found = masked(&["hunter2hunter2"], encoded.as_bytes());
            assert!(found.contains("***") && found.len() < encoded.len() - 8, "{before}: {encoded} {found}");
        }
    }

    #[test]
    fn what_overlaps_is_masked_together_and_short_words_are_left() {
        assert_eq!(masked(&["abcdef", "defghi"], b"xabcdefghiy"), "x***y");
        assert_eq!(masked(&["secret", "secret-longer"], b"secret-longer secret"), "*** ***");
        assert_eq!(masked(&["secret"], b"secretsecret"), "******");
        assert_eq!(masked(&["1", "yes", "false"], b"1 yes false"), "1 yes false");
        assert_eq!(masked(&["-----BEGIN\nabcdefgh1\nabcdefgh2\n"], b"> abcdefgh2 <"), "> *** <");
    }

    #[test]
    fn names_tell_what_is_secret() {
        let mut secrets = Secrets::default();
        secrets.add_variables([("DB_PASSWORD".into(), "hunter22".into()), ("PATH".into(), "/usr/bin:/bin".into())]);
        secrets.hidden = Secrets::new(&["my_*".to_owned()]).hidden;
        secrets.add_variables([("MY_PLACE".into(), "under the mat".into())]);
        secrets
            .add_values(&json!({"sw1": {"password": "sw1-word", "port": 1234, "credentials": {"a": ["cred-word"]}}}));
        secrets.add_named("api_token", &json!("tok-123456"));
        secrets.add_named("speed", &json!("960000000"));
        let values: Vec<_> = secrets.values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        assert_eq!(values, ["cred-word", "hunter22", "sw1-word", "tok-123456", "under the mat"]);
    }

    proptest! {
        /// However the bytes come in, what goes out is the same, and no secret is in it.
        #[test]
        fn pieces_do_not_matter(
            parts in prop::collection::vec(prop_oneof!["[ab]{0,9}", Just("abbabb".to_owned()), Just("babbaabb".to_owned())], 0..40),
            filler in 0_usize..40,
        ) {
            let masker = secrets(&["abbabb", "babbaabb", "aaaaaaaaaaaa"]).masker();
            // Around the border of a piece.
            let text = ["x".repeat(PIECE - filler), parts.concat()].concat();
            let mut out = Vec::new();
            masker.reader(text.as_bytes()).read_to_end(&mut out).unwrap();
            let whole = masker.mask(OsStr::new(&parts.concat()));
            let expected = ["x".repeat(PIECE - filler).into_bytes(), whole].concat();
            prop_assert!(out == expected, "{:?}", parts);
            let tail = String::from_utf8_lossy(&out[PIECE - filler..]).into_owned();
            prop_assert!(!tail.contains("abbabb") && !tail.contains("babbaabb"), "{}", tail);
        }
    }
}
