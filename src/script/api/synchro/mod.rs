//! `runtime.synchro`: objects that `main` and its tasks share, seen by proxies.

mod methods;
mod proxy;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};
use serde_json::Value as Json;

use self::methods::Methods;
pub(in crate::script) use self::proxy::Proxy;
use super::read_only;
use crate::engine::SynchroClient;
use crate::model::{Answer, Blob, FaultKind, Op, Request, SharedKind, SharedRef, SynchroLine};
use crate::script::error::raise;
use crate::script::host::Context;
use crate::script::stop::Stop;
use crate::script::table;
use crate::script::task::HostLine;

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
    for kind in SharedKind::ALL {
        makers.set(kind.name(), lua.create_function(move |lua, arguments: MultiValue| make(lua, kind, &arguments))?)?;
    }
    read_only(lua, "runtime.synchro", &makers)
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
fn ask(lua: &Lua, request: &Request) -> mlua::Result<Option<Json>> {
    match api(lua)?.backend.call(lua, request)? {
        Answer::Ok(value) => Ok(Some(value)),
        Answer::Timeout(_) => Ok(None),
        Answer::Error(fault) => Err(raise(lua, fault.kind.name(), fault.message)),
    }
}

fn make(lua: &Lua, kind: SharedKind, arguments: &MultiValue) -> mlua::Result<Value> {
    let name = kind.name();
    if arguments.len() > 1 || matches!(arguments.front(), Some(Value::UserData(_)) if kind != SharedKind::Value) {
        return Err(raise(lua, "usage", format!("{name} takes at most one value; write runtime.synchro.{name}(…)")));
    }
    let given = arguments.front().filter(|value| !value.is_nil());
    let given = given.map(|value| table::to_shared(value, &format!("the value of {name}()"))).transpose();
    let given = given.map_err(|problem| raise(lua, "usage", problem))?;
    // A container is made empty and then filled.
    let (at_once, then) = match (kind, given) {
        (SharedKind::Dict | SharedKind::Namespace, content @ Some(_)) => {
            (None, content.map(|value| (Op::Update, value)))
        }
        (SharedKind::List, content @ Some(_)) => (None, content.map(|value| (Op::Extend, value))),
        (_, given) => (given, None),
    };
    let made = ask(lua, &Request::new_object(kind, at_once))?.unwrap_or_default();
    let Some(object) = SharedRef::of_value(&made) else {
        return Err(raise(lua, "error", format!("{name}() brought {made}")));
    };
    if let Some((op, value)) = then {
        ask(lua, &Request { value: Some(value), ..Request::of(op, object) })?;
    }
    Ok(Value::UserData(lua.create_userdata(Proxy(object))?))
}

/// Returns the Lua value of what stands for one in JSON: a reference to a shared object, or bytes. `None` where it stands
/// for itself, or nothing is shared.
pub(in crate::script) fn stands_for(lua: &Lua, fields: &serde_json::Map<String, Json>) -> mlua::Result<Option<Value>> {
    if fields.len() != 1 || lua.app_data_ref::<Api>().is_none() {
        return Ok(None);
    }
    if let Some(object) = SharedRef::of_fields(fields) {
        return Ok(Some(Value::UserData(lua.create_userdata(Proxy(object))?)));
    }
    match fields.contains_key(Blob::ENCODED).then(|| serde_json::from_value::<Blob>(Json::Object(fields.clone()))) {
        Some(Ok(bytes)) => Ok(Some(Value::String(lua.create_string(bytes.0)?))),
        _ => Ok(None),
    }
}
