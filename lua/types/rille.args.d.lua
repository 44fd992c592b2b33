---@meta rille.args

--- Parsers of command-line arguments, for jobfiles and tasks.
---
--- `rille run` takes its own options wherever they stand before `--`, and hands every other word on, in order. What a
--- parser of the jobfile takes of them its tasks do not get; every task gets all the rest, whatever other tasks take.
--- Words that nobody has read are named in a warning at the end of the run.
--- ```lua
--- local args = require "rille.args"
--- local parser = args.parser { description = "Soaks a switch." }
---   :option("--speed", { type = "integer", default = 9600, help = "Baud" })
---   :option("--device", "-d", { action = "append", help = "A device; may be repeated" })
---
--- function main(runtime)
---   local values, rest = parser:parse_known()
---   print(values.speed, #values.device, #rest)
--- end
--- ```
---@class rille.args
local args = {}

---@class rille.args.ParserDefinition
---@field description? string   # shown by `--help` before the options
---@field epilog? string        # shown behind them
---@field name? string          # the name in the usage line. Default: that of the file
---@field add_help? boolean     # whether `--help` and `-h` show the help and end the file. Default: true

--- Makes a parser.
---
--- Raises `definition` for an unknown key or a wrong value.
---@param definition? rille.args.ParserDefinition
---@return rille.args.Parser
function args.parser(definition) end

---@class rille.args.OptionDefinition
---
--- What it is for, in a sentence.
---@field help? string
---
--- Its value where it is not given. Default: `{}` for `append`, 0 for `count`, false for `store_true`, true for
--- `store_false`, else nil.
---@field default? any
---
--- What its text becomes. A function takes the text and returns the value, or nil and what is wrong. Default: `string`.
---@field type? "string"|"number"|"integer"|"boolean"|fun(text: string): any, string?
---
--- The values it may have.
---@field choices? any[]
---
--- Whether it must be given. Default: false.
---@field required? boolean
---
--- What it does: `store` takes the value behind it, the last one given wins; `append` adds it to a list; `store_true` and
--- `store_false` take none; `count` counts how often it is given. Default: `store`.
---@field action? "store"|"append"|"store_true"|"store_false"|"count"
---
--- How many values it takes, as a list: that many, `*` any number, `+` at least one; `?` one or none, and no list.
--- Default: one value, and no list.
---@field nargs? integer|"?"|"*"|"+"
---
--- The value of an option with `nargs = "?"` that is given without one.
---@field const? any
---
--- The name of its value in the help.
---@field metavar? string
---
--- The name of its field. Default: its first long name, with `_` for `-`.
---@field dest? string

--- Values by option; reading a name that is no option raises `usage`.
---@alias rille.args.Values table<string, any>

---@class rille.args.Parser
local Parser = {}

--- Adds an option: its names, such as `"--my-arg"` and `"-m"`, then what it is. On the command line it is written
--- `--name value` or `--name=value`, `-m value`, `-mvalue` or `-m=value`; letters without a value can stand together,
--- `-abc`. A value that begins with `-` and is no number needs the `=`.
---
--- Raises `definition` for an unknown key, a wrong value, or a name that is used already.
---@param name string
---@param ... string|rille.args.OptionDefinition
---@return rille.args.Parser   # the same, so that calls can be chained
function Parser:option(name, ...) end

--- Parses; a word that is no option of this parser is an error, unless another parser of this process has taken it.
---
--- Raises `usage` for such a word, with the nearest option; for a wrong or missing value; for a required option that is
--- not given. If the jobfile does not catch that, and nothing has run, the exit code is 2. `--help` shows the help: a
--- jobfile ends there with exit code 0, a task is `skipped`.
---@param argv? string[]   # Default: in a jobfile what was handed on; in a task its `args`, then what was handed on
---@return rille.args.Values
function Parser:parse(argv) end

--- The same, but words that are no options of this parser are left, in their order. All behind `--` is left, too.
---
--- Raises `usage` for a wrong or missing value, and for a required option that is not given.
---@param argv? string[]   # Default: as for `parse`. `runtime.argv`, or the rest of another parser, is what was handed on
---@return rille.args.Values values
---@return string[] rest
function Parser:parse_known(argv) end

--- Returns what `--help` shows.
---@return string
function Parser:usage() end

return args
