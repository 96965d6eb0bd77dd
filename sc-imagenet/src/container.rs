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
//! GIF    header screen (extension | frame)*, up to the end of the first frame, which is all that is read     GIF89a, §17–22
//! BMP, TIFF  nothing to walk: what is short of its pixels is an error of the decoder
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
    /// Channels of a JPEG; 0 for other formats, and where the header is not reached.
    pub(crate) channels: u8,
    /// Whether a JPEG has the segment by which Adobe's programs say how its colours are stored.
    pub(crate) of_adobe: bool,
}

impl Container {
    fn new(declared: Option<(u32, u32)>, complete: bool) -> Self {
        Self { declared, complete, channels: 0, of_adobe: false }
    }
}

/// Walks the structure of `bytes`, an image of the given format.
pub(crate) fn inspect(bytes: &[u8], format: ImageFormat) -> Container {
    match format {
        ImageFormat::Jpeg => inspect_jpeg(bytes),
        ImageFormat::Png => inspect_png(bytes),
        ImageFormat::WebP => {
            Container::new(None, webp_length(bytes).is_some_and(|length| length <= bytes.len() as u64))
        }
        ImageFormat::Gif => inspect_gif(bytes),
        _ => Container::new(None, true),
    }
}

fn inspect_jpeg(bytes: &[u8]) -> Container {
    let mut found = Container::new(None, false);
    let mut scan_seen = false;
    let mut at = 2;
    while let Some((code, payload)) = next_jpeg_marker(bytes, at) {
        at = payload;
        match code {
            0xd9 => {
                return Container { complete: scan_seen, ..found };
            }
            // Everything from SOF0 to COM that is followed by a length. What is left over (TEM, a second SOI, reserved
            // codes) stands alone or is damage in the data of a scan: the walk goes on behind it.
            0xc0..=0xcf | 0xda..=0xef | 0xfe => {
                let Some(length) = be_u16(bytes, payload) else {
                    break;
                };
                let is_frame = matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc);
                if is_frame && let (Some(h), Some(w)) = (be_u16(bytes, at + 3), be_u16(bytes, at + 5)) {
                    found.declared = Some((u32::from(w), u32::from(h)));
                    found.channels = bytes.get(at + 7).copied().unwrap_or(0);
                }
                found.of_adobe |= code == 0xee && bytes.get(at + 2..at + 7) == Some(b"Adobe");
                scan_seen |= code == 0xda;
                at += usize::from(length);
            }
            _ => {}
        }
    }
    found
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
            return Container::new(declared, true);
        }
        at = end as usize;
    }
    Container::new(declared, false)
}

/// A GIF up to the end of its first frame. Declared is what the screen and that frame take.
fn inspect_gif(bytes: &[u8]) -> Container {
    let screen = le_u16(bytes, 6).zip(le_u16(bytes, 8)).map(|(w, h)| (u32::from(w), u32::from(h)));
    let mut at = 13 + bytes.get(10).map_or(0, |&flags| colour_table(flags));
    loop {
        match bytes.get(at) {
            // an extension: a label and blocks
            Some(0x21) => {
                at = match end_of_blocks(bytes, at + 2) {
                    Some(end) => end,
                    None => return Container::new(screen, false),
                }
            }
            Some(0x2c) => break,
            _ => return Container::new(screen, false),
        }
    }
    let side = |place: usize| le_u16(bytes, at + place).map(u32::from);
    let (Some(left), Some(top), Some(w), Some(h), Some(&flags)) =
        (side(1), side(3), side(5), side(7), bytes.get(at + 9))
    else {
        return Container::new(screen, false);
    };
    let declared = screen.map(|(width, height)| (width.max(left + w), height.max(top + h)));
    // behind the colours a byte that says how the pixels are coded
    Container::new(declared, end_of_blocks(bytes, at + 10 + colour_table(flags) + 1).is_some())
}

/// Bytes of a GIF's table of colours, whose size stands in the last bits of `flags`.
fn colour_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// The place behind blocks that each say their length, the last being empty.
fn end_of_blocks(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length => at += 1 + length,
        }
    }
}

fn le_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
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
            for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
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
