//! Numbers that nobody can foresee, for seeds that are told to the user.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::short_seed;

/// Draws a seed that is short enough to be typed.
pub(crate) fn draw_seed() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    short_seed(u64::from(since.subsec_nanos()) ^ since.as_secs().rotate_left(32) ^ u64::from(std::process::id()))
}
