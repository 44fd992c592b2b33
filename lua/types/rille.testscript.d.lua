---@meta rille.testscript

--- Sections of a testscript: common setup and cleanup with subsections, and testcases with a setup, tests and a cleanup.
---
--- The top level of the file defines; when it has come to its end the sections run, in the order of definition: common
--- setup, the testcases, common cleanup. The file runs as a task of a jobfile, or alone by `rille run script.lua`.
--- ```lua
--- local ts = require "rille.testscript"
--- ts.parameters { speed = 9600 }
--- ts.common_setup():subsection("connect", function(self, p) self.parent.parameters.link = connect(p.device) end)
--- local ping = ts.testcase("Ping", { groups = { "sanity" } })
--- ping:setup(function(self) self.n = 3 end)
--- ping:test("icmp", function(self, p, steps)
---   steps:start("send", function(step) assert(p.speed > 0, "no speed") end)
---   if p.skip then self:skipped("asked to") end
--- end)
--- ping:cleanup(function(self) end)
--- ```
--- A section passes when its function returns. A failed `assert` makes it `failed`, any other error `errored`, with the
--- traceback in the data of its result. A method such as `self:failed(reason)` ends it at once; no `pcall` can undo that, and
--- its word is the section's result, whatever its steps came to.
--- Results roll up, the strongest wins, those of steps too: `aborted`, `errored`, `failed`, `blocked`, `passx`, `passed`, `skipped`.
---
--- What blocks: a common setup that did not pass blocks all testcases, a setup the tests of its testcase, a test or
--- subsection with `must_pass` the rest of its siblings, a testcase with `must_pass` the rest of the testcases. A section
--- that was skipped blocks nothing. Cleanups run all the same.
---
--- Where results differ from those of aetest on purpose: docs/aetest.md.
---
--- An unknown key or a wrong value in a definition raises `definition` with the line and the nearest name.
---@class rille.testscript
---
--- The script's parameters. `ts.parameters { speed = 9600 }` sets defaults, `ts.parameters.speed` reads and writes one. A
--- value that is written while sections run is seen by all sections after it.
---@field parameters rille.testscript.Parameters
---
--- When so many testcases have ended neither passed, passx nor skipped, the rest is blocked. `--max-failures` wins.
---@field max_failures? integer
---
--- Run the testcases in random order; the log and the task's result data name the seed.
---@field random? boolean
---
--- The seed of the random order, from 0. `--random-seed` wins. The same seed gives the same order on every machine.
---@field random_seed? integer
local ts = {}

--- What a section reads as `p`, the nearest first: the values of its loop's turn; those of the command line
--- (`--param NAME=VALUE`); those of the jobfile's `run {}`; the testcase's; the script's. A function among them is called
--- with the section's `self` when it is read, once in a section. A name that is not set is nil; one that looks like a slip
--- is warned of in the log.
---@class rille.testscript.Parameters: { [string]: any }
---@field testbed any   # what `--testbed` holds, nil without it
---@overload fun(defaults: table<string, any>): rille.testscript.Parameters

--- What the sections of a testcase share: fields that one sets the next one finds. It also has the result methods.
---@class rille.testscript.Self: rille.testscript.Reporter, { [string]: any }
---@field uid string                                            # of the testcase, `common_setup` or `common_cleanup`
---@field groups string[]|nil
---@field attempt integer                                       # which attempt at the testcase it is, from 1: `retry`
---@field parameters rille.testscript.Parameters                # the testcase's own above the script's; can be written
---@field parent { uid: string, parameters: rille.testscript.Parameters }   # the script

--- How a section ends at once. On `self` it ends the section that runs, on a step that step.
---@class rille.testscript.Reporter
local Reporter = {}

---@class rille.testscript.ResultOptions
---@field go_to? "cleanup"|"next_tc"|"common_cleanup"|"exit"   # go on there; what is jumped over is skipped if this result is passed, else blocked; by "exit" all the rest, common cleanup too, is aborted. Also as `["goto"]`
---@field data? any              # values that are kept with the result, as far as they go and at most 1 MiB as JSON
---@field from_exception? any    # the error that was caught; its text and traceback are kept

---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:passed(reason, options) end
---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:failed(reason, options) end
---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:errored(reason, options) end
---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:skipped(reason, options) end
---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:blocked(reason, options) end
---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:aborted(reason, options) end
---@param reason? string
---@param options? rille.testscript.ResultOptions
function Reporter:passx(reason, options) end

