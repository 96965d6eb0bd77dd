//! WebDataset shards: tars whose members belong together where they share a key, the path up to the first dot.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use super::listing::Listing;
use super::tar_members::{inner_path, is_hidden, walk};
use super::{ImageSource, Place, SourceError, SourceForm};

const IMAGE_FIELDS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// The most bytes that the name of a class is read from.
const MOST_CLASS_BYTES: u64 = 4096;

/// What one key of a shard has.
#[derive(Default)]
struct Sample {
    /// The image's path and its bytes; more than one cannot be told apart.
    images: Vec<(String, Range<u64>)>,
    class: Option<Range<u64>>,
}

impl ImageSource {
    /// The images of WebDataset shards: `<key>.jpg` (or `.jpeg`, `.png`, `.webp`) with `<key>.cls`, the class as text.
    ///
    /// A class that is a number is looked up in `class_names` where there are any, and is a name like any other where
    /// there are none. The id of an image is the key without its folders. Fields of other kinds are passed over.
    ///
    /// # Errors
    ///
    /// [`SourceError`], where a shard cannot be read, is truncated or damaged, or no image is in any of them.
    pub fn web_dataset(shards: &[PathBuf], class_names: &[String]) -> Result<Self, SourceError> {
        let mut listing = Listing::default();
        for (number, path) in (0..).zip(shards) {
            list_shard(path, number, class_names, &mut listing)?;
        }
        listing.finish(SourceForm::WebDataset, shards.to_vec())
    }
}

fn list_shard(path: &Path, number: u32, class_names: &[String], listing: &mut Listing) -> Result<(), SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let shard = path.file_name().unwrap_or_default().to_string_lossy();

    // By key and not by neighbourhood: a tar of all images and then all classes is as good.
    let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
    walk(&file, path, 0..length, |member| {
        match inner_path(&member.path) {
            Ok(name) if is_hidden(name) => {}
            Ok(name) => {
                let stem = first_stem(name);
                let field = name.get(stem.end + 1..).unwrap_or_default().to_ascii_lowercase();
                let key = &name[..stem.end];
                if IMAGE_FIELDS.contains(&field.as_str()) {
                    let sample = samples.entry(key.to_owned()).or_default();
                    sample.images.push((name.to_owned(), member.bytes));
                } else if field == "cls" {
                    samples.entry(key.to_owned()).or_default().class = Some(member.bytes);
                }
            }
            Err((name, reason)) => listing.refuse(format!("{shard}: {name}"), reason),
        }
        ControlFlow::Continue(())
    })?;

    for (key, sample) in samples {
        let mut refuse = |reason: &str| listing.refuse(format!("{shard}: {key}"), reason.to_owned());
        let (name, bytes) = match &sample.images[..] {
            [image] => image,
            // a class without an image is a sample of something else
            [] => continue,
            _ => {
                refuse("has more than one image under one key; give each a key of its own");
                continue;
            }
        };
        let Some(class) = sample.class else {
            refuse("has no `.cls` beside it, so that its class is not known");
            continue;
        };
        let text = match class_text(&file, class).map_err(unreadable)? {
            Ok(text) => text,
            Err(reason) => {
                refuse(reason);
                continue;
            }
        };
        let class = match text.parse::<usize>() {
            Ok(index) if !class_names.is_empty() => match class_names.get(index) {
                Some(name) => name,
                None => {
                    refuse(&format!("is of class {index}, and only {} classes are named", class_names.len()));
                    continue;
                }
            },
            _ => &text,
        };
        let place = Place::Slice { file: number, offset: bytes.start, length: bytes.end - bytes.start };
        listing.add(class, name, first_stem(name), place);
    }
    Ok(())
}

/// The text of a `.cls` member, or why it is none.
fn class_text(mut file: &File, bytes: Range<u64>) -> io::Result<Result<String, &'static str>> {
    if bytes.end - bytes.start > MOST_CLASS_BYTES {
        return Ok(Err("has a `.cls` that is too long for the name of a class"));
    }
    file.seek(SeekFrom::Start(bytes.start))?;
    let mut content = vec![0; (bytes.end - bytes.start) as usize];
    file.read_exact(&mut content)?;
    Ok(String::from_utf8(content).map(|text| text.trim().to_owned()).map_err(|_| "has a `.cls` that is not UTF-8 text"))
}

/// The part of a path behind its folders and in front of its first dot.
fn first_stem(path: &str) -> Range<usize> {
    let start = path.rfind('/').map_or(0, |slash| slash + 1);
    let end = path[start..].find('.').map_or(path.len(), |dot| start + dot);
    start..end
}
