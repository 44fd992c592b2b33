//! What `rille.walk` does in a jobfile: walks are run by workers, tasks of the job's run.

use mlua::{Lua, Table};

use super::api::walk::{WalkCall, WalkHost, WalkReplay};
use super::error::raise;
use super::host::Context;
use crate::model::WalkEnded;

impl WalkHost for Context {
    fn is_loading(&self) -> bool {
        self.is_loading()
    }

    fn check(&self, lua: &Lua, what: &str) -> mlua::Result<()> {
        Self::check(self, lua, what)
    }

    fn run_tests(&self, lua: &Lua, _: WalkCall) -> mlua::Result<Table> {
        Err(raise(lua, "usage", "run_tests is not part of this version of rille"))
    }

    fn replay(&self, lua: &Lua, _: WalkReplay) -> mlua::Result<WalkEnded> {
        Err(raise(lua, "usage", "replay is not part of this version of rille"))
    }
}
