//! The types of shared objects: one row a type, from which the protocol, Lua and the command line know what it has.
//!
//! What an object of a type does stands in the engine, a file a type. A row says how that is asked for.

use serde::{Deserialize, Serialize};

use super::Op;

/// A type, as everybody who speaks of it sees it.
pub(crate) struct KindRow {
    /// Its name, which is that of the function which makes one.
    pub(crate) name: &'static str,
    /// Under what it has values.
    pub(crate) keys: Keys,
    /// Whether it is held by who has acquired it.
    pub(crate) can_be_held: bool,
    /// What the protocol can do with one.
    pub(crate) operations: &'static [Op],
    /// What Lua can do with one.
    pub(crate) methods: &'static [Method],
    /// What `rille synchro` can do with one, as its help says it.
    pub(crate) usage: &'static str,
}

/// Under what an object has values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// It has none that could be named.
    None,
    /// One value without a key.
    Content,
    /// Texts, numbers and booleans.
    Any,
    /// Texts alone.
    Names,
    /// Positions from 1.
    Positions,
}

impl Keys {
    /// Returns whether there is a key for each value.
    pub(crate) const fn are_there(self) -> bool {
        matches!(self, Self::Any | Self::Names | Self::Positions)
    }
}

/// A method of an object in Lua.
pub(crate) struct Method {
    /// Its name.
    pub(crate) name: &'static str,
    /// The operation behind it.
    pub(crate) op: Op,
    /// What it is called with.
    pub(crate) takes: Takes,
    /// What it gives back.
    pub(crate) gives: Gives,
}

/// What a method is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing.
    Nothing,
    /// A key or position.
    Key,
    /// A key or position, or nothing.
    KeyOrNothing,
    /// A value.
    Value,
    /// What becomes the content.
    Content,
    /// A key or position, and a value.
    KeyAndValue,
    /// A number, or nothing.
    Amount,
    /// A key or position, and a number or nothing.
    KeyAndAmount,
    /// A table of keys with their values.
    Table,
    /// How many seconds to wait at most, or nothing.
    Seconds,
    /// Nothing, and it does not wait.
    NoTime,
    /// A function that runs while the object is held.
    Function,
}

/// What a method gives back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// Nothing.
    Nothing,
    /// What was answered.
    Value,
    /// The pairs that were answered, as a table.
    Table,
    /// That it was done; false and "timeout" if not in time.
    Done,
    /// The value that came; nil and this word if not in time.
    ValueOr(&'static str),
}

/// Makes [`SharedKind`] of the types and their rows, so that no list of them can miss one.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident => $row:expr,)*) => {
        /// What kind of object it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub(crate) enum SharedKind {
            $($(#[$about])* $kind,)*
        }

        impl SharedKind {
            /// Every kind, in the order of the documentation.
            pub(crate) const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Returns what is known of the kind.
            pub(crate) const fn row(self) -> &'static KindRow {
                match self {
                    $(Self::$kind => const { &$row },)*
                }
            }
        }
    };
}

kinds! {
    /// Values by key.
    Dict => KindRow { name: "dict", keys: Keys::Any, ..ENTRIES },
    /// Values in order.
    List => KindRow {
        name: "list",
        keys: Keys::Positions,
        can_be_held: false,
        operations: &[
            Op::Get, Op::Set, Op::Append, Op::Insert, Op::Extend, Op::Pop, Op::Copy, Op::Clear, Op::Length, Op::Add,
        ],
        methods: &[
            method("get", Op::Get, Takes::Key, Gives::Value),
            method("set", Op::Set, Takes::KeyAndValue, Gives::Nothing),
            method("append", Op::Append, Takes::Value, Gives::Nothing),
            method("insert", Op::Insert, Takes::KeyAndValue, Gives::Nothing),
            method("extend", Op::Extend, Takes::Value, Gives::Nothing),
            method("pop", Op::Pop, Takes::KeyOrNothing, Gives::Value),
            method("copy", Op::Copy, Takes::Nothing, Gives::Value),
            method("add", Op::Add, Takes::KeyAndAmount, Gives::Value),
            method("clear", Op::Clear, Takes::Nothing, Gives::Nothing),
        ],
        usage: "get N, set N VALUE, append VALUE, insert N VALUE, extend JSON, pop [N], add N [N], copy, clear, length",
    },
    /// Values that wait to be taken, first in, first out.
    Queue => KindRow {
        name: "queue",
        keys: Keys::None,
        can_be_held: false,
        operations: &[Op::Put, Op::Get, Op::Length],
        methods: &[
            method("put", Op::Put, Takes::Value, Gives::Nothing),
            method("get", Op::Get, Takes::Seconds, Gives::ValueOr("timeout")),
            method("try_get", Op::Get, Takes::NoTime, Gives::ValueOr("empty")),
        ],
        usage: "put VALUE, get, length",
    },
    /// Held by one at a time.
    Lock => KindRow { name: "lock", ..HELD },
    /// The same; its holder may take it again.
    Rlock => KindRow { name: "rlock", ..HELD },
    /// Held by so many at a time.
    Semaphore => KindRow { name: "semaphore", ..HELD },
    /// Set or not.
    Event => KindRow {
        name: "event",
        keys: Keys::None,
        can_be_held: false,
        operations: &[Op::Set, Op::Clear, Op::IsSet, Op::Wait],
        methods: &[
            method("set", Op::Set, Takes::Nothing, Gives::Nothing),
            method("clear", Op::Clear, Takes::Nothing, Gives::Nothing),
            method("is_set", Op::IsSet, Takes::Nothing, Gives::Value),
            method("wait", Op::Wait, Takes::Seconds, Gives::Done),
        ],
        usage: "set, clear, is-set, wait",
    },
    /// Waits for so many.
    Barrier => KindRow {
        name: "barrier",
        keys: Keys::None,
        can_be_held: false,
        operations: &[Op::Wait, Op::Length],
        methods: &[method("wait", Op::Wait, Takes::Seconds, Gives::ValueOr("timeout"))],
        usage: "wait, length",
    },
    /// One value.
    Value => KindRow {
        name: "value",
        keys: Keys::Content,
        can_be_held: false,
        operations: &[Op::Get, Op::Set, Op::Add],
        methods: &[
            method("get", Op::Get, Takes::Nothing, Gives::Value),
            method("set", Op::Set, Takes::Content, Gives::Nothing),
            method("add", Op::Add, Takes::Amount, Gives::Value),
        ],
        usage: "get, set VALUE, add [N]",
    },
    /// Values by name.
    Namespace => KindRow { name: "namespace", keys: Keys::Names, ..ENTRIES },
}

