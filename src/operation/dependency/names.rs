//! The names of sources, the flags that choose others, and the values of flags in texts.

use serde_json::Value;

use crate::operation::{DependencyRecord, FlagValues, Source, SourceKind};

/// Returns the name of a source in messages and in `deps`.
pub(super) fn resolving_name(source: &Source) -> String {
    source.name.clone().or_else(|| source.flag_name.clone()).unwrap_or_else(|| source.uri())
}

/// Returns the value by which a flag, or else the record, chooses another source. Null and empty choose none.
pub(crate) fn chosen_by_flags<'a>(
    source: &Source,
    dep: &'a DependencyRecord,
    flags: &'a FlagValues,
) -> Option<&'a Value> {
    let names = source.flag_names(&dep.name, dep.sources.len() == 1, &dep.taken);
    // The flag of a file has its path as default.
    let own = match &source.kind {
        SourceKind::File(path) => path.as_str(),
        _ => "",
    };
    let is_choice = |value: &&Value| {
        !value.is_null()
            && **value != Value::Bool(false)
            && value.as_str().is_none_or(|text| !text.is_empty() && text != own)
    };
    let by_flag = names.iter().find_map(|name| flags.get(name).filter(is_choice));
    by_flag.or_else(|| match dep.config.as_ref()? {
        Value::Object(config) => names.iter().find_map(|name| config.get(name).filter(is_choice)),
        other => Some(other).filter(is_choice),
    })
}

/// Puts the values of flags in the place of `${flag}`; `$${` stands for `${`. Returns the name of a flag that is not there.
pub(super) fn substitute(text: &str, flags: &FlagValues) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        if rest[..begin].ends_with('$') {
            out.push_str(&rest[..begin]);
            out.push('{');
            rest = &rest[begin + 2..];
            continue;
        }
        let Some(length) = rest[begin..].find('}') else { break };
        out.push_str(&rest[..begin]);
        let name = &rest[begin + 2..begin + length];
        match flags.get(name).ok_or_else(|| name.to_owned())? {
            Value::Null => {}
            Value::String(value) => out.push_str(value),
            other => out.push_str(&other.to_string()),
        }
        rest = &rest[begin + length + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_flags_are_put_in() {
        let flags: FlagValues =
            [("a", json!("x")), ("n", json!(2)), ("none", json!(null))].map(|(k, v)| (k.to_owned(), v)).into();
        let cases = [
            ("plain", Ok("plain")),
            ("${a}.txt", Ok("x.txt")),
            ("${a}${n}${none}", Ok("x2")),
            ("$${a}", Ok("${a}")),
            ("${a", Ok("${a")),
            ("$a}", Ok("$a}")),
            ("${b}", Err("b")),
        ];
        for (text, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(substitute(text, &flags), expected, "{text}");
        }
    }

    #[test]
    fn names_are_guilds() {
        let read = |text: &str| serde_json::from_str::<Source>(text).unwrap();
        let cases = [
            (r#"{"file": "a.txt"}"#, "file:a.txt", vec!["file:a.txt", "a.txt"]),
            (r#"{"operation": "up"}"#, "operation:up", vec!["operation:up", "up"]),
            (r#"{"url": "http://h/a"}"#, "http://h/a", vec!["http://h/a", "http://h/a"]),
            (r#"{"file": "a", "name": "data"}"#, "data", vec!["data"]),
            (r#"{"file": "a", "flag-name": "f"}"#, "f", vec!["f"]),
            (r#"{"file": "a", "flag-name": "f", "name": "n"}"#, "n", vec!["f"]),
        ];
        for (text, name, flags) in cases {
            let source = read(text);
            assert_eq!(
                (resolving_name(&source).as_str(), source.flag_names("res", false, &BTreeSet::new())),
                (name, flags.iter().map(|s| (*s).to_owned()).collect())
            );
        }
    }

    #[test]
    fn a_flag_of_the_operation_chooses_no_source_by_chance() {
        let read = |text: &str| serde_json::from_str::<Source>(text).unwrap();
        let taken: BTreeSet<String> = ["a.txt", "up", "res", "data", "f"].map(str::to_owned).into();
        let cases = [
            (r#"{"file": "a.txt"}"#, vec!["file:a.txt"]),
            (r#"{"config": "a.txt"}"#, vec!["config:a.txt"]),
            (r#"{"file": "b.txt"}"#, vec!["file:b.txt", "b.txt"]),
            // By these Guild chooses in any case.
            (r#"{"operation": "up"}"#, vec!["operation:up", "up"]),
            (r#"{"file": "a", "name": "data"}"#, vec!["data"]),
            (r#"{"file": "a", "flag-name": "f"}"#, vec!["f"]),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).flag_names("res", true, &taken), expected, "{text}");
            let free = [&expected[..], &["free"]].concat();
            assert_eq!(read(text).flag_names("free", true, &taken), free, "{text}");
        }
    }

    #[test]
    fn a_flag_chooses_before_the_record_does() {
        let source: Source = serde_json::from_str(r#"{"operation": "up"}"#).unwrap();
        let dep = |config| DependencyRecord {
            name: "up".into(),
            sources: vec![source.clone()],
            config,
            ..Default::default()
        };
        let flags = |value: Value| FlagValues::from([("up".to_owned(), value)]);
        let cases = [
            (None, json!("a"), Some(json!("a"))),
            (Some(json!({"up": "b"})), json!("a"), Some(json!("a"))),
            (Some(json!({"up": "b"})), json!(null), Some(json!("b"))),
            (Some(json!({"operation:up": "b"})), json!(""), Some(json!("b"))),
            (Some(json!("c")), json!(null), Some(json!("c"))),
            (None, json!(null), None),
        ];
        for (config, flag, expected) in cases {
            let (dep, flags) = (dep(config), flags(flag));
            assert_eq!(chosen_by_flags(&source, &dep, &flags), expected.as_ref());
        }
    }
}
