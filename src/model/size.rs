//! Sizes as people write them.

/// Reads a whole number with an optional binary suffix: `4G`, `4GB` and `4GiB` are 4 x 2^30.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_binary() {
        let cases = [("0", Some(0)), ("64M", Some(64 << 20)), ("4GiB", Some(4 << 30)), ("1k", Some(1024))];
        for (text, size) in cases {
            assert_eq!(parse_size(text), size, "{text}");
        }
        for text in ["", "M", "-1", "1.5G", "4X", "99999999999T"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }
}
