//! Where flags go and where they come from: `flags-dest` and `flags-import`.

use super::fields::Fields;
use super::node::Data;
use super::operation::is_off;
use super::{Checked, Mistake};
use crate::operation::import::FlagsImport;

/// The destinations of flags that are a word, and those that name something.
const DESTINATIONS: [&str; 5] = ["args", "args:click", "globals", "env", "none"];
const NAMED_DESTINATIONS: [&str; 5] = ["global:", "dict:", "namespace:", "config:", "args:"];

/// Reads where flags go; `None` where the module is to be looked at.
pub(super) fn flags_dest(fields: &Fields<'_>, remarks: &mut Vec<Mistake>) -> Checked<Option<String>> {
    Ok(destination(fields, remarks)?.or_else(|| unseen(fields)))
}

/// Returns where flags go whose module is not to be looked at, by `flags-import: no`: as Guild has it, they are arguments.
fn unseen(fields: &Fields<'_>) -> Option<String> {
    let node = fields.get("flags-import")?;
    (node.data != Data::Null && is_off(node)).then(|| "args".to_owned())
}

/// Reads which flags come from the code.
pub(super) fn flags_import(fields: &Fields<'_>) -> Checked<FlagsImport> {
    let Some(node) = fields.get("flags-import") else { return Ok(FlagsImport::Defined) };
    match &node.data {
        Data::Bool(true) => Ok(FlagsImport::All),
        Data::Text(text) if text == "all" => Ok(FlagsImport::All),
        Data::List(items) if !items.is_empty() => Ok(FlagsImport::Named(fields.texts("flags-import")?)),
        _ if is_off(node) => Ok(FlagsImport::Off),
        _ => Err(fields.wrong("flags-import", "yes or all, no, or a list of names of flags", node)),
    }
}

fn destination(fields: &Fields<'_>, remarks: &mut Vec<Mistake>) -> Checked<Option<String>> {
    let Some(given) = fields.text("flags-dest")? else { return Ok(None) };
    if DESTINATIONS.contains(&given.as_str()) {
        return Ok(Some(given));
    }
    let place = fields.get("flags-dest").map_or(fields.place(), |node| &node.place);
    let named = NAMED_DESTINATIONS.into_iter().find(|start| given.len() > start.len() && given.starts_with(start));
    match named {
        Some("args:") if given != "args:click" => {
            let text = format!("flags-dest '{given}': only flags of 'args:click' are read from the code");
            remarks.push(Mistake::at(place, text));
            Ok(Some(given))
        }
        Some(_) => Ok(Some(given)),
        None => {
            let known = "args, args:click, globals, global:NAME, dict:NAME, namespace:NAME, config:FILE, env, none";
            let near = crate::model::nearest(&given, DESTINATIONS);
            let hint = near.map_or_else(|| format!("it is one of {known}"), |near| format!("did you mean '{near}'?"));
            let text = format!("'{given}' is no destination of flags; {hint}");
            if fields.is_lua() {
                return Err(Mistake::at(place, text));
            }
            remarks.push(Mistake::at(place, format!("{text} The operation does not get its flags")));
            Ok(Some("none".to_owned()))
        }
    }
}
