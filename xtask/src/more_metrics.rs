//! What PCK does not say: confusions, average precision, and what makes pairs hard.

use anyhow::Result;
use eval::{
    Bootstrap, ConfusionScore, DifficultyRow, KapAnswers, Rivals, ScoreReport, average, difficulty_rows,
    difficulty_table, kap, kap_candidates, score_confusion,
};
use serde::Serialize;

use crate::benchmark::Benchmark;
use crate::score::Scored;

/// The further scores of one method at the protocol's thresholds.
#[derive(Serialize)]
pub struct MoreScores {
    method: String,
    alphas: Vec<f64>,
    /// PCK†: within the threshold, and no other key point that both images show is nearer.
    pck_dagger: Vec<f64>,
    /// Share of points that went to another key point.
    swapped: Vec<f64>,
    /// Average precision of one answer a point, with points that the other image does not show: our reading of KAP, which its
    /// authors compute from whole similarity maps. `None` without confidences.
    kap: Option<Vec<f64>>,
    /// PCK by what makes a pair hard, where the benchmark says.
    difficulty: Vec<DifficultyRow>,
}

/// Scores every method.
///
/// # Errors
///
/// Predictions that do not fit the pairs.
pub fn more_scores(scored: &Scored) -> Result<Vec<MoreScores>> {
    let Benchmark { pairs, protocol, .. } = scored.benchmark;
    let mut all = Vec::new();
    for (method, made) in scored.scores.iter().zip(&scored.predictions) {
        let confusion: Result<Vec<ConfusionScore>, _> = pairs
            .iter()
            .zip(*made)
            .map(|(pair, made)| score_confusion(pair, &made.points, protocol, Rivals::Shared))
            .collect();
        let confusion = confusion?;
        let percent = |of: fn(&ConfusionScore) -> &eval::PairScore| {
            let of_pairs: Vec<_> = confusion.iter().map(|score| of(score).clone()).collect();
            let bare = Bootstrap { resamples: 0, seed: 0 };
            average(&of_pairs, protocol.average, bare).iter().map(|pck| 100.0 * pck.value).collect::<Vec<f64>>()
        };
        let candidates: Result<Vec<_>, _> = pairs
            .iter()
            .zip(*made)
            .map(|(pair, made)| {
                // No unshared points, no confidences of them.
                let unshared = if protocol.direction.asked(pair).unshared.is_empty() {
                    Some(&[][..])
                } else {
                    made.unshared_confidence.as_deref()
                };
                let answers = KapAnswers {
                    points: &made.points,
                    confidence: made.confidence.as_deref(),
                    unshared_confidence: unshared,
                };
                kap_candidates(pair, answers, protocol)
            })
            .collect();
        all.push(MoreScores {
            method: method.method.clone(),
            alphas: protocol.alphas.clone(),
            pck_dagger: percent(|score| &score.right),
            swapped: percent(|score| &score.swapped),
            kap: candidates.ok().map(|found| kap(&found, protocol.average).iter().map(|ap| 100.0 * ap).collect()),
            difficulty: difficulty_rows(pairs, &method.pairs, protocol, Bootstrap::default()),
        });
    }
    Ok(all)
}

/// What `--json` prints: the report, under `more` the further scores where they were asked for, and under `leak_free` the
/// report of PF-PASCAL's leak-free subset.
///
/// # Errors
///
/// Never for scores that are finite.
pub fn json_of(report: &ScoreReport, more: &[MoreScores], leak_free: Option<&ScoreReport>) -> Result<String> {
    let mut json = serde_json::to_value(report)?;
    if !more.is_empty() {
        json["more"] = serde_json::to_value(more)?;
    }
    if let Some(leak_free) = leak_free {
        json["leak_free"] = serde_json::to_value(leak_free)?;
    }
    Ok(json.to_string())
}

/// The further scores as tables, at each threshold; the breakdown at `alpha`.
pub fn more_tables(all: &[MoreScores], alpha: f64) -> String {
    let mut text = String::new();
    let Some(first) = all.first() else { return text };
    let header: Vec<String> = first.alphas.iter().map(|alpha| format!("{:>7}", format!("@{alpha:.2}"))).collect();
    let values = |values: &[f64]| values.iter().map(|value| format!("{value:>7.1}")).collect::<String>();
    type Column = fn(&MoreScores) -> Option<&Vec<f64>>;
    let columns: [(&str, Column); 3] = [
        ("PCK† (%)", |scores| Some(&scores.pck_dagger)),
        ("swapped (%)", |scores| Some(&scores.swapped)),
        ("KAP (%)", |scores| scores.kap.as_ref()),
    ];
    for (title, of) in columns {
        text += &format!("\n{title:<16}{}\n", header.concat());
        for scores in all {
            let cells = of(scores).map_or("   no confidences".to_owned(), |found| values(found));
            text += &format!("{:<16}{cells}\n", scores.method);
        }
    }
    let breakdowns: Vec<(&str, &[DifficultyRow])> =
        all.iter().map(|scores| (scores.method.as_str(), scores.difficulty.as_slice())).collect();
    if breakdowns.iter().any(|(_, rows)| !rows.is_empty()) {
        text += &format!("\n{}", difficulty_table(&breakdowns, alpha));
    }
    text
}
