//! The option `cover` of `run_tests`: of how many actions all combinations are covered, and how.

use std::fmt;
use std::time::Duration;

use mlua::{Lua, Table, Value};

use crate::model::{WalkSlot, WalkSuite, nearest};
use crate::script::api::walk::{SlotMarks, encode};
use crate::script::error::raise;
use crate::script::shown::{shown, text_of};
use crate::walk::cover::Factors;

const KNOWN: [&str; 5] = ["t", "strength", "seed_rows", "budget", "looks"];

/// What is asked for beside the strength.
#[derive(Default)]
pub(super) struct Cover {
    /// Seconds that may be spent on fewer walks.
    pub(super) budget: Option<Duration>,
    /// How far the search for fewer walks goes, in looks at a combination; in place of what the budget stands for.
    pub(super) looks: Option<u64>,
    /// Actions with a strength of their own, by name.
    strengths: Vec<(Vec<String>, usize)>,
    seed_rows: Vec<Table>,
}

fn wrong(lua: &Lua, text: impl fmt::Display) -> mlua::Error {
    raise(lua, "definition", format!("run_tests: {text}"))
}

impl Cover {
    /// Reads `cover = 2` or `cover = { t = 2, … }`. Returns the strength as well.
    pub(super) fn read(lua: &Lua, value: &Value) -> mlua::Result<(u32, Cover)> {
        let strength = |value: &Value| match value {
            Value::Integer(strength) if (1..=16).contains(strength) => Ok(u32::try_from(*strength).unwrap_or(2)),
            other => {
                Err(wrong(lua, format!("cover is a number of actions from 1 to 16, such as 2, not {}", shown(other))))
            }
        };
        let Value::Table(table) = value else { return Ok((strength(value)?, Cover::default())) };
        let mut cover = Cover::default();
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            let key = text_of(&key);
            match (key.as_str(), &value) {
                ("t", _) => {}
                ("budget", value) => {
                    let seconds = value.as_number().or_else(|| i32::try_from(value.as_integer()?).ok().map(f64::from));
                    let budget = seconds.filter(|seconds| *seconds > 0.0);
                    let budget = budget.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                    let text =
                        || wrong(lua, format!("cover.budget is a number of seconds above 0, not {}", shown(value)));
                    cover.budget = Some(budget.ok_or_else(text)?);
                }
                ("looks", value) => {
                    let looks =
                        value.as_integer().and_then(|looks| u64::try_from(looks).ok()).filter(|looks| *looks > 0);
                    let text = || wrong(lua, format!("cover.looks is a whole number from 1, not {}", shown(value)));
                    cover.looks = Some(looks.ok_or_else(text)?);
                }
                ("strength", Value::Table(list)) => {
                    for item in list.sequence_values::<Table>() {
                        let item = item?;
                        let names = item.sequence_values::<String>().collect::<mlua::Result<Vec<_>>>()?;
                        let own = strength(&item.get::<Value>("t")?)?;
                        cover.strengths.push((names, own as usize));
                    }
                }
                ("seed_rows", Value::Table(list)) => {
                    cover.seed_rows = list.sequence_values::<Table>().collect::<mlua::Result<_>>()?;
                }
                ("strength" | "seed_rows", other) => {
                    return Err(wrong(lua, format!("cover.{key} is a list, not {}", shown(other))));
                }
                _ => {
                    let hint = nearest(&key, KNOWN).map(|near| format!("did you mean '{near}'?"));
                    let hint = hint.unwrap_or_else(|| format!("it has: {}", KNOWN.join(", ")));
                    return Err(wrong(lua, format!("cover has no option '{key}'; {hint}")));
                }
            }
        }
        let t: Value = table.get("t")?;
        let own = if t.is_nil() { 2 } else { strength(&t)? };
        Ok((own, cover))
    }

    /// Returns what is to be covered of a suite.
    pub(super) fn factors(
        &self,
        lua: &Lua,
        suite: &WalkSuite,
        marks: &[SlotMarks],
        strength: usize,
        seed: u64,
    ) -> mlua::Result<Factors> {
        let place = |name: &str| {
            suite.order.iter().position(|slot| slot.action == name).ok_or_else(|| {
                let near = nearest(name, suite.order.iter().map(|slot| slot.action.as_str()));
                let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                wrong(lua, format!("cover names '{name}', which is no action of the order{hint}"))
            })
        };
        let mut mixed = Vec::new();
        for (names, strength) in &self.strengths {
            mixed.push((names.iter().map(|name| place(name)).collect::<mlua::Result<_>>()?, *strength));
        }
        let mut seed_rows = Vec::new();
        for row in &self.seed_rows {
            let mut options = vec![None; suite.order.len()];
            for pair in row.pairs::<String, Value>() {
                let (name, value) = pair?;
                let slot = place(&name)?;
                let value = encode(lua, &value, "the option").map_err(|lost| wrong(lua, lost.to_string()))?;
                let found = suite.order[slot].options.iter().position(|option| *option == value);
                let found = found
                    .ok_or_else(|| wrong(lua, format!("cover.seed_rows: action '{name}' has no option {value}")))?;
                options[slot] = u32::try_from(found).ok();
            }
            seed_rows.push(options);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
        let weight = |weight: &f64| (weight * 1000.0).clamp(1.0, 4e9) as u32;
        let count = |slot: &WalkSlot| slot.options.len();
        Ok(Factors {
            counts: suite.order.iter().map(count).collect(),
            // A walk of fewer actions is covered by all of its combinations.
            strength: strength.min(suite.order.len()),
            mixed,
            weights: marks.iter().map(|marks| marks.weights.iter().map(weight).collect()).collect(),
            invalid: marks.iter().map(|marks| marks.invalid.clone()).collect(),
            seed_rows,
            seed,
        })
    }
}
