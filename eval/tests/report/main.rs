//! The report: what stands in the page, in the tables and in the figures, and that a browser shows it.

mod browser;
mod figures;
mod generated;
mod page;
#[path = "../../../xtask/tests/skips/mod.rs"]
mod skips;
mod tables;
mod tags;
