//! `report.html`: a run as one page that needs nothing beside it, neither network nor script: the script only sorts and
//! filters what is there.

mod links;
mod rows;
mod words;

use std::io::{self, BufWriter, Write};
use std::path::Path;

use self::words::Escaped;
use super::duration;
use super::excerpt::ReadFile;
use super::lines::counts;
use super::plain;
use super::problems::{nothing_ran, problems};
use super::summary::Summary;
use crate::model::Outcome;

const PAGE: &str = include_str!("html/page.html");
const CSS: &str = include_str!("html/page.css");
const JS: &str = include_str!("html/page.js");

/// Problems and warnings that are listed.
const MOST_LISTED: usize = 100;

/// The folders that a page and the files that it links to are in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folders<'a> {
    /// The absolute path of the folder that the page will be in.
    pub(crate) page: &'a Path,
    /// The absolute path of the run directory.
    pub(crate) run: &'a Path,
}

/// Writes the page. `still_running` says that the host of the run is alive. Without `folders` the page is in the run
/// directory.
pub(crate) fn write(
    summary: &Summary,
    still_running: bool,
    folders: Option<Folders<'_>>,
    read: ReadFile<'_>,
    to: impl Write,
) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let mut rest = PAGE;
    // The page is ours; what stands between the braces are its own names.
    while let Some((before, after)) = rest.split_once("{{") {
        to.write_all(before.as_bytes())?;
        let (name, after) = after.split_once("}}").ok_or_else(|| io::Error::other("the page has an open brace"))?;
        match name {
            "title" => write!(to, "{}: {}", word(summary, still_running), Escaped(&plain::line(&summary.name)))?,
            "base" => match folders.map(|folders| links::path_between(folders.page, folders.run)) {
                Some(path) if !path.is_empty() => writeln!(to, "<base href=\"{}\">", links::Href(&path))?,
                _ => {}
            },
            "css" => to.write_all(CSS.as_bytes())?,
            "js" => to.write_all(JS.as_bytes())?,
            "header" => header(&mut to, summary, still_running)?,
            "filters" => filters(&mut to, summary)?,
            "rows" => rows::write(&mut to, summary, still_running, read)?,
            _ => return Err(io::Error::other("the page names something that there is not")),
        }
        rest = after;
    }
    to.write_all(rest.as_bytes())?;
    to.flush()
}

/// Returns the result of the run in one word, as the console has it.
fn word(summary: &Summary, still_running: bool) -> &'static str {
    match summary.outcome() {
        _ if !summary.is_complete() && still_running => "running",
        _ if !summary.is_complete() => "lost",
        None => "nothing ran",
        Some(outcome) => outcome.name(),
    }
}

fn header(to: &mut impl Write, summary: &Summary, still_running: bool) -> io::Result<()> {
    let word = word(summary, still_running);
    let class = if summary.is_complete() { summary.outcome().map_or("none", Outcome::name) } else { "none" };
    writeln!(to, "<h1>{}: <b class={class}>{word}</b></h1>", Escaped(&plain::line(&summary.name)))?;
    let unfinished = if still_running { "not ended yet" } else { "without an end" };
    writeln!(to, "<p>{}</p>", Escaped(&counts(summary, unfinished)))?;
    if let Some(sections) = super::lines::section_counts(summary) {
        writeln!(to, "<p>{}</p>", Escaped(&sections))?;
    }
    writeln!(to, "<dl class=facts>")?;
    let mut fact = |name: &str, value: &str| match value {
        "" => Ok(()),
        value => writeln!(to, "<dt>{}<dd>{}", Escaped(&plain::line(name)), Escaped(&plain::line(value))),
    };
    if let Some(header) = &summary.header {
        let argv = header.argv.iter().map(String::as_str);
        let command = shlex::try_join(argv).unwrap_or_else(|_| header.argv.join(" "));
        fact("Command", &command)?;
        fact("Jobfile", &header.file)?;
        fact("Run", &header.run_id)?;
        fact("Host", &format!("{}, {}", header.host, header.user))?;
        fact("Rille", &header.rille)?;
        header.meta().try_for_each(|(key, value)| fact(key, value))?;
    }
    let stamp = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    fact("Started", &summary.started.map(stamp).unwrap_or_default())?;
    fact("Ended", &summary.end.as_ref().map(|end| stamp(end.time)).unwrap_or_default())?;
    fact("Took", &duration::words(summary.seconds()))?;
    fact("Exit code", &summary.end.as_ref().map(|end| end.exit_code.to_string()).unwrap_or_default())?;
    writeln!(to, "</dl>")?;
    faults(to, summary, still_running)
}

