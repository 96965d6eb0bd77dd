//! The labels that a matcher learns from.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use eval::{BenchmarkName, BenchmarkSplit, KeyPointPair, ReadOptions, read_pairs};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::pairs::with_points;
use crate::benchmark::warn_of;

/// Which labels are learned from, by what the data set says of each: how many of the source image's partners agree about it.
/// One data set so serves matchers that want many pairs and matchers that want few errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelChoice {
    /// The least agreement of a point that is learned from, 0..=1. Points of data sets that do not say it are all taken.
    pub least_agreement: f32,
    /// A pair with fewer such points is left out.
    pub least_points: usize,
}

impl Default for LabelChoice {
    /// Every label of pairs with three points, as many as `label` asks of a pair by default.
    fn default() -> Self {
        Self { least_agreement: 0.0, least_points: 3 }
    }
}

impl LabelChoice {
    /// The pairs with those points that are learned from; pairs with too few are left out.
    ///
    /// # Errors
    ///
    /// None is left.
    pub fn of(&self, pairs: &[KeyPointPair]) -> Result<Vec<KeyPointPair>> {
        let chosen: Vec<KeyPointPair> = pairs.iter().filter_map(|pair| self.of_pair(pair)).collect();
        let LabelChoice { least_agreement, least_points } = self;
        if chosen.is_empty() && !pairs.is_empty() {
            bail!(
                "none of {} pairs has {least_points} points with an agreement of {least_agreement}; lower \
                 labels.least_agreement or labels.least_points",
                pairs.len()
            );
        }
        let left_out = pairs.len() - chosen.len();
        if left_out > 0 {
            info!(
                "{left_out} of {} pairs are left out: fewer than {least_points} points with an agreement of \
                 {least_agreement} (labels.least_points, labels.least_agreement)",
                pairs.len()
            );
        }
        Ok(chosen)
    }

    fn of_pair(&self, pair: &KeyPointPair) -> Option<KeyPointPair> {
        let agreed =
            |place: &usize| pair.agreements.get(*place).is_none_or(|agreement| *agreement >= self.least_agreement);
        let places: Vec<_> = (0..pair.source.points.len()).filter(agreed).map(|place| (place, place)).collect();
        (places.len() >= self.least_points).then(|| with_points(pair, &places)).flatten()
    }
}

/// The pairs of the training splits of data sets in SC-ImageNet's layout.
///
/// # Errors
///
/// A folder that is no such data set.
pub fn read_labels(folders: &[PathBuf]) -> Result<Vec<KeyPointPair>> {
    let mut pairs = Vec::new();
    for folder in folders {
        let options = ReadOptions { split: Some(BenchmarkSplit::Train), ..ReadOptions::default() };
        let read = read_pairs(BenchmarkName::ScImageNet, folder, &options)
            .with_context(|| format!("{} holds no labels; `cargo xtask label` makes some", folder.display()))?;
        warn_of(folder.display(), &read.counts);
        // Pairs of several data sets may have one number.
        pairs.extend(
            read.pairs.into_iter().map(|pair| KeyPointPair { id: format!("{}/{}", folder.display(), pair.id), ..pair }),
        );
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use eval::PairImage;

    use super::*;

    fn pair(agreements: &[f32]) -> KeyPointPair {
        let image = |shift: f32| PairImage {
            path: PathBuf::from("cat.jpg"),
            size: (100, 80),
            key_point_box: [0.0, 0.0, 99.0, 79.0],
            object_box: None,
            points: (0..4).map(|index| [index as f32, shift]).collect(),
            unshared: Vec::new(),
        };
        KeyPointPair {
            id: "cat".to_owned(),
            class: "cat".to_owned(),
            source: image(0.0),
            target: image(1.0),
            ids: vec![0, 1, 2, 3],
            difficulty: None,
            agreements: agreements.to_vec(),
        }
    }

    #[test]
    fn points_about_which_too_few_agree_are_left_out_and_pairs_with_too_few_points() {
        let choice = LabelChoice { least_agreement: 0.75, least_points: 2 };
        let [sure, unsure] = [pair(&[1.0, 0.5, 0.25, 0.75]), pair(&[1.0, 0.5, 0.5, 0.5])];
        let chosen = choice.of(&[unsure.clone(), sure]).unwrap();
        assert_eq!(chosen.len(), 1);
        assert_eq!(
            (chosen[0].ids.as_slice(), chosen[0].agreements.as_slice()),
            ([0, 3].as_slice(), [1.0, 0.75].as_slice())
        );
        assert_eq!(chosen[0].source.points, [[0.0, 0.0], [3.0, 0.0]]);
        assert_eq!(chosen[0].target.points, [[0.0, 1.0], [3.0, 1.0]]);
        let message = choice.of(&[unsure]).unwrap_err().to_string();
        assert!(message.contains("none of 1 pairs has 2 points with an agreement of 0.75"), "{message}");
    }

    #[test]
    fn labels_of_which_nothing_is_said_are_all_taken() {
        let unsaid = pair(&[]);
        assert_eq!(
            LabelChoice { least_agreement: 1.0, least_points: 3 }.of(std::slice::from_ref(&unsaid)).unwrap(),
            [unsaid]
        );
        let all = pair(&[0.0, 0.5, 0.25, 0.75]);
        assert_eq!(LabelChoice::default().of(std::slice::from_ref(&all)).unwrap(), [all]);
    }
}
