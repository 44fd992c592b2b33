//! Walks: actions whose options are combined. Everything here is pure.

#[cfg_attr(not(test), expect(dead_code, reason = "reports are still to use it"))]
pub(crate) mod cause;
#[cfg_attr(not(test), expect(dead_code, reason = "plans are still to use it"))]
pub(crate) mod cover;
#[cfg_attr(not(test), expect(dead_code, reason = "runs of walks are still to use it"))]
pub(crate) mod shrink;
