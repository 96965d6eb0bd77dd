//! The most memory that an operation holds beyond what was resident before it.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::operations::Run;
use crate::allocator::give_back_free_memory;

/// An operation's memory, in the PyTorch script's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// The operation.
    pub op: String,
    /// Peak resident set over what was resident before, MiB; `None` where the system does not say.
    pub peak_extra_mib: Option<f64>,
}

/// Runs an operation once, without warming up, and asks the system for the peak of the resident set.
///
/// On Linux alone. What preparing the inputs has freed is given back first, since the operation would otherwise use it
/// and seem to need less. Where the peak cannot be reset, its growth is what is measured.
///
/// # Errors
///
/// Those of the operation.
pub fn measure(op: &str, mut run: Run) -> Result<Held> {
    give_back_free_memory();
    forget_peak();
    let before = peak_mib();
    run()?;
    let after = peak_mib();
    let peak_extra_mib = before.zip(after).map(|(before, after)| (after - before).max(0.0));
    Ok(Held { op: op.to_owned(), peak_extra_mib })
}

/// The largest resident set so far, MiB.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

/// Sets the largest resident set to the present one.
fn forget_peak() {
    // Not every system has this file, or permits it.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_that_is_held_for_a_moment_is_seen() {
        const MIB: usize = 1 << 20;
        let run: Run = Box::new(|| {
            // Every page is written to.
            drop(std::hint::black_box(vec![1u8; 64 * MIB]));
            Ok(())
        });
        // Other tests of this process may take and return memory meanwhile.
        let held = measure("test", run).unwrap().peak_extra_mib.unwrap();
        assert!(held > 48.0, "{held} MiB");
    }
}
