//! Walks in words: their actions with their options.

use serde_json::Value;

use crate::model::{WalkStep, WalkSuite};
use crate::walk::Plan;

/// Bytes of an option that are shown; of longer ones the beginning.
const LONGEST: usize = 80;

/// Returns the steps of a walk in words: `Connect("tcp"), Config(1)`.
pub(crate) fn steps_in_words(suite: &WalkSuite, steps: &[WalkStep]) -> String {
    let words: Vec<String> = steps.iter().map(|step| step_in_words(suite, *step)).collect();
    words.join(", ")
}

/// Returns a step in words: `Config(1)`.
pub(crate) fn step_in_words(suite: &WalkSuite, step: WalkStep) -> String {
    let Some(slot) = suite.order.get(step.slot as usize) else { return "?".to_owned() };
    let option = slot.options.get(step.option as usize).unwrap_or(&Value::Null);
    format!("{}({})", slot.action, option_in_words(option))
}

/// Returns the steps of a walk of a plan.
pub(crate) fn steps_of(plan: &Plan, id: u64) -> Vec<WalkStep> {
    (0..).zip(plan.options(id)).map(|(slot, option)| WalkStep { slot, option }).collect()
}

/// Returns a step as it stands in a trace: `{"Config": 1}`.
pub(crate) fn traced(suite: &WalkSuite, step: WalkStep) -> Value {
    let slot = suite.order.get(step.slot as usize);
    let option = slot.and_then(|slot| slot.options.get(step.option as usize)).cloned().unwrap_or(Value::Null);
    let name = slot.map_or_else(|| "?".to_owned(), |slot| slot.action.clone());
    Value::Object([(name, option)].into_iter().collect())
}

/// Returns an option in words.
pub(crate) fn option_in_words(option: &Value) -> String {
    let mut text = match option {
        Value::Null => "nil".to_owned(),
        Value::Object(fields) => match (fields.get("$class").and_then(Value::as_str), fields.get("value")) {
            (Some(class), Some(value)) => format!("{class}{value}"),
            _ => option.to_string(),
        },
        option => option.to_string(),
    };
    if text.len() > LONGEST {
        let end = text.floor_char_boundary(LONGEST);
        text.truncate(end);
        text.push('…');
    }
    text
}
