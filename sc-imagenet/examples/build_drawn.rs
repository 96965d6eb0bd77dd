//! A data set from nothing, with this crate alone: drawn images, labels, journals, a merge, and a look at the result.
//!
//! ```text
//! cargo run -p sc-imagenet --example build_drawn -- FOLDER
//! ```
//!
//! Kill it at any instant and start it again: it goes on where it was, and what comes out is the same to the byte.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use sc_imagenet::drawn::{DrawnConfig, DrawnImage, class_names, draw};
use sc_imagenet::{
    BuildIdentity, ContentCheck, DEFAULT_MAX_POINTS, DatasheetFacts, DecodeLimits, ImagePlacement, ImageRejection,
    ImageSource, Journal, JudgedImage, LabelledPair, Layout, LayoutStatistics, MergeOptions, PairDifficulty, PairSide,
    Record, Shard, Split, decode_bytes, merge, part_folder, split_of_images,
};
use serde::Serialize;

/// What there is, or what went wrong in any part of the build.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

const SEED: u64 = 7;
const IMAGES_A_CLASS: u64 = 6;
/// Images that each image is paired with.
const PARTNERS: usize = 2;
const LEAST_KEY_POINTS: usize = 3;
const VALIDATION_SHARE: f64 = 0.3;

fn main() -> Outcome<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("give a folder to build in")?);
    let (photos, out) = (folder.join("photos"), folder.join("labels"));
    draw_photos(&photos)?;
    let source = ImageSource::open(&photos, &[])?;

    // In two parts, as two machines would do it; the parts may lie anywhere, and are merged in any order.
    for index in 0..2 {
        let shard = Shard::new(index, 2).ok_or("no such shard")?;
        label(&source, &out, shard, |image| eprintln!("{}", source.describe(image).display()))?;
    }
    let statistics = assemble(&source, &out)?;
    println!("{} of {} images kept", statistics.kept(), statistics.judged());

    let layout = Layout::open(&out)?;
    for pair in layout.pairs(Split::Validation)? {
        let pair = pair?;
        println!("{}: {} key points", pair.name(), pair.source.points.len());
    }
    Ok(())
}

/// Class folders of drawn images, unless they are there.
pub fn draw_photos(photos: &Path) -> Outcome<()> {
    if photos.is_dir() {
        return Ok(());
    }
    // The folder gets its name when it is whole.
    let unfinished = photos.with_extension("unfinished");
    for (class, name) in class_names().into_iter().enumerate() {
        fs::create_dir_all(unfinished.join(name))?;
        for index in 0..IMAGES_A_CLASS {
            let image = draw(class, index, &drawn_config()).image;
            image.save(unfinished.join(name).join(format!("{index}.png")))?;
        }
    }
    // There is always one.
    fs::write(unfinished.join("teapot/1.png"), "404: not found")?;
    Ok(fs::rename(unfinished, photos)?)
}

/// Labels what falls to `shard`, except what an earlier run has finished. `begun` is told of every image that is begun.
pub fn label(source: &ImageSource, out: &Path, shard: Shard, mut begun: impl FnMut(usize)) -> Outcome<()> {
    let part = part_folder(out, shard);
    // Other images under the same names are not those that an earlier run has finished.
    let mut check = ContentCheck::new(source);
    let (mut journal, finished) =
        Journal::open_and_see(&part, &identity(source), shard, DEFAULT_MAX_POINTS, |image| check.see(image))?;
    check.finish(|_done, _total| ())?;
    // Whole classes: an image's partners are of its class, so that no shard needs what another one has found out.
    for class in shard.range(source.classes().len()) {
        for image in source.images_of(class) {
            if finished.kept(image as u64).is_none() {
                begun(image);
                journal.append(&label_image(source, image))?;
            }
        }
    }
    Ok(journal.finish()?)
}

/// One data set of all parts in `out`.
pub fn assemble(source: &ImageSource, out: &Path) -> Outcome<LayoutStatistics> {
    let facts = DatasheetFacts {
        title: "Drawn objects".to_owned(),
        images: format!("{} drawn images of {} classes", source.images().len(), source.classes().len()),
        program: "the example build_drawn".to_owned(),
        seed: SEED,
        weights: "none".to_owned(),
        licence_note: "Do with it what you like.".to_owned(),
        ..DatasheetFacts::default()
    };
    let options = MergeOptions { images: ImagePlacement::Copy(source), facts, ..MergeOptions::default() };
    Ok(merge(&[out.to_owned()], out, &options, |_done, _total| ())?)
}

