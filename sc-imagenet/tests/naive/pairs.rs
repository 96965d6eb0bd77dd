//! Every triple that may be drawn, by trying all of them.

use sc_imagenet::TrainPair;

pub fn allowed(labels: &[usize]) -> Vec<TrainPair> {
    let mut all = Vec::new();
    for source in 0..labels.len() {
        for target in 0..labels.len() {
            for negative in 0..labels.len() {
                if source != target && labels[source] == labels[target] && labels[source] != labels[negative] {
                    all.push(TrainPair { source, target, negative });
                }
            }
        }
    }
    all
}
