//! What is learnt of the functions of constraints, so that they need not be asked while walks are chosen.
//!
//! A function over few options is asked for all of them. One over many is asked which options make a difference: those that
//! never do are one class, and the table of the classes is small; such a function is asked about every walk that is chosen as
//! well. A function over whole walks is watched: what it says depends on the actions at which it looks, and on no others.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, IntoLuaMulti, Lua, Table, Value, VmState};

use super::constraints::{is_false, raised};
use crate::model::SplitMix64;
use crate::script::error::raise;
use crate::walk::cover::{Clause, table_clauses};

/// The most combinations for which a function is asked without a question.
const SMALL: usize = 1 << 16;

/// The most for which it is asked at all.
const LARGE: usize = 1 << 21;

/// Combinations that are asked in one call.
const AT_ONCE: usize = 1 << 14;

/// Walks of which options are exchanged to see whether that makes a difference, in a round, and the rounds.
const TRIED: usize = 160;
const ROUNDS: usize = 8;

/// Combinations by which a table of classes is checked.
const CHECKED: usize = 4_000;

/// Walks that are shown to a function over whole walks to see at what it looks.
const SHOWN: usize = 24;

/// How long a function may take for a call.
const LONGEST: Duration = Duration::from_secs(10);

/// Instructions between two looks at the clock.
const INSTRUCTIONS: u32 = 100_000;

/// What was learnt.
pub(super) struct Learnt {
    pub(super) clauses: Vec<Clause>,
    /// Nothing has to be asked any more.
    pub(super) is_certain: bool,
}

impl Learnt {
    /// Returns the same for places that stand for these actions.
    pub(super) fn over(self, slots: &[usize]) -> Learnt {
        let moved = |Clause(entries): Clause| {
            Clause(entries.into_iter().map(|(place, options)| (slots[place], options)).collect())
        };
        Learnt { clauses: self.clauses.into_iter().map(moved).collect(), ..self }
    }
}

/// Says whether a walk is allowed, and at which of its actions was looked.
type AskWalk<'a> = &'a dyn Fn(&[u32]) -> mlua::Result<(bool, Vec<usize>)>;

/// Asks functions, and does not wait for one that never ends.
pub(super) struct Learner {
    answers: Function,
    watch: Function,
    numbered: Function,
    unrefused: Function,
    begun: Rc<Cell<Instant>>,
}

impl Learner {
    pub(super) fn new(lua: &Lua) -> mlua::Result<Self> {
        let source = include_str!("../../../lua/rille/walk/learner.lua");
        let chunk = lua.load(source).set_name("=[rille walk]").set_mode(ChunkMode::Text);
        let (answers, watch, numbered, unrefused) = chunk.call(())?;
        Ok(Self { answers, watch, numbered, unrefused, begun: Rc::new(Cell::new(Instant::now())) })
    }

    /// Calls a function of a constraint.
    pub(super) fn call(
        &self,
        lua: &Lua,
        what: &str,
        function: &Function,
        arguments: impl IntoLuaMulti,
    ) -> mlua::Result<Value> {
        self.limited(lua, what, || function.call::<Value>(arguments))
    }

    /// Runs something that calls a function of a constraint.
    fn limited<T>(&self, lua: &Lua, what: &str, run: impl FnOnce() -> mlua::Result<T>) -> mlua::Result<T> {
        self.begun.set(Instant::now());
        let begun = Rc::clone(&self.begun);
        let is_late = Rc::new(Cell::new(false));
        let late = Rc::clone(&is_late);
        let triggers = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
        lua.set_hook(triggers, move |_, _| match begun.get().elapsed() > LONGEST {
            true => {
                late.set(true);
                Err(mlua::Error::runtime("it takes too long"))
            }
            false => Ok(VmState::Continue),
        })?;
        let returned = run();
        lua.remove_hook();
        match returned {
            _ if is_late.get() => {
                let text = format!("run_tests: {what} has not returned within {} s", LONGEST.as_secs());
                Err(raise(lua, "definition", text))
            }
            Err(error) => Err(raised(lua, what, &error)),
            Ok(returned) => Ok(returned),
        }
    }

    /// Learns a function over the options of these lists; nothing where it has to be asked.
    pub(super) fn function(
        &self,
        lua: &Lua,
        what: &str,
        function: &Function,
        lists: &[&[Value]],
    ) -> mlua::Result<Option<Learnt>> {
        let asking = Asking { learner: self, lua, what, function, lists };
        let counts: Vec<usize> = lists.iter().map(|list| list.len()).collect();
        let size = product(&counts);
        if size > SMALL
            && let Some(learnt) = asking.by_classes(&counts)?
        {
            return Ok(Some(learnt));
        }
        if size > LARGE {
            return Ok(None);
        }
        let all: Vec<Vec<usize>> = counts.iter().map(|count| (0..*count).collect()).collect();
        let table = asking.table(&all)?;
        let clauses = table_clauses(&counts, &table);
        Ok(clauses.map(|clauses| Learnt { clauses: clauses.into_iter().map(Clause).collect(), is_certain: true }))
    }

