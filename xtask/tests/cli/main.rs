//! The binary as its users run it.

mod ahead;
mod bad_input;
mod bench;
mod inspect;
mod inspect_browser;
mod label;
mod matchers;
mod score;
mod skipping;
#[path = "../skips/mod.rs"]
mod skips;
mod support;
mod train;
mod weak;
