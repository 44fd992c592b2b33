-- What setup, test and cleanup say, and must_pass of a testcase.
local ts = require "rille.testscript"
local function ok() end
local place, what, must = parameters.say:match("^(%w+)-(%w+)%-?(%w*)$")
local function at(where)
  return function(self)
    if where ~= place then return end
    if what == "error" then error "v" end
    assert(what ~= "assert")
    self[what](self, "r")
  end
end
ts.testcase("A", { must_pass = must == "must" }):setup(at "setup"):test("t1", at "test"):test("t2", ok):cleanup(at "cleanup")
ts.testcase("B"):test("t", ok)
ts.common_cleanup():subsection("z", ok)
