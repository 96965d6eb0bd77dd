//! What is held in memory grows by a few bytes an image, whatever the images are.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use sc_imagenet::{ImagePlacement, ImageSource, Journal, Record, Shard};

#[path = "made/data_set.rs"]
mod made;
#[path = "made/tars.rs"]
mod tars;
use made::{MAX_POINTS, identity, image, merge_into, pair};

/// Bytes that are allocated now, and the most there were.
struct Counted;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// What `work` gives back, the bytes that it still holds, and the most that it held.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = NOW.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = work();
    (result, NOW.load(Ordering::Relaxed).saturating_sub(before), MOST.load(Ordering::Relaxed) - before)
}

/// A tar of one class's tar of so many images, each a few bytes of nothing.
fn write_tar(path: &Path, images: u64) {
    let names: Vec<String> = (0..images).map(|id| format!("n01440764_{id}.JPEG")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    fs::write(path, tars::tar(&[("n01440764.tar", &tars::tar(&members))])).unwrap();
}

/// A finished part of so many images with a pair each.
fn write_journal(part: &Path, images: u64) {
    let (mut journal, _) = Journal::open(part, &identity(), Shard::WHOLE, MAX_POINTS).unwrap();
    for number in 0..images {
        let id = |number: u64| format!("{}", number % images);
        let pairs = vec![pair(number, "n01440764", &id(number), &id(number + 1))];
        let judged = Record::Image(image(number, "n01440764", &id(number)));
        journal.append(&[judged, Record::Pairs { source: number, pairs }]).unwrap();
    }
    journal.finish().unwrap();
}

/// What each step takes for so many images: a source held, a journal written, one opened, parts merged.
fn bytes_taken(images: u64) -> [usize; 4] {
    let folder = tempfile::tempdir().unwrap();
    let (tar, part) = (folder.path().join("train.tar"), folder.path().join("part"));
    write_tar(&tar, images);
    let (_, source, _) = measured(|| ImageSource::open(&tar, &[]).unwrap());
    let (_, _, written) = measured(|| write_journal(&part, images));
    let (_, finished, _) = measured(|| Journal::open(&part, &identity(), Shard::WHOLE, MAX_POINTS).unwrap());
    let out = folder.path().join("out");
    let (_, _, merged) = measured(|| merge_into(&out, &[part], ImagePlacement::LeaveOut).unwrap());
    [source, written, finished, merged]
}

// One test only: the count is the whole process's.
#[test]
fn memory_grows_by_little_an_image() {
    bytes_taken(10);
    // more of both than a table of the index holds before it writes them
    let (few, many) = (bytes_taken(5000), bytes_taken(10_000));
    let steps = [("a source", 100.0), ("writing a journal", 1.0), ("an opened journal", 80.0), ("a merge", 400.0)];
    for ((step, most), (few, many)) in steps.into_iter().zip(few.into_iter().zip(many)) {
        assert!(few > 0 && many > 0, "{step} takes no memory: nothing was measured");
        let growth = many.saturating_sub(few) as f64 / 5000.0;
        println!("{step}: {few} bytes for 5,000 images, {many} for 10,000: {growth:.0} an image");
        assert!(growth <= most, "{step} takes {growth:.0} bytes an image, expected at most {most}");
    }
}
