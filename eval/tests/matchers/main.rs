//! Every matcher on features whose matches are known.

mod overfit;
mod pairs;
mod state;
