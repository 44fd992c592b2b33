//! The content of a dict or a namespace: values by key, in the order in which the keys came.

use std::collections::HashMap;

use crate::model::{Key, Value};

/// See the module. An access costs the same however many keys there are; only a listing sorts.
#[derive(Default)]
pub(super) struct Entries {
    by_key: HashMap<Key, (u64, Value)>,
    next: u64,
}

impl Entries {
    /// Returns the value under a key.
    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.by_key.get(key).map(|(_, value)| value)
    }

    /// Returns the value under a key for a change.
    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut Value> {
        self.by_key.get_mut(key).map(|(_, value)| value)
    }

    /// Sets the value under a key; null removes it.
    pub(super) fn set(&mut self, key: Key, value: Value) {
        if value.is_null() {
            self.by_key.remove(&key);
            return;
        }
        match self.by_key.get_mut(&key) {
            Some((_, old)) => *old = value,
            None => {
                self.by_key.insert(key, (self.next, value));
                self.next += 1;
            }
        }
    }

    /// Removes a key and returns its value.
    pub(super) fn remove(&mut self, key: &Key) -> Option<Value> {
        self.by_key.remove(key).map(|(_, value)| value)
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        self.by_key.clear();
    }

    /// Returns how many keys there are.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Returns the pairs in order.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&Key, &Value)> {
        let mut pairs: Vec<_> = self.by_key.iter().map(|(key, (at, value))| (*at, key, value)).collect();
        pairs.sort_unstable_by_key(|(at, ..)| *at);
        pairs.into_iter().map(|(_, key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_null_removes() {
        let mut entries = Entries::default();
        let text = |text: &str| Key::Text(text.to_owned());
        for (key, value) in
            [(text("b"), Value::Integer(1)), (Key::Integer(1), Value::Integer(2)), (text("1"), Value::Integer(3))]
        {
            entries.set(key, value);
        }
        entries.set(text("b"), Value::Integer(4));
        entries.set(Key::Bool(true), Value::Integer(5));
        entries.set(Key::Integer(1), Value::Null);
        entries.set(Key::Integer(1), Value::Integer(6));
        let shown: Vec<String> = entries.pairs().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(shown, ["'b'=4", "'1'=3", "true=5", "1=6"]);
        assert_eq!(entries.remove(&text("b")), Some(Value::Integer(4)));
        assert_eq!((entries.len(), entries.get(&text("b"))), (3, None));
    }
}
