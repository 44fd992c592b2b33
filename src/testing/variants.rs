//! Variants: sets of parameters that every test is run with.
//!
//! They come from the command line (`-p key=value`, `-p key=[one,two]` for each value in turn), and from files in JSON
//! or YAML: a list of mappings, a mapping of names to lists, all combinations of which are taken, what Avocado's
//! varianter dumps, or the tree of its multiplexer.

use std::error::Error;
use std::path::Path;

use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use super::mux::{self, MuxError, Tree};

/// Combinations over which no product of lists is made.
pub(super) const MOST: usize = 1_000_000;

/// Bytes of the values that go into a variant's id.
const ID_BYTES: usize = 60;

/// One variant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variant {
    /// Its name, if it is one of several.
    pub(crate) id: Option<String>,
    /// Where Avocado's parameters begin to look.
    pub(crate) paths: Vec<String>,
    /// Its nodes, with their parameters, as Avocado dumps them: `[path, [[path, name, value], …]]`.
    pub(crate) nodes: Vec<Value>,
}

impl Variant {
    /// Makes a variant with parameters in one node, as `-p` does.
    pub(crate) fn plain(id: Option<String>, parameters: Map<String, Value>) -> Variant {
        let entries: Vec<Value> = parameters.into_iter().map(|(name, value)| json!(["/", name, value])).collect();
        Variant { id, paths: vec!["/".to_owned()], nodes: vec![json!(["/", entries])] }
    }

    /// Returns the variant as Avocado dumps it, which is how runners get it.
    pub(crate) fn dump(&self) -> Value {
        json!({"paths": self.paths, "variant_id": self.id, "variant": self.nodes})
    }

    /// Reads a variant as Avocado dumps it.
    fn load(value: &Value) -> Option<Variant> {
        let fields = value.as_object()?;
        let nodes = fields.get("variant")?.as_array()?.clone();
        let is_entry = |entry: &Value| {
            matches!(entry.as_array().map(Vec::as_slice), Some([Value::String(_), Value::String(_), _]))
        };
        let is_node = |node: &Value| match node.as_array().map(Vec::as_slice) {
            Some([Value::String(_), Value::Array(entries)]) => entries.iter().all(is_entry),
            _ => false,
        };
        let id = match fields.get("variant_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return None,
        };
        let paths = fields.get("paths").and_then(Value::as_array).into_iter().flatten();
        let paths = paths.filter_map(|path| path.as_str().map(str::to_owned)).collect();
        nodes.iter().all(is_node).then_some(Variant { id, paths, nodes })
    }
}

/// What is wrong with parameters, or with a file of variants.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VariantError {
    /// A parameter has no name or no value.
    #[error("'{0}' is not NAME=VALUE; write for example -p speed=100, or -p speed=[10,100] for each in turn")]
    NoPair(String),
    /// A parameter is given a list without values.
    #[error("-p {0}: the list is empty")]
    EmptyParameter(String),
    /// A combination was chosen that has too many or too few values.
    #[error("a combination has {found} values of {expected} parameters")]
    Width {
        /// How many values it has.
        found: usize,
        /// How many parameters there are.
        expected: usize,
    },
    /// A combination was chosen with a value that there is not.
    #[error("the parameter '{name}' has no value {place}")]
    NoValue {
        /// The parameter.
        name: String,
        /// The place of the value.
        place: usize,
    },
    /// There are too many combinations.
    #[error("there are more than {MOST} combinations of parameters")]
    TooManyCombinations,
    /// A tree has too many variants.
    #[error("there are more than {MOST} variants")]
    TooMany,
    /// Who was to choose combinations could not.
    #[error("{0}")]
    Unchosen(#[source] Box<dyn Error>),
    /// A file in YAML is wrong.
    #[error(transparent)]
    Yaml(#[from] MuxError),
    /// A file is no JSON.
    #[error("it is not JSON: {0}")]
    NoJson(#[from] serde_json::Error),
    /// A name in a file has an empty list.
    #[error("the list of '{0}' is empty")]
    EmptyList(String),
    /// A name in a file has a mapping.
    #[error("'{0}' is a mapping; expected a value or a list of values")]
    Mapping(String),
    /// A file holds something else.
    #[error("expected a list of variants, or a mapping of names to lists of values")]
    Shape,
    /// A file has no variants.
    #[error("there are no variants in it")]
    Empty,
    /// A variant, counted from 1, is none as Avocado dumps it.
    #[error(
        "variant {0}: expected an object with 'paths', 'variant_id' and 'variant', a list of [path, [[path, name, value], …]]"
    )]
    Dump(usize),
    /// A variant, counted from 1, is no mapping.
    #[error("variant {0} must be a mapping of names to values")]
    NoMapping(usize),
}

