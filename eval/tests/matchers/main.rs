//! Every matcher on features whose matches are known.

mod batches;
mod overfit;
#[path = "../../examples/own-matcher/src/matcher.rs"]
mod own_matcher;
mod pairs;
mod slopes;
mod state;
