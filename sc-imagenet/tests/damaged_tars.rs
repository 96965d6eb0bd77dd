//! Tars that are cut, flipped, or mean harm.

use std::fs;
use std::path::Path;

use image::ImageFormat;
use proptest::prelude::*;
use sc_imagenet::{DecodeLimits, ImageSource, SourceError};

#[path = "made/tars.rs"]
mod made;
use made::{classes, header, picture, shards, tar, tar_of_tars};

fn open_bytes(folder: &Path, bytes: &[u8]) -> Result<ImageSource, SourceError> {
    let path = folder.join("x.tar");
    fs::write(&path, bytes).unwrap();
    ImageSource::open(&path, &[])
}

#[test]
fn a_tar_that_is_cut_says_at_which_byte_wherever_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let forms = [tar_of_tars(&classes()), shards(&classes(), 1, |_, class| class.to_owned()).remove(0)];
    for whole in forms {
        // Two blocks of zeros close a tar, of which one is enough.
        let enough = whole.len() - 512;
        let cuts = (1..enough).step_by(97).chain((512..enough).step_by(512)).chain([enough - 1]);
        for cut in cuts {
            let message = open_bytes(folder.path(), &whole[..cut]).unwrap_err().to_string();
            let expected = format!("the tar is truncated: it ends at byte {cut}");
            assert!(message.contains(&expected), "`{expected}` is not in: {message}");
        }
        assert!(open_bytes(folder.path(), &whole[..enough]).is_ok());
        assert!(
            open_bytes(folder.path(), &[whole.as_slice(), b"what is behind is nobody's business"].concat()).is_ok()
        );
    }
}

#[test]
fn a_tar_cut_short_within_a_whole_tar_is_found_too() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(1, ImageFormat::Jpeg);
    let inner = tar(&[("1.jpg", &image), ("2.jpg", &image)]);
    let cut = &inner[..512 + image.len() + 100];
    let message = open_bytes(folder.path(), &tar(&[("cup.tar", cut)])).unwrap_err().to_string();
    let end = 512 + cut.len();
    assert!(message.contains(&format!("it ends at byte {end}")), "byte {end} of the file is not in: {message}");
}

#[test]
fn a_damaged_member_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let good = picture(1, ImageFormat::Jpeg);
    let cut = &good[..good.len() / 2];
    let inner = tar(&[("cup_1.JPEG", &good), ("cup_2.JPEG", cut), ("cup_3.JPEG", b""), ("cup_4.JPEG", b"404")]);
    let source = open_bytes(folder.path(), &tar(&[("cup.tar", &inner)])).unwrap();
    let decoded: Vec<_> = (0..4).map(|image| source.decode(image, &DecodeLimits::default())).collect();
    assert!(decoded[0].is_ok());
    for (result, expected) in decoded[1..].iter().zip([
        "x.tar/cup.tar/cup_2.JPEG: is a truncated JPEG",
        "x.tar/cup.tar/cup_3.JPEG: is empty",
        "x.tar/cup.tar/cup_4.JPEG: is not an image",
    ]) {
        let message = result.as_ref().unwrap_err().to_string();
        assert!(message.contains(expected), "`{expected}` is not in: {message}");
    }
    let limits = DecodeLimits { max_file_bytes: 10, ..DecodeLimits::default() };
    assert!(source.read(0, &limits).unwrap_err().to_string().contains("the limit is 10"));
}

#[test]
fn a_tar_that_shrinks_after_it_was_listed_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = tar_of_tars(&classes());
    let source = open_bytes(folder.path(), &whole).unwrap();
    fs::write(folder.path().join("x.tar"), &whole[..600]).unwrap();
    let message = source.read(8, &DecodeLimits::default()).unwrap_err().to_string();
    assert!(message.contains("n01440764_9.JPEG: cannot be read"), "{message}");
}

