//! stub
pub(crate) fn text(operation: &crate::operation::Operation) -> String {
    operation.description.clone()
}
