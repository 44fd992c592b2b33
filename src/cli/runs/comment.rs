//! `rille runs comment`: writes, lists and deletes comments on runs.

use std::fmt::Write as _;
use std::io::IsTerminal;

use chrono::{DateTime, Local};
use clap::Args;
use serde_json::{Map, json};

use super::act::{Act, Question, Weight};
use super::chosen::{Chosen, describe, tell};
use super::selection::Unnamed;
use crate::cli::output::{one_line, write_json, write_out};
use crate::cli::{Failure, editor, present_masks};
use crate::model::exit_code;
use crate::store::{self, Comment, Home, RunInfo};

/// What is done to which comments.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").args(["list", "add", "delete", "clear"]))]
#[expect(clippy::struct_excessive_bools, reason = "they are the options that there are")]
pub(crate) struct CommentArgs {
    /// List the comments
    #[arg(short, long)]
    list: bool,
    /// Add TEXT as a comment
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true)]
    add: Option<String>,
    /// Write the comment in an editor, `$VISUAL` or `$EDITOR`; the default on a terminal
    #[arg(short, long, conflicts_with_all = ["list", "delete", "clear"])]
    edit: bool,
    /// Delete comment number N, as --list numbers them
    #[arg(short, long, value_name = "N")]
    delete: Option<usize>,
    /// Delete all comments
    #[arg(short, long)]
    clear: bool,
    /// Who says it: USER, or USER@HOST
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Write the comments as JSON: a list of objects
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    chosen: Chosen,
}

/// Does it.
pub(crate) fn main(args: &CommentArgs, home: &Home) -> Result<i32, Failure> {
    let runs = args.chosen.some(home, Unnamed::Latest)?;
    if args.list {
        if args.json {
            write_json(&runs.iter().map(as_json).collect::<Vec<_>>())?;
        } else {
            write_out(&runs.iter().map(listed).collect::<String>())?;
        }
        return Ok(0);
    }
    let body = match (&args.add, args.delete.is_some() || args.clear) {
        (_, true) => None,
        (Some(text), _) if !args.edit => Some(text.clone()),
        (text, _) => match edited(text.as_deref().unwrap_or_default(), &runs)? {
            Some(body) => Some(body),
            None => {
                tell("Nothing to add: the comment is empty.");
                return Ok(exit_code::FAILED);
            }
        },
    };
    let masks = present_masks()?;
    let body = body.map(|body| masks.mask_text(&body).into_owned());
    let (text, weight) = match (&body, args.delete) {
        (Some(_), _) => ("You are about to add a comment to the following runs".to_owned(), Weight::Light),
        (None, Some(number)) => {
            (format!("You are about to delete comment {number} from the following runs"), Weight::Heavy)
        }
        (None, None) => ("You are about to delete all comments from the following runs".to_owned(), Weight::Heavy),
    };
    let question = Question { text: &text, runs: &runs, weight, doing: "deleting comments" };
    let (user, host) = author(args.user.as_deref());
    let change_one = |run: &RunInfo| {
        match (&body, args.delete) {
            (Some(body), _) => {
                let (user, host) = (user.clone(), host.clone());
                let comment = Comment { body: body.clone(), host, time: store::now_micros(), user, rest: Map::new() };
                store::add_comment(&run.path, &comment)?;
            }
            (None, Some(number)) => {
                if !store::delete_comment(&run.path, number)? {
                    let count = store::comments(&run.path).len();
                    return Err(Failure::usage(format!("run {} has no comment {number}", run.id))
                        .hint(format!("it has {count}; --list shows them with their numbers.")));
                }
            }
            (None, None) => store::clear_comments(&run.path)?,
        }
        Ok(Some(as_json(run)))
    };
    let done = match (&body, args.delete) {
        (Some(_), _) => "Added comment to",
        (None, Some(_)) => "Deleted comment for",
        (None, None) => "Deleted all comments for",
    };
    let act = Act { question, yes: args.yes || args.edit, json: args.json };
    act.perform(change_one, |changed| format!("{done} {} run(s)", changed.len()))
}

/// Returns user and host of a new comment.
fn author(given: Option<&str>) -> (String, String) {
    match given.map(|given| given.split_once('@').unwrap_or((given, ""))) {
        Some((user, "")) => (user.to_owned(), store::host()),
        Some((user, host)) => (user.to_owned(), host.to_owned()),
        None => (store::user(), store::host()),
    }
}

fn as_json(run: &RunInfo) -> serde_json::Value {
    json!({"id": run.id, "comments": store::comments(&run.path)})
}

/// Returns the comments on a run as a page.
fn listed(run: &RunInfo) -> String {
    let mut text = describe(run) + "\n";
    let comments = store::comments(&run.path);
    if comments.is_empty() {
        text += "  <no comments>\n";
    }
    for (number, comment) in (1..).zip(&comments) {
        let time = DateTime::from_timestamp_micros(comment.time);
        let time = time.map(|time| time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string());
        let head = format!("[{number}] {}@{} {}", comment.user, comment.host, time.unwrap_or_default());
        let _ = writeln!(text, "{}\n", one_line(head.trim_end()));
        for line in comment.body.lines() {
            let _ = writeln!(text, "{}", format!("  {}", one_line(line)).trim_end());
        }
        text.push('\n');
    }
    text
}

/// Lets the user write a comment in an editor. Returns `None` if nothing was written.
fn edited(begin: &str, runs: &[RunInfo]) -> Result<Option<String>, Failure> {
    if !std::io::stdin().is_terminal() && editor::named().is_none() {
        return Err(
            Failure::usage("there is no comment, and no terminal for an editor").hint("give it with --add TEXT.")
        );
    }
    let mut text = format!("{begin}\n# Write a comment on the runs below. Lines that begin with # are left out.\n");
    text += "# An empty comment is none.\n#\n";
    for run in runs {
        let _ = writeln!(text, "#  {}", describe(run));
    }
    let written = editor::edit(&text, ".txt")?;
    let body: Vec<&str> = written.lines().filter(|line| !line.starts_with('#')).collect();
    let body = body.join("\n").trim().to_owned();
    Ok((!body.is_empty()).then_some(body))
}