#[test]
fn paths_that_lead_out_of_a_tar_are_reported_and_never_read() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(1, ImageFormat::Jpeg);
    let names = ["../x.jpg", "/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:\\x.jpg"];
    let mut members: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, image.as_slice())).collect();
    members.push(("good.jpg", &image));
    let inner = tar(&members);

    let source = open_bytes(folder.path(), &tar(&[("../evil.tar", &inner), ("cup.tar", &inner)])).unwrap();
    assert_eq!(source.images().len(), 1);
    let refused: Vec<&str> = source.refused().iter().map(|image| image.path.as_str()).collect();
    let mut expected: Vec<String> = names.iter().map(|name| format!("cup.tar: {name}")).collect();
    expected.push("../evil.tar".to_owned());
    expected.sort();
    assert_eq!(refused, expected);
    assert!(source.refused().iter().all(|image| image.reason.contains("leads out of the tar")));

    members.push(("good.cls", b"cup"));
    members.push(("../x.cls", b"cup"));
    let source = open_bytes(folder.path(), &tar(&members)).unwrap();
    assert_eq!((source.images().len(), source.refused().len()), (1, 6));
}

#[test]
fn links_and_folders_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let image = picture(1, ImageFormat::Jpeg);
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind) in
        [(b"a.jpg", tar::EntryType::Symlink), (b"b.jpg", tar::EntryType::Link), (b"c.jpg", tar::EntryType::Directory)]
    {
        let mut header = header(name, 0);
        header.set_entry_type(kind);
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
        header.set_cksum();
        builder.append(&header, &[][..]).unwrap();
    }
    builder.append(&header(b"d.jpg", image.len()), image.as_slice()).unwrap();
    let inner = builder.into_inner().unwrap();
    let source = open_bytes(folder.path(), &tar(&[("cup.tar", &inner)])).unwrap();
    assert_eq!(source.images().len(), 1);
    assert_eq!(source.images()[0].id(), "d");
}

#[test]
fn a_name_without_end_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = header(b"././@LongLink", 1 << 20);
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(&header, vec![b'a'; 1 << 20].as_slice()).unwrap();
    let message = open_bytes(folder.path(), &builder.into_inner().unwrap()).unwrap_err().to_string();
    assert!(message.contains("damaged at byte 0 (a name of 1048576 bytes)"), "{message}");
}

/// Whatever comes of it, every image that is listed is one that can be asked for.
fn ask_for_everything(source: Result<ImageSource, SourceError>) {
    match source {
        Ok(source) => {
            for image in 0..source.images().len() {
                let _ = source.decode(image, &DecodeLimits::default());
                assert_eq!(source.find(source.class_name(image), source.images()[image].id()), Some(image));
            }
        }
        Err(error) => drop(error.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn flipped_bits_are_no_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6), web: bool) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = match web {
            true => shards(&classes(), 1, |_, class| class.to_owned()).remove(0),
            false => tar_of_tars(&classes()),
        };
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        ask_for_everything(open_bytes(folder.path(), &bytes));
    }

    /// Headers whose checksum holds, with any kind, size and name.
    #[test]
    fn any_headers_are_no_panic(
        members in prop::collection::vec(
            (prop::sample::select(&b"0\x001257SLKxgD"[..]), 0_u64..3000, "[a./\\-]{0,6}(.jpg|.cls|.tar|)", any::<bool>()), 1..8,
        ),
        content in prop::collection::vec(any::<u8>(), 0..6000),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        let mut content = content.into_iter();
        for (kind, size, name, huge) in members {
            let mut header = header(name.as_bytes(), size as usize);
            header.set_entry_type(tar::EntryType::new(kind));
            if huge {
                header.set_size(size << 50);
            }
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend(content.by_ref().take(size as usize));
            bytes.resize(bytes.len().div_ceil(512) * 512, 0);
        }
        ask_for_everything(open_bytes(folder.path(), &bytes));
    }
}
