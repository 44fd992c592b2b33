//! `require`: the own folders, `package.path`, and modules in C that are built for Lua 5.5.

use std::process::Command;

use crate::harness::{Project, has_program};

#[test]
fn package_path_is_honoured_behind_the_own_folders() {
    let body = "package.path = package.path .. ';./extra/?.lua;' .. os.getenv('PWD') .. '/more/?/init.lua'\n  \
                print(require 'near', require 'extramod', require 'deep.mod', select(2, require 'more'))\n  \
                print(package.searchpath('extramod', package.path) ~= nil, job.run { testscript = 't.lua' })";
    let task = "package.path = package.path .. ';./extra/?.lua'\nreturn require 'extramod' == 'extra' and require 'near' == 'own'";
    let project = Project::new()
        .main(body)
        .file("t.lua", task)
        .file("near.lua", "return 'own'")
        .file("extra/near.lua", "return 'not this'")
        .file("extra/extramod.lua", "return 'extra'")
        .file("extra/deep/mod.lua", "return 'deep'")
        .file("more/more/init.lua", "return true");
    let root = project.path("").display().to_string();
    let root = root.trim_end_matches('/').to_owned();
    let ended = project.env("PWD", &root).job(&["-q"]);
    ended.code(0).stdout(&format!("own\textra\tdeep\t{root}/more/more/init.lua\ntrue\ttrue\tpassed\n"));
}

#[test]
fn what_is_found_must_be_text() {
    let body = "local f = io.open(runtime.directory .. '/code.lua', 'wb') f:write('\\27Lua', ('x'):rep(40)) f:close()\n  \
                package.path = runtime.directory .. '/?.lua'\n  print(pcall(require, 'code'))";
    let ended = Project::new().main(body).job(&["-q"]);
    assert!(ended.out().contains("attempt to load a binary chunk"), "{ended}");
}

/// Compiles a module in C, as `luarocks` does: it has Lua from the program that loads it.
fn compile(project: &Project, name: &str, source: &str) {
    let file = project.path(format!("{name}.c"));
    std::fs::write(&file, source).expect("it can be written");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(project.path(format!("c/{name}.so"))).arg(file);
    assert!(cc.status().expect("it starts").success());
}

#[test]
fn a_module_in_c_is_loaded_and_has_lua_from_the_program() {
    if !has_program("cc") {
        println!("skipped: there is no C compiler");
        return;
    }
    let good = r#"
typedef struct lua_State lua_State; typedef long long lua_Integer;
typedef int (*lua_CFunction)(lua_State *);
extern lua_Integer luaL_checkinteger(lua_State *, int); extern void lua_pushinteger(lua_State *, lua_Integer);
extern void lua_pushcclosure(lua_State *, lua_CFunction, int); extern void lua_createtable(lua_State *, int, int);
extern void lua_setfield(lua_State *, int, const char *); extern int luaL_error(lua_State *, const char *, ...);
static int twice(lua_State *L) { lua_pushinteger(L, 2 * luaL_checkinteger(L, 1)); return 1; }
static int fails(lua_State *L) { return luaL_error(L, "from %s", "C"); }
int luaopen_cmod(lua_State *L) {
  lua_createtable(L, 0, 2);
  lua_pushcclosure(L, twice, 0); lua_setfield(L, -2, "twice");
  lua_pushcclosure(L, fails, 0); lua_setfield(L, -2, "fails");
  return 1;
}
"#;
    let stale = "extern void *lua_newuserdata(void *, unsigned long); int luaopen_stale(void *L) { lua_newuserdata(L, 1); return 1; }";
    let set = "package.cpath = '{DIR}/?.so'";
    let body = "{SET}\n  local c = require 'cmod'\n  print(c.twice(21), pcall(c.fails))\n  \
                print(select(2, pcall(require, 'stale')))\n  print(job.run { testscript = 't.lua' })";
    let task = "{SET}\nlocal c = require 'cmod'\nreturn c.twice(4) == 8";
    let project = Project::new().file("c/none", "");
    let set = set.replace("{DIR}", &project.path("c").display().to_string());
    let project = project.main(&body.replace("{SET}", &set)).file("t.lua", task.replace("{SET}", &set));
    compile(&project, "cmod", good);
    compile(&project, "stale", stale);
    let ended = project.job(&["-q"]);
    let out = ended.out();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "42\tfalse\tfrom C", "{ended}");
    let told = ["error loading module 'stale' from file", "lua_newuserdata", "a module in C must be built for Lua 5.5"];
    assert!(told.iter().all(|part| lines[1].contains(part)), "{ended}");
    assert_eq!(lines[2], "true\tpassed", "{ended}");
}

#[test]
fn the_installed_modules_of_lua_5_5_are_found() {
    let body = "print(package.cpath:find('5.5', 1, true) ~= nil, package.path:find('5.5', 1, true) ~= nil)\n  \
                print((require 'installed'))";
    let project = Project::new().main(body).file("share/installed.lua", "return 'from LUA_PATH'");
    let path = format!("{}/?.lua;;", project.path("share").display());
    let ended = project.env("LUA_PATH_5_5", path).job(&["-q"]);
    ended.stdout("true\ttrue\nfrom LUA_PATH\n");
}
