//! Thin-plate splines on a square grid of control points.

/// A displacement field that takes given values at control points and bends least in between.
///
/// ```text
/// t(p) = a_0 + a_1 x + a_2 y + Σ_k w_k U(|p − c_k|),  U(r) = r² ln r
/// ```
///
/// with the k×k control points c evenly over [−1, 1]² (Bookstein, 1989).
#[derive(Debug, Clone, PartialEq)]
pub struct ThinPlate {
    controls: Vec<[f64; 2]>,
    /// (x, y) coefficients: one for every control point, then those of 1, x and y.
    coefficients: Vec<[f64; 2]>,
}

impl ThinPlate {
    /// The spline through the displacements, row-major over a square grid of control points.
    ///
    /// # Panics
    ///
    /// If there are not side² displacements of a side of at least 2, or one is not finite.
    pub fn through(displacements: &[[f64; 2]]) -> Self {
        let count = displacements.len();
        let side = count.isqrt();
        assert!(
            side >= 2 && side * side == count,
            "a square grid of at least 2×2 control points, not {count} displacements"
        );
        assert!(
            displacements.iter().flatten().all(|d| d.is_finite()),
            "displacements are finite, not {displacements:?}"
        );
        let place = |index: usize| 2.0 * index as f64 / (side - 1) as f64 - 1.0;
        let controls: Vec<[f64; 2]> = (0..count).map(|k| [place(k % side), place(k / side)]).collect();
        let size = count + 3;
        let mut system = vec![vec![0.0; size + 2]; size];
        for (row, control) in controls.iter().enumerate() {
            for (column, other) in controls.iter().enumerate() {
                system[row][column] = bend(*control, *other);
            }
            for (k, value) in [1.0, control[0], control[1]].into_iter().enumerate() {
                system[row][count + k] = value;
                system[count + k][row] = value;
            }
            system[row][size..].copy_from_slice(&displacements[row]);
        }
        Self { controls, coefficients: solve(system) }
    }

    /// The displacement at a point.
    pub fn at(&self, point: [f64; 2]) -> [f64; 2] {
        let (bends, plane) = self.coefficients.split_at(self.controls.len());
        let mut sum = [0, 1].map(|axis| plane[0][axis] + plane[1][axis] * point[0] + plane[2][axis] * point[1]);
        for (control, coefficient) in self.controls.iter().zip(bends) {
            let bend = bend(point, *control);
            sum[0] += coefficient[0] * bend;
            sum[1] += coefficient[1] * bend;
        }
        sum
    }
}

fn bend(a: [f64; 2], b: [f64; 2]) -> f64 {
    let squared = (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
    if squared > 0.0 { 0.5 * squared * squared.ln() } else { 0.0 }
}

/// Gauss–Jordan with row pivoting of a system with two right-hand sides in its last columns.
///
/// The system of a thin-plate spline through distinct points that are not on one line is regular.
fn solve(mut system: Vec<Vec<f64>>) -> Vec<[f64; 2]> {
    let size = system.len();
    for column in 0..size {
        let pivot = (column..size)
            .max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs()))
            .unwrap_or(column);
        system.swap(column, pivot);
        let pivot_row = system[column].clone();
        for (row, values) in system.iter_mut().enumerate() {
            if row != column {
                let factor = values[column] / pivot_row[column];
                for (value, pivot) in values.iter_mut().zip(&pivot_row) {
                    *value -= factor * pivot;
                }
            }
        }
    }
    let solution = |(row, values): (usize, &Vec<f64>)| [values[size] / values[row], values[size + 1] / values[row]];
    system.iter().enumerate().map(solution).collect()
}
