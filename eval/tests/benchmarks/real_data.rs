//! Real lists and images, where `SCORR_TEST_DATA` names the folder that has them.

use eval::{
    BenchmarkName, BenchmarkSplit, LeakReport, ReadOptions, leak_free, read_pairs, read_pf_pascal_list, read_tss,
};

use crate::skips::test_data;

#[test]
fn the_pf_pascal_lists_have_the_known_sizes_and_the_known_leak() {
    let Some(lists) = test_data("pf-pascal-pairs") else { return };
    let list = |split: &str| read_pf_pascal_list(&lists.join(format!("{split}_pairs.csv"))).unwrap();
    let (train, val, test) = (list("train"), list("val"), list("test"));
    assert_eq!((train.len(), val.len(), test.len()), (2940, 308, 299));
    let report = LeakReport::new(&train, &test);
    println!("PF-PASCAL test: {report}");
    assert_eq!(
        report,
        LeakReport {
            test_images: 506,
            test_images_in_train: 302,
            unordered_test_pairs: 277,
            unordered_test_pairs_in_train: 95,
            leak_free_pairs: 79,
        }
    );
    let free = leak_free(&train, &test);
    assert_eq!(free.len(), report.leak_free_pairs);
    let seen: Vec<String> = train.iter().flat_map(|row| row.image_names()).collect();
    assert!(free.iter().flat_map(|row| row.image_names()).all(|image| !seen.contains(&image)));
    let counts = test.iter().map(|row| row.points.as_ref().unwrap()[0].len());
    assert_eq!((counts.clone().min(), counts.max()), (Some(4), Some(17)));
    assert!(train.iter().chain(&val).all(|row| row.points.is_none()));
    assert_eq!((train.iter().filter(|row| row.flip).count(), val.iter().filter(|row| row.flip).count()), (1470, 0));

    let message = read_pairs(BenchmarkName::PfPascal, &lists, &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.contains("JPEGImages") && message.contains("PF-dataset-PASCAL.zip"), "{message}");
}

#[test]
fn the_sample_of_tss_has_a_pair_of_each_subset() {
    let Some(root) = test_data("tss") else { return };
    assert_eq!(BenchmarkName::detect(&root), Some(BenchmarkName::Tss));
    let pairs = read_tss(&root).unwrap();
    let ids: Vec<_> = pairs.iter().map(|pair| pair.id.as_str()).collect();
    assert_eq!(ids, ["FG3DCar/001_005", "JODS/car_01_02", "PASCAL/bike_01_02"]);
    for pair in &pairs {
        println!("{} {:?} flip {}", pair.id, pair.sizes, pair.flip);
        for (flow, size) in pair.flows.iter().zip(pair.sizes) {
            // 12 bytes of header and two f32 a pixel.
            let bytes = 12 + 8 * u64::from(size.0) * u64::from(size.1);
            assert_eq!(flow.metadata().unwrap().len(), bytes, "{}", flow.display());
        }
    }
    assert!(pairs.iter().all(|pair| !pair.flip));
}

#[test]
fn willow_object_class_has_its_halves() {
    let Some(root) = test_data("willow-object") else { return };
    assert_eq!(BenchmarkName::detect(&root), Some(BenchmarkName::Willow));
    let count = |split| {
        let options = ReadOptions { split: Some(split), ..ReadOptions::default() };
        read_pairs(BenchmarkName::Willow, &root, &options).unwrap().pairs.len()
    };
    // All ordered pairs of classes of 9, 20, 54, 10 and 22 images (val), and of 9, 20, 55, 10 and 23 (train).
    let ordered = |images: [usize; 5]| images.iter().map(|count| count * (count - 1)).sum::<usize>();
    assert_eq!(count(BenchmarkSplit::Val), ordered([9, 20, 54, 10, 22]));
    assert_eq!(count(BenchmarkSplit::Train), ordered([9, 20, 55, 10, 23]));
}
