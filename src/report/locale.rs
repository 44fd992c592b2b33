//! Whether the locale can show more than ASCII.

use std::ffi::OsString;

/// The variables that say which characters there are, the one that decides first (POSIX, 8.2 Internationalization Variables).
const VARIABLES: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];

/// Returns whether the codeset of the locale is UTF-8: of the first variable that has a value. Without any it is that of
/// the POSIX locale, which has ASCII alone.
pub(crate) fn is_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = VARIABLES.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    // language[_territory][.codeset][@modifier]; macOS has the codeset alone.
    let locale = locale.split('@').next().unwrap_or_default();
    let codeset = locale.split_once('.').map_or(locale, |(_, codeset)| codeset);
    matches!(codeset, "utf-8" | "utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_with_a_value_decides() {
        let cases: [(&[(&str, &str)], bool); 16] = [
            (&[], false),
            (&[("LANG", "")], false),
            (&[("LANG", "C")], false),
            (&[("LANG", "POSIX")], false),
            (&[("LANG", "C.UTF-8")], true),
            (&[("LANG", "C.utf8")], true),
            (&[("LANG", "de_DE.UTF-8@euro")], true),
            (&[("LANG", "de_DE.ISO-8859-15@euro")], false),
            (&[("LANG", "de_DE")], false),
            (&[("LC_CTYPE", "UTF-8")], true),
            (&[("LANG", "C"), ("LC_CTYPE", "en_US.UTF-8")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_CTYPE", "C")], false),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false),
            (&[("LANG", "C"), ("LC_CTYPE", "C"), ("LC_ALL", "en_GB.utf8")], true),
            (&[("LANG", "en_US.UTF-8"), ("LC_ALL", ""), ("LC_CTYPE", "")], true),
            (&[("LC_MESSAGES", "en_US.UTF-8"), ("LANGUAGE", "de.UTF-8")], false),
        ];
        for (variables, expected) in cases {
            let value = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(is_utf8(value), expected, "{variables:?}");
        }
    }
}
