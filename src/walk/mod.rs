//! Walks: actions whose options are combined. Everything here is pure.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "plans are still to use it"))]
pub(crate) mod cover;
