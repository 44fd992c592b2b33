//! `runtime.synchro`: objects that `main` and its tasks share, seen by proxies.

mod methods;
mod proxy;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use self::methods::Methods;
pub(in crate::script) use self::proxy::Proxy;
use super::object::{check_dot, read_only};
use crate::engine::SynchroClient;
use crate::model::{Answer, FaultKind, Keys, Op, Request, SharedKind, SynchroLine, Value as Shared};
use crate::script::context::Context;
use crate::script::error::raise;
use crate::script::shown::shown;
use crate::script::stop::Stop;
use crate::script::table::to_value;
use crate::script::task::HostLine;

/// What the functions that make objects are in.
const MODULE: &str = "runtime.synchro";

/// The way to the shared objects.
pub(in crate::script) trait Backend {
    /// Does what is asked, and waits where that takes a wait.
    fn call(&self, lua: &Lua, request: &Request) -> mlua::Result<Answer>;
}

/// What a VM with shared objects has of them.
#[derive(Clone)]
struct Api {
    backend: Rc<dyn Backend>,
    methods: Rc<Methods>,
}

/// Makes `runtime.synchro` of a jobfile.
pub(in crate::script) fn for_host(lua: &Lua, context: &Rc<Context>) -> mlua::Result<Table> {
    open(lua, Rc::new(Host(Rc::clone(context))))
}

/// Makes `runtime.synchro` of a task. Must be done before its parameters are made.
pub(in crate::script) fn for_task(
    lua: &Lua,
    line: Option<&SynchroLine>,
    host: &Rc<dyn HostLine>,
    stop: &Rc<Stop>,
) -> mlua::Result<Table> {
    let (host, stop) = (Rc::clone(host), Rc::clone(stop));
    open(lua, Rc::new(Task { line: line.cloned(), client: RefCell::new(None), host, stop }))
}

fn open(lua: &Lua, backend: Rc<dyn Backend>) -> mlua::Result<Table> {
    lua.set_app_data(Api { backend, methods: Rc::new(Methods::default()) });
    let makers = lua.create_table()?;
    for kind in SharedKind::ALL.iter().copied() {
        makers.set(kind.name(), lua.create_function(move |lua, arguments: MultiValue| make(lua, kind, &arguments))?)?;
    }
    read_only(lua, MODULE, &makers)
}

struct Host(Rc<Context>);

impl Backend for Host {
    fn call(&self, lua: &Lua, request: &Request) -> mlua::Result<Answer> {
        self.0.shared(lua, request.clone())
    }
}

struct Task {
    line: Option<SynchroLine>,
    client: RefCell<Option<SynchroClient>>,
    host: Rc<dyn HostLine>,
    stop: Rc<Stop>,
}

impl Backend for Task {
    fn call(&self, lua: &Lua, request: &Request) -> mlua::Result<Answer> {
        let Some(line) = &self.line else {
            let text = "the job shares nothing that this task could reach; use runtime.synchro in main() before the task \
                        starts";
            return Err(raise(lua, "usage", text));
        };
        let mut client = self.client.borrow_mut();
        let client = match &mut *client {
            Some(client) => client,
            None => match SynchroClient::connect(&line.socket, line.task, line.attempt) {
                Ok(connected) => client.insert(connected),
                Err(fault) => return Ok(Answer::Error(fault)),
            },
        };
        let answer = client.call_until(request, self.stop.wakes(), &|| self.stop.is_pending());
        // A wait that was given up for nothing is no error.
        match self.stop.is_pending() && matches!(&answer, Answer::Error(fault) if fault.kind == FaultKind::Cancelled) {
            true => Err(mlua::Error::external(self.stop.error(&*self.host))),
            false => Ok(answer),
        }
    }
}

fn api(lua: &Lua) -> mlua::Result<Api> {
    let api = lua.app_data_ref::<Api>().map(|api| api.clone());
    api.ok_or_else(|| raise(lua, "usage", "there are no shared objects here"))
}

/// Does what is asked; `None` when the time was over.
fn ask(lua: &Lua, request: &Request) -> mlua::Result<Option<Shared>> {
    match api(lua)?.backend.call(lua, request)? {
        Answer::Ok(value) => Ok(Some(value)),
        Answer::Timeout(_) => Ok(None),
        Answer::Error(fault) => Err(raise(lua, fault.kind.name(), fault.message)),
    }
}

fn make(lua: &Lua, kind: SharedKind, arguments: &MultiValue) -> mlua::Result<Value> {
    let (name, keys) = (kind.name(), kind.row().keys);
    check_dot(lua, MODULE, name, arguments.front().unwrap_or(&Value::Nil))?;
    if arguments.len() > 1 || matches!(arguments.front(), Some(Value::UserData(_)) if keys != Keys::Content) {
        return Err(raise(lua, "usage", format!("{name} takes at most one value; write runtime.synchro.{name}(…)")));
    }
    let given = arguments.front().filter(|value| !value.is_nil());
    let read = |value: &Value| {
        to_value(value, &format!("the value of {name}()")).map_err(|problem| raise(lua, "usage", problem.to_string()))
    };
    // A container is made empty and then filled.
    let fills = keys.are_there();
    let items = given.filter(|_| keys == Keys::Positions).map(read).transpose()?;
    if let Some(other) = given.filter(|value| fills && !value.is_table()) {
        return Err(raise(lua, "usage", format!("{name} takes a table, got {}", shown(other))));
    }
    let at_once = given.filter(|_| !fills).map(read).transpose()?;
    let object = match ask(lua, &Request::new_object(kind, at_once))? {
        Some(Shared::Shared(object)) => object,
        made => return Err(raise(lua, "error", format!("{name}() brought {}", made.unwrap_or_default()))),
    };
    let content = match (items, given) {
        (Some(items), _) => Some((Op::Extend, items)),
        (None, Some(Value::Table(table))) if fills => Some((Op::Update, methods::content(lua, Proxy(object), table)?)),
        _ => None,
    };
    if let Some((op, value)) = content {
        ask(lua, &Request { value: Some(value), ..Request::of(op, object) })?;
    }
    Ok(Value::UserData(lua.create_userdata(Proxy(object))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The annotations, by which editors know the objects.
    const TYPES: &str = include_str!("../../../../lua/types/rille.synchro.d.lua");

    #[test]
    fn every_type_and_method_has_its_annotation() {
        for kind in SharedKind::ALL {
            let name = kind.name();
            let before = TYPES.split(&format!("function Synchro.{name}(")).next().filter(|before| *before != TYPES);
            let before = before.unwrap_or_else(|| panic!("lua/types/rille.synchro.d.lua says nothing of {name}()"));
            let class = before.rsplit("---@return rille.Shared").next().and_then(|rest| rest.lines().next()).unwrap();
            for method in kind.row().methods {
                let method = format!("function {class}:{}(", method.name);
                assert!(TYPES.contains(&method), "lua/types/rille.synchro.d.lua has no {method}…)");
            }
        }
    }
}
