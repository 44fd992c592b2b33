//! The options by which tests are named and chosen, for `rille list` and `rille test`.

use std::cell::RefCell;
use std::fmt::Display;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Failure;
use crate::job;
use crate::testing::{
    self, Candidate, Choose, ExecutionOrder, Found, FoundTest, Hint, Options, Parameters, Resolution, Surroundings,
    TagFilter, Test, TestFilter, Variant, VariantError, VariantFile, VariantTree,
};
use crate::walk::cover::{self, Factors};

/// Which tests.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub(crate) struct ReferenceArgs {
    /// Files, folders, globs, FILE.py:PATTERN, or recipes; without one, the files that .avocado.hint names
    #[arg(value_name = "REF")]
    references: Vec<String>,
    /// Go on when there are no tests for a reference
    #[arg(long, visible_alias = "ignore-missing-references")]
    ignore_missing: bool,
    /// Run executables, and take the recipes that they print
    #[arg(long, visible_alias = "resolver-run-executables")]
    run_executables: bool,
    /// Arguments for those executables, as a shell would part them
    #[arg(long, visible_alias = "resolver-exec-arguments", value_name = "ARGS", allow_hyphen_values = true)]
    executable_arguments: Option<String>,
    /// Only tests with these tags: a,b for both, -a for not, key:value, key:-value; given again for or
    #[arg(short = 't', long, value_name = "TAGS", allow_hyphen_values = true)]
    filter_by_tags: Vec<String>,
    /// With -t: also tests without any tag
    #[arg(long)]
    filter_by_tags_include_empty: bool,
    /// With -t: also tests that lack the key of a key:value
    #[arg(long)]
    filter_by_tags_include_empty_key: bool,
    /// Only tests that the filter holds for: names and patterns of tests, predicates such as kind(tap) and tag(slow), and, or,
    /// not, parentheses, Or('a','b')
    #[arg(short = 'E', long = "filter", value_name = "FILTER", allow_hyphen_values = true)]
    filter: Vec<String>,
}

/// With which parameters.
#[derive(Args, Debug, Default)]
pub(crate) struct VariantArgs {
    /// A parameter for all tests; NAME=[A,B] runs them with each in turn, several in all combinations
    #[arg(short = 'p', long = "test-parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// Run every test as each variant in this file, JSON or YAML; `rille variants` shows them
    #[arg(long, visible_alias = "json-variants-load", value_name = "FILE")]
    variants: Vec<PathBuf>,
    /// Of lists of values take not all combinations, but few that have every combination of any N values in them
    #[arg(long, visible_alias = "cit-order-of-combinations", value_name = "N")]
    combination_order: Option<NonZeroUsize>,
    /// Whether all variants of a test run before the next test, or all tests before the next variant
    #[arg(long, value_name = "ORDER", default_value = "variants-per-test", value_parser = order)]
    execution_order: ExecutionOrder,
}

fn order(text: &str) -> Result<ExecutionOrder, String> {
    match text {
        "variants-per-test" => Ok(ExecutionOrder::VariantsPerTest),
        "tests-per-variant" => Ok(ExecutionOrder::TestsPerVariant),
        _ => Err("it is variants-per-test or tests-per-variant".to_owned()),
    }
}

/// What references stand for.
pub(crate) struct Selected {
    /// What became of each reference.
    pub(crate) resolutions: Vec<Resolution>,
    /// The tests that are left by the filters, as each of their variants, with their ids.
    pub(crate) tests: Vec<Test>,
    /// How many tests were found, before variants and filters.
    pub(crate) count: usize,
}

