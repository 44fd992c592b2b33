//! stub
pub(super) struct Git {
    pub(super) files: crate::operation::sourcecode::GitFiles,
    pub(super) commit: Option<String>,
}
pub(super) fn look(_root: &std::path::Path) -> Option<Git> {
    None
}