    /// Returns a function over whole walks as one over the numbers of their options.
    pub(super) fn numbered(&self, function: &Function, instances: &Function) -> mlua::Result<Function> {
        self.numbered.call((function, instances))
    }

    /// Returns the one that says which action refuses a walk as such a function.
    pub(super) fn unrefused(&self, refused: &Function) -> mlua::Result<Function> {
        self.unrefused.call(refused)
    }

    /// Learns a function over whole walks that looks at few actions. `ask` says whether a walk is allowed, and at what was
    /// looked.
    pub(super) fn walks(counts: &[usize], ask: AskWalk<'_>) -> mlua::Result<Option<Learnt>> {
        let mut numbers = SplitMix64::new(1);
        let mut looked: Vec<usize> = Vec::new();
        for _ in 0..SHOWN {
            looked.extend(ask(&any(counts, &mut numbers))?.1);
        }
        'again: loop {
            looked.sort_unstable();
            looked.dedup();
            let few: Vec<usize> = looked.iter().map(|slot| counts[*slot]).collect();
            if product(&few) > SMALL {
                return Ok(None);
            }
            let mut walk = vec![0_u32; counts.len()];
            let mut table = Vec::with_capacity(product(&few));
            for number in 0..product(&few) {
                let mut rest = number;
                for slot in looked.iter().rev() {
                    walk[*slot] = u32::try_from(rest % counts[*slot]).unwrap_or(0);
                    rest /= counts[*slot];
                }
                let (is_allowed, seen) = ask(&walk)?;
                if seen.iter().any(|slot| !looked.contains(slot)) {
                    looked.extend(seen);
                    continue 'again;
                }
                table.push(is_allowed);
            }
            let clauses = table_clauses(&few, &table);
            let learnt = clauses.map(|clauses| {
                Learnt { clauses: clauses.into_iter().map(Clause).collect(), is_certain: true }.over(&looked)
            });
            return Ok(learnt);
        }
    }
}

/// A function that is asked for its table.
struct Asking<'a> {
    learner: &'a Learner,
    lua: &'a Lua,
    what: &'a str,
    function: &'a Function,
    lists: &'a [&'a [Value]],
}

impl Asking<'_> {
    /// Returns what the function says of all combinations of these options.
    fn table(&self, options: &[Vec<usize>]) -> mlua::Result<Vec<bool>> {
        let list = |(options, values): (&Vec<usize>, &&[Value])| -> mlua::Result<Table> {
            let list = self.lua.create_table()?;
            for (place, option) in (1..).zip(options) {
                list.raw_set(place, values[*option].clone())?;
            }
            list.raw_set("n", options.len())?;
            Ok(list)
        };
        let lists: Vec<Table> = options.iter().zip(self.lists).map(list).collect::<mlua::Result<_>>()?;
        let size = product(&options.iter().map(Vec::len).collect::<Vec<_>>());
        let mut table = Vec::with_capacity(size);
        while table.len() < size {
            let many = AT_ONCE.min(size - table.len());
            let arguments = (self.function, lists.clone(), options.len(), table.len(), many);
            let bytes = self
                .learner
                .limited(self.lua, self.what, || self.learner.answers.call::<mlua::LuaString>(arguments))?;
            table.extend(bytes.as_bytes().iter().map(|byte| *byte == 1));
        }
        Ok(table)
    }

    fn one(&self, options: &[usize]) -> mlua::Result<bool> {
        let values = options.iter().zip(self.lists).map(|(option, list)| list[*option].clone());
        let values: mlua::Variadic<Value> = values.collect();
        let said = self.learner.call(self.lua, self.what, self.function, values)?;
        Ok(!is_false(&said))
    }

    /// Learns a function by classes of options that make no difference; nothing if there are too many classes.
    fn by_classes(&self, counts: &[usize]) -> mlua::Result<Option<Learnt>> {
        let mut numbers = SplitMix64::new(1);
        let below = |numbers: &mut SplitMix64, count: usize| usize::try_from(numbers.below(count as u64)).unwrap_or(0);
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut contexts: Vec<Vec<usize>> =
            (0..most).map(|option| counts.iter().map(|count| option.min(count - 1)).collect()).collect();
        let mut classes: Vec<Vec<usize>> = counts.iter().map(|count| vec![0; *count]).collect();
        for round in 1..=ROUNDS {
            // Of every class something is tried as often, however small it is.
            let members = members(&classes);
            for _ in 0..TRIED {
                let pick = |place: usize| {
                    let class = &members[place][below(&mut numbers, members[place].len())];
                    class[below(&mut numbers, class.len())]
                };
                contexts.push((0..counts.len()).map(pick).collect());
            }
            for (place, count) in counts.iter().enumerate() {
                let mut said: Vec<Vec<bool>> = vec![Vec::with_capacity(contexts.len()); *count];
                for context in &contexts {
                    let mut lists: Vec<Vec<usize>> = context.iter().map(|option| vec![*option]).collect();
                    lists[place] = (0..*count).collect();
                    for (said, is) in said.iter_mut().zip(self.table(&lists)?) {
                        said.push(is);
                    }
                }
                // What was told apart once stays so.
                let old = classes[place].clone();
                let first = |option: usize| {
                    (0..option).find(|other| old[*other] == old[option] && said[*other] == said[option])
                };
                classes[place] = (0..*count).map(|option| first(option).unwrap_or(option)).collect();
            }
            let members = self::members(&classes);
            let few: Vec<usize> = members.iter().map(Vec::len).collect();
            if product(&few) > LARGE {
                return Ok(None);
            }
            if few.iter().any(|few| *few > 1) || round > ROUNDS / 2 {
                let heads: Vec<Vec<usize>> =
                    members.iter().map(|classes| classes.iter().map(|class| class[0]).collect()).collect();
                let table = self.table(&heads)?;
                let mut is_right = true;
                for _ in 0..CHECKED {
                    let chosen: Vec<usize> = members.iter().map(|m| below(&mut numbers, m.len())).collect();
                    let options: Vec<usize> = chosen
                        .iter()
                        .zip(&members)
                        .map(|(class, members)| members[*class][below(&mut numbers, members[*class].len())])
                        .collect();
                    let place = chosen.iter().zip(&few).fold(0, |sum, (class, few)| sum * few + class);
                    if self.one(&options)? != table[place] {
                        contexts.push(options);
                        is_right = false;
                        break;
                    }
                }
                if is_right {
                    let found = table_clauses(&few, &table);
                    return Ok(found.map(|found| unfolded(&found, &members)));
                }
            }
            // The oldest have told what they can.
            let old = contexts.len().saturating_sub(TRIED * 2);
            contexts.drain(..old);
        }
        Ok(None)
    }
}

