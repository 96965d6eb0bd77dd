//! What the C library's allocator does with memory that is freed.

/// Has glibc keep freed memory for the next allocation.
///
/// By itself it asks the system for every large buffer and returns it at once, so that each step of training has its pages
/// mapped, zeroed and unmapped anew; unmapping interrupts every core. A training step on two cores takes a tenth to a third
/// longer that way (LAB.md). The peak of the resident set is hardly changed. Elsewhere this does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Blocks from this size on are mapped one by one; this is the most that glibc takes.
        const MMAP_THRESHOLD: (i32, i32) = (-3, 32 << 20);
        /// More free memory than this at the end of the heap is given back.
        const TRIM_THRESHOLD: (i32, i32) = (-1, 256 << 20);
        unsafe extern "C" {
            fn mallopt(parameter: i32, value: i32) -> i32;
        }
        for (parameter, value) in [MMAP_THRESHOLD, TRIM_THRESHOLD] {
            // SAFETY: glibc's own function of this signature; `main` calls this before any other thread is started.
            unsafe { mallopt(parameter, value) };
        }
    }
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
