//! Constraints that say what they are: what `walk.when`, `walk.forbid`, `walk.same` and `walk.not_applicable` make, as clauses.

use mlua::{Lua, Table, Value};
use serde_json::Value as Json;

use super::constraints::slot;
use crate::model::{WalkSuite, nearest};
use crate::script::api::walk::encode;
use crate::script::error::raise;
use crate::walk::cover::Clause;

/// Some actions, each with some of its options.
type Condition = Vec<(usize, Vec<u32>)>;

/// Returns whether a table is such a constraint.
pub(super) fn is_form(table: &Table) -> bool {
    let name = table.metatable().and_then(|metatable| metatable.raw_get::<String>("__name").ok());
    name.is_some_and(|name| name == "rille.walk.Constraint")
}

/// Returns the clauses that a constraint stands for.
pub(super) fn clauses(lua: &Lua, suite: &WalkSuite, form: &Table) -> mlua::Result<Vec<Clause>> {
    let kind: String = form.raw_get("form")?;
    let reader = Reader { lua, suite, what: format!("walk.{kind}") };
    Ok(match kind.as_str() {
        "forbid" => vec![Clause(reader.but(&reader.condition(&form.raw_get("where")?)?))],
        "when" => {
            let condition = reader.condition(&form.raw_get("where")?)?;
            let follows = reader.condition(&form.raw_get("follows")?)?;
            let mut all = reader.implied(&condition, &follows);
            if let Some(otherwise) = form.raw_get::<Option<Table>>("otherwise")? {
                let otherwise = reader.condition(&otherwise)?;
                let either = |own: &(usize, Vec<u32>)| {
                    otherwise.iter().map(|other| Clause(vec![own.clone(), other.clone()])).collect::<Vec<_>>()
                };
                all.extend(condition.iter().flat_map(either));
            }
            all
        }
        "same" => reader.same(&reader.names(form)?),
        _ => {
            let condition = reader.condition(&form.raw_get("where")?)?;
            let option: Value = form.raw_get("option")?;
            let mut all = Vec::new();
            for slot in reader.names(form)? {
                let none = vec![(slot, reader.options(slot, &option)?)];
                all.extend(reader.implied(&condition, &none));
                let other = reader.but(&none);
                all.extend(condition.iter().map(|own| Clause(vec![own.clone(), other[0].clone()])));
            }
            all
        }
    })
}

struct Reader<'a> {
    lua: &'a Lua,
    suite: &'a WalkSuite,
    what: String,
}

impl Reader<'_> {
    /// Reads `{ OS = "linux", Disk = { 1, 2 } }`, in the order of the actions.
    fn condition(&self, table: &Table) -> mlua::Result<Condition> {
        let mut condition = Condition::new();
        for pair in table.pairs::<String, Value>() {
            let (name, value) = pair?;
            let slot = slot(self.lua, self.suite, &name)?;
            condition.push((slot, self.options(slot, &value)?));
        }
        condition.sort_unstable();
        Ok(condition)
    }

    /// Reads an option of an action, or a list of some of them.
    fn options(&self, slot: usize, value: &Value) -> mlua::Result<Vec<u32>> {
        let json = encode(self.lua, value, "the option").map_err(|lost| self.wrong(&lost.to_string()))?;
        let place = |value: &Json| self.suite.order[slot].options.iter().position(|option| option == value);
        if let Some(one) = place(&json) {
            return Ok(vec![number(one)]);
        }
        let list = match &json {
            Json::Array(list) if !list.is_empty() => list.as_slice(),
            _ => std::slice::from_ref(&json),
        };
        let mut options = Vec::new();
        for value in list {
            let Some(option) = place(value) else {
                let name = &self.suite.order[slot].action;
                let all: Vec<String> = self.suite.order[slot].options.iter().map(Json::to_string).collect();
                let near = nearest(&value.to_string(), all.iter().map(String::as_str));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
                return Err(self.wrong(&format!("action '{name}' has no option {value}{hint}")));
            };
            options.push(number(option));
        }
        options.sort_unstable();
        options.dedup();
        Ok(options)
    }

    fn names(&self, form: &Table) -> mlua::Result<Vec<usize>> {
        let names: Vec<String> = form.raw_get("names")?;
        names.iter().map(|name| slot(self.lua, self.suite, name)).collect()
    }

    /// Returns what is true of a walk of which a condition is not: for each action the other options.
    fn but(&self, condition: &Condition) -> Condition {
        let others = |(slot, options): &(usize, Vec<u32>)| {
            let all = 0..number(self.suite.order[*slot].options.len());
            (*slot, all.filter(|option| !options.contains(option)).collect())
        };
        condition.iter().map(others).collect()
    }

    /// Returns that where a condition holds another one does.
    fn implied(&self, condition: &Condition, follows: &Condition) -> Vec<Clause> {
        let with = |own: &(usize, Vec<u32>)| {
            let mut clause = self.but(condition);
            clause.push(own.clone());
            Clause(clause)
        };
        follows.iter().map(with).collect()
    }

    /// Returns that some actions have the same option.
    fn same(&self, slots: &[usize]) -> Vec<Clause> {
        let mut all = Vec::new();
        for (one, other) in slots.iter().zip(&slots[1..]).flat_map(|(a, b)| [(*a, *b), (*b, *a)]) {
            let options = &self.suite.order[other].options;
            for (option, value) in (0..).zip(&self.suite.order[one].options) {
                let equal = (0..).zip(options).filter(|(_, other)| *other == value).map(|(number, _)| number);
                let mut clause = self.but(&vec![(one, vec![option])]);
                clause.push((other, equal.collect()));
                all.push(Clause(clause));
            }
        }
        all
    }

    fn wrong(&self, text: &str) -> mlua::Error {
        raise(self.lua, "definition", format!("run_tests: {}: {text}", self.what))
    }
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
