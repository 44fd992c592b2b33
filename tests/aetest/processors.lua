-- What each kind of processor makes of each end of a section, of a testcase and of common setup.
local ts = require "rille.testscript"
local R = { "passed", "failed", "errored", "skipped", "blocked", "passx" }
local WAYS = {
  { "nothing", function() end }, { "true", function() return true end }, { "false", function() return false end },
  { "assert", function() assert(false) end }, { "error", function() error "raised" end },
}
for _, result in ipairs(R) do
  WAYS[#WAYS + 1] = { result, function(_, _, section) section[result](section, "said") end }
end
local ENDS = {}
for i, result in ipairs(R) do ENDS[i] = { result, function(self) self[result](self, "done") end } end
table.move({ { "assert", function() assert(false) end }, { "error", function() error "raised" end } }, 1, 2, #ENDS + 1, ENDS)

for _, stage in ipairs { "pre", "post", "exception" } do
  for _, way in ipairs(WAYS) do
    local case = ts.testcase(stage .. "_" .. way[1])
    for _, e in ipairs(ENDS) do case:test("on_" .. e[1], { [stage] = way[2] }, e[2]) end
    for i = 1, 2 do
      ts.testcase(("case_%s_%s_on_%s"):format(stage, way[1], ENDS[i][1]), { [stage] = way[2] })
        :test("t", ENDS[i][2])
        :cleanup(function() end)
    end
  end
end
