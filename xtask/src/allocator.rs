//! What the C library's allocator does with memory that is freed.

/// Has glibc keep freed memory for the next allocation.
///
/// By itself it asks the system for every large buffer and returns it at once, so that each step of training has its pages
/// mapped, zeroed and unmapped anew; unmapping interrupts every core. A training step on two cores takes a tenth to a third
/// longer that way (LAB.md). The peak of the resident set is hardly changed. Elsewhere this does nothing.
pub fn keep_freed_memory() {
    set_thresholds(32 << 20, 256 << 20);
}

/// Has glibc return large buffers as soon as they are freed, and move what grows instead of copying it: for work whose memory
/// is what it holds, such as lists that grow with the number of images. [`keep_freed_memory`] undoes it.
pub fn return_large_buffers() {
    set_thresholds(128 << 10, 128 << 10);
}

/// From how many bytes on blocks are mapped one by one (32 MiB is the most that glibc takes), and how much free memory at the
/// end of the heap is kept.
fn set_thresholds(mapped_from: i32, kept: i32) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const MMAP_THRESHOLD: i32 = -3;
        const TRIM_THRESHOLD: i32 = -1;
        unsafe extern "C" {
            fn mallopt(parameter: i32, value: i32) -> i32;
        }
        for (parameter, value) in [(MMAP_THRESHOLD, mapped_from), (TRIM_THRESHOLD, kept)] {
            // SAFETY: glibc's own function of this signature; it may be called at any time.
            unsafe { mallopt(parameter, value) };
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = (mapped_from, kept);
}

/// Has glibc return freed memory to the system.
pub fn give_back_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(keep: usize) -> i32;
        }
        // SAFETY: glibc's own function of this signature; it may be called at any time, from any thread.
        unsafe { malloc_trim(0) };
    }
}
