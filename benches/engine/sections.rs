//! What a section of a testscript costs beyond a bare Lua call: announced, begun, ended, in the log and in the results.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use super::figure::{Figure, median};
use super::session::{Site, wait};

/// Tests of the script.
const TESTS: u32 = 10_000;

/// How often.
const TIMES: usize = 7;

/// A testscript of 10,000 empty tests, beside a script that makes as many functions and calls them.
pub(crate) fn sections() -> io::Result<Vec<Figure>> {
    let site = Site::new()?;
    let define = format!("for i = 1, {TESTS} do add('test ' .. i, function() end) end");
    let with_sections = format!(
        "local case = require('rille.testscript').testcase('Tc')
        local function add(name, f) case:test(name, f) end
        {define}"
    );
    let bare = format!(
        "local all = {{}}
        local function add(name, f) all[#all + 1] = {{ name, f }} end
        {define}
        for _, one in ipairs(all) do one[2]() end"
    );
    fs::write(site.path("sections.lua"), with_sections)?;
    fs::write(site.path("bare.lua"), bare)?;
    let jobfile = |script: &str| {
        format!("local job = require 'rille.job'\nfunction main() assert(job.run {{ testscript = '{script}' }}) end")
    };
    fs::write(site.path("sections-job.lua"), jobfile("sections.lua"))?;
    fs::write(site.path("bare-job.lua"), jobfile("bare.lua"))?;
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        plain.push(time(&site, "bare-job.lua")?.as_secs_f64());
        ours.push(time(&site, "sections-job.lua")?.as_secs_f64());
    }
    let (ours, plain) = (median(&mut ours), median(&mut plain));
    let each = (ours - plain) * 1e6 / f64::from(TESTS);
    let detail = format!("a run of {TESTS} tests {:.0} ms, of as many calls {:.0} ms", ours * 1e3, plain * 1e3);
    Ok(vec![Figure::at_most("a section beyond a bare Lua call", each, 20.0, "µs", detail)])
}

fn time(site: &Site, jobfile: &str) -> io::Result<Duration> {
    let started = Instant::now();
    let end = wait(&site.rille(jobfile)?.spawn()?)?;
    match end.code {
        0 => Ok(started.elapsed()),
        code => Err(io::Error::other(format!("rille left with {code}"))),
    }
}
