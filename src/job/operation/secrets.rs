//! Secrets of an operation: which there are, beside those of its host, and what becomes of them in the run.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Audience, Plan};
use crate::job::secrets::{kept_value, leave_out};
use crate::model::Masks;
use crate::operation::command::variable_of_flag;
use crate::operation::{Notice, OpRecord};
use crate::store::Secrets;

/// Takes note of the secrets in the definition's environment and in the flags. Returns the names of those variables that a
/// later start has to have: a flag is kept.
pub(super) fn note(plan: &mut Plan) -> Vec<String> {
    let own = plan.record.op_cmd.cmd_env.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let own = own.filter(|(_, value)| !is_reference(value)).map(|(name, value)| (name.into(), value.into()));
    plan.secrets.add_variables(own.collect::<Vec<_>>());
    let names = plan.secrets.variables().map(str::to_owned).collect();
    let flags = plan.values.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let flags = flags.map(|(name, value)| (variable_of_flag(&plan.record, name).into(), value.into()));
    plan.secrets.add_variables(flags.collect::<Vec<_>>());
    names
}

/// Takes note of the secrets in the environment as the operation gets it.
pub(super) fn note_environment(plan: &mut Plan, variables: &BTreeMap<String, Option<String>>) {
    // What is no text is no secret, whatever the flag is called: `tokens=1000000`.
    let flags = plan.values.iter().filter(|(_, value)| !value.is_string());
    let numbers: BTreeSet<String> = flags.map(|(name, _)| variable_of_flag(&plan.record, name)).collect();
    let found = variables.iter().filter(|(name, _)| !numbers.contains(*name));
    let found = found.filter_map(|(name, value)| Some((name.into(), value.as_ref()?.into())));
    plan.secrets.add_variables(found);
}

/// Returns whether a value stands for a flag and is none itself.
fn is_reference(value: &str) -> bool {
    value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains(['$', '{', '}']))
}

/// Returns the record of an operation as it is written down.
pub(super) fn written(record: &OpRecord, secrets: &Secrets) -> OpRecord {
    let mut record =
        record.without_secrets(|name, value| !is_reference(value) && secrets.holds(name, value.as_bytes()));
    if let Some(label) = &mut record.label_template {
        secrets.masks().mask_string(label);
    }
    record
}

/// Returns a warning for each secret that is kept, since the run is started again by what it is in.
pub(super) fn kept(plan: &Plan) -> Vec<String> {
    let secrets = &plan.secrets;
    let flags = plan.values.iter();
    let flags = flags.filter_map(|(name, value)| kept_value(secrets, &format!("the flag '{name}'"), value));
    let parts = [
        ("the command of the operation", json!(plan.record.op_cmd.cmd_args)),
        ("a dependency of the operation", json!(plan.record.deps)),
    ];
    flags.chain(parts.iter().filter_map(|(what, value)| kept_value(secrets, what, value))).collect()
}

/// Returns the options as they are written down.
pub(super) fn options(plan: &Plan) -> Value {
    let mut options = Value::Object(plan.recipe.options.clone());
    leave_out(&plan.secrets, &mut options);
    options
}

/// Tells what it is told, with secrets masked.
pub(super) struct Masked<'a> {
    pub(super) audience: &'a mut dyn Audience,
    pub(super) masks: Masks,
}

impl Audience for Masked<'_> {
    fn notice(&mut self, mut notice: Notice) {
        let (Notice::Info(text) | Notice::Warning(text)) = &mut notice;
        self.masks.mask_string(text);
        self.audience.notice(notice);
    }

    fn started(&self) {
        self.audience.started();
    }
}
