//! Lists that users write: every one is read here, so that a missing item is told wherever it is missing.

use mlua::{Table, Value};

use super::shown::{shown, shown_key};

/// Why a table is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoList {
    /// It is no table at all.
    #[error("{what} must be a list, got {got}")]
    Other {
        /// What the list is for.
        what: String,
        /// What came.
        got: String,
    },
    /// An item is missing.
    #[error("{what}: item {item} is missing (nil), and others follow; a list has no holes")]
    Hole {
        /// What the list is for.
        what: String,
        /// The number of the first item that is missing.
        item: i64,
    },
    /// Something stands under a key that is no position.
    #[error("{what} is a list, and has no place for the key {key}")]
    Key {
        /// What the list is for.
        what: String,
        /// The key.
        key: String,
    },
}

/// Returns how many items a list has that stands for `what`. Beside them it may have these names.
pub(crate) fn length(table: &Table, what: &str, names: &[&str]) -> Result<usize, NoList> {
    let (mut count, mut last, mut odd) = (0_i64, 0_i64, Vec::new());
    let looked = table.for_each(|key: Value, _: Value| {
        match &key {
            Value::Integer(index) if *index >= 1 => {
                count += 1;
                last = last.max(*index);
            }
            Value::String(name) if names.iter().any(|known| known.as_bytes() == &*name.as_bytes()) => {}
            other => odd.push(shown_key(other)),
        }
        Ok(())
    });
    let what = || what.to_owned();
    if let Err(error) = looked {
        return Err(NoList::Other { what: what(), got: super::error::plain_text(&error) });
    }
    if count < last {
        let is_there = |index: i64| table.raw_get::<Value>(index).is_ok_and(|item| !item.is_nil());
        let item = (1..last).find(|index| !is_there(*index)).unwrap_or(1);
        return Err(NoList::Hole { what: what(), item });
    }
    // Lua's order of keys changes from run to run.
    odd.sort();
    match odd.into_iter().next() {
        Some(key) => Err(NoList::Key { what: what(), key }),
        None => Ok(usize::try_from(count).unwrap_or(0)),
    }
}

/// Returns the items of a list that stands for `what`.
pub(crate) fn items(value: &Value, what: &str) -> Result<Vec<Value>, NoList> {
    let Value::Table(table) = value else {
        return Err(NoList::Other { what: what.to_owned(), got: shown(value) });
    };
    let length = length(table, what, &[])?;
    Ok((1..=length).map(|index| table.raw_get(index).unwrap_or(Value::Nil)).collect())
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::*;

    #[test]
    fn a_list_is_one_or_is_told_why_not() {
        let lua = Lua::new();
        let hole = |item: i64| format!("args: item {item} is missing (nil), and others follow; a list has no holes");
        let cases = [
            ("{}", Ok(0)),
            ("{ 1, 'a', false }", Ok(3)),
            ("{ 1, nil }", Ok(1)),
            ("{ nil, nil }", Ok(0)),
            ("{ 1, limit = 2 }", Ok(1)),
            ("{ 1, nil, 3 }", Err(hole(2))),
            ("{ nil, 2 }", Err(hole(1))),
            ("{ [2] = 2 }", Err(hole(1))),
            ("{ 1, 2, [1000000] = 3 }", Err(hole(3))),
            ("{ 1, nil, 3, x = 1 }", Err(hole(2))),
            ("{ 1, x = 2, a = 3 }", Err("args is a list, and has no place for the key 'a'".to_owned())),
            ("{ 1, [0] = 2 }", Err("args is a list, and has no place for the key 0".to_owned())),
            ("{ [1.5] = 2 }", Err("args is a list, and has no place for the key 1.5".to_owned())),
            ("{ [print] = 2 }", Err("args is a list, and has no place for the key a function".to_owned())),
        ];
        for (source, expected) in cases {
            let table: Table = lua.load(format!("return {source}")).eval().unwrap();
            assert_eq!(length(&table, "args", &["limit"]).map_err(|error| error.to_string()), expected, "{source}");
        }
        let items = items(&Value::Integer(3), "args").unwrap_err();
        assert_eq!(items.to_string(), "args must be a list, got the number 3");
    }
}
