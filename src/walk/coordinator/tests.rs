//! The coordinator with workers that are none.
