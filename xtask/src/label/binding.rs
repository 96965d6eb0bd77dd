//! Which setting an image that is not kept would have to be let off.

use pseudo_label::{ConsistencyConfig, Judgement, PartnerMatches, Rejection, judge};

/// The setting that binds, by its name for `--set`; `None` where no setting does. Of the checks that a cell has to pass, it is
/// the one without which the image would have the most discriminative cells.
pub fn binding_threshold(
    rejection: Rejection,
    mask: &[f32],
    judgement: &Judgement,
    partners: &[PartnerMatches<'_>],
    asked: &ConsistencyConfig,
) -> Option<&'static str> {
    match rejection {
        Rejection::NoPartner => return None,
        Rejection::NoForeground => return Some("consistency.foreground"),
        Rejection::FewBlocks => return Some("consistency.least_blocks"),
        Rejection::FewCells => {}
    }
    let without = [
        ("consistency.cycle", ConsistencyConfig { cycle: false, ..asked.clone() }),
        ("consistency.least_peakedness", ConsistencyConfig { peaked: false, ..asked.clone() }),
        ("consistency.partners", ConsistencyConfig { partners: 0.0, ..asked.clone() }),
    ];
    let mut most = ("consistency.least_cells", judgement.cells);
    for (name, config) in without {
        let cells = judge(mask, judgement.grid, partners, &config).cells;
        if cells > most.1 {
            most = (name, cells);
        }
    }
    Some(most.0)
}

#[cfg(test)]
mod tests {
    use corr_volume::Grid;

    use super::*;

    /// Four cells, and what two partners say of them.
    fn threshold(errors: [[f32; 4]; 2], peakedness: [[f32; 4]; 2]) -> Option<&'static str> {
        let asked = ConsistencyConfig { partners: 0.8, least_peakedness: 0.5, least_cells: 3, ..Default::default() };
        let partners: Vec<PartnerMatches<'_>> = errors
            .iter()
            .zip(&peakedness)
            .map(|(cycle_errors, peakedness)| PartnerMatches { cycle_errors, peakedness })
            .collect();
        let mask = [1.0; 4];
        let judgement = judge(&mask, Grid { height: 2, width: 2 }, &partners, &asked);
        binding_threshold(judgement.rejection.unwrap(), &mask, &judgement, &partners, &asked)
    }

    #[test]
    fn the_check_without_which_most_cells_would_pass_binds() {
        let (closed, open, sure, unsure) = ([0.0; 4], [9.0; 4], [0.9; 4], [0.1; 4]);
        assert_eq!(threshold([open, open], [sure, sure]), Some("consistency.cycle"));
        assert_eq!(threshold([closed, closed], [unsure, unsure]), Some("consistency.least_peakedness"));
        assert_eq!(threshold([closed, open], [sure, unsure]), Some("consistency.partners"));
        assert_eq!(threshold([open, open], [unsure, unsure]), Some("consistency.least_cells"), "no single one does");
    }
}
