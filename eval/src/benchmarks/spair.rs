//! SPair-71k: lists of pairs in two sizes and three splits, a JSON file a pair, a JSON file an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::checks::{AnnotationFrame, Checks, Declared, Place};
use super::error::BenchmarkError;
use super::files::{self, ImageSizes, find_base, place};
use super::name::{BenchmarkName, BenchmarkSplit};
use super::pair_json::{PairFileImage, PairName, parse_pair_layout, parse_spair_image, parse_spair_pair};
use super::{ReadOptions, ReadPairs, SpairSize};
use crate::key_points::{KeyPointPair, PairImage, UnsharedPoint, tight_box};
use crate::protocol::{Length, Protocol};

/// What may have happened to a file whose name has a colon.
pub(super) const COLON: &str = " (the name has a `:`, which Windows does not allow in file names: an archive unpacked \
                                there loses or renames such files; unpack it on Linux or macOS)";

pub(super) const LAYOUT: &str = "\
SPair-71k/
  Layout/{large,small}/{trn,val,test}.txt      a pair a line: 000001-2008_002719-2008_004100:aeroplane
  PairAnnotation/{trn,val,test}/<line>.json
  ImageAnnotation/<category>/<name>.json       without it: no KAP, and bbox-kp of shared points alone
  JPEGImages/<category>/<name>.jpg
";

/// The data set's folder.
pub(super) fn find(root: &Path) -> Option<PathBuf> {
    find_base(root, &["SPair-71k", "spair-71k", "SPair", "spair"], |base| {
        base.join("Layout").is_dir() && !super::ap_10k::looks_like(base)
    })
}

/// Whether there is a folder of image annotations, which the pseudo-labels of SC-ImageNet lack.
pub(super) fn has_image_annotations(base: &Path) -> bool {
    base.join("ImageAnnotation").is_dir()
}

pub(super) fn read(root: &Path, split: BenchmarkSplit, options: &ReadOptions) -> Result<ReadPairs, BenchmarkError> {
    let name = BenchmarkName::Spair;
    let missing = |missing: String| BenchmarkError::Layout { name, root: root.to_owned(), missing };
    let base = find(root).ok_or_else(|| missing("the folder Layout".to_owned()))?;
    let size = match options.spair_size {
        SpairSize::Large => "large",
        SpairSize::Small => "small",
    };
    read_layout(name, &base, size, folder_of(split), options.annotated_in)
}

/// The folder of a split.
pub(super) fn folder_of(split: BenchmarkSplit) -> &'static str {
    match split {
        BenchmarkSplit::Train => "trn",
        BenchmarkSplit::Val => "val",
        BenchmarkSplit::TestCrossSpecies => "test_cross_species",
        BenchmarkSplit::TestCrossFamily => "test_cross_family",
        BenchmarkSplit::Test | BenchmarkSplit::All => "test",
    }
}

/// Reads the pairs of one list of a data set in SPair's layout.
pub(super) fn read_layout(
    name: BenchmarkName,
    base: &Path,
    size: &str,
    split: &str,
    annotated_in: Option<AnnotationFrame>,
) -> Result<ReadPairs, BenchmarkError> {
    let list = base.join("Layout").join(size).join(format!("{split}.txt"));
    let bytes = files::read_needed(name, &list, || format!("the {split} split"), "")?;
    let mut images = Images {
        name,
        base,
        known: has_image_annotations(base).then(BTreeMap::new),
        sizes: ImageSizes::default(),
        checks: Checks::new(name.annotation_frame(), annotated_in),
    };
    let mut pairs = Vec::new();
    for line in parse_pair_layout(&list, &bytes)? {
        let path = base.join("PairAnnotation").join(split).join(format!("{}.json", line.id));
        let bytes = files::read_needed(name, &path, || place(&list, line.line), COLON)?;
        pairs.push(images.pair(&path, &bytes, line)?);
    }
    let mut notes = Vec::new();
    if images.known.is_none() {
        notes.push(format!(
            "no folder {}: what only one image shows is unknown, so KAP cannot be scored, and bbox-kp is of the \
             shared points alone",
            base.join("ImageAnnotation").display()
        ));
    }
    let default_protocol = Protocol { length: Length::Bbox, ..Protocol::default() };
    Ok(ReadPairs { pairs, default_protocol, notes, counts: images.checks.counts })
}