/// Parameters with the values that each is to have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Parameters {
    lists: Vec<(String, Vec<Value>)>,
}

impl Parameters {
    /// Reads the values of all `-p`: `name=value` or `name=[value,value]`. The last one of a name wins.
    pub(crate) fn read(texts: &[String]) -> Result<Parameters, VariantError> {
        let mut parameters = Parameters::default();
        for text in texts {
            let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
                return Err(VariantError::NoPair(text.clone()));
            };
            let values: Vec<Value> = match value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
                Some(list) => list.split(',').map(|item| item.trim().into()).collect(),
                None => vec![value.into()],
            };
            if values == [Value::from("")] && value.starts_with('[') {
                return Err(VariantError::EmptyParameter(text.clone()));
            }
            parameters.set(name.trim(), values);
        }
        Ok(parameters)
    }

    fn set(&mut self, name: &str, values: Vec<Value>) {
        self.lists.retain(|(known, _)| known != name);
        self.lists.push((name.to_owned(), values));
    }

    /// Returns the chosen combinations of values. One combination alone has no id.
    pub(crate) fn product(&self, choose: Choose<'_>) -> Result<Vec<Variant>, VariantError> {
        if self.lists.is_empty() {
            return Ok(Vec::new());
        }
        let counts: Vec<usize> = self.lists.iter().map(|(_, values)| values.len()).collect();
        let rows = choose(&counts)?;
        let is_varied = rows.len() > 1;
        let variant = |row: Vec<usize>| {
            if row.len() != counts.len() {
                return Err(VariantError::Width { found: row.len(), expected: counts.len() });
            }
            let value = |((name, values), place): (&(String, Vec<Value>), usize)| {
                let value = values.get(place).cloned();
                let value = value.ok_or_else(|| VariantError::NoValue { name: name.clone(), place })?;
                Ok((name.clone(), value))
            };
            let parameters =
                self.lists.iter().zip(row).map(value).collect::<Result<Map<String, Value>, VariantError>>()?;
            let varied = self.lists.iter().filter(|(_, values)| values.len() > 1);
            let id = is_varied.then(|| id(varied.filter_map(|(name, _)| parameters.get(name)), &parameters));
            Ok(Variant::plain(id, parameters))
        };
        rows.into_iter().map(variant).collect()
    }
}

/// Chooses combinations of so many values each, as lists of the places of the values.
pub(crate) type Choose<'a> = &'a dyn Fn(&[usize]) -> Result<Vec<Vec<usize>>, VariantError>;

/// Chooses all combinations; the last value changes fastest.
pub(crate) fn every_combination(counts: &[usize]) -> Result<Vec<Vec<usize>>, VariantError> {
    let count = counts.iter().try_fold(1_usize, |count, values| count.checked_mul(*values));
    let count = count.filter(|count| *count <= MOST).ok_or(VariantError::TooManyCombinations)?;
    let row = |mut number: usize| {
        let mut row = vec![0; counts.len()];
        for (place, values) in row.iter_mut().zip(counts).rev() {
            *place = number % values;
            number /= values;
        }
        row
    };
    Ok((0..count).map(row).collect())
}

/// Returns the id of a variant: the values that tell it from others, and four digits that depend on all of it.
fn id<'a>(values: impl Iterator<Item = &'a Value>, parameters: &Map<String, Value>) -> String {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '=') { c } else { '_' };
    let texts = values.map(|value| match value {
        Value::String(text) => text.chars().map(safe).collect::<String>(),
        other => other.to_string().chars().map(safe).collect(),
    });
    let mut name = texts.collect::<Vec<_>>().join("-");
    name.truncate(name.floor_char_boundary(ID_BYTES));
    let digest = Sha1::digest(Value::Object(parameters.clone()).to_string());
    format!("{name}-{:02x}{:02x}", digest[0], digest[1])
}

/// What a file of variants holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum VariantFile {
    /// Variants.
    List(Vec<Variant>),
    /// A tree, which others may be merged into before it is known what its variants are.
    Tree(Tree),
}

