//! A four-dimensional convolution by its definition.

/// Pairs, channels in and out, the grids' sizes `[h_s, w_s, h_t, w_t]`, cells along an axis of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    pub batch: usize,
    pub channels: [usize; 2],
    pub grid: [usize; 4],
    pub kernel: usize,
}

/// Value, and gradients of the volumes, the weights and the bias.
pub struct Naive {
    pub value: Vec<f64>,
    pub volumes: Vec<f64>,
    pub weights: Vec<f64>,
    pub bias: Vec<f64>,
}

/// All places of a box of four axes, in row-major order.
fn places([a, b, c, d]: [usize; 4]) -> impl Iterator<Item = [usize; 4]> {
    (0..a * b * c * d).map(move |at| [at / (b * c * d), at / (c * d) % b, at / d % c, at % d])
}

/// Everything at once: each product that the definition names is visited once.
pub fn convolve(sizes: Sizes, volumes: &[f32], weights: &[f32], bias: &[f32], upstream: &[f32]) -> Naive {
    let Sizes { batch, channels: [inputs, outputs], grid, kernel } = sizes;
    let cells: usize = grid.iter().product();
    let taps = kernel.pow(4);
    let mut naive = Naive {
        value: vec![0.0; batch * outputs * cells],
        volumes: vec![0.0; volumes.len()],
        weights: vec![0.0; weights.len()],
        bias: vec![0.0; bias.len()],
    };
    for pair in 0..batch {
        for (output, bias) in bias.iter().enumerate() {
            for (cell, at) in places(grid).enumerate() {
                let out = (pair * outputs + output) * cells + cell;
                naive.value[out] += f64::from(*bias);
                naive.bias[output] += f64::from(upstream[out]);
                for input in 0..inputs {
                    for (tap, offset) in places([kernel; 4]).enumerate() {
                        let mut place = 0;
                        let mut inside = true;
                        for axis in 0..4 {
                            let moved = (at[axis] + offset[axis]).checked_sub(kernel / 2);
                            match moved.filter(|moved| *moved < grid[axis]) {
                                Some(moved) => place = place * grid[axis] + moved,
                                None => inside = false,
                            }
                        }
                        if inside {
                            let from = (pair * inputs + input) * cells + place;
                            let weight = (output * inputs + input) * taps + tap;
                            naive.value[out] += f64::from(weights[weight]) * f64::from(volumes[from]);
                            naive.volumes[from] += f64::from(weights[weight]) * f64::from(upstream[out]);
                            naive.weights[weight] += f64::from(volumes[from]) * f64::from(upstream[out]);
                        }
                    }
                }
            }
        }
    }
    naive
}
