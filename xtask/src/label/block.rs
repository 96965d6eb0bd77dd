//! One block from images to records: describe, match, judge, choose key points.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use corr_volume::{Frame, Grid};
use pseudo_label::{
    Calibrator, Judgement, MatchField, PartnerMatches, Rejection, cycle_ends, cycle_errors, judge, pair_key_points,
    worst_errors,
};
use sc_imagenet::{
    DecodeLimits, ImageContent, ImageRejection, ImageSource, JudgedImage, LabelledPair, PairDifficulty, PairSide,
    Record, decode_bytes, is_stored_upright,
};

use super::binding::binding_threshold;
use super::blocks::{Block, partners};
use super::described::{Described, Matcher, PairMatches, Way};
use super::settings::LabelSettings;

/// What labels a block.
pub struct Labeller<'a> {
    /// The images.
    pub source: &'a ImageSource,
    /// The network.
    pub matcher: &'a Matcher,
    /// The settings.
    pub settings: &'a LabelSettings,
    /// Confidences as they are written.
    pub calibrator: &'a Calibrator,
    /// Threads.
    pub workers: usize,
    /// How often the network looked at an image.
    pub described: &'a AtomicUsize,
}

/// An image of the block: described, or why it cannot be.
enum Looked {
    Described(Box<Described>, ImageContent),
    /// What it holds is known where it could be read at all.
    Refused(ImageRejection, Option<ImageContent>),
}

/// An image with its partners' matches, judged.
struct Seen {
    /// Its number in the source.
    image: usize,
    content: ImageContent,
    described: Described,
    judgement: Judgement,
    /// Its partners, and what a cycle by way of each ends with, in the partners' order.
    partners: Vec<(usize, Vec<f32>)>,
}

