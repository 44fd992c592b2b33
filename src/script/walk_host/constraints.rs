//! What walks are allowed, as functions of a jobfile say it: over whole walks, or over the options of some actions.

use mlua::{Function, Lua, Table, Value};

use super::super::api::walk::decode;
use super::options::Constraint;
use crate::model::{WalkSuite, nearest};
use crate::script::error::raise;

/// The functions of a call, ready to be asked.
pub(super) struct Constraints {
    rules: Vec<Rule>,
    /// Makes the list of a walk's actions.
    instances: Option<Function>,
    /// Says which action refuses a walk.
    refused: Option<Function>,
    /// The options of every action, decoded.
    options: Vec<Vec<Value>>,
    numbers: Table,
}

enum Rule {
    /// Over whole walks, and what it says of one that is left out.
    Walk(Function, bool),
    /// Over the options of these actions.
    Of(Vec<usize>, Function),
}

impl Constraints {
    /// Makes them; `None` if there are none.
    pub(super) fn new(
        lua: &Lua,
        suite: &WalkSuite,
        given: Vec<Constraint>,
        instances: Option<Function>,
        refused: Option<Function>,
    ) -> mlua::Result<Option<Self>> {
        if given.is_empty() && refused.is_none() {
            return Ok(None);
        }
        let mut rules = Vec::new();
        for constraint in given {
            rules.push(match constraint {
                Constraint::Walk(function, when) => Rule::Walk(function, when),
                Constraint::Of(names, function) => {
                    let slots = names.iter().map(|name| slot(lua, suite, name)).collect::<mlua::Result<_>>()?;
                    Rule::Of(slots, function)
                }
            });
        }
        let decoded = |slot: &crate::model::WalkSlot| slot.options.iter().map(|option| decode(lua, option)).collect();
        let options = suite.order.iter().map(decoded).collect::<mlua::Result<_>>()?;
        Ok(Some(Self { rules, instances, refused, options, numbers: lua.create_table()? }))
    }

    /// Returns whether a walk is allowed of which some options are chosen: false only if none with them is.
    pub(super) fn allow(&self, chosen: &[Option<u32>], id: Option<u64>) -> mlua::Result<bool> {
        for rule in &self.rules {
            let Rule::Of(slots, function) = rule else { continue };
            let value = |slot: &usize| {
                let option = chosen.get(*slot).copied().flatten()?;
                self.options.get(*slot)?.get(option as usize).cloned()
            };
            let values: Option<Vec<Value>> = slots.iter().map(value).collect();
            if let Some(values) = values
                && is_false(&function.call::<Value>(mlua::Variadic::from_iter(values))?)
            {
                return Ok(false);
            }
        }
        let Some(whole) = chosen.iter().copied().collect::<Option<Vec<u32>>>() else { return Ok(true) };
        for (place, option) in (1..).zip(whole) {
            self.numbers.raw_set(place, option)?;
        }
        if let Some(refused) = &self.refused
            && !refused.call::<Value>(&self.numbers)?.is_nil()
        {
            return Ok(false);
        }
        let mut list = None;
        for rule in &self.rules {
            let (Rule::Walk(function, when), Some(instances)) = (rule, &self.instances) else { continue };
            let list = match &list {
                Some(list) => Table::clone(list),
                None => list.insert(instances.call::<Table>(&self.numbers)?).clone(),
            };
            let said: Value = function.call((list, id))?;
            if is_false(&said) != *when {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn is_false(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::Boolean(false))
}

fn slot(lua: &Lua, suite: &WalkSuite, name: &str) -> mlua::Result<usize> {
    suite.order.iter().position(|slot| slot.action == *name).ok_or_else(|| {
        let names = || suite.order.iter().map(|slot| slot.action.as_str());
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("it has: {}", names().collect::<Vec<_>>().join(", ")),
        };
        raise(
            lua,
            "definition",
            format!("run_tests: a constraint names '{name}', which is no action of the order; {hint}"),
        )
    })
}
