//! The binary as its users run it.

mod ahead;
mod bad_input;
mod bench;
mod inspect;
mod inspect_browser;
mod label;
mod label_names;
mod matchers;
mod odd_annotations;
mod outputs;
mod runs;
mod score;
mod skipping;
#[path = "../skips/mod.rs"]
mod skips;
mod sources;
mod stale;
mod support;
mod train;
mod weak;
