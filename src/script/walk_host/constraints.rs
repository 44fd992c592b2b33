//! What walks are allowed, as a jobfile says it: by forms, by functions over the options of some actions, and by functions over
//! whole walks. What can be known of them is turned into clauses; the rest is asked.

use std::cell::RefCell;

use mlua::{Function, Lua, Table, Value};

use super::super::api::walk::decode;
use super::forms;
use super::learnt::{Learner, Learnt, Watcher};
use super::options::Constraint;
use crate::model::{WalkSuite, nearest};
use crate::script::error::{plain_text, raise};
use crate::walk::cover::{Clause, Constraints as Known};

/// The constraints of a call, ready to be asked.
pub(super) struct Constraints {
    /// What is known for certain.
    clauses: Vec<Clause>,
    /// What has to be asked.
    asked: Vec<Asked>,
    /// Makes the list of a walk's actions.
    instances: Option<Function>,
    /// The options of every action, decoded.
    options: Vec<Vec<Value>>,
    numbers: Table,
    learner: Learner,
    /// Options of which functions over whole walks have said that they are not together, looking at nothing else.
    refused: RefCell<Vec<Vec<(usize, u32)>>>,
}

/// A function that has to be asked.
struct Asked {
    what: String,
    kind: Kind,
}

enum Kind {
    /// Over whole walks, and what it says of one that is left out.
    Walk(Function, bool),
    /// Says which action refuses a walk.
    Refused(Function),
    /// Over the options of these actions.
    Of(Vec<usize>, Function),
}