--- A step, or what a section finds as `steps`. Steps are numbered 1, 1.1, 1.2, 2, … and named in the log.
---@class rille.testscript.Step: rille.testscript.Reporter
local Step = {}

---@class rille.testscript.StepOptions
---@field continue? boolean      # go on after this step also if it is bad; its result still counts for the section
---@field description? string

--- Runs a step. A bad one ends what it is a part of, unless it has `continue`; a step that is bad only by what its parts
--- with `continue` came to ends nothing. An error in a step can be caught by a `pcall` around it; it counts all the same.
---@param name string
---@param options rille.testscript.StepOptions
---@param fn fun(step: rille.testscript.Step)
---@return rille.Outcome result
---@overload fun(self: rille.testscript.Step, name: string, fn: fun(step: rille.testscript.Step)): rille.Outcome
function Step:start(name, options, fn) end

---@alias rille.testscript.Function fun(self: rille.testscript.Self, p: rille.testscript.Parameters, steps: rille.testscript.Step)

--- The section that a processor is called for.
---@class rille.testscript.Section: rille.testscript.Step
---@field kind "common setup"|"common cleanup"|"subsection"|"testcase"|"setup"|"test"|"cleanup"
---@field name string
---@field uid string
---@field result rille.Outcome|nil   # in a post processor
---@field reason string|nil          # in a post processor

---@alias rille.testscript.Condition boolean|string|table|fun(self: rille.testscript.Self, p: rille.testscript.Parameters): any, string?

--- Processors run around a section, the global ones first:
--- `pre` before it: false skips the section, a failed assertion blocks it, any other error makes it errored, a result method
--- gives it that result; all of them run, and the strongest counts. `post` after it, unless a `pre` kept it from running: a
--- result method gives the section that result in place of its own (the testcase still counts what it was before); false or
--- a failed assertion makes it failed, any other error errored. `exception` at an error that is no result, also of a step: it
--- is called with the error too; if it returns true the section goes on as if the error had not been, a result method gives
--- the section that result, a failed assertion in it makes the section failed and an error errored. Each is a function or a
--- list of functions.
---@class rille.testscript.Processors
---@field pre? function|function[]         # fun(self, p, section): boolean?
---@field post? function|function[]        # fun(self, p, section): boolean?
---@field exception? function|function[]   # fun(self, p, section, err): boolean?

---@class rille.testscript.Options: rille.testscript.Processors
---@field description? string
---@field skip? rille.testscript.Condition          # leave it out: true, or the reason
---@field skip_if? rille.testscript.Condition       # leave it out if this holds: a value, a function that also returns a reason, or { condition, reason }
---@field skip_unless? rille.testscript.Condition   # leave it out unless this holds

--- A loop runs a section once a turn, with the values of the turn as parameters and in the uid: `sweep[size=64]`.
--- `{ size = { 64, 1500 } }`: a list of values by name; several names give every combination, the alphabetically first
--- name changing slowest (unlike aetest, which walks them side by side: `ts.zip { a = { 1, 2 }, b = { 10, 20 } }`). `{ { host = "a", port = 1 }, … }`: the turns one by one. `{ 64, 1500 }`: values of the parameter
--- `value`. A function, also as the only name's value, is called for each turn with `self` and `p` until it returns nil.
--- A loop without a turn is skipped.
---@alias rille.testscript.Loop table|fun(self: table, p: rille.testscript.Parameters): any

--- A section that failed or was errored is run again up to `retry` times, a testcase with its setup and cleanup and with a new
--- `self`; common setup is not run again. A pass at a later attempt is `passx`. What blocks, jumps and counts is the last
--- attempt; what each attempt said is in every report. Its skip conditions are asked before the first attempt alone.
---@class rille.testscript.RetryOptions: rille.testscript.Options
---@field retry? integer                  # attempts after the first, 0 to 1000; for testcases `--retry UID=N` wins over it, and `--retry N` is for those that do not say it
---@field retry_wait? number              # seconds before each of them

---@class rille.testscript.PartOptions: rille.testscript.RetryOptions
---@field must_pass? boolean              # block what follows beside it if it does not pass
---@field loop? rille.testscript.Loop
---@field uids? string[]                  # the uids of the turns, in order; without `loop` these are the turns

