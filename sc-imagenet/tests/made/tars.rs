//! Tars of images, made byte by byte where the library would refuse.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use tar::{Builder, EntryType, Header};

/// A class's images: ids without the class in front, and bytes.
pub type Classes = Vec<(String, Vec<(String, Vec<u8>)>)>;

/// An encoded image that differs by `shade`.
pub fn picture(shade: u8, format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(24, 18, |x, y| Rgb([shade, (x * 9) as u8, (y * 13) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Three classes with a few images each.
#[allow(dead_code)]
pub fn classes() -> Classes {
    ["n01440764", "cup", "lamp"]
        .into_iter()
        .zip([4_u8, 3, 2])
        .map(|(class, count)| {
            let image = |i: u8| (format!("{}", 10 - i), picture(i * 20 + count, ImageFormat::Jpeg));
            (class.to_owned(), (0..count).map(image).collect())
        })
        .collect()
}

/// A header for `size` bytes under a name that nobody checks.
pub fn header(name: &[u8], size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    header
}

/// A tar of these members, in this order.
pub fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, bytes) in members {
        if name.len() < 100 {
            builder.append(&header(name.as_bytes(), bytes.len()), *bytes).unwrap();
        } else {
            let mut header = header(b"", bytes.len());
            builder.append_data(&mut header, name, *bytes).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// As ILSVRC has them: files `<class>_<id>.JPEG` in tars `<class>.tar` in a tar.
#[allow(dead_code)]
pub fn tar_of_tars(classes: &Classes) -> Vec<u8> {
    let inner: Vec<(String, Vec<u8>)> = classes
        .iter()
        .map(|(class, images)| {
            let names: Vec<String> = images.iter().map(|(id, _)| format!("{class}_{id}.JPEG")).collect();
            let members: Vec<(&str, &[u8])> =
                names.iter().zip(images).map(|(name, (_, bytes))| (name.as_str(), bytes.as_slice())).collect();
            (format!("{class}.tar"), tar(&members))
        })
        .collect();
    tar(&inner.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>())
}

/// `count` shards, samples dealt out in turn; what `class_text` says is in the `.cls`.
#[allow(dead_code)]
pub fn shards(classes: &Classes, count: usize, class_text: impl Fn(usize, &str) -> String) -> Vec<Vec<u8>> {
    let mut members: Vec<Vec<(String, Vec<u8>)>> = vec![Vec::new(); count];
    let samples = classes
        .iter()
        .enumerate()
        .flat_map(|(number, (class, images))| images.iter().map(move |(id, bytes)| (number, class, id, bytes)));
    for (sample, (number, class, id, bytes)) in samples.enumerate() {
        let shard = &mut members[sample % count];
        shard.push((format!("{class}_{id}.cls"), class_text(number, class).into_bytes()));
        shard.push((format!("{class}_{id}.jpg"), bytes.clone()));
    }
    let refs = |shard: &Vec<(String, Vec<u8>)>| {
        tar(&shard.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect::<Vec<_>>())
    };
    members.iter().map(refs).collect()
}

/// As class folders.
#[allow(dead_code)]
pub fn folders(root: &Path, classes: &Classes) {
    for (class, images) in classes {
        fs::create_dir_all(root.join(class)).unwrap();
        for (id, bytes) in images {
            fs::write(root.join(class).join(format!("{class}_{id}.JPEG")), bytes).unwrap();
        }
    }
}