/// Reads the text of a file of variants; `path` is where it is from.
pub(crate) fn read_variants(path: &Path, text: &str, choose: Choose<'_>) -> Result<VariantFile, VariantError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml && let Some(tree) = Tree::read(path, text)? {
        return Ok(VariantFile::Tree(tree));
    }
    let value: Value = match is_yaml {
        true => mux::read_plain(text)?,
        false => serde_json::from_str(text)?,
    };
    let variants = match value {
        Value::Array(items) => list(&items)?,
        Value::Object(fields) => {
            let mut parameters = Parameters::default();
            for (name, value) in fields {
                match value {
                    Value::Array(values) if values.is_empty() => return Err(VariantError::EmptyList(name)),
                    Value::Array(values) => parameters.set(&name, values),
                    Value::Object(_) => return Err(VariantError::Mapping(name)),
                    value => parameters.set(&name, vec![value]),
                }
            }
            parameters.product(choose)?
        }
        _ => return Err(VariantError::Shape),
    };
    match variants.is_empty() {
        true => Err(VariantError::Empty),
        false => Ok(VariantFile::List(variants)),
    }
}

fn list(items: &[Value]) -> Result<Vec<Variant>, VariantError> {
    let is_dump =
        items.iter().any(|item| item.get("variant").is_some_and(Value::is_array) && item.get("variant_id").is_some());
    let variant = |(number, item): (usize, &Value)| {
        if is_dump {
            return Variant::load(item).ok_or(VariantError::Dump(number));
        }
        let Value::Object(fields) = item else {
            return Err(VariantError::NoMapping(number));
        };
        let id = id(fields.values().filter(|value| !value.is_array() && !value.is_object()), fields);
        Ok(Variant::plain(Some(id), fields.clone()))
    };
    (1..).zip(items).map(variant).collect()
}

