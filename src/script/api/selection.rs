//! Choosing sections by a function of the jobfile: `run { uids = function(uid, groups) … end }`.

use std::cell::RefCell;
use std::collections::HashMap;

use mlua::{Function, Lua, Value};

use crate::model::{RaisedError, Reply, TaskNumber};
use crate::script::error::plain_text;
use crate::script::vm;

/// The functions that tasks were given, by the number of the task.
#[derive(Default)]
pub(crate) struct Selections(RefCell<HashMap<TaskNumber, Function>>);

impl Selections {
    /// Remembers the function of a task. It is called with the uid and the list of groups of a testcase, and returns
    /// whether it runs.
    pub(super) fn keep(&self, task: TaskNumber, function: Function) {
        self.0.borrow_mut().insert(task, function);
    }

    /// Asks the function of a task for each testcase.
    pub(in crate::script) fn answer(&self, lua: &Lua, task: TaskNumber, sections: &[(String, Vec<String>)]) -> Reply {
        let Some(function) = self.0.borrow().get(&task).cloned() else {
            return Reply::Selected { sections: vec![true; sections.len()], error: None };
        };
        let choose = |(uid, groups): &(String, Vec<String>)| {
            let arguments = || {
                let groups = lua.create_sequence_from(groups.iter().map(String::as_str))?;
                mlua::Result::Ok(vec![Value::String(lua.create_string(uid)?), Value::Table(groups)])
            };
            let internal = |error: mlua::Error| RaisedError {
                kind: "error".to_owned(),
                message: plain_text(&error),
                traceback: None,
            };
            let returned = vm::call(lua, &function, arguments().map_err(internal)?)?;
            Ok(!matches!(returned.front(), None | Some(Value::Nil | Value::Boolean(false))))
        };
        match sections.iter().map(choose).collect::<Result<Vec<bool>, RaisedError>>() {
            Ok(sections) => Reply::Selected { sections, error: None },
            Err(error) => Reply::Selected { sections: Vec::new(), error: Some(error.message) },
        }
    }
}
