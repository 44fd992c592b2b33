//! `rille runs label`: changes the labels of runs.

use clap::Args;
use serde_json::json;

use super::act::{Act, Question, Weight};
use super::chosen::Chosen;
use super::selection::Unnamed;
use crate::cli::{Failure, present_masks};
use crate::model::Masks;
use crate::store::{self, Home, LabelChange, RunInfo};

/// Which labels are changed, and how.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).args(["set", "prepend", "append", "remove", "clear"]))]
pub(crate) struct LabelArgs {
    /// Make TEXT the label
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    set: Option<String>,
    /// Put TEXT before the label
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    prepend: Option<String>,
    /// Put TEXT behind the label
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    append: Option<String>,
    /// Take the words TEXT out of the label; can be given several times [Guild: -rm]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    remove: Vec<String>,
    /// Take the label away
    #[arg(short, long)]
    clear: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write the new labels as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

impl LabelArgs {
    /// Returns the change. A label is only read: secrets are masked in it.
    fn change(&self, masks: &Masks) -> LabelChange {
        let masked = |text: &String| masks.mask_text(text).into_owned();
        match (&self.set, &self.prepend, &self.append) {
            (Some(text), ..) => LabelChange::Set(masked(text)),
            (_, Some(text), _) => LabelChange::Prepend(masked(text)),
            (_, _, Some(text)) => LabelChange::Append(masked(text)),
            _ if self.clear => LabelChange::Clear,
            _ => LabelChange::Remove(self.remove.iter().map(masked).collect()),
        }
    }
}

/// Changes the labels.
pub(crate) fn main(args: &LabelArgs, home: &Home) -> Result<i32, Failure> {
    let change = args.change(&present_masks()?);
    let runs = args.chosen.some(home, Unnamed::Latest)?;
    let text = match &change {
        LabelChange::Set(text) => format!("You are about to label the following runs with '{text}'"),
        LabelChange::Prepend(text) => format!("You are about to put '{text}' before the labels of the following runs"),
        LabelChange::Append(text) => format!("You are about to put '{text}' behind the labels of the following runs"),
        LabelChange::Remove(parts) => {
            format!("You are about to take '{}' out of the labels of the following runs", parts.join("', '"))
        }
        LabelChange::Clear => "You are about to clear the labels of the following runs".to_owned(),
    };
    let question = Question { text: &text, runs: &runs, weight: Weight::Light, doing: "changing labels" };
    let change_one = |run: &RunInfo| {
        let label = store::change_label(&run.path, &change)?;
        Ok(Some(json!({"id": run.id, "label": label})))
    };
    let done = if change == LabelChange::Clear { "Cleared label for" } else { "Labeled" };
    let act = Act { question, yes: args.yes, json: args.json };
    act.perform(change_one, |changed| format!("{done} {} run(s)", changed.len()))
}
