//! Loops compiled for the widest vectors that the machine has.

use pulp::{Arch, NullaryFnOnce};

/// Runs a task in a function that may use every vector instruction of the machine it runs on: AVX-512, AVX2 or NEON where
/// there is one.
///
/// The compiler vectorises what is inlined into that function and nothing else: the closure itself and every function
/// that it calls in a loop have to be `#[inline(always)]`.
///
/// ```
/// let mut values = vec![1.0f32; 100];
/// corr_volume::vectorised(
///     #[inline(always)]
///     || values.iter_mut().for_each(|value| *value *= 2.0),
/// );
/// assert_eq!(values, [2.0; 100]);
/// ```
pub fn vectorised<R>(task: impl FnMut() -> R) -> R {
    Arch::new().dispatch(Task(task))
}

/// A closure handed over as `FnOnce` is called through a shim of the compiler's, which is not inlined: its loops then get
/// the instructions of the oldest machine. Calling it as `FnMut` needs no shim.
struct Task<F>(F);

impl<R, F: FnMut() -> R> NullaryFnOnce for Task<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}
