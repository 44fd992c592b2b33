//! Batches: from flags with several values to the trials that are run.
//!
//! A batch asks an [`Optimizer`](optimizer::Optimizer) for one trial after the other. They have the order in which they were
//! handed out, so that values and ids are the same however many run at once.

mod file;
mod optimizer;
mod product;
mod random;
mod table;

pub(crate) use self::file::read_file;
pub(crate) use self::optimizer::{BatchError, Choice, Wanted, choose, help, is_optimizer};
pub(crate) use self::table::{TableForm, as_csv, as_json, table, table_form};