/// Writes what, beside its tasks, is wrong with the run, and what the user should know.
fn faults(to: &mut impl Write, summary: &Summary, still_running: bool) -> io::Result<()> {
    let problems = problems(summary, still_running);
    if !problems.is_empty() {
        writeln!(to, "<h2>Problems</h2>\n<ul>")?;
        for problem in problems.iter().take(MOST_LISTED) {
            let (name, message) = (plain::line(&problem.name), plain::text(&problem.message));
            write!(to, "<li><b class=errored>{}</b>: {}", Escaped(&name), Escaped(&message))?;
            match &problem.traceback {
                Some(traceback) => writeln!(to, "<pre>{}</pre>", Escaped(&plain::text(traceback)))?,
                None => writeln!(to)?,
            }
        }
        more(to, problems.len())?;
        writeln!(to, "</ul>")?;
    } else if nothing_ran(summary) {
        writeln!(to, "<p>Nothing ran: no task was queued.</p>")?;
    }
    let warnings = summary.warnings().count();
    if warnings > 0 {
        writeln!(to, "<h2>Warnings</h2>\n<ul>")?;
        for (text, place) in summary.warnings().take(MOST_LISTED) {
            let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
            writeln!(to, "<li>{}", Escaped(&plain::text(&(place + &text))))?;
        }
        more(to, warnings)?;
        writeln!(to, "</ul>")?;
    }
    Ok(())
}

fn more(to: &mut impl Write, all: usize) -> io::Result<()> {
    if all > MOST_LISTED { writeln!(to, "<li>and {} more", all - MOST_LISTED) } else { Ok(()) }
}

