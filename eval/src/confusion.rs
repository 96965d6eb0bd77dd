//! PCK†: a prediction that is nearer to another key point than to its own is wrong.
//!
//! PCK takes the left ear for the right one wherever the two are closer than the threshold. PCK† does not:
//!
//! ```text
//! right    |p − q_own| ≤ α · L   and   |p − q_own| ≤ |p − q| for every rival q
//! swapped  some rival q has |p − q| < |p − q_own|, and the nearest one has |p − q| ≤ α · L
//! missed   no key point, its own or a rival, has |p − q| ≤ α · L
//! ```
//!
//! Every point is exactly one of the three, and a right one is right under plain PCK too. The source is Aygün and Mac
//! Aodha, "Demystifying Unsupervised Semantic Correspondence Estimation", ECCV 2022, whose public evaluation calls
//! `swap` and `miss` what is `swapped` and `missed` here; work on geometry-aware matching reports `right` as PCK†.
//!
//! Where the definition leaves a choice:
//!
//! - Rivals: the published code knows the key points that both images show, [`Rivals::Shared`]. [`Rivals::Shown`] also
//!   takes those that only the image predicted in shows, so it is never more generous; readers have to supply them.
//! - Ties: where a rival is exactly as near as the point's own key point, the own one wins. The published code takes
//!   the first of the list, which differs for key points annotated at one place only.
//! - Frame: "nearer" is measured as the protocol measures distances.

use crate::key_points::KeyPointPair;
use crate::measure::{Ruler, check_count};
use crate::pck::{PairScore, ScoreError};
use crate::protocol::Protocol;

/// Which key points a prediction may be mistaken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rivals {
    /// The other key points that both images show, as in the published code.
    Shared,
    /// All other key points that the image predicted in shows.
    Shown,
}

/// What became of the points of one pair. Each of the three is a [`PairScore`] in which `correct` counts the points of
/// that kind, so that averages, intervals and tables are those of PCK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionScore {
    /// PCK†.
    pub right: PairScore,
    /// Points that went to another key point: left for right, front wheel for back wheel.
    pub swapped: PairScore,
    /// Points that went to no key point, predictions that are no finite numbers among them.
    pub missed: PairScore,
}

/// Tells right, swapped and missed points apart: `predicted[i]` answers point i of the image that the protocol asks in,
/// in pixels of the other image.
///
/// # Errors
///
/// [`ScoreError`] where the number of points differs, or the protocol needs a box that the benchmark does not have.
pub fn score_confusion(
    pair: &KeyPointPair,
    predicted: &[[f32; 2]],
    protocol: &Protocol,
    rivals: Rivals,
) -> Result<ConfusionScore, ScoreError> {
    check_count(pair, predicted, protocol)?;
    let ruler = Ruler::new(pair, protocol)?;
    let image = protocol.direction.predicted(pair);
    let unshared = match rivals {
        Rivals::Shared => &[][..],
        Rivals::Shown => &image.unshared,
    };
    let nearest = |own: usize, p: [f32; 2]| {
        let shared = image.points.iter().enumerate().filter(|(index, _)| *index != own).map(|(_, q)| *q);
        let all = shared.chain(unshared.iter().map(|other| other.point));
        let rival = all.map(|q| ruler.distance(p, q)).fold(f64::INFINITY, f64::min);
        (ruler.distance(p, image.points[own]), rival)
    };
    let distances: Vec<_> = predicted.iter().enumerate().map(|(own, p)| nearest(own, *p)).collect();
    let count = |kind: &dyn Fn(f64, f64, f64) -> bool| {
        let at = |alpha: &f64| distances.iter().filter(|(own, rival)| kind(*own, *rival, *alpha)).count();
        PairScore {
            class: pair.class.clone(),
            images: protocol.direction.image_ids(pair),
            points: predicted.len(),
            correct: protocol.alphas.iter().map(at).collect(),
            invalid: predicted.iter().filter(|point| !point.iter().all(|x| x.is_finite())).count(),
        }
    };
    Ok(ConfusionScore {
        right: count(&|own, rival, alpha| own <= rival && ruler.within(own, alpha)),
        swapped: count(&|own, rival, alpha| rival < own && ruler.within(rival, alpha)),
        missed: count(&|own, rival, alpha| !ruler.within(own.min(rival), alpha)),
    })
}
