//! Flags of the code put together with those of the definition: what is written down wins, attribute by attribute.

use std::collections::BTreeMap;

use super::{Flags, Wanted};
use crate::operation::Flag;

/// Adds those flags that were found and are wanted. A flag of the definition is the same as a found one by its name, or by
/// its `arg-name`, and keeps every attribute that it says itself.
pub(crate) fn add(written: &mut BTreeMap<String, Flag>, found: &Flags, wanted: &Wanted) {
    for (name, flag) in found.iter().filter(|(name, _)| wanted.takes(name)) {
        let by_argument = || written.iter().find(|(_, other)| other.arg_name.as_ref() == Some(name));
        let known = match written.contains_key(name) {
            true => Some(name.clone()),
            false => by_argument().map(|(other, _)| other.clone()),
        };
        match known.and_then(|known| written.get_mut(&known)) {
            Some(own) => fill(own, flag),
            None => {
                written.insert(name.clone(), flag.clone());
            }
        }
    }
}

/// Gives a flag the attributes that it does not say: those that are as if nothing were said.
fn fill(own: &mut Flag, found: &Flag) {
    fn take<T: Clone + Default + PartialEq>(own: &mut T, found: &T) {
        if *own == T::default() {
            own.clone_from(found);
        }
    }
    // Taken apart, so that an attribute that is added is not forgotten here.
    let Flag {
        default,
        description,
        kind,
        required,
        choices,
        allow_other,
        min,
        max,
        alias,
        arg_name,
        arg_skip,
        arg_switch,
        arg_split,
        arg_encoding,
        env_encoding,
        env_name,
        null_label,
        distribution,
        extra,
        place: _,
    } = found;
    take(&mut own.default, default);
    take(&mut own.description, description);
    take(&mut own.kind, kind);
    take(&mut own.required, required);
    take(&mut own.choices, choices);
    take(&mut own.allow_other, allow_other);
    take(&mut own.min, min);
    take(&mut own.max, max);
    take(&mut own.alias, alias);
    take(&mut own.arg_name, arg_name);
    take(&mut own.arg_skip, arg_skip);
    take(&mut own.arg_switch, arg_switch);
    take(&mut own.arg_split, arg_split);
    take(&mut own.arg_encoding, arg_encoding);
    take(&mut own.env_encoding, env_encoding);
    take(&mut own.env_name, env_name);
    take(&mut own.null_label, null_label);
    take(&mut own.distribution, distribution);
    take(&mut own.extra, extra);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::FlagsImport;
    use super::*;
    use crate::operation::{Choice, FlagType};

    #[test]
    fn what_is_written_down_wins() {
        let choice = |value: i32| Choice { value: json!(value), ..Choice::default() };
        let found = Flag {
            default: json!(1),
            description: "found".to_owned(),
            kind: Some(FlagType::Int),
            required: true,
            choices: vec![choice(1), choice(2)],
            ..Flag::default()
        };
        let mut written: BTreeMap<String, Flag> = [
            ("a", Flag { default: json!(2), ..Flag::default() }),
            ("b", Flag { description: "own".to_owned(), kind: Some(FlagType::Text), ..Flag::default() }),
            ("long", Flag { arg_name: Some("c".to_owned()), default: json!(3), ..Flag::default() }),
            ("d", Flag { choices: vec![choice(9)], arg_switch: Some(json!(false)), ..Flag::default() }),
        ]
        .map(|(name, flag)| (name.to_owned(), flag))
        .into();
        let names = ["a", "b", "c", "d", "e"];
        let all: Flags = names.map(|name| (name.to_owned(), found.clone())).into();
        let wanted = Wanted::new(&FlagsImport::All, &[], written.keys());
        add(&mut written, &all, &wanted);
        assert_eq!(written.keys().collect::<Vec<_>>(), ["a", "b", "d", "e", "long"]);
        assert_eq!(written["a"], Flag { default: json!(2), ..found.clone() });
        assert_eq!(written["b"].description, "own");
        assert_eq!((written["b"].kind, &written["b"].default), (Some(FlagType::Text), &json!(1)));
        assert_eq!(written["long"], Flag { default: json!(3), arg_name: Some("c".to_owned()), ..found.clone() });
        assert_eq!((&written["d"].choices, &written["d"].arg_switch), (&vec![choice(9)], &Some(json!(false))));
        assert_eq!(written["e"], found);
    }

    #[test]
    fn only_what_is_wanted_is_added() {
        let own = || BTreeMap::from([("a".to_owned(), Flag::default())]);
        let found: Flags = ["a", "b"].map(|name| (name.to_owned(), super::super::of_value(&json!(1)))).into();
        let mut written = own();
        let wanted = Wanted::new(&FlagsImport::Defined, &[], written.keys());
        add(&mut written, &found, &wanted);
        assert_eq!((written.len(), &written["a"].default), (1, &json!(1)));
        let mut written = own();
        let wanted = Wanted::new(&FlagsImport::All, &["a".to_owned()], written.keys());
        add(&mut written, &found, &wanted);
        assert_eq!((written.len(), &written["a"].default), (2, &json!(null)));
    }
}
