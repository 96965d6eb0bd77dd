//! What an image file says about itself before a pixel is decoded: its size, and whether it ends where it should.
//!
//! Decoders are lenient: a JPEG cut in the middle decodes without an error, its missing part filled with grey, and a
//! PNG decoder may stop before it notices that the end is not there. Here the outer structure of the file is walked
//! instead, which costs no memory and needs no decoding:
//!
//! ```text
//! JPEG   SOI (marker length payload)* with entropy-coded data after each SOS, up to EOI     ITU-T T.81, annex B
//! PNG    signature (length type payload crc)*, up to IEND                                    PNG 3rd edition, §5
//! WebP   "RIFF" length "WEBP" …, the length covering the file                                RFC 9649, §2.4
//! BMP    nothing to walk: a short pixel array is an error of the decoder
//! ```
//!
//! Segments are stepped over by their length, so the end marker of a thumbnail embedded in a JPEG's metadata is never
//! mistaken for the end of the image. Bytes after the end are nobody's business.

use image::ImageFormat;

/// The outer structure of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Container {
    /// `(width, height)` as the header has them, before any orientation; `None` where the header is not reached, and
    /// for formats whose header only the decoder reads.
    pub(crate) declared: Option<(u32, u32)>,
    /// Whether the file reaches the end that its format prescribes.
    pub(crate) complete: bool,
}

/// Walks the structure of `bytes`, an image of the given format.
pub(crate) fn inspect(bytes: &[u8], format: ImageFormat) -> Container {
    match format {
        ImageFormat::Jpeg => inspect_jpeg(bytes),
        ImageFormat::Png => inspect_png(bytes),
        ImageFormat::WebP => Container {
            declared: None,
            complete: webp_length(bytes).is_some_and(|length| length <= bytes.len() as u64),
        },
        _ => Container { declared: None, complete: true },
    }
}

fn inspect_jpeg(bytes: &[u8]) -> Container {
    let mut declared = None;
    let mut scan_seen = false;
    let mut at = 2;
    while let Some((code, payload)) = next_jpeg_marker(bytes, at) {
        at = payload;
        match code {
            0xd9 => {
                return Container { declared, complete: scan_seen };
            }
            // Everything from SOF0 to COM that is followed by a length. What is left over (TEM, a second SOI, reserved
            // codes) stands alone or is damage in the data of a scan: the walk goes on behind it.
            0xc0..=0xcf | 0xda..=0xef | 0xfe => {
                let Some(length) = be_u16(bytes, payload) else {
                    break;
                };
                let is_frame = matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc);
                if is_frame && let (Some(h), Some(w)) = (be_u16(bytes, at + 3), be_u16(bytes, at + 5)) {
                    declared = Some((u32::from(w), u32::from(h)));
                }
                scan_seen |= code == 0xda;
                at += usize::from(length);
            }
            _ => {}
        }
    }
    Container { declared, complete: false }
}

/// The next marker at or after `from`, as (code, index behind it). Entropy-coded data is passed over: in it 0xFF is
/// followed by 0x00 (a stuffed byte) or by a restart code.
fn next_jpeg_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xff)? + 1;
        match *bytes.get(at)? {
            0xff => {}
            0x00 | 0xd0..=0xd7 => at += 1,
            code => return Some((code, at + 1)),
        }
    }
}

fn inspect_png(bytes: &[u8]) -> Container {
    let mut declared = None;
    let mut at: usize = 8;
    while let (Some(length), Some(kind)) = (be_u32(bytes, at), bytes.get(at + 4..at + 8)) {
        if kind == b"IHDR" {
            declared = be_u32(bytes, at + 8).zip(be_u32(bytes, at + 12));
        }
        // length, type and checksum take twelve bytes
        let end = (at as u64) + u64::from(length) + 12;
        if end > bytes.len() as u64 {
            break;
        }
        if kind == b"IEND" {
            return Container { declared, complete: true };
        }
        at = end as usize;
    }
    Container { declared, complete: false }
}

/// Bytes of the whole file as the RIFF header has them.
fn webp_length(bytes: &[u8]) -> Option<u64> {
    let field: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    Some(u64::from(u32::from_le_bytes(field)) + 8)
}

fn be_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SOI, a segment holding `payload`, a frame of 3×2, a scan with `data`, then `end`.
    fn jpeg(payload: &[u8], data: &[u8], end: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1];
        bytes.extend((payload.len() as u16 + 2).to_be_bytes());
        bytes.extend(payload);
        bytes.extend([0xff, 0xc0, 0, 8, 8, 0, 2, 0, 3, 1]);
        bytes.extend([0xff, 0xda, 0, 2]);
        bytes.extend(data);
        bytes.extend(end);
        bytes
    }

    #[test]
    fn end_of_image_ends_a_jpeg() {
        let whole = jpeg(b"xx", &[1, 0xff, 0, 0xff, 0xd3, 7], &[0xff, 0xd9, 1, 2, 3]);
        let found = inspect_jpeg(&whole);
        assert_eq!(found.declared, Some((3, 2)));
        assert!(found.complete, "bytes behind the end are ignored");
        for cut in 2..whole.len() - 3 {
            assert!(!inspect_jpeg(&whole[..cut]).complete, "cut at {cut}");
        }
    }

    #[test]
    fn the_end_of_an_embedded_thumbnail_does_not_count() {
        let thumbnail = jpeg(b"", &[5], &[0xff, 0xd9]);
        assert!(!inspect_jpeg(&jpeg(&thumbnail, &[1, 2], &[])).complete);
        assert!(inspect_jpeg(&jpeg(&thumbnail, &[1, 2], &[0xff, 0xd9])).complete);
    }

    #[test]
    fn damage_in_a_scan_that_looks_like_a_marker_is_passed_over() {
        assert!(inspect_jpeg(&jpeg(b"", &[0xff, 0x02, 9, 9], &[0xff, 0xd9])).complete);
    }

    #[test]
    fn a_jpeg_without_a_scan_is_not_complete() {
        assert!(!inspect_jpeg(&[0xff, 0xd8, 0xff, 0xd9]).complete);
    }

    proptest::proptest! {
        /// Markers and lengths are common enough among these bytes for the walk to be led everywhere.
        #[test]
        fn any_bytes_can_be_inspected(
            bytes in proptest::collection::vec(proptest::sample::select(&[0_u8, 1, 2, 8, 0xc0, 0xd0, 0xd9, 0xda, 0xff][..]), 0..64),
        ) {
            for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
                inspect(&bytes, format);
            }
        }
    }

    #[test]
    fn a_chunk_length_beyond_the_file_is_not_complete() {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        png.extend([0xff, 0xff, 0xff, 0xff]);
        png.extend(b"IDAT");
        assert!(!inspect_png(&png).complete);
    }
}
