//! Which steps need which, and whether there is an order in which they can run.

use std::collections::HashMap;

use super::{Step, StepError};
use crate::model::nearest;

/// Gives each step the links of those that it needs: those that it names, else the one before it. Fails if one is not there,
/// or if steps need each other.
pub(super) fn resolve(steps: &mut [Step], wanted: Vec<Option<Vec<String>>>) -> Result<(), StepError> {
    let mut by_name: HashMap<String, String> = HashMap::new();
    for step in steps.iter() {
        // Of two steps of one name the first is meant by it, and the second by its link.
        by_name.entry(step.link.clone()).or_insert_with(|| step.link.clone());
        by_name.entry(step.name.clone()).or_insert_with(|| step.link.clone());
        by_name.entry(step.operation.clone()).or_insert_with(|| step.link.clone());
    }
    let mut before: Option<String> = None;
    for (at, wanted) in wanted.into_iter().enumerate() {
        let find = |name: &String| {
            by_name.get(name).cloned().ok_or_else(|| StepError::Unknown {
                step: steps[at].name.clone(),
                need: name.clone(),
                meant: nearest(name, steps.iter().map(|step| step.name.as_str())).map(str::to_owned),
            })
        };
        let needs = match wanted {
            Some(names) => names.iter().map(find).collect::<Result<Vec<_>, _>>()?,
            None => before.clone().into_iter().collect(),
        };
        let for_each = steps[at].for_each.as_ref().map(find).transpose()?;
        let step = &mut steps[at];
        (step.needs, step.for_each) = (needs, for_each);
        step.needs.dedup();
        before = Some(step.link.clone());
    }
    match cycle(steps) {
        Some(names) => Err(StepError::Cycle(names)),
        None => Ok(()),
    }
}

/// Returns steps that need each other, the first again at the end.
fn cycle(steps: &[Step]) -> Option<Vec<String>> {
    let places: HashMap<&str, usize> = steps.iter().enumerate().map(|(at, step)| (step.link.as_str(), at)).collect();
    let needs = |at: usize| steps[at].needs.iter().filter_map(|need| places.get(need.as_str()).copied());
    let mut open: Vec<usize> = (0..steps.len()).map(|at| needs(at).count()).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for at in 0..steps.len() {
        for need in needs(at) {
            dependants[need].push(at);
        }
    }
    let mut ready: Vec<usize> = (0..steps.len()).filter(|at| open[*at] == 0).collect();
    while let Some(at) = ready.pop() {
        for &dependant in &dependants[at] {
            open[dependant] -= 1;
            if open[dependant] == 0 {
                ready.push(dependant);
            }
        }
    }
    // Whoever is left waits for one that is left.
    let mut at = open.iter().position(|open| *open > 0)?;
    let mut path: Vec<usize> = Vec::new();
    while !path.contains(&at) {
        path.push(at);
        at = needs(at).find(|need| open[*need] > 0)?;
    }
    let start = path.iter().position(|step| *step == at)?;
    Some(path[start..].iter().chain([&at]).map(|at| steps[*at].name.clone()).collect())
}
