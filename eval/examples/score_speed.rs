//! How long it takes to score a cache of predictions the size of SPair-71k's test set under eight protocols.
//!
//! ```text
//! cargo run --release -p eval --example score_speed
//! ```
//!
//! Generates 12,234 pairs of 10 points in 18 classes and a file of predictions for them, then reads the file, scores
//! it, and averages with 1000 resamples under each protocol. Prints the time of each step, and the most memory that was
//! in use, where the system says.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use eval::{
    Bootstrap, CacheKey, CachedPrediction, KeyPointImage, KeyPointPair, MethodScores, Prediction, PredictionCache,
    Protocol, ScoreReport, score_pair,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PAIRS: usize = 12_234;
const CLASSES: usize = 18;
const POINTS: usize = 10;

const PROTOCOLS: [&str; 8] = [
    "frame=original,length=bbox,average=image",
    "frame=original,length=bbox,average=point",
    "frame=original,length=bbox,average=category",
    "frame=original,length=bbox-kp,average=image",
    "frame=original,length=img,average=image",
    "frame=stretched:240,length=bbox,average=image",
    "frame=stretched:240,length=img,average=category",
    "frame=padded:840,length=bbox,average=point",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(71);
    let pairs: Vec<KeyPointPair> = (0..PAIRS).filter_map(|index| pair(&mut rng, index)).collect();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("predictions.jsonl");
    write_predictions(&path, &pairs, &mut rng)?;
    println!("{} pairs, {} bytes of predictions", pairs.len(), path.metadata()?.len());

    let start = Instant::now();
    let cache = PredictionCache::open(&path, &CacheKey::new())?;
    println!("read       {:>8.3} s", start.elapsed().as_secs_f64());

    let (mut scoring, mut averaging) = (0.0, 0.0);
    for protocol in PROTOCOLS {
        let protocol: Protocol = protocol.parse()?;
        let step = Instant::now();
        let mut scores = Vec::with_capacity(pairs.len());
        for pair in &pairs {
            let cached = cache.get("generated", &pair.id, "generated").ok_or("a pair is not predicted")?;
            scores.push(score_pair(pair, &cached.prediction.points, &protocol)?);
        }
        scoring += step.elapsed().as_secs_f64();
        let step = Instant::now();
        let methods = [MethodScores { method: "generated".to_owned(), pairs: scores }];
        let report = ScoreReport::new("generated", &protocol, &methods, Bootstrap::default());
        averaging += step.elapsed().as_secs_f64();
        print!("{}", report.table(true));
    }
    println!("score      {scoring:>8.3} s");
    println!("average    {averaging:>8.3} s");
    println!("in all     {:>8.3} s", start.elapsed().as_secs_f64());
    match peak_memory() {
        Some(kib) => println!("memory     {:>8.1} MiB at most", kib as f64 / 1024.0),
        None => println!("memory     not known on this system"),
    }
    Ok(())
}

fn pair(rng: &mut ChaCha8Rng, index: usize) -> Option<KeyPointPair> {
    let class = format!("class{:02}", index % CLASSES);
    let mut image = |name: String| {
        let size = (rng.random_range(300..500), rng.random_range(300..500));
        let key_points =
            (0..POINTS).map(|_| Some([rng.random_range(0.0..300.0), rng.random_range(0.0..300.0)])).collect();
        let object_box = Some([0.0, 0.0, 300.0, 300.0]);
        KeyPointImage { path: name.into(), class: class.clone(), size, key_points, object_box }
    };
    let (source, target) = (image(format!("{index}_s.jpg")), image(format!("{index}_t.jpg")));
    KeyPointPair::new(&source, &target)
}

/// The file that [`PredictionCache`] would have written, in one go.
fn write_predictions(path: &Path, pairs: &[KeyPointPair], rng: &mut ChaCha8Rng) -> Result<(), Box<dyn Error>> {
    drop(PredictionCache::open(path, &CacheKey::new())?);
    let mut file = BufWriter::new(File::options().append(true).open(path)?);
    for pair in pairs {
        let mut off = |point: &[f32; 2]| point.map(|x| x + rng.random_range(-30.0..30.0));
        let points: Vec<[f32; 2]> = pair.target.points.iter().map(&mut off).collect();
        let confidence = Some(points.iter().map(|_| rng.random_range(0.0..1.0)).collect());
        let prediction = Prediction {
            pair: pair.id.clone(),
            method: "generated".to_owned(),
            points,
            confidence,
            unshared_confidence: None,
        };
        let cached = CachedPrediction {
            prediction,
            images: "generated".to_owned(),
            asked: pair.source.points.clone(),
            asked_unshared: Vec::new(),
        };
        serde_json::to_writer(&mut file, &cached)?;
        file.write_all(b"\n")?;
    }
    Ok(file.flush()?)
}

/// The largest resident size of this process so far, in KiB.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
