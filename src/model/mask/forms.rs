//! The forms in which programs write a value down.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::patterns::WINDOW;

/// Characters that a URL may hold as they are, beside letters and digits, as different programs see it: RFC 3986; Python's
/// `quote`; JavaScript's `encodeURIComponent` and `encodeURI`; forms; Go's `PathEscape`; a path, a user and a password.
const PLAIN_IN_URLS: [&str; 8] = [
    "-_.~",
    "-_.~/",
    "-_.!~*'()",
    "-_.!~*'();,/?:@&=+$#",
    "-_.*",
    "-_.~$&+=:@",
    "-_.~/:@!$&'()*+,;=",
    "-_.~!$&'()*+,;=",
];

/// Columns after which programs break lines of base 64: those of PEM and of MIME.
const COLUMNS: [usize; 2] = [64, 76];

/// Returns a value in all forms in which programs write it down.
pub(super) fn forms(value: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([value.to_vec()]);
    // What is no text is often shown as one.
    let text = String::from_utf8_lossy(value);
    let mut add = |text: String| {
        forms.insert(text.into_bytes());
    };
    quoted(&text, &mut add);
    bytes_escaped(value, &mut add);
    in_markup(&text, &mut add);
    in_urls(value, &mut add);
    for digits in ["0123456789abcdef", "0123456789ABCDEF"] {
        let digit = |nibble: u8| char::from(digits.as_bytes()[usize::from(nibble)]);
        add(value.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect());
    }
    in_base64(value, &mut add);
    forms.retain(|form| form.len() >= WINDOW);
    forms
}

/// How a language writes a text between quotes.
#[derive(Clone, Copy)]
struct Quoting {
    /// Characters with a backslash before them.
    escaped: &'static str,
    /// Characters by their numbers, beside control characters.
    numbered: &'static str,
    /// How a character is written by its number.
    number: fn(char) -> String,
    /// Whether that is how characters outside of ASCII are written.
    is_ascii: bool,
}

fn u_lower(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |text, unit| text + &format!("\\u{unit:04x}"))
}

fn u_upper(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |text, unit| text + &format!("\\u{unit:04X}"))
}

/// Python's, by the size of the number.
fn x(c: char) -> String {
    match u32::from(c) {
        code @ ..0x100 => format!("\\x{code:02x}"),
        code @ 0x100..0x1_0000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

const JSON: Quoting = Quoting { escaped: "\"\\", numbered: "", number: u_lower, is_ascii: false };

/// Python's, where the text holds double quotes, and where it does not.
const PYTHON: Quoting = Quoting { escaped: "'\\", numbered: "", number: x, is_ascii: false };

const QUOTINGS: [Quoting; 14] = [
    JSON,
    Quoting { is_ascii: true, ..JSON },
    Quoting { is_ascii: true, number: u_upper, ..JSON },
    // PHP's.
    Quoting { escaped: "\"\\/", ..JSON },
    Quoting { escaped: "\"\\/", is_ascii: true, ..JSON },
    // For pages: that of Go, and that of .NET.
    Quoting { numbered: "<>&\u{2028}\u{2029}", ..JSON },
    Quoting { escaped: "\\", numbered: "<>&'\"+`", number: u_upper, is_ascii: true },
    PYTHON,
    Quoting { escaped: "\\", ..PYTHON },
    Quoting { is_ascii: true, ..PYTHON },
    Quoting { escaped: "\\", is_ascii: true, ..PYTHON },
    // C's and Go's, and that of SQL and of scripts.
    Quoting { escaped: "\"\\", ..PYTHON },
    Quoting { escaped: "'\"\\", ..PYTHON },
    // Ruby's.
    Quoting { escaped: "\"\\#", numbered: "", number: u_upper, is_ascii: false },
];

impl Quoting {
    fn write(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        for c in text.chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if self.escaped.contains(c) => out.extend(['\\', c]),
                c if c.is_control() || self.numbered.contains(c) || (self.is_ascii && !c.is_ascii()) => {
                    out.push_str(&(self.number)(c));
                }
                c => out.push(c),
            }
        }
        out
    }
}