/// Returns the members of every class, by place.
fn members(classes: &[Vec<usize>]) -> Vec<Vec<Vec<usize>>> {
    let of = |classes: &Vec<usize>| {
        let mut members: Vec<(usize, Vec<usize>)> = Vec::new();
        for (option, class) in classes.iter().enumerate() {
            match members.iter_mut().find(|(other, _)| other == class) {
                Some((_, members)) => members.push(option),
                None => members.push((*class, vec![option])),
            }
        }
        members.into_iter().map(|(_, members)| members).collect()
    };
    classes.iter().map(of).collect()
}

/// Returns clauses over classes as clauses over options.
fn unfolded(clauses: &[Vec<(usize, Vec<u32>)>], members: &[Vec<Vec<usize>>]) -> Learnt {
    let entry = |(place, classes): &(usize, Vec<u32>)| {
        let options = classes.iter().flat_map(|class| &members[*place][*class as usize]);
        (*place, options.map(|option| u32::try_from(*option).unwrap_or(u32::MAX)).collect())
    };
    let clause = |clause: &Vec<(usize, Vec<u32>)>| Clause(clause.iter().map(entry).collect());
    Learnt { clauses: clauses.iter().map(clause).collect(), is_certain: false }
}

fn product(counts: &[usize]) -> usize {
    counts.iter().fold(1_usize, |product, count| product.saturating_mul(*count))
}

fn any(counts: &[usize], numbers: &mut SplitMix64) -> Vec<u32> {
    counts.iter().map(|count| u32::try_from(numbers.below(*count as u64)).unwrap_or(0)).collect()
}

/// A list of a walk's actions that says at which of them was looked.
pub(super) struct Watcher {
    list: Table,
    seen: RefCell<Option<Function>>,
}

impl Watcher {
    /// Watches a list. Where the function is told an id as well, all of it counts as seen.
    pub(super) fn new(learner: &Learner, list: Table, has_id: bool) -> mlua::Result<Self> {
        if has_id {
            return Ok(Self { list, seen: RefCell::new(None) });
        }
        let (list, seen): (Table, Function) = learner.watch.call(list)?;
        Ok(Self { list, seen: RefCell::new(Some(seen)) })
    }

    /// Returns the list.
    pub(super) const fn list(&self) -> &Table {
        &self.list
    }

    /// Returns the places, from 0, of the actions that were looked at, ascending.
    pub(super) fn seen(&self, count: usize) -> mlua::Result<Vec<usize>> {
        let seen = self.seen.borrow_mut().take().map(|seen| seen.call::<Value>(())).transpose()?;
        let Some(Value::Table(indices)) = seen else { return Ok((0..count).collect()) };
        let mut places: Vec<usize> = indices
            .sequence_values::<usize>()
            .collect::<mlua::Result<Vec<_>>>()?
            .into_iter()
            .filter_map(|index| index.checked_sub(1).filter(|place| *place < count))
            .collect();
        places.sort_unstable();
        Ok(places)
    }
}
