//! `params` and `{{name}}`: what is written once and put in at many places.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;

use crate::operation::read::{Checked, Data, Fields, Mistake, Node, Spelling};

static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\{\{(.*?)\}\}").expect("the pattern is part of the program and is tested"));

/// How often a parameter is looked through for other parameters.
const MOST_ROUNDS: usize = 100;

/// The most bytes that all texts together may grow to.
const MOST_BYTES: usize = 16 << 20;

/// Values by name.
type Params = BTreeMap<String, Node>;

/// Puts the parameters of an item in wherever they stand. What is no parameter stays as it is.
pub(super) fn substituted(item: &Node) -> Checked<Node> {
    let fields = Fields::of(item, "a model", Spelling::Guild)?;
    let raw: Params = fields.mapping("params")?.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    if raw.is_empty() {
        return Ok(item.clone());
    }
    let mut budget = MOST_BYTES;
    let mut params = Params::new();
    for (name, node) in &raw {
        params.insert(name.clone(), resolved(name, node, &raw, &mut budget)?);
    }
    put_in(item, &params, &mut budget)
}

/// Returns a parameter with the parameters in it put in, until nothing changes or it comes round.
fn resolved(name: &str, node: &Node, params: &Params, budget: &mut usize) -> Checked<Node> {
    let mut node = node.clone();
    let mut seen = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let Data::Text(text) = &node.data else { return Ok(node) };
        if !seen.insert(text.clone()) {
            return Ok(node);
        }
        let data = text_with(text, params, &node, budget)?;
        node.data = data;
    }
    Err(Mistake::at(&node.place, format!("the parameter '{name}' is made of parameters without end")))
}

fn put_in(node: &Node, params: &Params, budget: &mut usize) -> Checked<Node> {
    let data = match &node.data {
        Data::Text(text) => text_with(text, params, node, budget)?,
        Data::List(items) => Data::List(items.iter().map(|item| put_in(item, params, budget)).collect::<Checked<_>>()?),
        Data::Map(entries) => {
            let entries = entries.iter().map(|entry| {
                let value = put_in(&entry.value, params, budget)?;
                Ok(crate::operation::read::Entry { value, ..entry.clone() })
            });
            Data::Map(entries.collect::<Checked<_>>()?)
        }
        other => other.clone(),
    };
    Ok(Node { data, place: node.place.clone() })
}

/// Returns a text with parameters put in. A parameter alone keeps its type.
fn text_with(text: &str, params: &Params, node: &Node, budget: &mut usize) -> Checked<Data> {
    if !text.contains("{{") {
        return Ok(Data::Text(text.to_owned()));
    }
    let value = |name: &str| params.get(name.trim()).map(|node| &node.data);
    if let Some(found) = REFERENCE.captures(text)
        && found[0].len() == text.len()
    {
        return Ok(value(&found[1]).cloned().unwrap_or_else(|| Data::Text(text.to_owned())));
    }
    let mut put_together = String::new();
    let mut after = 0;
    for found in REFERENCE.captures_iter(text) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(1)) else { continue };
        put_together.push_str(&text[after..whole.start()]);
        match value(name.as_str()) {
            Some(data) => put_together.push_str(&shown(data)),
            None => put_together.push_str(whole.as_str()),
        }
        after = whole.end();
        if put_together.len() > *budget {
            return Err(Mistake::at(&node.place, format!("the parameters make more than {MOST_BYTES} bytes of text")));
        }
    }
    put_together.push_str(&text[after..]);
    *budget = budget.saturating_sub(put_together.len());
    Ok(Data::Text(put_together))
}

/// Returns a value inside a text, as Python shows it.
fn shown(data: &Data) -> String {
    match data {
        Data::Null => "None".to_owned(),
        Data::Bool(true) => "True".to_owned(),
        Data::Bool(false) => "False".to_owned(),
        Data::Number(number) => number.to_string(),
        Data::Beyond(number) => crate::operation::encode::as_yaml(number),
        Data::Text(text) => text.clone(),
        Data::List(_) | Data::Map(_) | Data::Bad(_) => {
            Node { data: data.clone(), place: crate::model::Place { file: "".into(), line: 0 } }.to_value().to_string()
        }
    }
}
