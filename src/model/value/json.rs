//! The JSON of a value, which every process of a run, its event log and its reports speak.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use super::{Key, Value};
use crate::model::{Blob, REFERENCE, SharedRef};

/// A number that JSON has no word for.
const FLOAT: &str = "$float";
/// A whole number beyond 64 bits.
const INTEGER: &str = "$integer";
/// A list of pairs, for a table whose keys are not all texts.
const MAP: &str = "$map";
/// Bytes, as traces of walks once had them.
const BYTES: &str = "$bytes";
/// The name of a class, with what is to be known of its object under [`OBJECT`].
const CLASS: &str = "$class";
const OBJECT: &str = "value";

/// The keys of which one alone says what an object stands for.
const MARKS: [&str; 6] = [FLOAT, INTEGER, MAP, BYTES, Blob::ENCODED, REFERENCE];

impl Value {
    /// Returns the value as JSON.
    pub(crate) fn to_json(&self) -> Json {
        serde_json::to_value(self).expect("every value has its JSON, whose keys are texts")
    }

    /// Reads the value that JSON stands for.
    pub(crate) fn of_json(json: &Json) -> Self {
        Self::deserialize(json).expect("every JSON stands for a value")
    }

    /// Returns the number that JSON stands for which has no word for it: infinity, what is no number, a whole number of more
    /// than 64 bits. `None` for all other JSON.
    pub(crate) fn beyond_json(json: &Json) -> Option<Self> {
        let fields = json.as_object().filter(|fields| fields.len() == 1)?;
        if !fields.contains_key(FLOAT) && !fields.contains_key(INTEGER) {
            return None;
        }
        Some(Self::of_json(json)).filter(|value| matches!(value, Self::Float(_) | Self::Large(_)))
    }

    /// Returns how deep the JSON of the value is nested.
    pub(crate) fn json_depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::json_depth).max().unwrap_or(0),
            Self::Map(fields) => {
                let own = if is_object(fields) { 1 } else { 3 };
                own + fields.values().map(Self::json_depth).max().unwrap_or(0)
            }
            Self::Object(object) => 1 + object.1.json_depth(),
            Self::Shared(_) => 2,
            Self::Float(_) | Self::Large(_) | Self::Bytes(_) => 1,
            _ => 0,
        }
    }

    /// Returns the value as JSON for a program that knows nothing of these forms: keys are written as texts, as every
    /// other writer of JSON does. What JSON has no word for stays in its form.
    pub(crate) fn to_plain_json(&self) -> Json {
        match self {
            Self::List(items) => items.iter().map(Self::to_plain_json).collect(),
            Self::Map(fields) => {
                Json::Object(fields.iter().map(|(key, value)| (key.name(), value.to_plain_json())).collect())
            }
            other => other.to_json(),
        }
    }
}

/// Calls `found` with every shared object in the JSON of a value.
pub(crate) fn references_in(json: &Json, found: &mut impl FnMut(SharedRef)) {
    match json {
        Json::Array(items) => items.iter().for_each(|item| references_in(item, found)),
        Json::Object(fields) => match fields.get(REFERENCE).filter(|_| fields.len() == 1) {
            Some(content) => match SharedRef::of_content(&Value::of_json(content)) {
                Some(reference) => found(reference),
                None => references_in(content, found),
            },
            None => fields.values().for_each(|field| references_in(field, found)),
        },
        _ => {}
    }
}

/// Moves a value into its JSON.
impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Json::String(text),
            Value::List(items) => items.into_iter().map(Json::from).collect(),
            Value::Map(fields) if is_object(&fields) => {
                Json::Object(fields.into_iter().map(|(key, value)| (key.name(), value.into())).collect())
            }
            other => other.to_json(),
        }
    }
}