/// Adds the forms of programming languages and shells, and those in a JSON text again.
fn quoted(text: &str, add: &mut dyn FnMut(String)) {
    let mut both = |text: String| {
        add(JSON.write(&text));
        add(text);
    };
    for quoting in &QUOTINGS {
        both(quoting.write(text));
    }
    // Lua's, with the line ends of the text.
    both(text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\\n"));
    for quote in ["'\\''", "'\"'\"'", "''", "\\'"] {
        both(text.replace('\'', quote));
    }
    both(text.replace('"', "\"\""));
    let backslashed = |needs: &dyn Fn(char) -> bool| -> String {
        text.chars().flat_map(|c| needs(c).then_some('\\').into_iter().chain([c])).collect()
    };
    both(backslashed(&|c| "\"$\\`".contains(c)));
    both(backslashed(&|c| "\"$\\`!".contains(c)));
    // `printf %q`, Python's and Perl's for regular expressions.
    both(backslashed(&|c| " \t!\"$&'()*,;<>?[\\]^`{|}".contains(c)));
    both(backslashed(&|c| " \t\n#$&()*+-.?[\\]^{|}~".contains(c)));
    both(backslashed(&|c| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '_'));
    // A Python text that is shown by another one.
    add(PYTHON.write(&PYTHON.write(text)));
    add(PYTHON.write(&JSON.write(text)));
}

/// Adds the forms in which what is not ASCII is written byte by byte.
fn bytes_escaped(value: &[u8], add: &mut dyn FnMut(String)) {
    for escaped in ["\\'", "\\\"", "\\"] {
        for number in [|byte: u8| format!("\\x{byte:02x}"), |byte: u8| format!("\\{byte:03o}")] {
            let mut out = String::new();
            for &byte in value {
                match byte {
                    b'\n' => out.push_str("\\n"),
                    b'\r' => out.push_str("\\r"),
                    b'\t' => out.push_str("\\t"),
                    byte if escaped.as_bytes().contains(&byte) => out.extend(['\\', char::from(byte)]),
                    b' '..=b'~' => out.push(char::from(byte)),
                    byte => out.push_str(&number(byte)),
                }
            }
            add(out);
        }
    }
}

/// Adds the forms in XML and HTML.
fn in_markup(text: &str, add: &mut dyn FnMut(String)) {
    let less = text.replace('&', "&amp;").replace('<', "&lt;");
    for less in [less.replace('>', "&gt;"), less] {
        for double in ["\"", "&quot;", "&#34;"] {
            for single in ["'", "&#39;", "&#x27;", "&apos;"] {
                let written = less.replace('"', double).replace('\'', single);
                add(written.replace('\n', "&#10;"));
                add(written);
            }
        }
    }
}

/// Adds the forms in URLs.
fn in_urls(value: &[u8], add: &mut dyn FnMut(String)) {
    for plain in PLAIN_IN_URLS {
        for number in [|byte: u8| format!("%{byte:02X}"), |byte: u8| format!("%{byte:02x}")] {
            let written: String = value
                .iter()
                .map(|&byte| match byte {
                    byte if byte.is_ascii_alphanumeric() || plain.as_bytes().contains(&byte) => {
                        char::from(byte).to_string()
                    }
                    byte => number(byte),
                })
                .collect();
            add(written.replace("%20", "+"));
            add(written);
        }
    }
}

/// Adds the forms in base 64, wherever in the bytes that are encoded the value stands.
fn in_base64(value: &[u8], add: &mut dyn FnMut(String)) {
    for skipped in 0..3 {
        // What comes before and behind has a part of the first digit and of the last one; what lies between is the same.
        let padded = [&b"\0\0"[..skipped], value].concat();
        let from = [0, 2, 3][skipped];
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            add(encoded[from..encoded.len() - 1].to_owned());
            // Where nothing follows, or nothing is shared, the last digit is known too.
            add(encoded[from..].to_owned());
            if skipped == 0 {
                let lines = COLUMNS.into_iter().flat_map(|columns| encoded.as_bytes().chunks(columns));
                lines.for_each(|line| add(String::from_utf8_lossy(line).into_owned()));
            }
        }
    }
}
