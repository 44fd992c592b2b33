-- Every result with every target, from a setup, a test and a cleanup.
local ts = require "rille.testscript"
local R = { "passed", "failed", "errored", "skipped", "blocked", "passx" }
local function stay() end

local function make(name, place, result, target)
  local function jump(self) self[result](self, "why", { go_to = target }) end
  ts.testcase(name)
    :setup(place == "setup" and jump or stay)
    :test("t1", place == "test" and jump or stay)
    :test("t2", stay)
    :cleanup(place == "cleanup" and jump or stay)
end

ts.common_setup():subsection("a", stay)
ts.common_cleanup():subsection("z", stay)
local given = parameters.jump
if given then
  local place, result, target = given:match("^(%w+)-(%w+)-([%w_]+)$")
  make("Jumps", place, result, target)
  make("Last")
else
  for _, place in ipairs { "setup", "test", "cleanup" } do
    for _, result in ipairs(R) do
      for _, target in ipairs { "cleanup", "next_tc", "nowhere" } do
        make(("%s_%s_%s"):format(place, result, target), place, result, target)
      end
    end
  end
end
