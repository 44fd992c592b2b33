-- Testcases chosen by uids and groups.
local ts = require "rille.testscript"
local function ok() end
ts.common_setup():subsection("a", ok)
ts.testcase("A", {groups={"sanity","fast"}}):test("t1", ok):test("t2", ok)
ts.testcase("B", {groups={"sanity","slow"}}):test("t1", ok)
ts.testcase("C"):test("t1", ok)
ts.testcase("D", {loop={x={1,2}}, groups="fast"}):test("t1", ok)
ts.common_cleanup():subsection("z", ok)