/// What a dict and a namespace have in common.
const ENTRIES: KindRow = KindRow {
    name: "",
    keys: Keys::Any,
    can_be_held: false,
    operations: &[
        Op::Get,
        Op::Set,
        Op::Has,
        Op::Pop,
        Op::Keys,
        Op::Items,
        Op::Copy,
        Op::Update,
        Op::Clear,
        Op::Length,
        Op::Add,
    ],
    methods: &[
        method("get", Op::Get, Takes::Key, Gives::Value),
        method("set", Op::Set, Takes::KeyAndValue, Gives::Nothing),
        method("has", Op::Has, Takes::Key, Gives::Value),
        method("pop", Op::Pop, Takes::Key, Gives::Value),
        method("keys", Op::Keys, Takes::Nothing, Gives::Value),
        method("update", Op::Update, Takes::Table, Gives::Nothing),
        method("copy", Op::Items, Takes::Nothing, Gives::Table),
        method("add", Op::Add, Takes::KeyAndAmount, Gives::Value),
        method("clear", Op::Clear, Takes::Nothing, Gives::Nothing),
    ],
    usage: "get KEY, set KEY VALUE, has KEY, pop KEY, add KEY [N], keys, items, copy, update JSON, clear, length",
};

/// What everything that can be held has in common.
const HELD: KindRow = KindRow {
    name: "",
    keys: Keys::None,
    can_be_held: true,
    operations: &[Op::Acquire, Op::Release, Op::IsSet, Op::Length],
    methods: &[
        method("acquire", Op::Acquire, Takes::Seconds, Gives::Done),
        method("try_acquire", Op::Acquire, Takes::NoTime, Gives::Done),
        method("release", Op::Release, Takes::Nothing, Gives::Nothing),
        method("with", Op::Acquire, Takes::Function, Gives::Nothing),
        method("is_held", Op::IsSet, Takes::Nothing, Gives::Value),
    ],
    usage: "lock -- COMMAND…  (holds it as long as COMMAND runs), is-set, length (free slots)",
};

const fn method(name: &'static str, op: Op, takes: Takes, gives: Gives) -> Method {
    Method { name, op, takes, gives }
}

impl SharedKind {
    /// Returns the name of the kind, which is that of the function which makes one.
    pub(crate) const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns the kind with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// Returns the method with this name.
    pub(crate) fn method(self, name: &[u8]) -> Option<&'static Method> {
        self.row().methods.iter().find(|method| method.name.as_bytes() == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_one_thing_in_all_its_parts() {
        for kind in SharedKind::ALL {
            let row = kind.row();
            assert_eq!(json!(kind), row.name);
            assert_eq!(SharedKind::named(row.name), Some(*kind));
            for method in row.methods {
                assert!(row.operations.contains(&method.op), "{}:{} does what there is not", row.name, method.name);
            }
            for op in row.operations {
                let said = match op {
                    Op::Acquire | Op::Release => "lock --".to_owned(),
                    op => op.name().replace('_', "-"),
                };
                assert!(row.usage.contains(&said), "{} has '{said}', and its usage does not say so", row.name);
            }
            assert_eq!(row.can_be_held, row.operations.contains(&Op::Acquire), "{}", row.name);
        }
    }
}
