//! What a pair asks of a matcher, and what of it was answered before.
//!
//! A prediction follows from the network, from the content and the sizes of two images, and from a point. So that is what
//! the cache of predictions knows it by: names and times of files decide nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use eval::{CachedPrediction, Direction, KeyPointPair, PairImage, Prediction, PredictionCache};

use crate::contents::content_hashes;
use crate::describe::{Describer, Description, Method};
use crate::score::match_points;
use crate::short_hash::short_hash;

/// A pair, seen from the image that points are asked in.
pub struct Question<'a> {
    /// The image asked in.
    pub asked: &'a PairImage,
    /// The image predicted in.
    pub predicted: &'a PairImage,
    pair: &'a KeyPointPair,
    /// A hash of both images' contents and sizes; empty where nothing is kept.
    images: String,
}

/// The pairs as questions. Where answers are `kept`, every image file is read once.
///
/// # Errors
///
/// Images that cannot be read.
pub fn questions(pairs: &[KeyPointPair], direction: Direction, kept: bool) -> Result<Vec<Question<'_>>> {
    let paths = pairs.iter().flat_map(|pair| [pair.source.path.as_path(), pair.target.path.as_path()]);
    let contents = if kept { content_hashes(paths)? } else { BTreeMap::new() };
    Ok(pairs.iter().map(|pair| Question::new(pair, direction, &contents)).collect())
}

