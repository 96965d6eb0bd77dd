use std::path::Path;

use eval::{BenchmarkName, TSS_SUBSETS, parse_tss_flip, read_tss};

use crate::fixture::Folder;

fn fixture() -> Folder {
    let folder = Folder::new();
    for subset in TSS_SUBSETS {
        for (pair, flip) in [("b_02", "0"), ("a_01", "\u{feff}1\r\n")] {
            let place = format!("TSS_CVPR2016/{subset}/{pair}");
            for (number, size) in [(1, (40, 30)), (2, (50, 20))] {
                folder.image(&format!("{place}/image{number}.png"), size.0, size.1);
                folder.image(&format!("{place}/mask{number}.png"), size.0, size.1);
                folder.write(&format!("{place}/flow{number}.flo"), "");
            }
            folder.write(&format!("{place}/flip_gt.txt"), flip);
        }
    }
    folder
}

#[test]
fn every_pair_is_found_with_sizes_and_flip() {
    let folder = fixture();
    assert_eq!(BenchmarkName::detect(folder.path()), Some(BenchmarkName::Tss));
    let pairs = read_tss(folder.path()).unwrap();
    assert_eq!(pairs, read_tss(&folder.join("TSS_CVPR2016")).unwrap());
    let found: Vec<_> = pairs.iter().map(|pair| (pair.id.as_str(), pair.flip)).collect();
    assert_eq!(found[..3], [("FG3DCar/a_01", true), ("FG3DCar/b_02", false), ("JODS/a_01", true)]);
    assert_eq!((found.len(), pairs[0].sizes), (6, [(40, 30), (50, 20)]));
    assert_eq!(pairs[0].flows[1], folder.join("TSS_CVPR2016/FG3DCar/a_01/flow2.flo"));
    assert_eq!(pairs[5].subset, "PASCAL");
}

#[test]
fn what_is_missing_or_damaged_is_named() {
    let message = |folder: &Folder| read_tss(folder.path()).unwrap_err().to_string();
    for file in ["image1.png", "mask2.png", "flow2.flo", "flip_gt.txt"] {
        let folder = fixture();
        folder.remove(&format!("TSS_CVPR2016/JODS/a_01/{file}"));
        let said = format!("JODS/a_01/{file}: there is no such file, and the pair JODS/a_01 needs it");
        assert!(message(&folder).contains(&said), "{}", message(&folder));
    }
    let folder = fixture();
    folder.image("TSS_CVPR2016/JODS/b_02/mask1.png", 40, 31);
    assert!(message(&folder).contains("JODS/b_02/mask1.png: the mask is 40 x 31, its image 40 x 30"));
    folder.write("TSS_CVPR2016/FG3DCar/b_02/flip_gt.txt", "yes");
    assert!(message(&folder).contains("FG3DCar/b_02/flip_gt.txt: expected 0 or 1 alone"));
    std::fs::remove_dir_all(folder.join("TSS_CVPR2016/PASCAL")).unwrap();
    assert!(message(&folder).contains("the folders FG3DCar, JODS and PASCAL is missing"), "{}", message(&folder));
    let flip = |bytes: &[u8]| parse_tss_flip(Path::new("flip_gt.txt"), bytes);
    assert!(flip(b" 1 \n").unwrap() && !flip(b"0").unwrap());
    assert!([b"".as_slice(), b"2", b"01", b"\xFF"].iter().all(|bytes| flip(bytes).is_err()));
}
