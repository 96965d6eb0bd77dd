//! Scores that papers publish, as context for one's own.

/// A score from a paper. It was computed by that paper's code; whether it may be set beside another number is for the reader
/// to find out, and a report says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedScore {
    /// The method.
    pub method: &'static str,
    /// Its score in percent.
    pub score: f64,
    /// Whether `score` is rounded to what sources agree on.
    pub about: bool,
    /// What is known of how it was computed.
    pub protocol: &'static str,
}

const PF_PASCAL: &str = "α_img = .10";
const SPAIR: &str = "α_bbox = .10, per image";
const PF_WILLOW: &str = "bbox-kp, α = .10";
const TSS: &str = "flow within 5 %, mean of the subsets";

/// The published scores of a benchmark, from the lowest to the highest; none for a benchmark that has none here. The
/// benchmark is known by how its name begins, in any case of letters: `pf-pascal`, `spair`, `pf-willow`, `tss`.
pub fn published_scores(benchmark: &str) -> Vec<PublishedScore> {
    let exact = |method, score, protocol| PublishedScore { method, score, about: false, protocol };
    let about = |method, score, protocol| PublishedScore { method, score, about: true, protocol };
    let name = benchmark.to_lowercase();
    if name.starts_with("pf-pascal") {
        vec![
            exact("NC-Net", 78.9, PF_PASCAL),
            exact("DHPF, weak, ResNet-101", 82.1, PF_PASCAL),
            exact("SCOT, ResNet-101", 85.4, PF_PASCAL),
            exact("DHPF, strong", 90.7, PF_PASCAL),
            exact("CATs", 92.6, PF_PASCAL),
            exact("SCorrSAN", 93.3, PF_PASCAL),
        ]
    } else if name.starts_with("spair") {
        vec![
            exact("DHPF, weak", 27.7, SPAIR),
            exact("SCOT", 35.4, SPAIR),
            exact("CATs", 49.9, SPAIR),
            exact("DINOv2-B", 53.9, SPAIR),
            exact("SCorrSAN", 55.3, SPAIR),
            exact("SD+DINO", 59.9, SPAIR),
            exact("DIY-SC, weak", 71.6, SPAIR),
            exact("GeoAware, supervised", 83.2, SPAIR),
        ]
    } else if name.starts_with("pf-willow") {
        vec![about("NC-Net", 67.0, PF_WILLOW), about("DCC-Net", 74.0, PF_WILLOW), exact("SCOT", 76.2, PF_WILLOW)]
    } else if name.starts_with("tss") {
        vec![exact("WarpC-SemGLU", 87.2, TSS)]
    } else {
        Vec::new()
    }
}