/// Resolves the references in `folder`, takes the list of tests so many times, multiplies it by the variants, and filters
/// it. What is damaged but was not named itself, and what of a filter no test fits, is told on standard error.
pub(crate) fn select(
    references: &ReferenceArgs,
    variants: &VariantArgs,
    folder: &Path,
    times: u32,
) -> Result<Selected, Failure> {
    let tags = TagFilter::new(
        &references.filter_by_tags,
        references.filter_by_tags_include_empty,
        references.filter_by_tags_include_empty_key,
    );
    let tags = tags.map_err(usage)?;
    let filters = references.filter.iter().map(|text| TestFilter::parse(text));
    let filters = filters.collect::<Result<Vec<_>, _>>().map_err(usage)?;
    let (variants, order) = variants.read()?;
    let resolutions = references.resolve(folder)?;
    let found = testing::found_tests(&resolutions);
    let mut tallies: Vec<_> = filters.iter().map(TestFilter::tallies).collect();
    let mut tag_tally = tags.tally();
    let found_so_far = RefCell::new((&mut tag_tally, &mut tallies));
    let keep = |candidate: &Candidate<'_>| {
        let (tag_tally, tallies) = &mut *found_so_far.borrow_mut();
        tags.note(candidate.runnable, tag_tally);
        for (filter, tallies) in filters.iter().zip(tallies.iter_mut()) {
            filter.note(candidate, tallies);
        }
        tags.matches(candidate.runnable) && filters.iter().all(|filter| filter.matches(candidate))
    };
    let all: Vec<FoundTest> = (0..times).flat_map(|_| found.iter().cloned()).collect();
    let tests = testing::suite(None, &all, &variants, order, &keep);
    if !found.is_empty() {
        let of_filters = filters.iter().zip(&tallies).flat_map(|(filter, tallies)| filter.remarks(tallies));
        for remark in tag_tally.remarks("no tag fits -t", "tags").into_iter().chain(of_filters) {
            eprintln!("WARNING: {}", super::output::one_line(&remark));
        }
    }
    Ok(Selected { tests, count: found.len(), resolutions })
}

impl ReferenceArgs {
    fn resolve(&self, folder: &Path) -> Result<Vec<Resolution>, Failure> {
        let hint = Hint::load(folder).map_err(usage)?;
        if self.references.is_empty() && hint.is_none() {
            let failure = Failure::usage("no test is named");
            return Err(failure.hint("name files, folders or recipes, for example: rille test tests/"));
        }
        let arguments = self.executable_arguments.as_deref().unwrap_or_default();
        let arguments = shlex::split(arguments)
            .ok_or_else(|| Failure::usage(format!("--executable-arguments: a quote is not closed in {arguments}")))?;
        let options = Options { run_executables: self.run_executables, executable_arguments: arguments, hint };
        let run =
            |path: &Path, arguments: &[String]| job::printed_by(path, arguments, folder, &|| false).map_err(Into::into);
        let python_path = std::env::var_os("PYTHONPATH").unwrap_or_default();
        let python_path = std::env::split_paths(&python_path).filter(|path| !path.as_os_str().is_empty()).collect();
        let ask_python = || job::python_folders(folder);
        let ask_pytest = |roots: &[String]| job::pytest_items(roots, folder, &|| false).map_err(Into::into);
        let surroundings = Surroundings {
            folder,
            python_path,
            ask_python: Some(&ask_python),
            ask_pytest: Some(&ask_pytest),
            run_executable: Some(&run),
        };
        let resolutions = testing::resolve(&self.references, &options, &surroundings);
        for resolution in &resolutions {
            if let Some(remark) = &resolution.remark {
                eprintln!("WARNING: {}: {remark}", resolution.reference);
            }
            if let Found::Corrupt { resolver, reason } = &resolution.found
                && (resolution.given != resolution.reference || self.ignore_missing)
            {
                eprintln!("WARNING: {} is left out: {reason} ({resolver})", resolution.reference);
            }
        }
        match self.ignore_missing {
            true => Ok(resolutions),
            false => check(&resolutions).map(|()| resolutions),
        }
    }
}