/// Returns the word for a number that JSON has none for.
fn float_word(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some("nan"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

/// Returns whether an object of these fields would be read as something else.
fn stands_for_more(fields: &BTreeMap<Key, Value>) -> bool {
    let is = |key: &Key, name: &str| matches!(key, Key::Text(text) if text == name);
    match fields.len() {
        1 => fields.keys().any(|key| MARKS.iter().any(|mark| is(key, mark))),
        2 => fields.keys().all(|key| is(key, CLASS) || is(key, OBJECT)),
        _ => false,
    }
}

/// Returns whether fields are written as an object, and not as pairs.
fn is_object(fields: &BTreeMap<Key, Value>) -> bool {
    fields.keys().all(|key| matches!(key, Key::Text(_))) && !stands_for_more(fields)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let marked = |serializer: S, mark: &str, content: &str| {
            let mut map = serializer.serialize_map(Some(1))?;
            map.serialize_entry(mark, content)?;
            map.end()
        };
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(boolean) => serializer.serialize_bool(*boolean),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Large(digits) => match digits.parse() {
                Ok(number) => serializer.serialize_u64(number),
                Err(_) => marked(serializer, INTEGER, digits),
            },
            Self::Float(number) => match float_word(*number) {
                None => serializer.serialize_f64(*number),
                Some(word) => marked(serializer, FLOAT, word),
            },
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => marked(serializer, Blob::ENCODED, &STANDARD.encode(bytes)),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(fields) => {
                if is_object(fields) {
                    return serializer.collect_map(fields);
                }
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(MAP, &Pairs(fields))?;
                map.end()
            }
            Self::Shared(reference) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(REFERENCE, &reference.content())?;
                map.end()
            }
            Self::Object(object) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry(CLASS, &object.0)?;
                map.serialize_entry(OBJECT, &object.1)?;
                map.end()
            }
        }
    }
}

/// Writes fields as a list of pairs.
struct Pairs<'a>(&'a BTreeMap<Key, Value>);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pairs = serializer.serialize_seq(Some(self.0.len()))?;
        for pair in self.0 {
            pairs.serialize_element(&pair)?;
        }
        pairs.end()
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, boolean: bool) -> Result<Value, E> {
        Ok(Value::Bool(boolean))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(i64::try_from(number).map_or_else(|_| Value::Large(number.to_string().into()), Value::Integer))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Float(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        // What it says of its length may be anything.
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(name) = fields.next_key::<String>()? {
            map.insert(Key::Text(name), fields.next_value_seed(Inner)?);
        }
        Ok(of_fields(map))
    }
}

/// Reads a value inside another.
struct Inner;

impl<'de> DeserializeSeed<'de> for Inner {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
}

/// Returns what an object with these fields stands for; what is no form of ours stands for itself.
fn of_fields(fields: BTreeMap<Key, Value>) -> Value {
    if !stands_for_more(&fields) {
        return Value::Map(fields);
    }
    marked(&fields).unwrap_or(Value::Map(fields))
}

fn marked(fields: &BTreeMap<Key, Value>) -> Option<Value> {
    let (Key::Text(mark), content) = fields.first_key_value()? else { return None };
    match (mark.as_str(), content) {
        (FLOAT, Value::Text(word)) => Some(Value::Float(match word.as_str() {
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            "nan" => f64::NAN,
            _ => return None,
        })),
        (INTEGER, Value::Text(digits)) => {
            let plain = digits.strip_prefix('-').unwrap_or(digits);
            let is_whole = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
            is_whole.then(|| Value::of_digits(digits))
        }
        (Blob::ENCODED | BYTES, Value::Text(text)) => Some(Value::of_bytes(&STANDARD.decode(text).ok()?)),
        (MAP, Value::List(pairs)) => {
            let mut map = BTreeMap::new();
            for pair in pairs {
                let Value::List(pair) = pair else { return None };
                let [key, value] = pair.as_slice() else { return None };
                map.insert(Key::of_value(key.clone())?, value.clone());
            }
            Some(Value::Map(map))
        }
        (REFERENCE, Value::Map(_)) => SharedRef::of_content(content).map(Value::Shared),
        (CLASS, Value::Text(name)) => Some(Value::Object(Box::new((name.clone(), fields.last_key_value()?.1.clone())))),
        _ => None,
    }
}