/// The key points of images, by number, each file read once.
struct Images<'a> {
    name: BenchmarkName,
    base: &'a Path,
    /// By path; `None` where there is no such folder.
    known: Option<BTreeMap<PathBuf, BTreeMap<u16, [f32; 2]>>>,
    sizes: ImageSizes,
    checks: Checks,
}

impl Images<'_> {
    fn pair(&mut self, path: &Path, bytes: &[u8], line: PairName) -> Result<KeyPointPair, BenchmarkError> {
        let wrong =
            |key: &str, problem: String| BenchmarkError::Key { path: path.to_owned(), key: key.to_owned(), problem };
        let file = parse_spair_pair(path, bytes)?;
        if file.category != line.category {
            return Err(wrong("category", format!("is `{}`, the pair's name says `{}`", file.category, line.category)));
        }
        let stem = |image: &PairFileImage| {
            let name = image.name.as_deref().unwrap_or_default();
            Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
        };
        for (key, found, named) in
            [("src_imname", stem(&file.source), &line.source), ("trg_imname", stem(&file.target), &line.target)]
        {
            if found != *named {
                return Err(wrong(key, format!("is of the image `{found}`, the pair's name says `{named}`")));
            }
        }
        let ids = file.ids.unwrap_or_default();
        Ok(KeyPointPair {
            source: self.image(path, "src", &line.category, file.source, &ids)?,
            target: self.image(path, "trg", &line.category, file.target, &ids)?,
            id: line.id,
            class: line.category,
            ids,
            difficulty: file.difficulty,
            agreements: Vec::new(),
        })
    }

    fn image(
        &mut self,
        pair: &Path,
        side: &str,
        category: &str,
        image: PairFileImage,
        ids: &[u16],
    ) -> Result<PairImage, BenchmarkError> {
        let name = image.name.unwrap_or_default();
        let path = self.base.join("JPEGImages").join(category).join(&name);
        let (place, size_key) = (Place::file(pair), format!("{side}_imsize"));
        let declared = Declared { size: image.size.unwrap_or_default(), field: &size_key };
        let canvas = self.checks.declared_canvas(&mut self.sizes, &path, None, declared, place)?;
        let points = self.checks.points(&canvas, &image.points, place, &format!("{side}_kps"))?;
        let object_box = self.checks.object_box(&canvas, image.object_box, place, &format!("{side}_bndbox"))?;
        let mut shown = points.clone();
        let mut unshared = Vec::new();
        if let Some(known) = &mut self.known {
            let file = self.base.join("ImageAnnotation").join(category).join(&name).with_extension("json");
            if !known.contains_key(&file) {
                let bytes = files::read_needed(self.name, &file, || pair.display().to_string(), "")?;
                let mut points = parse_spair_image(&file, &bytes)?;
                for (id, point) in &mut points {
                    *point = self.checks.point(&canvas, *point, Place::file(&file), || format!("kps.{id}"))?;
                }
                known.insert(file.clone(), points);
            }
            let only = known.get(&file).into_iter().flatten().filter(|(id, _)| !ids.contains(id));
            unshared.extend(only.map(|(id, point)| UnsharedPoint { id: *id, point: *point }));
            shown.extend(unshared.iter().map(|unshared| unshared.point));
        }
        Ok(PairImage {
            path,
            size: canvas.size(),
            key_point_box: tight_box(&shown).unwrap_or_default(),
            points,
            object_box: Some(object_box),
            unshared,
        })
    }
}