impl<'a> Question<'a> {
    fn new(pair: &'a KeyPointPair, direction: Direction, contents: &BTreeMap<&Path, String>) -> Question<'a> {
        let (asked, predicted) = (direction.asked(pair), direction.predicted(pair));
        let of = |image: &PairImage| Some((contents.get(image.path.as_path())?, image.size));
        let images = of(asked).zip(of(predicted)).map(|both| short_hash(format!("{both:?}").as_bytes()));
        Question { asked, predicted, pair, images: images.unwrap_or_default() }
    }

    /// What a method answered before, if it was asked about all of these points.
    pub fn known(&self, cache: Option<&PredictionCache>, method: Method) -> Option<Prediction> {
        let cached = self.cached(cache, method)?;
        let (points, confidence) =
            self.asked.points.iter().map(|&point| cached.answer(point)).collect::<Option<_>>()?;
        let unshared: Vec<f32> = self.unshared().map(|point| cached.unshared_answer(point)).collect::<Option<_>>()?;
        Some(self.prediction(method, points, confidence, unshared))
    }

    /// What a method answers: about the points that it was not asked about before, and what it answered about the others.
    ///
    /// # Errors
    ///
    /// An image that is not described.
    pub fn answer(
        &self,
        describer: &Describer,
        described: &BTreeMap<PathBuf, Description>,
        cache: Option<&PredictionCache>,
        method: Method,
    ) -> Result<Prediction> {
        let of = |path: &PathBuf| described.get(path).with_context(|| format!("{} is not described", path.display()));
        let (source, target) = (of(&self.asked.path)?, of(&self.predicted.path)?);
        let cached = self.cached(cache, method);
        let mut shared: Vec<_> =
            self.asked.points.iter().map(|&point| cached.and_then(|cached| cached.answer(point))).collect();
        // Points that the other image does not show are asked too: how sure a matcher is of them is a score of its own.
        let mut unshared: Vec<_> =
            self.unshared().map(|point| cached.and_then(|cached| cached.unshared_answer(point))).collect();
        let new = |(point, known): ([f32; 2], bool)| (!known).then_some(point);
        let asked: Vec<[f32; 2]> = self
            .asked
            .points
            .iter()
            .copied()
            .zip(shared.iter().map(Option::is_some))
            .chain(self.unshared().zip(unshared.iter().map(Option::is_some)))
            .filter_map(new)
            .collect();
        let sizes = (self.asked.size, self.predicted.size);
        let (points, confidence) = match_points(describer, (source, sizes.0), (target, sizes.1), &asked, method)?;
        let mut made = points.into_iter().zip(confidence);
        for open in shared.iter_mut().filter(|known| known.is_none()) {
            *open = made.next().map(|(point, confidence)| (point, Some(confidence)));
        }
        for open in unshared.iter_mut().filter(|known| known.is_none()) {
            *open = made.next().map(|(_, confidence)| confidence);
        }
        let (points, confidence) = shared.into_iter().flatten().unzip();
        Ok(self.prediction(method, points, confidence, unshared.into_iter().flatten().collect()))
    }

    /// An answer with what is asked here, for the cache.
    pub fn to_keep(&self, prediction: Prediction) -> CachedPrediction {
        CachedPrediction {
            prediction,
            images: self.images.clone(),
            asked: self.asked.points.clone(),
            asked_unshared: self.unshared().collect(),
        }
    }

    fn cached<'c>(&self, cache: Option<&'c PredictionCache>, method: Method) -> Option<&'c CachedPrediction> {
        cache?.get(&method.name(), &self.pair.id, &self.images)
    }

    fn unshared(&self) -> impl Iterator<Item = [f32; 2]> {
        self.asked.unshared.iter().map(|unshared| unshared.point)
    }

    fn prediction(
        &self,
        method: Method,
        points: Vec<[f32; 2]>,
        confidence: Vec<Option<f32>>,
        unshared: Vec<f32>,
    ) -> Prediction {
        Prediction {
            pair: self.pair.id.clone(),
            method: method.name(),
            points,
            confidence: confidence.into_iter().collect(),
            unshared_confidence: (!unshared.is_empty()).then_some(unshared),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(path: PathBuf, points: &[[f32; 2]]) -> PairImage {
        let (points, key_point_box) = (points.to_vec(), [0.0, 0.0, 9.0, 9.0]);
        PairImage { path, size: (40, 30), points, key_point_box, object_box: None, unshared: Vec::new() }
    }

    fn pair(folder: &Path, points: &[[f32; 2]]) -> KeyPointPair {
        KeyPointPair {
            id: "cup/a--b".to_owned(),
            class: "cup".to_owned(),
            source: image(folder.join("a"), points),
            target: image(folder.join("b"), points),
            ids: vec![0; points.len()],
            difficulty: None,
            agreements: Vec::new(),
        }
    }

    /// A cache in which stage 1 has answered what `pair` asks.
    fn answered(folder: &Path, pair: &KeyPointPair) -> PredictionCache {
        let mut cache = PredictionCache::open(&folder.join("p.jsonl"), &eval::CacheKey::new()).unwrap();
        let asked = questions(std::slice::from_ref(pair), Direction::Forward, true).unwrap();
        let points = pair.source.points.clone();
        let confidence = vec![Some(0.5); points.len()];
        let made = asked[0].prediction(Method::Stage(1), points, confidence, Vec::new());
        cache.insert(asked[0].to_keep(made)).unwrap();
        cache
    }

    fn known(pair: &KeyPointPair, direction: Direction, cache: &PredictionCache) -> bool {
        let asked = questions(std::slice::from_ref(pair), direction, true).unwrap();
        asked[0].known(Some(cache), Method::Stage(1)).is_some()
    }

    #[test]
    fn an_answer_is_known_while_pictures_sizes_and_points_are_those_that_were_asked() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
        std::fs::write(&a, "one picture").unwrap();
        std::fs::write(&b, "another one").unwrap();
        let points = [[1.0, 2.0], [3.0, 4.0]];
        let before = pair(folder.path(), &points);
        let cache = answered(folder.path(), &before);
        let is_known = |pair: &KeyPointPair| known(pair, Direction::Forward, &cache);
        assert!(is_known(&before));
        assert!(is_known(&pair(folder.path(), &[points[1], points[0]])), "the same points in another order");
        assert!(is_known(&pair(folder.path(), &points[..1])), "a point less");
        assert!(!is_known(&pair(folder.path(), &[points[0], points[1], [5.0, 5.0]])), "a point more");
        assert!(!is_known(&pair(folder.path(), &[points[0], [3.0, 4.5]])), "a point moved");
        assert!(!known(&before, Direction::Backward, &cache), "asked the other way");
        let mut larger = before.clone();
        larger.target.size = (80, 60);
        assert!(!is_known(&larger), "another size");

        // Another picture under the same name, of as many bytes and of the same time; the time alone changes nothing.
        let time = std::fs::metadata(&b).unwrap().modified().unwrap();
        let put = |text: &str| {
            std::fs::write(&b, text).unwrap();
            std::fs::File::options().append(true).open(&b).unwrap().set_modified(time).unwrap();
        };
        put("another ten");
        assert!(!is_known(&before), "another picture of the same size and time");
        std::fs::write(&b, "another one").unwrap();
        assert!(is_known(&before), "the picture is put back, at another time");
        std::fs::remove_file(&b).unwrap();
        let gone = questions(std::slice::from_ref(&before), Direction::Forward, true);
        assert!(gone.err().unwrap().to_string().contains("b"), "a picture that is gone is named");
    }
}
