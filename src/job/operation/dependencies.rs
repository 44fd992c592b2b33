//! stub
use super::*;
pub(super) fn resolve(
    _plan: &Plan,
    _state: &super::state::State,
    _audience: &mut dyn Audience,
    _interrupted: &dyn Fn() -> Option<i32>,
) -> Result<(), RunError> {
    Ok(())
}
