//! Small valid files of every format.

use std::io::Write;

use eval::{Flow, KeyPointImage, KeyPointPair, Matrix, PairSelection, flow_bytes, write_matrix};
use flate2::{Compression, write::ZlibEncoder};

fn mat(variable: &str, rows: usize, values: &[f64]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.mat");
    write_matrix(&path, variable, &Matrix::from_columns(rows, values.len() / rows, values.to_vec())).unwrap();
    std::fs::read(&path).unwrap()
}

/// Several variables in one file.
fn joined(files: &[Vec<u8>]) -> Vec<u8> {
    files.iter().enumerate().flat_map(|(index, file)| file[if index == 0 { 0 } else { 128 }..].to_vec()).collect()
}

/// An array of one row and two columns in the byte order of other machines, its values in `kind`.
fn big_endian(kind: u32, values: &[u8]) -> Vec<u8> {
    let element = |kind: u32, content: &[u8]| {
        let mut bytes = [&kind.to_be_bytes()[..], &(content.len() as u32).to_be_bytes(), content].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let flags = [6u32.to_be_bytes(), 0u32.to_be_bytes()].concat();
    let dimensions = [1u32.to_be_bytes(), 2u32.to_be_bytes()].concat();
    let array = [element(6, &flags), element(5, &dimensions), element(1, b"kps"), element(kind, values)].concat();
    [vec![b' '; 124], vec![1, 0, b'M', b'I'], element(14, &array)].concat()
}

pub fn plain_mats() -> Vec<Vec<u8>> {
    let points = mat("kps", 2, &[1.5, -2.25, f64::NAN, 1e300, 7.0, 0.1]);
    vec![
        joined(&[mat("bbox", 1, &[1.0, 2.0, 30.0, 40.0]), points.clone()]),
        points,
        big_endian(3, &[0, 5, 0xFF, 0xFE]),
        big_endian(7, &[5f32.to_be_bytes(), 2f32.to_be_bytes()].concat()),
    ]
}

/// The elements of a file after its header, as one compressed element.
pub fn compressed(file: &[u8]) -> Vec<u8> {
    let (header, content) = file.split_at(file.len().min(128));
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    let content = encoder.finish().unwrap();
    let length = content.len() as u32;
    let swapped = header.ends_with(b"MI");
    let word = |value: u32| if swapped { value.to_be_bytes() } else { value.to_le_bytes() };
    [header, &word(15), &word(length), &content].concat()
}

pub fn compressed_mats() -> Vec<Vec<u8>> {
    let packed: Vec<_> = plain_mats()[1..].iter().map(|file| compressed(file)).collect();
    let two = joined(&[compressed(&mat("bbox", 1, &[0.0; 4])), packed[0].clone()]);
    let zeros = compressed(&mat("kps", 2, &[0.0; 2000]));
    [packed, vec![two, zeros]].concat()
}

/// Key points in front of and behind a compressed array of so many zero bytes, named `image`.
pub fn beside_zeros(bytes: usize) -> [Vec<u8>; 2] {
    let element = |kind: u32, content: &[u8]| {
        let mut bytes = [&kind.to_le_bytes()[..], &(content.len() as u32).to_le_bytes(), content].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let flags = [9u32.to_le_bytes(), 0u32.to_le_bytes()].concat();
    let dimensions = [1u32.to_le_bytes(), (bytes as u32).to_le_bytes()].concat();
    let array =
        [element(6, &flags), element(5, &dimensions), element(1, b"image"), element(2, &vec![0; bytes])].concat();
    let points = mat("kps", 2, &[10.0, 20.0, 30.0, 40.0]);
    let zeros = compressed(&[&points[..128], &element(14, &array)].concat());
    [[&zeros[..], &points[128..]].concat(), [&points[..], &zeros[128..]].concat()]
}

/// A file of `count` compressed arrays, each with a name of `length` bytes.
pub fn long_names(length: usize, count: usize) -> Vec<u8> {
    let array = mat(&"n".repeat(length), 1, &[1.0]);
    let one = compressed(&array);
    [&one[..128], &one[128..].repeat(count)].concat()
}

pub fn pf_pascal_annotations() -> Vec<Vec<u8>> {
    let kps = mat("kps", 3, &[1.5, 2.25, f64::NAN, 10.0, 70.0, f64::NAN]);
    let whole = joined(&[kps.clone(), mat("bbox", 1, &[1.0, 2.0, 30.0, 40.0])]);
    let packed = joined(&[compressed(&kps), compressed(&mat("bbox", 4, &[1.0, 2.0, 30.0, 40.0]))]);
    vec![kps, whole, packed]
}

pub fn flows() -> Vec<Vec<u8>> {
    let vectors = (0..12).map(|index| [index as f32, -0.5 * index as f32]).collect();
    vec![flow_bytes(&Flow::new((4, 3), vectors)), flow_bytes(&Flow::new((1, 1), vec![[1e10, f32::NAN]]))]
}

pub fn predictions() -> Vec<Vec<u8>> {
    let header = r#"{"predictions":2,"key":{}}"#;
    let plain =
        r#"{"pair":"Duck/a--b","method":"raw","points":[[1.5,2],[null,-3e2]],"images":"ab12","asked":[[3,4],[5.5,6]]}"#;
    let sure = r#"{"pair":"Duck/a--c","method":"stage-2","points":[[0.1,40.25]],"confidence":[0.5],"images":"cd34","asked":[[7,8]]}"#;
    vec![format!("{header}\n{plain}\n{sure}\n").into(), format!("{header}\n").into(), Vec::new()]
}

/// The pairs that [`outside_predictions`] answers.
pub fn asked_pairs() -> Vec<KeyPointPair> {
    let image = |name: &str, last: Option<[f32; 2]>| KeyPointImage {
        path: name.into(),
        class: "Duck".to_owned(),
        size: (100, 80),
        key_points: vec![Some([20.0, 10.0]), Some([70.0, 60.0]), last],
        object_box: None,
    };
    PairSelection::ALL.pairs(&[image("a.png", Some([3.0, 4.0])), image("b.png", None)])
}

pub fn outside_predictions() -> Vec<Vec<u8>> {
    let points = r#""points": [[12.5, 40], [NaN, null]]"#;
    let confidence = r#""confidence": [0.9, -Infinity], "unshared_confidence": [0.2]"#;
    let full = format!(r#"{{"pair": "Duck/a--b", {points}, {confidence}}}"#);
    let bare = r#"{"pair": "Duck/b--a", "points": [[1, 2], [3, 4]]}"#;
    vec![format!("{full}\n{bare}\n").into(), format!("\u{feff}{bare}\r\n\r\n").into()]
}

pub fn pf_pascal_lists() -> Vec<Vec<u8>> {
    let test = "source_image,target_image,class,XA,YA,XB,YB\n\
        PF-PASCAL/JPEGImages/2008_000001.jpg,JPEGImages/2008_000002.jpg,1,10.5;20,30;40.25,11;21,31;41\n\
        JPEGImages/2008_000003.jpg,JPEGImages/2008_000004.jpg,20,10.5,30,11,31\n";
    let train = "source_image,target_image,class,flip\n\
        JPEGImages/a.jpg,JPEGImages/b.jpg,3,0\nJPEGImages/b.jpg,JPEGImages/a.jpg,3,1\n";
    vec![test.into(), train.into()]
}

pub fn pf_willow_lists() -> Vec<Vec<u8>> {
    let columns = |axis: &str| (1..=10).map(|index| format!(",{axis}{index}")).collect::<String>();
    let header = format!("imageA,imageB{}{}{}{}", columns("XA"), columns("YA"), columns("XB"), columns("YB"));
    let values: String = (0..40).map(|index| format!(",{}.5", index)).collect();
    vec![format!("{header}\ncar(G)/a.png,car(G)/b.png{values}\ncar(G)/b.png,car(G)/a.png{values}\n").into()]
}

pub fn caltech_lists() -> Vec<Vec<u8>> {
    vec![
        "imageA,imageB,class,XA,YA,XB,YB\n\
         101_ObjectCategories/crab/image_0001.jpg,crab/image_0002.jpg,7,\"1,2,3.5\",\"4,5,9\",\"1,2,3,4\",\"1,2,9,4\"\n"
            .into(),
    ]
}

pub fn pair_layouts() -> Vec<Vec<u8>> {
    vec!["000001-2008_002719-2008_004100:aeroplane\n000002-2008_004100-2008_002719:aeroplane\n".into()]
}

pub fn spair_pairs() -> Vec<Vec<u8>> {
    vec![
        br#"{"pair_id": 1, "src_imname": "2008_002719.jpg", "trg_imname": "2008_004100.jpg",
            "src_imsize": [500, 333, 3], "trg_imsize": [500, 375, 3], "src_bndbox": [21, 61, 480, 282],
            "trg_bndbox": [1, 2, 300, 200], "category": "aeroplane", "src_pose": "Left", "trg_pose": "Right",
            "src_kps": [[100, 120], [200, 130]], "trg_kps": [[90, 80], [120, 88.5]], "kps_ids": ["0", "7"], "mirror": 0,
            "viewpoint_variation": 1, "scale_variation": 0, "truncation": 3, "occlusion": 2}"#
            .to_vec(),
    ]
}

pub fn spair_images() -> Vec<Vec<u8>> {
    vec![
        br#"{"kps": {"0": [10, 20.5], "1": null, "29": [30, 40]}, "bndbox": [1, 2, 3, 4], "image_width": 500}"#
            .to_vec(),
    ]
}

pub fn sc_imagenet_pairs() -> Vec<Vec<u8>> {
    vec![
        br#"{"src_kps": [[1, 2], [3.5, 4]], "trg_kps": [[5, 6], [7, 8]], "src_bndbox": [0, 0, 50, 60],
            "trg_bndbox": [0, 0, 70, 80], "category": "n01440764",
            "viewpoint_variation": 0, "scale_variation": 0, "truncation": 0, "occlusion": 0,
            "confidence": [0.5, 0.25]}"#
            .to_vec(),
    ]
}

pub fn ap_10k_pairs() -> Vec<Vec<u8>> {
    let path = |name: &str| format!("data/ap-10k/ImageAnnotation/Bovidae/antelope/{name}.json");
    let json = format!(r#"{{"src_json_path": "{}", "trg_json_path": "{}"}}"#, path("000001"), path("000002"));
    vec![json.into()]
}

pub fn ap_10k_images() -> Vec<Vec<u8>> {
    vec![
        br#"{"width": 1024, "height": 768, "bbox": [10, 20, 300, 400],
            "keypoints": [100, 200, 2, 0, 0, 0, 150.5, 250, 1], "id": 7}"#
            .to_vec(),
    ]
}
