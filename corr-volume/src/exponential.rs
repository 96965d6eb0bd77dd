//! The exponential function of many numbers, without a branch, so that the compiler makes vector instructions of it.
//!
//! ```text
//! e^x = 2^n e^r,  n = round(x / ln 2),  r = x − n ln 2 in ±½ ln 2,  e^r ≈ 1 + r + r² q(r)
//! ```
//!
//! q is a polynomial of degree 4, fitted so that the largest relative error of e^r is least (0.05 units of the last of 24
//! bits); with the rounding of every step the result is within 2 such units. The C library's function is as exact, but
//! takes one number at a time.

use crate::vectorised;

/// Where results overflow to infinity, and a little beyond.
const LARGEST: f32 = 89.0;
/// Where results have become 0 already.
const SMALLEST: f32 = -87.5;
/// 1.5 · 2²³: added to a number below 2²² in magnitude, it leaves the nearest integer in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;
/// The 16 highest bits of ln 2: multiplied with an integer of 8 bits, it is exact.
const LN_2_HIGH: f32 = 0.693_145_75;
/// What these leave of ln 2.
const LN_2_LOW: f32 = 1.428_606_8e-6;

/// `e^x`.
///
/// Within 2 units in the last place wherever the result is above 1.7e-38; below that it is 0 rather than a denormal number.
/// Infinite above 88.722; NaN for NaN. The same bits on every machine: it uses no fused multiply-add.
///
/// Inlined, so that a loop of it becomes vector instructions where the surrounding function may use them, as in
/// [`vectorised`].
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(SMALLEST, LARGEST);
    let rounded = x * std::f32::consts::LOG2_E + ROUNDING;
    let n = rounded - ROUNDING;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let q = 0.499_999_94 + r * (0.166_665_2 + r * (0.041_668_393 + r * (0.008_368_781 + r * 0.001_381_446_7)));
    let e = 1.0 + (r + r * r * q);
    // 2^(n − 1) from its bits: 0 for n = −126, and n = 128 overflows with the factor 2 only.
    let exponent = rounded.to_bits().wrapping_sub(ROUNDING.to_bits()).wrapping_add(126);
    (e + e) * f32::from_bits(exponent << 23)
}

/// [`exp`] of every value, with the machine's widest vectors.
///
/// ```
/// let mut values = [0.0, 1.0, f32::NEG_INFINITY];
/// corr_volume::exponential::exp_in_place(&mut values);
/// assert_eq!(values, [1.0, std::f32::consts::E, 0.0]);
/// ```
pub fn exp_in_place(values: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || values.iter_mut().for_each(|value| *value = exp(*value)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance from the exact result in units of its last place.
    fn error(x: f32) -> f64 {
        let exact = f64::from(x).exp();
        let unit = 2f64.powi(exact.log2().floor() as i32 - 23);
        (f64::from(exp(x)) - exact).abs() / unit
    }

    #[test]
    fn within_two_units_in_the_last_place() {
        let mut worst = (0.0, 0.0);
        // Every 97th float between the two ends, and both sides of every half multiple of ln 2, where n changes.
        let ends = [(0.0f32, 88.72f32), (-0.0, -86.9)];
        for (from, to) in ends {
            for bits in (from.to_bits()..to.to_bits()).step_by(97) {
                let x = f32::from_bits(bits);
                worst = if error(x) > worst.0 { (error(x), x) } else { worst };
            }
        }
        for half in -250..256 {
            let edge = half as f32 * 0.5 * std::f32::consts::LN_2;
            for x in [edge.next_down(), edge, edge.next_up()] {
                worst = if error(x) > worst.0 { (error(x), x) } else { worst };
            }
        }
        assert!(worst.0 <= 2.0, "{} units at {}", worst.0, worst.1);
    }

    #[test]
    fn ends_are_zero_infinity_and_one() {
        for x in [f32::NEG_INFINITY, f32::MIN, -1e4, -103.0, -87.4] {
            assert_eq!(exp(x), 0.0, "exp({x})");
        }
        for x in [88.73, 89.0, 1e4, f32::MAX, f32::INFINITY] {
            assert_eq!(exp(x), f32::INFINITY, "exp({x})");
        }
        assert!(exp(88.72).is_finite() && exp(-86.9) > 0.0);
        for x in [0.0, -0.0, f32::MIN_POSITIVE, 1e-45] {
            assert_eq!(exp(x), 1.0, "exp({x})");
        }
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn a_slice_of_any_length_has_the_bits_of_single_numbers() {
        for length in [0, 1, 15, 16, 17, 400, 1003] {
            let values: Vec<f32> = (0..length).map(|k| (k as f32 * 0.77).sin() * 90.0).collect();
            let mut together = values.clone();
            exp_in_place(&mut together);
            let single: Vec<f32> = values.iter().map(|x| exp(*x)).collect();
            assert_eq!(together, single);
        }
    }
}
