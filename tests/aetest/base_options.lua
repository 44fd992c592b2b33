-- What a testcase that is made from another has of it.
local ts = require "rille.testscript"
local function ok() end
local function no() return false end
local function passx(_, _, section) section:passx("better") end
local loop = ts.testcase("Loop", { loop = { n = { 1, 2 } } }):test("t", function(_, p) assert(p.n ~= 2) end)
ts.testcase("LoopOf", { base = loop })
local skip = ts.testcase("Skip", { skip = "no" }):test("t", ok)
ts.testcase("SkipOf", { base = skip })
local pre = ts.testcase("Pre", { pre = no }):test("t", ok)
ts.testcase("PreOf", { base = pre })
ts.testcase("PreBoth", { base = pre, post = passx })
local params = ts.testcase("Params", { parameters = { a = 1, b = 2 } }):test("t", function(_, p) assert(p.a == 1 and p.b == 2) end)
ts.testcase("ParamsOf", { base = params, parameters = { b = 3 } }):test("u", function(_, p) assert(p.a == 1 and p.b == 3) end)
ts.testcase("ParamsSame", { base = params })
local part = ts.testcase("Part"):test("t", { post = passx }, ok):test("u", { loop = { k = { 1, 2 } } }, ok)
ts.testcase("PartOf", { base = part }):test("t", ok)
local must = ts.testcase("Must", { must_pass = true }):test("t", ok)
ts.testcase("MustOf", { base = must }):test("t", function() assert(false) end)
ts.testcase("Behind"):test("t", ok)
