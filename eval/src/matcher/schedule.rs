//! Learning rates over the steps of a run.

/// A share of the full learning rate: linear warm-up, then half a cosine down to a twentieth.
///
/// ```text
/// s(t) = (t + 1) / w                                  t < w
/// s(t) = 1/20 + 19/20 · (1 + cos(π (t − w)/(n − w))) / 2    else
/// ```
pub fn learning_rate_share(step: usize, warm_up: usize, steps: usize) -> f64 {
    if step < warm_up {
        return (step + 1) as f64 / warm_up as f64;
    }
    let done = (step - warm_up) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
    0.05 + 0.95 * (1.0 + (std::f64::consts::PI * done.min(1.0)).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_then_falls() {
        let shares: Vec<f64> = (0..100).map(|step| learning_rate_share(step, 10, 100)).collect();
        assert!(shares[..10].is_sorted() && shares[10..].is_sorted_by(|a, b| a >= b));
        assert_eq!((shares[0], shares[9]), (0.1, 1.0));
        assert!(shares[99] < 0.06 && shares[99] >= 0.05);
    }
}
