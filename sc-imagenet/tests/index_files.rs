//! The index holds what it was given, in the same bytes each time, and a damaged one is an error.

use std::fs;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use proptest::prelude::*;
use sc_imagenet::{
    ImageContent, ImageOrigin, ImagePlacement, ImageRejection, IndexError, JudgedImage, LayoutWriter, read_image_index,
};

#[path = "made/data_set.rs"]
mod made;
use made::{MAX_POINTS, facts, identity, image, pair};

fn write(out: &Path, images: &[JudgedImage], pairs: u64) -> [PathBuf; 2] {
    let mut writer = LayoutWriter::begin(out, &identity(), ImagePlacement::LeaveOut, MAX_POINTS).unwrap();
    for number in 0..pairs {
        writer.write_pairs(&[pair(number, "cup", "a", "b")]).unwrap();
    }
    images.iter().for_each(|image| writer.write_image(image).unwrap());
    writer.finish(&facts()).unwrap();
    [out.join("index/pairs.parquet"), out.join("index/images.parquet")]
}

fn read(path: &Path) -> Result<Vec<JudgedImage>, IndexError> {
    read_image_index(path)?.collect()
}

fn any_image() -> impl Strategy<Value = JudgedImage> {
    let rejection = prop::option::of(("[a-z ]{1,6}", "\\PC{0,8}", prop::option::of("[a-z.]{1,6}")));
    let content = prop::option::of(any::<[u64; 2]>());
    let origin = prop::option::of(("\\PC{1,4}", "\\PC{1,8}", content));
    let side = || -1e5_f32..1e5;
    let object_box = prop::option::of([side(), side(), side(), side()]);
    let counts = (any::<u32>(), any::<u32>(), prop::option::of(any::<[u32; 2]>()));
    (rejection, prop::option::of(0.0_f32..1.0), object_box, counts, origin).prop_map(
        |(rejection, score, object_box, (discriminative_cells, blocks, size), origin)| JudgedImage {
            number: 0,
            class: "cup".to_owned(),
            id: "a".to_owned(),
            rejection: rejection.map(|(reason, detail, threshold)| ImageRejection { reason, detail, threshold }),
            score,
            discriminative_cells,
            blocks,
            object_box,
            size,
            origin: origin
                .map(|(class, name, content)| Box::new(ImageOrigin { class, name, content: content.map(content_of) })),
        },
    )
}

fn content_of([bytes, hash]: [u64; 2]) -> ImageContent {
    serde_json::from_value(serde_json::json!({"bytes": bytes, "hash": hash})).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn images_are_read_as_they_were_written(mut images in prop::collection::vec(any_image(), 0..6), last in any::<bool>()) {
        for (number, image) in (0..).zip(&mut images) {
            image.number = number;
        }
        if let (Some(image), true) = (images.last_mut(), last) {
            image.number = u64::MAX;
        }
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [_, path] = write(one.path(), &images, 0);
        prop_assert_eq!(read(&path).unwrap(), images.clone());
        let [_, again] = write(other.path(), &images, 0);
        prop_assert_eq!(fs::read(path).unwrap(), fs::read(again).unwrap());
    }

    #[test]
    fn a_damaged_index_is_no_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4), cut: Option<prop::sample::Index>) {
        let out = tempfile::tempdir().unwrap();
        let images: Vec<_> = (0..20).map(|number| image(number, "cup", "a")).collect();
        let [_, path] = write(out.path(), &images, 0);
        let mut bytes = fs::read(&path).unwrap();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        fs::write(&path, bytes).unwrap();
        if let Err(error) = read(&path) {
            prop_assert!(error.to_string().contains("images.parquet"), "{}", error);
        }
    }
}

#[test]
fn pairs_are_rows_in_the_order_of_their_numbers() {
    let out = tempfile::tempdir().unwrap();
    let [path, _] = write(out.path(), &[], 8);
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.key_value_metadata().unwrap()[0].value.as_deref(), Some("c0ffee"));
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 8);
    let expected = pair(7, "cup", "a", "b");
    let row = &rows[7];
    assert_eq!(row.get_ulong(0).unwrap(), 7);
    assert_eq!(row.get_string(1).unwrap(), "000007-a-b:cup");
    assert_eq!(row.get_string(2).unwrap(), "val");
    assert_eq!((row.get_string(3).unwrap().as_str(), row.get_string(4).unwrap().as_str()), ("cup", "a"));
    assert_eq!(row.get_uint(6).unwrap() as usize, expected.source.points.len());
    assert_eq!(Some(row.get_float(7).unwrap()), expected.mean_confidence());
    assert_eq!(Some(row.get_float(8).unwrap()), expected.mean_cycle_error());
}

#[test]
fn an_index_that_is_none_says_so() {
    let out = tempfile::tempdir().unwrap();
    let message = read(&out.path().join("none")).unwrap_err().to_string();
    assert!(message.contains("none: cannot be read"), "{message}");
    let path = out.path().join("x.parquet");
    fs::write(&path, "some text").unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("is no whole Parquet file"), "{message}");
    let [pairs, _] = write(out.path(), &[], 1);
    let message = read(&pairs).unwrap_err().to_string();
    assert!(message.contains("row 0: `kept` is missing"), "{message}");
}

#[test]
fn more_rows_than_are_held_at_once_are_written_in_groups() {
    let out = tempfile::tempdir().unwrap();
    let images: Vec<_> = (0..10_000).map(|number| image(number, "cup", "a")).collect();
    let [_, path] = write(out.path(), &images, 0);
    assert_eq!(read(&path).unwrap(), images);
    let groups = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap().num_row_groups();
    assert_eq!(groups, 3);
}
