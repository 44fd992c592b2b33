//! `rille runs tag`: puts tags to runs and takes them away.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::json;

use super::act::{Act, Question, Weight};
use super::chosen::Chosen;
use super::selection::Unnamed;
use crate::cli::output::{one_line, write_json, write_out};
use crate::cli::{Failure, present_masks};
use crate::store::{self, Home, RunInfo, TagChange};

/// Which tags are changed, and how.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["add", "delete", "clear", "list_all"]))]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct TagArgs {
    /// Put TAG to the runs; can be given several times
    #[arg(short, long, value_name = "TAG")]
    add: Vec<String>,
    /// Take TAG away from the runs; can be given several times
    #[arg(short, long, value_name = "TAG")]
    delete: Vec<String>,
    /// Take all tags away from the runs, before others are added
    #[arg(short, long)]
    clear: bool,
    /// Change the words of the labels with the tags
    #[arg(short, long)]
    sync_labels: bool,
    /// List the tags of the runs, by default of all runs
    #[arg(long, conflicts_with_all = ["add", "delete", "clear", "sync_labels"])]
    list_all: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write the tags as JSON: a list of objects, or with --list-all of names
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Changes or lists the tags.
pub(crate) fn main(args: &TagArgs, home: &Home) -> Result<i32, Failure> {
    if args.list_all {
        let runs = args.chosen.select(home, Unnamed::All)?;
        let tags: BTreeSet<String> = runs.into_iter().flat_map(|run| run.tags).collect();
        if args.json {
            write_json(&tags)?;
        } else {
            write_out(&tags.iter().map(|tag| one_line(tag) + "\n").collect::<String>())?;
        }
        return Ok(0);
    }
    let runs = args.chosen.some(home, Unnamed::Latest)?;
    let masks = present_masks()?;
    let masked = |tags: &[String]| tags.iter().map(|tag| masks.mask_text(tag).into_owned()).collect::<Vec<_>>();
    let (add, delete, clear) = (masked(&args.add), masked(&args.delete), args.clear);
    let mut doing = Vec::new();
    if clear {
        doing.push("take all tags away from".to_owned());
    } else if !delete.is_empty() {
        doing.push(format!("take the tags '{}' away from", delete.join("', '")));
    }
    if !add.is_empty() {
        doing.push(format!("put the tags '{}' to", add.join("', '")));
    }
    let text = format!("You are about to {} the following runs", doing.join(" and "));
    let question = Question { text: &text, runs: &runs, weight: Weight::Light, doing: "changing tags" };
    let change = TagChange { clear, delete, add, sync_label: args.sync_labels };
    let change_one = |run: &RunInfo| {
        let tags = store::change_tags(&run.path, &change)?;
        Ok(Some(json!({"id": run.id, "tags": tags})))
    };
    let act = Act { question, yes: args.yes, json: args.json };
    act.perform(change_one, |changed| format!("Modified tags for {} run(s)", changed.len()))
}
