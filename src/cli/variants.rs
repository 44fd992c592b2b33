//! `rille variants`: the variants that tests would run as, without any test.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::Failure;
use super::output::{one_line, write_json, write_out};
use super::references::VariantArgs;
use crate::model::{exit_code, python_text_of};
use crate::testing::Variant;

/// Lists variants.
#[derive(Args, Debug)]
pub(crate) struct VariantsArgs {
    /// Files of variants, JSON or YAML; trees are merged into one, in this order
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    variants: VariantArgs,
    /// Show the parameters of each variant as well, with the nodes that they are from
    #[arg(short, long)]
    contents: bool,
    /// Write JSON: a list, which --variants reads again
    #[arg(long, conflicts_with = "contents")]
    json: bool,
}

/// Runs the command and returns the exit code: 4 if there is no variant.
pub(crate) fn main(mut args: VariantsArgs) -> Result<i32, Failure> {
    args.variants.add_files(args.files);
    let (variants, _) = args.variants.read()?;
    if args.json {
        write_json(&variants.iter().map(Variant::dump).collect::<Vec<Value>>())?;
    } else {
        write_out(&shown(&variants, args.contents))?;
    }
    if variants.is_empty() {
        eprintln!("no variants");
        return Ok(exit_code::NOTHING);
    }
    Ok(0)
}

fn shown(variants: &[Variant], with_contents: bool) -> String {
    let mut text = String::new();
    for variant in variants {
        let paths: Vec<String> = variant.nodes.iter().map(|node| one_line(&text_of(&node[0]))).collect();
        let id = variant.id.as_deref().unwrap_or("-");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: {}", one_line(id), paths.join(", "));
        if with_contents {
            contents(&mut text, variant);
        }
    }
    text
}

/// Writes the parameters, each once, in the order of the nodes that they are from.
fn contents(text: &mut String, variant: &Variant) {
    let entries = variant.nodes.iter().filter_map(|node| node[1].as_array()).flatten();
    let mut lines: Vec<(String, String)> = entries
        .map(|entry| (format!("{}:{}", text_of(&entry[0]), text_of(&entry[1])), python_text_of(&entry[2])))
        .collect();
    lines.sort();
    lines.dedup();
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in lines {
        let _ = writeln!(text, "    {:width$} => {}", one_line(&name), one_line(&value));
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
