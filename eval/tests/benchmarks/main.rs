//! The readers of benchmarks, on folders that the tests write in the published layouts, whole and damaged, and on real
//! lists.

mod ap_10k;
mod caltech;
mod fixture;
mod names;
mod oddities;
mod orientation;
mod pf_pascal;
mod real_data;
mod sc_imagenet;
#[path = "../../../xtask/tests/skips/mod.rs"]
mod skips;
mod spair;
mod table;
mod tss;
mod willow_pairs;
