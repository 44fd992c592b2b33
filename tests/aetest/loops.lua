-- Loops: of testcases and subsections, with uids, of functions.
local ts = require "rille.testscript"
local function ok() end
local c = ts.common_setup()
c:subsection("sub", {loop={x={"p","q"}}}, ok)
local lt = ts.testcase("Lt", {loop={n={1,2}}})
lt:setup(function(self,p) self.k = p.n end)
lt:test("t", function(self,p) assert(self.k==p.n) end)
lt:test("u", {loop={m={"a","b"}}}, function(self,p) assert(not (p.n==2 and p.m=="b")) end)
local i = ts.testcase("In")
i:test("empty", {loop={x={}}}, ok)
local k=0
i:test("g", {loop={x=function() k=k+1; if k<=2 then return k end end}}, ok)
i:test("ids", {loop={a={1,2}}, uids={"u1","u2"}}, ok)
i:test("av", {loop={{a=1,b=2},{a=3,b=4}}}, function(self,p) assert(p.b==p.a+1) end)
i:test("prod", {loop={a={1,2},b={10,20}}}, ok)
i:test("kinds", {loop={d={{x=1},true,1.5,"sp ace"}}}, ok)
