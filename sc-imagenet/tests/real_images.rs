//! Photographs as they come, where there are any: set `SCORR_TEST_DATA` to a folder with `caltech` and `willow-object`.

#[path = "../../xtask/tests/skips/mod.rs"]
mod skips;

use std::time::Instant;

use sc_imagenet::{CheckConfig, ClassTree, check};

#[test]
fn every_real_image_is_usable_and_a_second_check_is_instantaneous() {
    let folder = tempfile::tempdir().unwrap();
    for (name, classes, images) in [("caltech", 32, 1824), ("willow-object", 5, 232)] {
        let Some(root) = skips::test_data(name) else { continue };
        let cache = folder.path().join(name);
        for expected_from_cache in [0, images] {
            let start = Instant::now();
            let tree = ClassTree::walk(&root).unwrap();
            let checked = check(&tree, &CheckConfig::default(), Some(&cache), |_, _| ()).unwrap();
            println!("{:?}: {}", start.elapsed(), checked.report);
            assert_eq!((checked.images.classes().len(), checked.images.len()), (classes, images));
            assert_eq!(checked.report.from_cache, expected_from_cache);
        }
    }
}