/// Any JSON is a value.
impl JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Json::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Json::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Returns whether two values are the same, what is no number included.
    fn is_same(a: &Value, b: &Value) -> bool {
        format!("{a:?}") == format!("{b:?}")
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop_oneof![
            any::<i64>().prop_map(Key::Integer),
            any::<f64>().prop_filter_map("a number", Key::of_float),
            any::<bool>().prop_map(Key::Bool),
            prop::sample::select(&MARKS[..]).prop_map(|mark| Key::Text(mark.to_owned())),
            prop::sample::select(&[CLASS, OBJECT, "a"][..]).prop_map(|name| Key::Text(name.to_owned())),
            prop::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| Key::of_bytes(&bytes)),
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Integer),
            any::<f64>().prop_map(Value::Float),
            "[1-9][0-9]{20,30}".prop_map(|digits| Value::of_digits(&digits)),
            any::<u64>().prop_map(|number| Value::of_digits(&number.to_string())),
            any::<String>().prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| Value::of_bytes(&bytes)),
            prop::sample::select(&["inf", "nan", "/w==", "12"][..]).prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                prop::collection::btree_map(keys(), inner.clone(), 0..4).prop_map(Value::Map),
                (any::<String>(), inner).prop_map(|object| Value::Object(Box::new(object))),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_went(value in values()) {
            let line = serde_json::to_string(&value).unwrap();
            let back: Value = serde_json::from_str(&line).unwrap();
            prop_assert!(is_same(&back, &value), "{} {:?} {:?}", line, value, back);
            let back = Value::of_json(&value.to_json());
            prop_assert!(is_same(&back, &value), "{:?} {:?}", value, back);
            prop_assert_eq!(Json::from(value.clone()), value.to_json());
        }
    }

    #[test]
    fn forms_are_as_documented() {
        let map = |pairs: Vec<(Key, Value)>| Value::Map(pairs.into_iter().collect());
        let text = |text: &str| Key::Text(text.to_owned());
        let cases = [
            (Value::Float(f64::INFINITY), json!({ "$float": "inf" })),
            (Value::Float(-0.0), json!(-0.0)),
            (Value::Float(3.0), json!(3.0)),
            (Value::Integer(i64::MIN), json!(i64::MIN)),
            (Value::of_digits("18446744073709551615"), json!(u64::MAX)),
            (Value::of_digits("-18446744073709551615"), json!({ "$integer": "-18446744073709551615" })),
            (Value::Bytes(vec![0xff]), json!({ "__base64_encoded__": "/w==" })),
            (map(vec![]), json!({})),
            (map(vec![(text("b"), Value::Null), (text("a"), true.into())]), json!({ "a": true, "b": null })),
            (map(vec![(Key::Integer(5), "x".into())]), json!({ "$map": [[5, "x"]] })),
            (
                map(vec![(Key::Bool(true), "x".into()), (Key::Integer(1), Value::Null)]),
                json!({ "$map": [[1, null], [true, "x"]] }),
            ),
            // What looks like a form, and is none.
            (map(vec![(text("$float"), "inf".into())]), json!({ "$map": [["$float", "inf"]] })),
            (
                map(vec![(text("$float"), "inf".into()), (text("x"), Value::Null)]),
                json!({ "$float": "inf", "x": null }),
            ),
            (
                map(vec![(text("$class"), "P".into()), (text("value"), 1_i64.into())]),
                json!({ "$map": [["$class", "P"], ["value", 1]] }),
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(value.to_json(), expected);
            assert!(is_same(&Value::of_json(&expected), &value), "{expected}");
        }
        // Forms that are not whole stand for themselves; an older one is still read.
        for odd in [
            json!({ "$float": 3 }),
            json!({ "$float": "1" }),
            json!({ "$map": 1 }),
            json!({ "$map": [[1]] }),
            json!({ "$map": [[null, 1]] }),
            json!({ "__base64_encoded__": "?" }),
            json!({ "__synchro__": { "type": "dog", "id": 1 } }),
            json!({ "$integer": "-" }),
            json!({ "$class": 1, "value": 2 }),
            json!({ "$class": "a", "other": 2 }),
        ] {
            assert!(matches!(Value::of_json(&odd), Value::Map(_)), "{odd}");
        }
        assert_eq!(Value::of_json(&json!({ "$bytes": "/w==" })), Value::Bytes(vec![0xff]));
    }

    #[test]
    fn shared_objects_are_found_in_json_as_in_the_value_that_it_is() {
        let form = json!({ "__synchro__": { "type": "lock", "id": 7 } });
        let json = json!({ "a": [1, form, { "b": form }], "m": { "$map": [[1, form], ["__synchro__", { "id": 1 }]] },
            "none": { "__synchro__": { "type": "dog", "id": 2 } } });
        let (mut here, mut there) = (Vec::new(), Vec::new());
        references_in(&json, &mut |found| here.push(found.to_string()));
        Value::of_json(&json).references(&mut |found| there.push(found.to_string()));
        assert_eq!((&here, here.len()), (&there, 3));
    }

    #[test]
    fn other_programs_find_plain_json() {
        let value = Value::of_json(&json!({ "$map": [[10, { "$map": [[true, { "$float": "inf" }]] }], ["x", [1]]] }));
        assert_eq!(value.to_plain_json(), json!({ "10": { "true": { "$float": "inf" } }, "x": [1] }));
    }
}