/// Writes a button for each result that occurs.
fn filters(to: &mut impl Write, summary: &Summary) -> io::Result<()> {
    let counts = &summary.counts;
    let mut button = |filter: &str, words: &str, count: u32| match count {
        0 => Ok(()),
        count => {
            let pressed = filter.is_empty();
            let button = "button type=button";
            writeln!(to, "<{button} data-filter=\"{filter}\" aria-pressed={pressed}>{words} {count}</button>")
        }
    };
    button("", "all", counts.total)?;
    let bad = counts.bad() + counts.unfinished();
    button("bad", "not good", bad)?;
    for outcome in Outcome::BY_STRENGTH {
        button(outcome.name(), outcome.name(), counts.of(outcome))?;
    }
    button("none", "no end", counts.unfinished())?;
    let flaky = super::tasks::tasks(summary).filter(|row| row.has_flaky()).count();
    button("flaky", "flaky", u32::try_from(flaky).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{
        cut_off, end, finished, fold, job, queued, run_finished, run_started, script, started,
    };
    use super::*;
    use crate::model::{EventKind, OutputSize, TaskFinished};

    fn page_with(kinds: Vec<EventKind>, output: &[u8]) -> String {
        let read = |_: &str, begin: u64, size: u64| {
            let from = usize::try_from(begin).unwrap().min(output.len());
            let to = (from + usize::try_from(size).unwrap()).min(output.len());
            Some((output[from..to].to_vec(), output.len() as u64))
        };
        let mut bytes = Vec::new();
        write(&fold(kinds), false, None, &read, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// Returns the page without its style and its script.
    fn body(page: &str) -> &str {
        page.split_once("<body>").unwrap().1.split_once("<script>").unwrap().0
    }

    #[test]
    fn a_job_with_testscripts() {
        let mut kinds = job();
        let last = kinds.pop().unwrap();
        let kinds = [kinds, script(6), cut_off(7), vec![last]].concat();
        insta::assert_snapshot!(body(&page_with(kinds, "one\ntwo <b>\n".repeat(20).as_bytes())));
    }

    /// Returns the blocks of the style that hold for narrow screens.
    fn narrow() -> &'static str {
        let (_, block) = CSS.split_once("@media (max-width: 44rem) {\n").unwrap();
        block.split_once("\n}\n").unwrap().0
    }

    #[test]
    fn on_a_narrow_screen_cells_are_stacked_and_no_width_is_fixed() {
        let narrow = narrow();
        assert!(narrow.contains("table, tbody, td { display: block; }"), "{narrow}");
        assert!(narrow.contains("tbody > tr:first-child { display: grid;"), "{narrow}");
        // Nothing is wider than its place: no width of its own but in columns of a wide screen.
        let columns = CSS
            .lines()
            .filter(|line| line.contains("width:") && !line.contains("max-width") && !line.starts_with("@media"));
        for line in columns {
            let is_relative = line.contains("width: 100%") || line.contains("width: auto") || line.contains("outline");
            assert!(is_relative || line.starts_with("  th:nth-child"), "{line}");
        }
        let wide = CSS.split_once("@media (min-width: 44.01rem) {\n").unwrap().1.split_once("\n}\n").unwrap().0;
        assert!(wide.contains("th:nth-child"), "the columns of a wide screen hold only there");
    }

    #[test]
    fn what_is_not_good_comes_first_and_open_and_what_is_known_of_it_has_the_whole_width() {
        let mut kinds = vec![run_started()];
        for (task, outcome) in
            (1..).zip([Outcome::Passed, Outcome::Skipped, Outcome::Failed, Outcome::Blocked, Outcome::Errored])
        {
            let stderr = OutputSize { bytes: 10, ..OutputSize::default() };
            kinds.extend([queued(task, &format!("{outcome}"), 0), started(task, 1)]);
            kinds.push(end(TaskFinished { stderr, ..finished(task, outcome, Some("why")) }));
        }
        let page = page_with(kinds, b"said\n");
        let rows: Vec<&str> = body(&page).split("<tbody ").skip(1).collect();
        let order = ["errored", "failed", "blocked", "passed", "skipped"];
        assert_eq!(rows.len(), order.len());
        for (row, outcome) in rows.iter().zip(order) {
            assert!(row.starts_with(&format!("data-r={outcome}>")), "{row}");
            let is_fault = matches!(outcome, "errored" | "failed");
            assert_eq!(row.contains("<tr><td colspan=5><details open>"), is_fault, "{row}");
            assert_eq!(row.contains("<details"), is_fault, "{row}");
            assert!(row.contains(&format!("-{outcome}/stderr\">stderr</a>")), "{row}");
        }
    }

    #[test]
    fn links_lead_to_the_run_from_wherever_the_page_is() {
        let write_to = |folders| {
            let mut bytes = Vec::new();
            write(&fold(job()), false, folders, &|_, _, _| None, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let run = Path::new("/runs/01 23");
        assert!(!write_to(None).contains("<base"));
        assert!(!write_to(Some(Folders { page: run, run })).contains("<base"));
        let page = write_to(Some(Folders { page: Path::new("/project/out"), run }));
        assert!(page.contains("<base href=\"../../runs/01%2023/\">"));
        assert!(page.contains("<a href=\"tasks/3-compare/stdout\">stdout</a>"));
    }

    #[test]
    fn the_page_needs_no_network() {
        let page = page_with(job(), b"out\n");
        for sign in ["http:", "https:", " src", "url(", "@import", "@font-face", "<link", "fetch(", "import("] {
            assert!(!page.contains(sign), "{sign} is in the page");
        }
    }

    #[test]
    fn nothing_that_a_task_says_breaks_out() {
        let evil = "</script><script>alert(1)</script><!-- ]]> & \" ' </pre></td></table>\x1b]0;x\x07\u{202e}";
        let data = Some(crate::model::Value::of_json(&serde_json::json!({ "traceback": evil })));
        let size = OutputSize { bytes: 10, ..OutputSize::default() };
        let failed = TaskFinished { data, stdout: size, ..finished(1, Outcome::Failed, Some(evil)) };
        let kinds = vec![run_started(), queued(1, evil, 0), started(1, 1), end(failed)];
        let page = page_with(kinds, evil.as_bytes());
        let tags = |tag: &str| page.matches(tag).count();
        assert_eq!((tags("<script>"), tags("</script>"), tags("<!--"), tags("</table>")), (1, 1, 0, 1));
        assert!(!page.contains(['\x1b', '\x07', '\u{202e}']));
    }

    #[test]
    fn a_hundred_failed_tasks_fit_the_page() {
        let text = "x".repeat(100) + "\n";
        let mut kinds = vec![run_started()];
        for task in 1..=100 {
            let data = Some(crate::model::Value::of_json(&serde_json::json!({ "traceback": text.repeat(20) })));
            let size = OutputSize { bytes: 100_000, ..OutputSize::default() };
            let reason = Some("compare.lua:7: what came is not what was expected, as the log shows");
            kinds.extend([queued(task, &format!("Task-{task}"), 0), started(task, 1)]);
            kinds.push(end(TaskFinished { data, stdout: size, ..finished(task, Outcome::Failed, reason) }));
        }
        kinds.push(run_finished(Some(Outcome::Failed), 1));
        let page = page_with(kinds, text.repeat(1000).as_bytes());
        assert!(page.len() < 150_000, "{} bytes", page.len());
        assert!(page.len() > 60_000, "{} bytes: is there an excerpt?", page.len());
    }
}
