//! A transformer block over the cells of each map, and then over the maps of each cell.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, activation};

/// Two halves, each attention and a perceptron, both added to their input.
#[derive(Module, Debug)]
pub(super) struct Block {
    over_cells: Half,
    over_maps: Half,
}

#[derive(Module, Debug)]
struct Half {
    before_attention: LayerNorm,
    attention: Attention,
    before_perceptron: LayerNorm,
    widen: Linear,
    narrow: Linear,
}

/// Multi-head self-attention.
#[derive(Module, Debug)]
struct Attention {
    /// Queries, keys and values at once.
    split: Linear,
    join: Linear,
    heads: usize,
}

impl Block {
    pub fn new(width: usize, heads: usize, widening: usize, device: &Device) -> Self {
        let half = || Half::new(width, heads, widening, device);
        Self { over_cells: half(), over_maps: half() }
    }

    /// Tokens `[b, maps, cells, width]`.
    pub fn forward(&self, tokens: Tensor<4>) -> Tensor<4> {
        let [batch, maps, cells, width] = tokens.dims();
        let tokens = self.over_cells.forward(tokens.reshape([batch * maps, cells, width]));
        let by_cell = tokens.reshape([batch, maps, cells, width]).swap_dims(1, 2);
        let tokens = self.over_maps.forward(by_cell.reshape([batch * cells, maps, width]));
        tokens.reshape([batch, cells, maps, width]).swap_dims(1, 2)
    }
}

impl Half {
    fn new(width: usize, heads: usize, widening: usize, device: &Device) -> Self {
        let norm = || LayerNormConfig::new(width).with_epsilon(1e-6).init(device);
        let linear = |from: usize, to: usize| LinearConfig::new(from, to).init(device);
        Self {
            before_attention: norm(),
            attention: Attention { split: linear(width, 3 * width), join: linear(width, width), heads },
            before_perceptron: norm(),
            widen: linear(width, widening * width),
            narrow: linear(widening * width, width),
        }
    }

    /// Tokens `[sets, tokens, width]`; each set is attended to for itself.
    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let tokens = tokens.clone() + self.attention.forward(self.before_attention.forward(tokens));
        let wide = activation::gelu(self.widen.forward(self.before_perceptron.forward(tokens.clone())));
        tokens + self.narrow.forward(wide)
    }
}

impl Attention {
    /// softmax(Q Kᵀ / √d) V for each head, joined.
    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let [sets, count, width] = tokens.dims();
        let of_head = width / self.heads;
        // [3, sets, heads, tokens, d]
        let split = self.split.forward(tokens).reshape([sets, count, 3, self.heads, of_head]).permute([2, 0, 3, 1, 4]);
        let part = |index: usize| split.clone().narrow(0, index, 1).reshape([sets, self.heads, count, of_head]);
        let (queries, keys, values) = (part(0), part(1), part(2));
        let scores = queries.mul_scalar((of_head as f64).powf(-0.5)).matmul(keys.swap_dims(2, 3));
        let answers = activation::softmax(scores, 3).matmul(values);
        self.join.forward(answers.swap_dims(1, 2).reshape([sets, count, width]))
    }
}