/// Returns every variant with every combination of parameters added to it; what the variant says itself stays.
pub(crate) fn combined(
    variants: Vec<Variant>,
    parameters: &Parameters,
    choose: Choose<'_>,
) -> Result<Vec<Variant>, VariantError> {
    let more = parameters.product(choose)?;
    if variants.is_empty() || more.is_empty() {
        return Ok(if variants.is_empty() { more } else { variants });
    }
    if variants.len().saturating_mul(more.len()) > MOST {
        return Err(VariantError::TooManyCombinations);
    }
    let join = |variant: &Variant, added: &Variant| {
        let id = match (&variant.id, &added.id) {
            (Some(one), Some(other)) => Some(format!("{one}-{other}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        let mut paths = variant.paths.clone();
        if !paths.contains(&"/".to_owned()) {
            paths.push("/".to_owned());
        }
        let nodes = variant.nodes.iter().chain(&added.nodes).cloned().collect();
        Variant { id, paths, nodes }
    };
    Ok(variants.iter().flat_map(|variant| more.iter().map(move |added| join(variant, added))).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{Choose, Parameters, Variant, VariantError, VariantFile, combined, every_combination};

    fn read_variants(text: &str, is_yaml: bool, choose: Choose<'_>) -> Result<Vec<Variant>, VariantError> {
        let path = Path::new(if is_yaml { "v.yaml" } else { "v.json" });
        match super::read_variants(path, text, choose)? {
            VariantFile::List(variants) => Ok(variants),
            VariantFile::Tree(tree) => tree.variants(),
        }
    }

    fn parameters(texts: &[&str]) -> Parameters {
        Parameters::read(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn shown(variants: &[Variant]) -> Vec<String> {
        let one = |variant: &Variant| {
            let entries = variant.nodes.iter().flat_map(|node| node[1].as_array().unwrap().clone());
            let entries = entries
                .map(|entry| format!("{}={}", entry[1].as_str().unwrap(), entry[2].to_string().replace('"', "")));
            format!("{}: {}", variant.id.as_deref().unwrap_or("-"), entries.collect::<Vec<_>>().join(" "))
        };
        variants.iter().map(one).collect()
    }

    #[test]
    fn parameters_are_one_variant_without_id_as_in_the_original() {
        let variants = parameters(&["foo=bar"]).product(&every_combination).unwrap();
        let expected = json!({"paths": ["/"], "variant_id": null, "variant": [["/", [["/", "foo", "bar"]]]]});
        assert_eq!(variants.iter().map(Variant::dump).collect::<Vec<_>>(), [expected]);
        assert_eq!(shown(&parameters(&["a=1", "b=x=y", "a=2"]).product(&every_combination).unwrap()), ["-: b=x=y a=2"]);
        assert!(parameters(&[]).product(&every_combination).unwrap().is_empty());
    }

    #[test]
    fn lists_make_all_combinations() {
        let variants =
            parameters(&["proto=[tcp, udp]", "mtu=9000", "size=[64,1500]"]).product(&every_combination).unwrap();
        let shown = shown(&variants);
        let params: Vec<&str> = shown.iter().map(|variant| variant.split_once(": ").unwrap().1).collect();
        assert_eq!(
            params,
            [
                "proto=tcp mtu=9000 size=64",
                "proto=tcp mtu=9000 size=1500",
                "proto=udp mtu=9000 size=64",
                "proto=udp mtu=9000 size=1500"
            ]
        );
        let id = variants[1].id.clone().unwrap();
        assert!(id.starts_with("tcp-1500-") && id.len() == "tcp-1500-".len() + 4, "{id}");
        let wide: Vec<String> = (0..7).map(|n| format!("p{n}=[{}]", ["x"; 10].join(","))).collect();
        assert!(
            Parameters::read(&wide)
                .unwrap()
                .product(&every_combination)
                .unwrap_err()
                .to_string()
                .contains("more than 1000000")
        );
    }

    #[test]
    fn files_have_three_shapes() {
        let dump = r#"[{"paths": ["/run/*"], "variant_id": "cat-26c0", "variant": [["/pig/cat", [["/pig", "ant", "fox"], ["/pig/cat", "dog", "bee"]]]]}]"#;
        let read = read_variants(dump, false, &every_combination).unwrap();
        assert_eq!(shown(&read), ["cat-26c0: ant=fox dog=bee"]);
        assert_eq!(
            json!([read[0].dump()]).to_string(),
            serde_json::from_str::<serde_json::Value>(dump).unwrap().to_string()
        );
        let listed = shown(&read_variants("- {a: 1, b: x}\n- {a: 2}\n", true, &every_combination).unwrap());
        assert!(
            listed[0].starts_with("1-x-") && listed[0].ends_with(": a=1 b=x") && listed[1].ends_with(": a=2"),
            "{listed:?}"
        );
        let product = shown(&read_variants("a: [1, 2]\nb: [true]\nc: text\n", true, &every_combination).unwrap());
        assert!(product.len() == 2 && product[1].ends_with(": a=2 b=true c=text"), "{product:?}");
    }

    #[test]
    fn parameters_are_added_to_variants() {
        let variants = read_variants(r#"{"a": [1, 2]}"#, false, &every_combination).unwrap();
        let both = combined(variants.clone(), &parameters(&["b=[x,y]"]), &every_combination).unwrap();
        assert_eq!(both.len(), 4);
        assert!(shown(&both)[3].ends_with(": a=2 b=y"), "{:?}", shown(&both));
        assert_eq!(combined(variants.clone(), &parameters(&[]), &every_combination).unwrap(), variants);
        assert_eq!(combined(Vec::new(), &parameters(&["b=1"]), &every_combination).unwrap().len(), 1);
    }

    #[test]
    fn mistakes_are_named() {
        for text in ["x", "=1", "a=[]"] {
            assert!(Parameters::read(&[text.to_owned()]).is_err(), "{text}");
        }
        let cases = [
            ("[", "it is not JSON"),
            ("1", "expected a list of variants"),
            ("[]", "there are no variants"),
            ("{}", "there are no variants"),
            ("[1]", "variant 1 must be a mapping"),
            (r#"{"a": []}"#, "the list of 'a' is empty"),
            (r#"{"a": {}}"#, "'a' is a mapping"),
            (r#"[{"variant_id": "x", "variant": [["/", [["/", 1, 2]]]]}]"#, "variant 1: expected an object"),
        ];
        for (text, expected) in cases {
            let error = read_variants(text, false, &every_combination).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn combinations_may_be_chosen() {
        let all = parameters(&["a=[1,2]", "b=[x,y]", "c=5"]);
        let choose = |counts: &[usize]| {
            assert_eq!(counts, [2, 2, 1]);
            Ok(vec![vec![1, 0, 0], vec![0, 1, 0]])
        };
        let chosen = all.product(&choose).unwrap();
        let values: Vec<String> = chosen.iter().map(|variant| variant.id.clone().unwrap()).collect();
        assert!(values[0].starts_with("2-x-") && values[1].starts_with("1-y-") && values.len() == 2, "{values:?}");
        let wrong = |row: Vec<usize>| all.product(&move |_: &[usize]| Ok(vec![row.clone()])).unwrap_err().to_string();
        assert_eq!(wrong(vec![2, 0, 0]), "the parameter 'a' has no value 2");
        assert_eq!(wrong(vec![0]), "a combination has 1 values of 3 parameters");
        let unchosen = all.product(&|_: &[usize]| Err(VariantError::Unchosen("why not".into()))).unwrap_err();
        assert_eq!(unchosen.to_string(), "why not");
    }
}