impl Labeller<'_> {
    /// The records of a block, image by image in the source's order.
    ///
    /// # Errors
    ///
    /// A source or a device that fails; an image that cannot be read is a rejection, not an error.
    pub fn label(&self, block: &Block) -> Result<Vec<[Record; 2]>> {
        let looked: Vec<Looked> =
            in_parallel(self.workers, block.images.len(), |place| self.look(block.images[place]))?;
        let (mut usable, mut contents) = (Vec::new(), Vec::new());
        let mut records = BTreeMap::new();
        for (&image, looked) in block.images.iter().zip(looked) {
            match looked {
                Looked::Described(described, content) => {
                    usable.push((image, *described));
                    contents.push(content);
                }
                Looked::Refused(rejection, content) => {
                    let refused = JudgedImage { rejection: Some(rejection), ..self.judged(image, content) };
                    records.insert(image, [Record::Image(refused), no_pairs(image)]);
                }
            }
        }
        let matches = self.match_all(&usable)?;
        let seen = self.judge_all(usable, &contents, &matches);
        for place in 0..seen.len() {
            records.insert(seen[place].image, self.records(&seen, place, &matches, block));
        }
        Ok(records.into_values().collect())
    }

    fn look(&self, image: usize) -> Result<Looked> {
        let refuse = |reason: &str, detail: String, content| {
            let rejection = ImageRejection { reason: reason.to_owned(), detail, threshold: None };
            Ok(Looked::Refused(rejection, content))
        };
        let limits = DecodeLimits::default();
        let (bytes, content) = match self.source.read_noting(image, &limits) {
            Ok(read) => read,
            Err(error) => return refuse("unreadable", error.to_string(), None),
        };
        if !is_stored_upright(&bytes) {
            let detail = "EXIF turns it, which the data set's readers do not do; store it upright".to_owned();
            return refuse("not-upright", detail, Some(content));
        }
        match decode_bytes(&bytes, &limits) {
            Err(refusal) => refuse("damaged", refusal.to_string(), Some(content)),
            Ok(pixels) => {
                self.described.fetch_add(1, Ordering::Relaxed);
                // A run knows classes by the names of their folders.
                let described = self.matcher.describe(&pixels, self.source.original_class(image))?;
                Ok(Looked::Described(Box::new(described), content))
            }
        }
    }

    /// The matches of every two partners, the lower place first.
    fn match_all(&self, images: &[(usize, Described)]) -> Result<BTreeMap<(usize, usize), PairMatches>> {
        let pairs: Vec<(usize, usize)> = (0..images.len())
            .flat_map(|place| self.partners(place, images.len()).into_iter().map(move |other| (place, other)))
            .filter(|(place, other)| place < other)
            .collect();
        let matches = in_parallel(self.workers, pairs.len(), |index| {
            let (one, other) = pairs[index];
            self.matcher.match_pair(&images[one].1, &images[other].1, self.settings)
        })?;
        Ok(pairs.into_iter().zip(matches).collect())
    }

    fn partners(&self, place: usize, images: usize) -> Vec<usize> {
        partners(place, images, self.settings.partners)
    }

    fn judge_all(
        &self,
        images: Vec<(usize, Described)>,
        contents: &[ImageContent],
        matches: &BTreeMap<(usize, usize), PairMatches>,
    ) -> Vec<Seen> {
        let count = images.len();
        let grids: Vec<Grid> = images.iter().map(|(_, described)| described.grid()).collect();
        let field = |from: usize, to: usize| MatchField::new(&way(matches, from, to).points, grids[from]);
        let judge_one = |(place, (image, described)): (usize, (usize, Described))| {
            let others = self.partners(place, count);
            let errors: Vec<Vec<f32>> = others
                .iter()
                .map(|&other| {
                    let errors = cycle_errors(&[field(place, other), field(other, place)]);
                    let third = self.partners(other, count).into_iter().find(|third| others.contains(third));
                    match third.filter(|_| self.settings.chains) {
                        None => errors,
                        Some(third) => {
                            let chain = [field(place, other), field(other, third), field(third, place)];
                            worst_errors(&errors, &cycle_errors(&chain))
                        }
                    }
                })
                .collect();
            let partners: Vec<PartnerMatches<'_>> = others
                .iter()
                .zip(&errors)
                .map(|(&other, errors)| PartnerMatches {
                    cycle_errors: errors,
                    peakedness: &way(matches, place, other).peakedness,
                })
                .collect();
            let judgement = judge(&described.mask_values, grids[place], &partners, &self.settings.consistency);
            let content = contents[place];
            Seen { image, content, described, judgement, partners: others.into_iter().zip(errors).collect() }
        };
        images.into_iter().enumerate().map(judge_one).collect()
    }

    fn records(
        &self,
        seen: &[Seen],
        place: usize,
        matches: &BTreeMap<(usize, usize), PairMatches>,
        block: &Block,
    ) -> [Record; 2] {
        let one = &seen[place];
        let judgement = &one.judgement;
        let rejection = judgement.rejection.map(|rejection| self.why(rejection, one, place, matches));
        let judged = JudgedImage {
            rejection,
            score: Some(judgement.score),
            discriminative_cells: judgement.cells as u32,
            blocks: judgement.blocks as u32,
            object_box: Some(self.object_box(one)),
            size: Some(one.described.size.into()),
            ..self.judged(one.image, Some(one.content))
        };
        if !judged.kept() {
            return [Record::Image(judged), no_pairs(one.image)];
        }
        let pairs = one.partners.iter().enumerate().filter_map(|(slot, (partner, errors))| {
            let other = &seen[*partner];
            let kept = other.judgement.rejection.is_none();
            kept.then(|| self.pair(one, other, slot, errors, matches_of(matches, place, *partner), block)).flatten()
        });
        let pairs = pairs.collect();
        [Record::Image(judged), Record::Pairs { source: one.image as u64, pairs }]
    }

    fn pair(
        &self,
        one: &Seen,
        other: &Seen,
        slot: usize,
        errors: &[f32],
        [there, back]: [&Way; 2],
        block: &Block,
    ) -> Option<LabelledPair> {
        let grids = [one.described.grid(), other.described.grid()];
        let field = MatchField::new(&there.points, grids[0]);
        let cycle = PartnerMatches { cycle_errors: errors, peakedness: &there.peakedness };
        let (consistency, choice) = (&self.settings.consistency, &self.settings.key_points);
        let points = pair_key_points(&one.judgement, &other.judgement, field, cycle, consistency, choice);
        if points.len() < self.settings.least_points.max(1) {
            return None;
        }
        let frames = [one, other].map(|seen| self.frame(seen.described.size));
        let pixel =
            |side: usize, size: (u32, u32), cell: [f32; 2]| inside(frames[side].from_cells(grids[side], cell), size);
        // How far from its start, in pixels, each key point's way there and back ends.
        let ends = cycle_ends(&[field, MatchField::new(&back.points, grids[1])]);
        let cycle_errors = points.iter().map(|point| {
            let (from, to) =
                (frames[0].from_cells(grids[0], point.source), frames[0].from_cells(grids[0], ends[point.cell]));
            (from[0] - to[0]).hypot(from[1] - to[1])
        });
        let side = |seen: &Seen, points: Vec<[f32; 2]>| PairSide {
            image: self.source.images()[seen.image].id().to_owned(),
            points,
            object_box: self.object_box(seen),
            size: Some(seen.described.size.into()),
        };
        Some(LabelledPair {
            number: (one.image * self.settings.partners + slot) as u64,
            split: block.split,
            category: self.source.class_name(one.image).to_owned(),
            source: side(one, points.iter().map(|point| pixel(0, one.described.size, point.source)).collect()),
            target: side(other, points.iter().map(|point| pixel(1, other.described.size, point.target)).collect()),
            confidences: points
                .iter()
                .map(|point| self.calibrator.apply(f64::from(point.confidence)).clamp(0.0, 1.0) as f32)
                .collect(),
            cycle_errors: cycle_errors.collect(),
            agreements: points.iter().map(|point| one.judgement.agreement[point.cell]).collect(),
            difficulty: PairDifficulty::default(),
        })
    }

    fn frame(&self, size: (u32, u32)) -> Frame {
        let input = self.matcher.input();
        Frame::stretched(size, (input, input))
    }

    /// The box of the object in pixels, within the image.
    fn object_box(&self, seen: &Seen) -> [f32; 4] {
        let (frame, grid, size) = (self.frame(seen.described.size), seen.described.grid(), seen.described.size);
        let [least, most] = seen.judgement.object.corners();
        let corner = |cell: [f32; 2]| inside(frame.from_cells(grid, cell), size);
        let (first, last) = (corner(least), corner(most));
        [first[0], first[1], last[0], last[1]]
    }

    fn why(
        &self,
        rejection: Rejection,
        one: &Seen,
        place: usize,
        matches: &BTreeMap<(usize, usize), PairMatches>,
    ) -> ImageRejection {
        let (asked, judgement) = (&self.settings.consistency, &one.judgement);
        let partners: Vec<PartnerMatches<'_>> = one
            .partners
            .iter()
            .map(|(other, cycle_errors)| PartnerMatches {
                cycle_errors,
                peakedness: &way(matches, place, *other).peakedness,
            })
            .collect();
        let threshold = binding_threshold(rejection, &one.described.mask_values, judgement, &partners, asked);
        let detail = match rejection {
            Rejection::NoPartner => "there is no other image of its class and split that can be read".to_owned(),
            Rejection::NoForeground => format!("no cell's mask reaches {}", asked.foreground),
            Rejection::FewCells => {
                format!("{} discriminative cells, {} are asked for", judgement.cells, asked.least_cells)
            }
            Rejection::FewBlocks => {
                format!(
                    "discriminative cells in {} of 16 blocks, {} are asked for",
                    judgement.blocks, asked.least_blocks
                )
            }
        };
        ImageRejection { reason: rejection.to_string(), detail, threshold: threshold.map(str::to_owned) }
    }

    fn judged(&self, image: usize, content: Option<ImageContent>) -> JudgedImage {
        JudgedImage {
            number: image as u64,
            class: self.source.class_name(image).to_owned(),
            id: self.source.images()[image].id().to_owned(),
            rejection: None,
            score: None,
            discriminative_cells: 0,
            blocks: 0,
            object_box: None,
            size: None,
            origin: Some(self.source.origin(image, content)),
        }
    }
}

fn no_pairs(image: usize) -> Record {
    Record::Pairs { source: image as u64, pairs: Vec::new() }
}

/// The matches from one image to another, and back.
fn matches_of(matches: &BTreeMap<(usize, usize), PairMatches>, from: usize, to: usize) -> [&Way; 2] {
    [way(matches, from, to), way(matches, to, from)]
}

fn way(matches: &BTreeMap<(usize, usize), PairMatches>, from: usize, to: usize) -> &Way {
    let [there, back] = &matches[&(from.min(to), from.max(to))].ways;
    if from < to { there } else { back }
}

/// The nearest point of an image; the outer edges of its outermost cells lie half a pixel outside.
fn inside(point: [f32; 2], size: (u32, u32)) -> [f32; 2] {
    [point[0].clamp(0.0, (size.0 - 1) as f32), point[1].clamp(0.0, (size.1 - 1) as f32)]
}

/// `task(0), …, task(count − 1)` in that order, on so many threads; the first error in that order.
fn in_parallel<T: Send>(threads: usize, count: usize, task: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Result<T>>>> = Mutex::new((0..count).map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    let result = task(index);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[index] = Some(result);
                }
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.into_iter().map(|result| result.unwrap_or_else(|| unreachable!("every index was taken"))).collect()
}
