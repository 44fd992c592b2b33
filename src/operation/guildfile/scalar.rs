//! What a plain scalar of `guild.yml` is.

use crate::operation::read::Data;
use crate::operation::yaml_word::{Word, yaml_word};

/// Reads a scalar that has neither quotes nor a tag.
pub(super) fn plain(text: &str) -> Data {
    match yaml_word(text) {
        Word::Null => Data::Null,
        Word::Bool(value) => Data::Bool(value),
        Word::Number(number) | Word::Time(number) => Data::Number(number),
        Word::Beyond(number) => Data::Beyond(number),
        // A date stays as it was written.
        Word::Other | Word::Text => Data::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_as_guild_reads_them() {
        // Each was tried with Guild AI 0.9.0: `guild run --help-op` of flags with these defaults.
        let cases = [
            ("00500", "320"),
            ("08", "'08'"),
            ("010", "8"),
            ("0o17", "'0o17'"),
            ("1e3", "1000.0"),
            ("1.5e3", "1500.0"),
            ("1.e5", "100000.0"),
            ("-1E-3", "-0.001"),
            ("1_0", "10"),
            ("1:30", "90"),
            ("1:30.5", "90.5"),
            ("0x1f", "31"),
            ("0b11", "3"),
            (".5", "0.5"),
            ("-.5", "'-.5'"),
            ("+1", "1"),
            ("-0", "0"),
            ("1.", "1.0"),
            (".inf", ".inf"),
            ("2020-01-01", "'2020-01-01'"),
            ("y", "'y'"),
            ("n", "'n'"),
            ("Yes", "yes"),
            ("OFF", "no"),
            ("~", "null"),
            ("", "null"),
            ("=", "'='"),
            ("18446744073709551615", "18446744073709551615"),
            ("99999999999999999999999999999999999999999999", "99999999999999999999999999999999999999999999"),
            ("0x", "'0x'"),
            ("0_", "0"),
            ("1e999", ".inf"),
        ];
        for (text, expected) in cases {
            let found = match plain(text) {
                Data::Null => "null".to_owned(),
                Data::Bool(true) => "yes".to_owned(),
                Data::Bool(false) => "no".to_owned(),
                Data::Number(number) => number.to_string(),
                Data::Beyond(number) => crate::operation::encode::as_yaml(&number),
                Data::Text(text) => format!("'{text}'"),
                other => format!("{other:?}"),
            };
            assert_eq!(found, expected, "{text}");
        }
    }
}
