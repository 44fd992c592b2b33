//! `rille runs show`: renders the event log of a run again.

use super::Failure;
use super::output::write_out;
use crate::store::{self, Home};

/// Writes the events of the run `id`: as JSON, one a line, or the number and kind of each.
pub(crate) fn main(home: &Home, id: &str, json: bool) -> Result<i32, Failure> {
    let path = home.find(id)?.join(".guild").join("events.jsonl");
    for event in store::read(&path)? {
        let event = event?;
        let value = serde_json::to_value(&event).map_err(|e| Failure::general(format!("cannot encode JSON: {e}")))?;
        if json {
            write_out(&format!("{value}\n"))?;
        } else {
            let kind = value["event"].as_str().unwrap_or_default();
            write_out(&format!("{:>6}  {kind}\n", event.seq))?;
        }
    }
    Ok(0)
}
