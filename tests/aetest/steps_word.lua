-- What a section or a step says, beside what its steps came to.
local ts = require "rille.testscript"
local R = { "passed", "failed", "errored", "skipped", "blocked", "passx" }

local word, inner, raised, unsaid = ts.testcase("Word"), ts.testcase("Inner"), ts.testcase("Raised"), ts.testcase("Unsaid")
for _, a in ipairs(R) do
  local function step(steps) steps:start("s", { continue = true }, function(s) s[a](s, "step") end) end
  for _, b in ipairs(R) do
    word:test(a .. "_" .. b, function(self, _, steps)
      step(steps)
      self[b](self, "section")
    end)
    inner:test(a .. "_" .. b, function(_, _, steps)
      steps:start("o", { continue = true }, function(o)
        o:start("i", { continue = true }, function(i) i[a](i, "inner") end)
        o[b](o, "outer")
      end)
    end)
  end
  unsaid:test("only_" .. a, function(_, _, steps) step(steps) end)
end
for _, a in ipairs(R) do
  raised:test(a .. "_assert", function(_, _, steps)
    steps:start("s", { continue = true }, function(s) s[a](s, "step") end)
    assert(false, "section")
  end)
end
for _, a in ipairs(R) do
  raised:test(a .. "_error", function(_, _, steps)
    steps:start("s", { continue = true }, function(s) s[a](s, "step") end)
    error "section"
  end)
end