/// Everything that the labels depend on.
fn identity(source: &ImageSource) -> BuildIdentity {
    #[derive(Serialize)]
    struct Settings {
        drawn: DrawnConfig,
        partners: usize,
        least_key_points: usize,
        validation_share: f64,
        seed: u64,
    }
    let settings = Settings {
        drawn: drawn_config(),
        partners: PARTNERS,
        least_key_points: LEAST_KEY_POINTS,
        validation_share: VALIDATION_SHARE,
        seed: SEED,
    };
    BuildIdentity::new(format!("{:016x}", source.listing_hash()), &settings)
}

fn drawn_config() -> DrawnConfig {
    DrawnConfig { size: 64, seed: SEED, ..DrawnConfig::default() }
}

/// What becomes of an image, and its pairs.
fn label_image(source: &ImageSource, image: usize) -> [Record; 2] {
    let judged = judge(source, image);
    let pairs = match judged.kept() {
        true => (0..).zip(partners(source, image)).filter_map(|(slot, it)| pair(source, image, it, slot)).collect(),
        false => Vec::new(),
    };
    [Record::Image(judged), Record::Pairs { source: image as u64, pairs }]
}

fn judge(source: &ImageSource, image: usize) -> JudgedImage {
    let drawn = as_drawn(source, image);
    let key_points = drawn.key_points.iter().flatten().count();
    let limits = DecodeLimits::default();
    let read = source.read_noting(image, &limits);
    let content = read.as_ref().ok().map(|(_, content)| *content);
    let decoded = read.map_err(|error| error.to_string()).and_then(|(bytes, _)| {
        decode_bytes(&bytes, &limits).map_err(|refusal| format!("{}: {refusal}", source.describe(image).display()))
    });
    let rejection = match &decoded {
        Err(error) => Some(("damaged", error.clone())),
        Ok(_) if key_points < LEAST_KEY_POINTS => Some(("few key points", format!("{key_points} are seen"))),
        Ok(_) => None,
    };
    JudgedImage {
        number: image as u64,
        class: source.class_name(image).to_owned(),
        id: source.images()[image].id().to_owned(),
        rejection: rejection.map(|(reason, detail)| ImageRejection {
            reason: reason.to_owned(),
            detail,
            threshold: None,
        }),
        score: Some(key_points as f32 / drawn.key_points.len() as f32),
        discriminative_cells: key_points as u32,
        blocks: 0,
        object_box: drawn.mask_box().map(|sides| sides.map(|side| side as f32)),
        size: decoded.ok().map(|image| image.dimensions().into()),
        origin: Some(source.origin(image, content)),
    }
}

/// The next images of the same class and split, from the first on again after the last.
fn partners(source: &ImageSource, image: usize) -> Vec<usize> {
    let class = source.images_of(source.images()[image].class());
    let others = (image + 1..class.end).chain(class.start..image);
    others.filter(|&other| split_of(source, other) == split_of(source, image)).take(PARTNERS).collect()
}

fn split_of(source: &ImageSource, image: usize) -> Split {
    let class = source.images_of(source.images()[image].class());
    split_of_images(source.class_name(image), class.len(), VALIDATION_SHARE, SEED)[image - class.start]
}

/// The labels of a pair: the key points that both images show. This is where a matcher would look at the pixels; here it
/// is known how they were drawn.
fn pair(source: &ImageSource, image: usize, partner: usize, slot: usize) -> Option<LabelledPair> {
    let side = |image: usize, points: Vec<[f32; 2]>| {
        let judged = judge(source, image);
        let object_box = judged.object_box.filter(|_| judged.kept())?;
        Some(PairSide { image: judged.id, points, object_box, size: judged.size })
    };
    let (one, other) = (as_drawn(source, image), as_drawn(source, partner));
    let (from, to): (Vec<_>, Vec<_>) =
        one.key_points.iter().zip(&other.key_points).filter_map(|(from, to)| Some(((*from)?, (*to)?))).unzip();
    let points = from.len();
    if points == 0 {
        return None;
    }
    Some(LabelledPair {
        number: (image * PARTNERS + slot) as u64,
        split: split_of(source, image),
        category: source.class_name(image).to_owned(),
        source: side(image, from)?,
        target: side(partner, to)?,
        confidences: vec![1.0; points],
        cycle_errors: vec![0.0; points],
        agreements: vec![1.0; points],
        difficulty: PairDifficulty::default(),
    })
}

fn as_drawn(source: &ImageSource, image: usize) -> DrawnImage {
    let class = class_names().iter().position(|name| *name == source.class_name(image));
    let index = source.images()[image].id().parse();
    match (class, index) {
        (Some(class), Ok(index)) => draw(class, index, &drawn_config()),
        _ => panic!("{} was not drawn here", source.describe(image).display()),
    }
}
