-- Sections that are left out.
local ts = require "rille.testscript"
local function ok() end
ts.common_setup():subsection("a", { skip = "no" }, ok)
ts.testcase("A"):setup({ skip = "no" }, ok)
  :test("t1", { skip_if = { true, "cond" } }, ok)
  :test("t2", { skip_if = { false, "cond" } }, ok)
  :test("t3", { skip_unless = { false, "cond" } }, ok)
  :cleanup({ skip = "no" }, ok)
ts.testcase("All"):test("t1", { skip = "no" }, ok)
ts.testcase("Loop", { skip = "no", loop = { n = { 1, 2 } } }):test("t1", ok)
ts.testcase("SkipLoop"):test("t1", { skip = "no", loop = { n = { 1, 2 } } }, ok)
ts.testcase("Whole", { skip = "no", must_pass = true }):test("t1", ok)
ts.testcase("Behind"):test("t1", ok)
ts.common_cleanup({ skip = "no" }):subsection("z", ok)
