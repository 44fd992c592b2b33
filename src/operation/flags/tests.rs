//! Flags by tables.