/// Returns the failure of references for which there are no tests.
fn check(resolutions: &[Resolution]) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let mut hints = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for resolution in resolutions {
        let given = resolution.given.as_str();
        let has_tests = || resolutions.iter().any(|other| other.given == given && !other.runnables().is_empty());
        match &resolution.found {
            Found::Tests { .. } => {}
            // Without pytest nobody knows which tests are left out.
            Found::Corrupt { resolver, reason } if *resolver == testing::PYTEST_KIND => {
                let line = format!("pytest cannot be asked for its tests: {reason}");
                if !lines.contains(&line) {
                    lines.push(line);
                }
            }
            Found::Corrupt { reason, .. } if resolution.given == resolution.reference => {
                lines.push(format!("{given} is damaged: {reason}"));
            }
            Found::Corrupt { .. } | Found::Nothing(_) if seen.contains(&given) || has_tests() => {}
            Found::Corrupt { .. } => {
                seen.push(given);
                lines.push(format!("there are no tests in {given}"));
            }
            Found::Nothing(unresolved) => {
                seen.push(given);
                // A single file tells what was tried with it.
                match resolution.given == resolution.reference {
                    true => lines.push(format!("there is no test for {}:{unresolved}", quoted(given))),
                    false => lines.push(format!("there are no tests in {given}")),
                }
                hints.extend(unresolved.near.as_ref().map(|near| format!("did you mean {near}?")));
            }
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    hints.push("--ignore-missing goes on without them.".to_owned());
    Err(Failure { hints, ..Failure::usage(lines.join("\n")) })
}

fn quoted(reference: &str) -> String {
    if reference.is_empty() { "''".to_owned() } else { super::output::one_line(reference) }
}

fn usage(error: impl Display) -> Failure {
    Failure::usage(error.to_string())
}

/// Returns few combinations, as places of values, in which every combination of `order` values is. They are the same every
/// time.
fn covering(counts: &[usize], order: usize) -> Result<Vec<Vec<usize>>, VariantError> {
    let factors = Factors { counts: counts.to_vec(), strength: order.min(counts.len()), ..Factors::default() };
    let rows = cover::free_rows(&factors)
        .map_err(|error| VariantError::Unchosen(format!("--combination-order {order}: {error}").into()))?;
    Ok(rows.rows.into_iter().map(|row| row.into_iter().map(|place| place as usize).collect()).collect())
}

impl VariantArgs {
    /// Adds files before those that the options name.
    pub(super) fn add_files(&mut self, files: Vec<PathBuf>) {
        self.variants.splice(0..0, files);
    }

    /// Returns the variants that all tests run as, and their order.
    pub(super) fn read(&self) -> Result<(Vec<Variant>, ExecutionOrder), Failure> {
        let choose = |counts: &[usize]| match self.combination_order {
            Some(order) => covering(counts, order.get()),
            None => testing::every_combination(counts),
        };
        let choose: Choose<'_> = &choose;
        let parameters = Parameters::read(&self.parameters).map_err(usage)?;
        let mut variants = Vec::new();
        // Trees become one, in the order of their files, as in the original.
        let mut whole: Option<VariantTree> = None;
        for path in &self.variants {
            let wrong = |what: &dyn Display| Failure::usage(format!("{}: {what}", path.display()));
            let text = fs::read_to_string(path).map_err(|error| {
                let failure = wrong(&format_args!("the variants cannot be read: {error}"));
                super::near::near_file(path)
                    .into_iter()
                    .fold(failure, |failure, near| failure.hint(format!("did you mean {near}?")))
            })?;
            match testing::read_variants(path, &text, choose).map_err(|error| wrong(&error))? {
                VariantFile::List(list) => variants.extend(list),
                VariantFile::Tree(tree) => match &mut whole {
                    Some(known) => known.merge(tree),
                    None => whole = Some(tree),
                },
            }
        }
        if let Some(tree) = whole {
            variants.extend(tree.variants().map_err(usage)?);
        }
        let variants = testing::combined(variants, &parameters, choose).map_err(usage)?;
        Ok((variants, self.execution_order))
    }
}