/// The most that functions over whole walks have said that is kept.
const MOST_REFUSED: usize = 20_000;

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
        let decoded = |slot: &crate::model::WalkSlot| slot.options.iter().map(|option| decode(lua, option)).collect();
        let options = suite.order.iter().map(decoded).collect::<mlua::Result<_>>()?;
        let learner = Learner::new(lua)?;
        let mut made = Self {
            clauses: Vec::new(),
            asked: Vec::new(),
            instances,
            options,
            numbers: lua.create_table()?,
            learner,
            refused: RefCell::default(),
        };
        for (number, constraint) in (1..).zip(given) {
            let kind = match constraint {
                Constraint::Form(form) => {
                    made.clauses.extend(forms::clauses(lua, suite, &form)?);
                    continue;
                }
                Constraint::Walk(function, when) => Kind::Walk(function, when),
                Constraint::Of(names, function) => {
                    let slots = names.iter().map(|name| slot(lua, suite, name)).collect::<mlua::Result<Vec<_>>>()?;
                    Kind::Of(slots, function)
                }
            };
            let what = match &kind {
                Kind::Of(slots, _) => {
                    let names: Vec<&str> = slots.iter().map(|slot| suite.order[*slot].action.as_str()).collect();
                    format!("constraint {number} over {}", names.join(", "))
                }
                Kind::Walk(_, true) => "should_cancel".to_owned(),
                _ => format!("constraint {number}"),
            };
            made.take(lua, Asked { what, kind })?;
        }
        if let Some(refused) = refused {
            made.take(lua, Asked { what: "the should_cancel of an action".to_owned(), kind: Kind::Refused(refused) })?;
        }
        Ok(Some(made))
    }

    /// Learns what can be learnt of a function; one of which something is left is kept, to be asked.
    fn take(&mut self, lua: &Lua, asked: Asked) -> mlua::Result<()> {
        let learnt = match &asked.kind {
            Kind::Of(slots, function) => {
                let lists: Vec<&[Value]> = slots.iter().map(|slot| self.options[*slot].as_slice()).collect();
                let learnt = self.learner.function(lua, &asked.what, function, &lists)?;
                learnt.map(|learnt| learnt.over(slots))
            }
            // It is told the id as well, which is not known before.
            Kind::Walk(_, true) => None,
            Kind::Walk(..) | Kind::Refused(_) => {
                let counts: Vec<usize> = self.options.iter().map(Vec::len).collect();
                let ask = |walk: &[u32]| self.watched(lua, &asked, walk, None);
                match Learner::walks(&counts, &ask)? {
                    Some(learnt) => Some(learnt),
                    None => self.by_numbers(lua, &asked)?,
                }
            }
        };
        match learnt {
            Some(Learnt { clauses, is_certain }) => {
                self.clauses.extend(clauses);
                if !is_certain {
                    self.asked.push(asked);
                }
            }
            None => self.asked.push(asked),
        }
        Ok(())
    }

    /// Learns a function over whole walks that looks at many actions.
    fn by_numbers(&self, lua: &Lua, asked: &Asked) -> mlua::Result<Option<Learnt>> {
        let function = match (&asked.kind, &self.instances) {
            (Kind::Walk(function, false), Some(instances)) => self.learner.numbered(function, instances)?,
            (Kind::Refused(refused), _) => self.learner.unrefused(refused)?,
            _ => return Ok(None),
        };
        let numbers = |options: &Vec<Value>| (0_i64..).take(options.len()).map(Value::Integer).collect();
        let lists: Vec<Vec<Value>> = self.options.iter().map(numbers).collect();
        let lists: Vec<&[Value]> = lists.iter().map(Vec::as_slice).collect();
        self.learner.function(lua, &asked.what, &function, &lists)
    }

    /// Returns what is known for certain.
    pub(super) fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Returns what is known and what has to be asked.
    pub(super) fn known<'a>(
        &self,
        ask: &'a mut dyn FnMut(&[Option<u32>]) -> mlua::Result<bool>,
    ) -> Known<'a, mlua::Error> {
        Known { clauses: self.clauses.clone(), ask: (!self.asked.is_empty()).then_some(ask) }
    }

    /// Returns whether a walk is allowed of which some options are chosen: false only if none with them is.
    pub(super) fn allow(&self, lua: &Lua, chosen: &[Option<u32>], id: Option<u64>) -> mlua::Result<bool> {
        Ok(self.clauses.iter().all(|clause| clause.allows(chosen)) && self.ask(lua, chosen, id)?)
    }

    /// The same as far as it has to be asked.
    pub(super) fn ask(&self, lua: &Lua, chosen: &[Option<u32>], id: Option<u64>) -> mlua::Result<bool> {
        for asked in &self.asked {
            let Kind::Of(slots, function) = &asked.kind else { continue };
            let value = |slot: &usize| {
                let option = chosen.get(*slot).copied().flatten()?;
                self.options.get(*slot)?.get(option as usize).cloned()
            };
            let values: Option<Vec<Value>> = slots.iter().map(value).collect();
            let Some(values) = values else { continue };
            let said = self.learner.call(lua, &asked.what, function, mlua::Variadic::from_iter(values))?;
            if is_false(&said) {
                return Ok(false);
            }
        }
        let has = |options: &Vec<(usize, u32)>| options.iter().all(|(slot, option)| chosen[*slot] == Some(*option));
        if self.refused.borrow().iter().any(has) {
            return Ok(false);
        }
        let Some(whole) = chosen.iter().copied().collect::<Option<Vec<u32>>>() else { return Ok(true) };
        for asked in self.asked.iter().filter(|asked| !matches!(asked.kind, Kind::Of(..))) {
            let (is_allowed, seen) = self.watched(lua, asked, &whole, id)?;
            if !is_allowed {
                let mut refused = self.refused.borrow_mut();
                if seen.len() < whole.len() && refused.len() < MOST_REFUSED {
                    refused.push(seen.into_iter().map(|slot| (slot, whole[slot])).collect());
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks a function about a whole walk. Returns whether the walk is allowed, and at which of its actions it looked.
    fn watched(&self, lua: &Lua, asked: &Asked, walk: &[u32], id: Option<u64>) -> mlua::Result<(bool, Vec<usize>)> {
        for (place, option) in (1..).zip(walk) {
            self.numbers.raw_set(place, *option)?;
        }
        let Some(instances) = &self.instances else { return Ok((true, Vec::new())) };
        let watcher = Watcher::new(&self.learner, instances.call::<Table>(&self.numbers)?, id.is_some())?;
        let is_allowed = match &asked.kind {
            Kind::Walk(function, when) => {
                let said = self.learner.call(lua, &asked.what, function, (watcher.list(), id))?;
                is_false(&said) == *when
            }
            Kind::Refused(refused) => {
                self.learner.call(lua, &asked.what, refused, (&self.numbers, watcher.list()))?.is_nil()
            }
            Kind::Of(..) => true,
        };
        Ok((is_allowed, watcher.seen(walk.len())?))
    }
}

/// Returns whether a value counts as "no".
pub(super) const fn is_false(value: &Value) -> bool {
    matches!(value, Value::Nil | Value::Boolean(false))
}

/// Returns an error of a constraint in the words of the call.
pub(super) fn raised(lua: &Lua, what: &str, error: &mlua::Error) -> mlua::Error {
    raise(lua, "definition", format!("run_tests: {what} raised: {}", plain_text(error)))
}

/// Returns the place of an action in the order.
pub(super) fn slot(lua: &Lua, suite: &WalkSuite, name: &str) -> mlua::Result<usize> {
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
