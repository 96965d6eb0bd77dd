//! WebDataset shards: tars whose members belong together where they share a key, the path up to the first dot.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use super::listing::{Listing, last_stem};
use super::tar_members::{Member, inner_path, is_hidden, walk, why_passed_over};
use super::{ImageSource, KeyEnd, Place, SourceError, SourceForm, SourceOptions};
use crate::passed_over::{PassedOver, PassedReason};

/// The most bytes that the name of a class is read from.
const MOST_CLASS_BYTES: u64 = 4096;

/// What one key of a shard has.
#[derive(Default)]
struct Sample {
    /// The image's path and its bytes; more than one cannot be told apart.
    images: Vec<(String, Range<u64>)>,
    /// The bytes of its class's text, and where they are called so.
    classes: Vec<(String, Range<u64>)>,
}

/// The samples of a shard by the number of the tar, where several are joined, and the key.
type Samples = BTreeMap<(u32, String), Sample>;

impl ImageSource {
    /// The images of WebDataset shards; `passed_over` was met beside them.
    pub(super) fn shards(
        shards: &[PathBuf],
        options: &SourceOptions,
        passed_over: PassedOver,
    ) -> Result<Self, SourceError> {
        let mut listing = Listing::default();
        listing.pass_over_all(passed_over);
        for (number, path) in (0..).zip(shards) {
            list_shard(path, number, options, &mut listing)?;
        }
        listing.finish(SourceForm::WebDataset, shards.to_vec())
    }
}

fn list_shard(path: &Path, number: u32, options: &SourceOptions, listing: &mut Listing) -> Result<(), SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let shard = path.file_name().unwrap_or_default().to_string_lossy();

    // By key and not by neighbourhood: a tar of all images and then all classes is as good.
    let mut samples = Samples::new();
    let behind = walk(&file, path, 0..length, |member| {
        sort_in(member, options.keys, &shard, &mut samples, listing);
        ControlFlow::Continue(())
    })?;
    if let Some(byte) = behind {
        listing.pass_over(PassedReason::BehindTheEnd, format!("{shard}: from byte {byte} on"));
    }
    for ((_, key), sample) in samples {
        if sample.images.is_empty() {
            // a class without an image is a sample of something else
            for (name, _) in sample.classes {
                listing.pass_over(PassedReason::Other("cls".to_owned()), format!("{shard}: {name}"));
            }
            continue;
        }
        match whole(&file, sample, options).map_err(unreadable)? {
            Ok((name, class, bytes)) => {
                let place = Place::Slice { file: number, offset: bytes.start, length: bytes.end - bytes.start };
                listing.add(&class, &name, stem(&name, options.keys), place);
            }
            Err(Incomplete::Unnamed(class)) => listing.refuse_unnamed(class),
            Err(Incomplete::For(reason)) => listing.refuse(format!("{shard}: {key}"), reason),
        }
    }
    Ok(())
}

/// Puts a member where it belongs: to a sample, or to what is passed over.
fn sort_in(member: Member, keys: KeyEnd, shard: &str, samples: &mut Samples, listing: &mut Listing) {
    let name = match inner_path(&member.path) {
        Ok(name) => name,
        Err((name, reason)) => return listing.refuse(format!("{shard}: {name}"), reason),
    };
    let stem = stem(name, keys);
    let field = name.get(stem.end + 1..).unwrap_or_default().to_ascii_lowercase();
    let is_class = field == "cls" && !member.is_link && !is_hidden(name);
    let reason = match why_passed_over(&member, name) {
        _ if is_class => None,
        None if field.contains('.') => Some(PassedReason::DottedKey),
        reason => reason,
    };
    if let Some(reason) = reason {
        return listing.pass_over(reason, format!("{shard}: {name}"));
    }
    let sample = samples.entry((member.tar, name[..stem.end].to_owned())).or_default();
    let list = if is_class { &mut sample.classes } else { &mut sample.images };
    list.push((name.to_owned(), member.bytes));
}

/// Why a sample is no image of a class.
enum Incomplete {
    /// Its class is a number without a name.
    Unnamed(usize),
    /// For another reason.
    For(String),
}

/// The path, class and bytes of a sample's image.
type Whole = (String, String, Range<u64>);

/// The image of a sample.
fn whole(file: &File, sample: Sample, options: &SourceOptions) -> io::Result<Result<Whole, Incomplete>> {
    let incomplete = |reason: &str| Ok(Err(Incomplete::For(reason.to_owned())));
    let Ok([(name, bytes)]) = <[_; 1]>::try_from(sample.images) else {
        return incomplete("has more than one image under one key; give each a key of its own");
    };
    let class = match &sample.classes[..] {
        [(_, class)] => class.clone(),
        [] => return incomplete("has no `.cls` beside it, so that its class is not known"),
        _ => return incomplete("has more than one `.cls` under one key; give each sample a key of its own"),
    };
    let text = match class_text(file, class)? {
        Ok(text) => text,
        Err(reason) => return incomplete(reason),
    };
    let names = &options.class_names;
    Ok(match text.parse::<usize>() {
        Ok(index) if !names.is_empty() => match names.get(index) {
            Some(class) => Ok((name, class.clone(), bytes)),
            None => Err(Incomplete::Unnamed(index)),
        },
        Err(_) if !names.is_empty() && text.parse::<f64>().is_ok() => {
            Err(Incomplete::For(format!("is of class `{text}`, which is no number of a line, from 0")))
        }
        _ => Ok((name, text, bytes)),
    })
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

/// The part of a path behind its folders and in front of the dot that ends the key.
fn stem(path: &str, keys: KeyEnd) -> Range<usize> {
    let Range { start, end } = last_stem(path);
    match keys {
        KeyEnd::LastDot => start..end,
        KeyEnd::FirstDot => start..path[start..].find('.').map_or(path.len(), |dot| start + dot),
    }
}
