//! What a file is that is no image of a format that is read here, by its first bytes: so that a message can say it.
//!
//! ```text
//! HEIC, AVIF, MP4   length "ftyp" brand version (compatible brand)*      ISO/IEC 14496-12, §4.3
//! JPEG XL           FF 0A, or a box "JXL "                              ISO/IEC 18181-2, §9
//! JPEG 2000         FF 4F FF 51, or a box "jP  "                        ISO/IEC 15444-1, annex I
//! ```

use crate::decode::Refusal;

/// So many bytes are searched for what a text is.
const TEXT_BYTES: usize = 1024;

const FETCH_AGAIN: &str = "a server may have sent it in place of the image: fetch the image again";

/// The refusal of bytes that are known for something else than an image that can be read.
pub(crate) fn refusal(bytes: &[u8]) -> Option<Refusal> {
    if let Some(format) = unread_format(bytes) {
        return Some(Refusal::UnsupportedFormat { format: format.to_owned() });
    }
    let (what, advice) = document(bytes)?;
    Some(Refusal::Document { what, advice })
}

/// The name of an image format that is not read here.
fn unread_format(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => return format_of_brands(bytes),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => "JPEG XL",
        [0xff, 0x4f, 0xff, 0x51, ..] | [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => "JPEG 2000",
        [b'I', b'I', b'+', 0, ..] | [b'M', b'M', 0, b'+', ..] => "BigTIFF",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop document",
        _ if text(bytes).is_some_and(|text| is_markup(&text, "<svg")) => "SVG",
        _ => return None,
    })
}

/// The format of a file of boxes by its brand, or by those that it says it is compatible with.
fn format_of_brands(bytes: &[u8]) -> Option<&'static str> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let brands = bytes.get(8..length.min(bytes.len()).min(TEXT_BYTES))?;
    let mut known = brands.chunks_exact(4).enumerate().filter(|(place, _)| *place != 1);
    let named = known.find_map(|(_, brand)| match brand {
        b"avif" | b"avis" => Some("AVIF"),
        [b'h', b'e', b'i' | b'v', ..] => Some("HEIC"),
        b"crx " => Some("a camera's raw file (CR3)"),
        _ => None,
    });
    named.or_else(|| matches!(brands, [b'm', b'i' | b's', b'f', b'1', ..]).then_some("HEIF"))
}

/// What a file is that holds no image by itself, and what to do.
fn document(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] | [0x1a, 0x45, 0xdf, 0xa3, ..] => {
            ("a video", "save a frame of it as JPEG")
        }
        [b'%', b'P', b'D', b'F', ..] => ("a PDF", "export its picture as JPEG"),
        [b'%', b'!', b'P', b'S', ..] => ("PostScript", "export its picture as JPEG"),
        [b'P', b'K', 3, 4, ..] | [0x1f, 0x8b, ..] | [b'R', b'a', b'r', b'!', ..] => ("an archive", "unpack it"),
        _ => {
            let text = text(bytes)?;
            if text.starts_with("version https://git-lfs") {
                ("a pointer of Git LFS", "fetch the image with `git lfs pull`")
            } else if ["<html", "<!doctype html", "<head", "<body", "<script"].iter().any(|tag| is_markup(&text, tag)) {
                ("an HTML page", FETCH_AGAIN)
            } else if text.starts_with("<?xml") {
                ("an XML document", FETCH_AGAIN)
            } else {
                return None;
            }
        }
    })
}

/// The beginning of a text in lower case, without byte order mark and white space in front.
fn text(bytes: &[u8]) -> Option<String> {
    let beginning = &bytes[..bytes.len().min(TEXT_BYTES)];
    if beginning.contains(&0) {
        return None;
    }
    let text = String::from_utf8_lossy(beginning).to_ascii_lowercase();
    Some(text.trim_start_matches('\u{feff}').trim_start().to_owned())
}

/// Whether a text is markup and has this tag near its beginning.
fn is_markup(text: &str, tag: &str) -> bool {
    text.starts_with(tag) || (text.starts_with("<?xml") || text.starts_with("<!")) && text.contains(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_documents_are_called_by_their_names() {
        for (bytes, expected) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "is HEIC, which is not read here; convert it"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif", "is AVIF, which"),
            (b"\0\0\0\x14ftypheix\0\0\0\0", "is HEIC, which"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "is a video"),
            (b"\xff\x0a\xfa\x1f", "is JPEG XL"),
            (b"\0\0\0\x0cjP  \r\n\x87\n", "is JPEG 2000"),
            (b"<?xml version=\"1.0\"?>\n<!-- drawn -->\n<svg xmlns=\"", "is SVG"),
            (b"%PDF-1.7", "is a PDF and no image, whatever its name says; export its picture as JPEG"),
            (b"\xef\xbb\xbf\n <!DOCTYPE HTML PUBLIC", "is an HTML page and no image"),
            (b"<html>404 not found</html>", "fetch the image again"),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied", "is an XML document"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ] {
            let message = refusal(bytes).unwrap_or_else(|| panic!("{expected}: not known")).to_string();
            assert!(message.contains(expected), "`{expected}` is not in: {message}");
        }
        for bytes in [&b""[..], b"404: not found", b"\x89PNG", b"\0\0\0\xffftyp", b"\xff\xd8\xff"] {
            assert!(refusal(bytes).is_none_or(|refusal| refusal.to_string().contains("video")), "{bytes:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_asked(bytes in "(....ftyp)?[ -~]{0,40}|\\PC{0,20}") {
            drop(refusal(bytes.as_bytes()));
        }
    }
}