---@class rille.testscript.TestcaseOptions: rille.testscript.PartOptions
---@field groups? string|string[]         # labels to choose by: `--groups "sanity and not slow"`
---@field parameters? table<string, any>  # above those of the script
--- A testcase that this one is made from: it has the base's setup, tests and cleanup, its groups, `must_pass`, parameters,
--- loop, `retry`, skip and processors, as far as it does not say its own. Tests of the base come first; one of the same name stands in
--- its place.
---@field base? rille.testscript.Testcase

---@class rille.testscript.CommonOptions: rille.testscript.Options
---@field parameters? table<string, any>

---@class rille.testscript.Common
---@field parameters table<string, any>
---@field description? string
local Common = {}

--- Adds a subsection.
---@param name string
---@param options rille.testscript.PartOptions
---@param fn rille.testscript.Function
---@return rille.testscript.Common self
---@overload fun(self: rille.testscript.Common, name: string, fn: rille.testscript.Function): rille.testscript.Common
function Common:subsection(name, options, fn) end

---@class rille.testscript.Testcase
---@field parameters table<string, any>
---@field groups? string|string[]
---@field must_pass? boolean
---@field description? string
local Testcase = {}

--- Sets what runs before the tests. If it does not pass, they are blocked.
---@param options rille.testscript.RetryOptions
---@param fn rille.testscript.Function
---@return rille.testscript.Testcase self
---@overload fun(self: rille.testscript.Testcase, fn: rille.testscript.Function): rille.testscript.Testcase
function Testcase:setup(options, fn) end

--- Adds a test.
---@param name string
---@param options rille.testscript.PartOptions
---@param fn rille.testscript.Function
---@return rille.testscript.Testcase self
---@overload fun(self: rille.testscript.Testcase, name: string, fn: rille.testscript.Function): rille.testscript.Testcase
function Testcase:test(name, options, fn) end

--- Sets what runs after the tests, whatever became of them.
---@param options rille.testscript.RetryOptions
---@param fn rille.testscript.Function
---@return rille.testscript.Testcase self
---@overload fun(self: rille.testscript.Testcase, fn: rille.testscript.Function): rille.testscript.Testcase
function Testcase:cleanup(options, fn) end

--- Defines a testcase.
---@param uid string   # unique in the script
---@param options? rille.testscript.TestcaseOptions
---@return rille.testscript.Testcase
function ts.testcase(uid, options) end

--- Returns what runs before all testcases; there is one.
---
--- Common setup and cleanup run with any choice of testcases, unless `--uids` names one of them
--- (`"Or('common_setup', 'Ping')"`, `"not common_cleanup"`); then that expression decides about both.
---@param options? rille.testscript.CommonOptions
---@return rille.testscript.Common
function ts.common_setup(options) end

--- Returns what runs after all testcases, whatever became of them; there is one.
---@param options? rille.testscript.CommonOptions
---@return rille.testscript.Common
function ts.common_cleanup(options) end

--- Has a datafile set parameters, uids, groups and more of the sections, once all of them are defined: YAML with the keys of
--- aetest's datafiles. It is looked for beside the script. The one that the jobfile (`datafile = FILE`) or the command line
--- (`--datafile FILE`) gives holds instead.
--- ```yaml
--- extends: base.yaml                # or a list: the last one is the lowest
--- parameters: { speed: 9600 }       # above ts.parameters, below what run {} and --param say
--- processors: { pre: [lib.check] }  # MODULE.FUNCTION, or { processor:, args: [], kwargs: {} }
--- common_setup: { parameters: { link: up } }
--- testcases:
---   Ping: { uid: ping_lab, groups: [lab], must_pass: true, retry: 1, parameters: { count: 3 }, routes: [1, 2] }
--- ```
--- Parameters are added to those that are there, everything else takes the place of what is there; another key, such as
--- `routes`, is a field of `self`. A testcase that the script does not have is an error with file and line.
---@param file string
function ts.datafile(file) end

--- Returns the turns of a loop in which lists are walked side by side: `loop = ts.zip { a = { 1, 2 }, b = { 10, 20 } }` has
--- the turns a=1, b=10 and a=2, b=20. The lists are of one length.
---@param lists table<string, any[]>
---@return table<string, any>[]
function ts.zip(lists) end

--- Adds processors that run for every section but steps, before those of the section.
---@param processors rille.testscript.Processors
function ts.global_processors(processors) end

return ts
