//! ImageNet classification of real images, from the folder that `SCORR_TEST_DATA` names.

mod pretrained;

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use corr_volume::{BackboneConfig, BackboneName, Verification, load_weights, preprocess_batch};
use image::RgbImage;

/// Folders of `caltech`, and the ImageNet classes that are right for them.
const CLASSES: [(&str, &[i64]); 10] = [
    ("rooster", &[7]),
    ("flamingo", &[130]),
    ("dalmatian", &[251]),
    ("starfish", &[327]),
    ("elephant", &[101, 385, 386]),
    ("accordion", &[401]),
    ("airplanes", &[404, 895]),
    ("electric_guitar", &[546]),
    ("grand_piano", &[579]),
    ("umbrella", &[879]),
];
const IMAGES_PER_CLASS: usize = 40;
/// What PyTorch gets on these images with the same weights, stretched to 224×224 by an antialiasing filter, in percent.
const TOP_1: f64 = 83.5;
const TOP_5: f64 = 93.75;

fn first_images(folder: &Path) -> Vec<RgbImage> {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jpg"));
    files.sort();
    files.truncate(IMAGES_PER_CLASS);
    files.iter().map(|file| image::open(file).unwrap().into_rgb8()).collect()
}

#[test]
fn classifies_real_images_as_pytorch_does() {
    let Some(data) = pretrained::skips::test_data("caltech") else { return };
    let Some(path) = pretrained::weights_of(BackboneName::EfficientNetLite0) else { return };
    let device = Device::flex();
    let backbone = BackboneConfig::new(BackboneName::EfficientNetLite0).init(&device);
    let backbone = load_weights(backbone, &path, Verification::Strict).unwrap().backbone;
    let last = backbone.block_count() - 1;
    let (mut images, mut first, mut among_five) = (0, 0, 0);
    for (class, right) in CLASSES {
        for batch in first_images(&data.join(class)).chunks(20) {
            let input = preprocess_batch(batch, (224, 224), &backbone.normalisation(), &device);
            let output = backbone.forward_from(input, 0, &[last]).remove(0);
            let logits: Tensor<2> = backbone.logits(output).unwrap();
            let best: Vec<i64> = logits.topk_with_indices(5, 1).1.into_data().convert::<i64>().try_to_vec().unwrap();
            for guesses in best.chunks_exact(5) {
                images += 1;
                first += usize::from(right.contains(&guesses[0]));
                among_five += usize::from(guesses.iter().any(|guess| right.contains(guess)));
            }
        }
    }
    let percent = |count: usize| 100.0 * count as f64 / images as f64;
    println!("{images} images: top-1 {:.2} %, top-5 {:.2} %", percent(first), percent(among_five));
    assert!((percent(first) - TOP_1).abs() <= 1.0, "top-1 {} %", percent(first));
    assert!((percent(among_five) - TOP_5).abs() <= 1.0, "top-5 {} %", percent(among_five));
}
