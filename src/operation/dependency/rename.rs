//! New names for files: Python's `re.sub` of one match, with the syntax of its replacements.

use regex::bytes::Regex;

/// Returns the name that the first pair which changes it makes of it, or what is wrong with a pair.
pub(super) fn rename(name: &[u8], pairs: &[(String, String)]) -> Result<Vec<u8>, String> {
    for (pattern, replacement) in pairs {
        let wrong = |what: String| format!("error renaming source ('{pattern}' -> '{replacement}'): {what}");
        let regex = compile(pattern).map_err(wrong)?;
        let template = template(replacement, &regex).map_err(wrong)?;
        let renamed = regex.replacen(name, 1, template.as_slice()).into_owned();
        if renamed != name {
            return Ok(renamed);
        }
    }
    Ok(name.to_owned())
}

/// Compiles a pattern; the error is one line.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| {
        let text = error.to_string();
        // The last line of the crate's message says what; those before show where, over several lines.
        let last = text.lines().last().unwrap_or_default();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

/// Turns `\1`, `\g<1>` and `\g<name>` into what the crate knows.
fn template(replacement: &str, regex: &Regex) -> Result<Vec<u8>, String> {
    let mut out = String::new();
    let mut chars = replacement.chars().peekable();
    let group = |out: &mut String, name: &str| {
        let is_there = match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().flatten().any(|known| known == name),
        };
        out.extend(["${", name, "}"]);
        if is_there { Ok(()) } else { Err(format!("there is no group '{name}' in the pattern")) }
    };
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit @ '0'..='9') => {
                    let mut number = digit.to_string();
                    number.extend(chars.next_if(char::is_ascii_digit));
                    group(&mut out, &number)?;
                }
                Some('g') => {
                    let name: String = chars.by_ref().skip_while(|c| *c == '<').take_while(|c| *c != '>').collect();
                    group(&mut out, &name)?;
                }
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(c) => out.push(c),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    Ok(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, pairs: &[(&str, &str)]) -> Result<String, String> {
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        rename(name.as_bytes(), &pairs).map(|name| String::from_utf8(name).unwrap())
    }

    #[test]
    fn names_change_as_in_python() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);
        let cases: [Case; 10] = [
            ("a.txt", &[], "a.txt"),
            ("a.txt", &[("a", "b")], "b.txt"),
            ("aa.txt", &[("a", "b")], "ba.txt"),
            ("a.txt", &[("q", "y"), (r"\.txt$", ".csv"), ("a", "z")], "a.csv"),
            ("model-10.h5", &[(r"model-(\d+)", r"m\1x")], "m10x.h5"),
            ("model-10.h5", &[(r"(?P<n>\d+)", r"<\g<n>>")], "model-<10>.h5"),
            ("a-b", &[("(a)-(b)", r"\2-\1")], "b-a"),
            ("a.txt", &[(".*", "b")], "b"),
            ("a", &[("a", "$0")], "$0"),
            ("a", &[("a", r"x\\y")], r"x\y"),
        ];
        for (name, pairs, expected) in cases {
            assert_eq!(check(name, pairs).as_deref(), Ok(expected), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            (("(", "a"), "error renaming source ('(' -> 'a'): unclosed group"),
            (("a", r"\1"), r"error renaming source ('a' -> '\1'): there is no group '1' in the pattern"),
            (("a", r"\g<x>"), r"error renaming source ('a' -> '\g<x>'): there is no group 'x' in the pattern"),
        ];
        for (pair, expected) in cases {
            assert_eq!(check("a", &[pair]), Err(expected.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn no_name_and_no_pair_does_harm(name in prop::collection::vec(any::<u8>(), 0..12), pattern in ".{0,8}", repl in ".{0,8}") {
            let _ = rename(&name, &[(pattern, repl)]);
        }

        #[test]
        fn a_plain_replacement_is_taken_as_it_is(repl in "[^\\\\]{1,8}") {
            prop_assert_eq!(check("a", &[("a", &repl)]), Ok(repl));
        }
    }
}
