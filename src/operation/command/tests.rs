//! Commands and environments by tables.
