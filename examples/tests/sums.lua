-- A testscript. Alone it adds what is set here; the recipe "sum" gives it other numbers.
local ts = require "rille.testscript"

local Sums = ts.testcase("Sums")

Sums:test("order", function()
    local left, right = parameters.left or 1, parameters.right or 2
    assert(left + right == right + left, "the order should not matter")
end)

Sums:test("nothing", function()
    assert((parameters.left or 1) + 0 == (parameters.left or 1), "nothing was added")
end)
