//! Headers that promise enormous images are refused at the cost of a header.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use sc_imagenet::{DecodeLimits, decode_bytes};

/// The largest single allocation asked of the system.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut out = (data.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(data);
    let mut crc = u32::MAX;
    for &byte in &out[4..] {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    out.extend((!crc).to_be_bytes());
    out
}

/// Signature and header of an RGB image with valid checksums, nothing else.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]);
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header)].concat()
}

fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8, 0xff, 0xc0, 0, 17, 8];
    out.extend(height.to_be_bytes());
    out.extend(width.to_be_bytes());
    out.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    out.extend([0xff, 0xda, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0, 0xff, 0xd9]);
    out
}

fn webp(width: u32, height: u32) -> Vec<u8> {
    let bits = (width - 1) | ((height - 1) << 14);
    let mut out = b"RIFF".to_vec();
    out.extend(20_u32.to_le_bytes());
    out.extend(b"WEBPVP8L");
    out.extend(8_u32.to_le_bytes());
    out.push(0x2f);
    out.extend(bits.to_le_bytes());
    out.extend([0; 3]);
    out
}

fn bmp(width: i32, height: i32) -> Vec<u8> {
    let mut out = b"BM".to_vec();
    for field in [54_u32, 0, 54, 40] {
        out.extend(field.to_le_bytes());
    }
    out.extend(width.to_le_bytes());
    out.extend(height.to_le_bytes());
    out.extend([1, 0, 24, 0]);
    out.extend([0; 24]);
    out
}

fn gif(screen: [u16; 2], frame: [u16; 2]) -> Vec<u8> {
    let sides = |sides: [u16; 2]| sides.map(u16::to_le_bytes).concat();
    [&b"GIF89a"[..], &sides(screen), &[0, 0, 0, 0x2c, 0, 0, 0, 0], &sides(frame), &[0, 2, 1, 0x4c, 0, 0x3b]].concat()
}

/// A directory of a size, one bit a pixel, in one strip that is not there.
fn tiff(width: u32, height: u32) -> Vec<u8> {
    let mut out = b"II*\0\x08\0\0\0\x08\0".to_vec();
    for (tag, value) in [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (278, height), (279, 8)] {
        out.extend((tag as u16).to_le_bytes());
        out.extend(4_u16.to_le_bytes());
        out.extend(1_u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend([0; 4]);
    out
}

// One test only: the count is the whole process's.
#[test]
fn enormous_headers_cost_nothing() {
    let whole_png = [png_header(20_000, 20_000), chunk(b"IDAT", &[]), chunk(b"IEND", &[])].concat();
    let files = [
        ("PNG header alone", png_header(20_000, 20_000), "20000x20000"),
        ("PNG", whole_png, "20000x20000"),
        ("JPEG", jpeg(65_000, 65_001), "65000x65001"),
        ("WebP", webp(16_383, 16_382), "16383x16382"),
        ("BMP", bmp(20_000, 20_000), "20000x20000"),
        ("BMP from the top", bmp(20_000, -20_000), "20000x20000"),
        ("GIF", gif([20_000, 20_000], [20_000, 20_000]), "20000x20000"),
        ("GIF of a frame beyond its screen", gif([20, 20], [20_000, 20_001]), "20000x20001"),
        ("TIFF", tiff(20_000, 20_000), "20000x20000"),
    ];
    LARGEST.store(0, Ordering::Relaxed);
    for (name, bytes, size) in files {
        let message = decode_bytes(&bytes, &DecodeLimits::default()).unwrap_err().to_string();
        let expected = format!("is {size} by its header, the limit is 64000000 pixels");
        assert!(message.contains(&expected), "{name}: `{expected}` is not in: {message}");
    }
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest < 1 << 20, "{largest} bytes were asked for at once");
}
