use std::path::Path;

use eval::{BenchmarkName, CaltechPairs, parse_caltech_list, read_caltech, read_caltech_list};

use crate::fixture::{Folder, survives_damage, ways_to_write};

const PATH: &str = "Caltech-101/test_pairs_caltech_with_category.csv";
const LIST: &str = r#"imageA,imageB,class,XA,YA,XB,YB
101_ObjectCategories/accordion/image_0001.jpg,101_ObjectCategories/accordion/image_0002.jpg,2,"1,20,20.5,1","1,1,15,15","2,30,16","3,3,25"
101_ObjectCategories/watch/image_0005.jpg,101_ObjectCategories/watch/image_0001.jpg,watch,"1,2,3","4,5,7","5,6,7","8,9,1"
"#;

fn fixture() -> Folder {
    let folder = Folder::new();
    folder.write(PATH, LIST);
    for (image, width) in [("accordion/image_0001", 30), ("accordion/image_0002", 31)] {
        folder.image(&format!("Caltech-101/101_ObjectCategories/{image}.jpg"), width, 28);
    }
    for image in ["watch/image_0001", "watch/image_0005"] {
        folder.image(&format!("Caltech-101/101_ObjectCategories/{image}.jpg"), 32, 28);
    }
    folder
}

fn message(folder: &Folder) -> String {
    read_caltech(folder.path()).unwrap_err().to_string()
}

#[test]
fn pairs_have_outlines_and_sizes() {
    let folder = fixture();
    assert_eq!(BenchmarkName::detect(folder.path()), Some(BenchmarkName::Caltech));
    let CaltechPairs { pairs, counts } = read_caltech(folder.path()).unwrap();
    assert!(counts.is_empty(), "{counts}");
    assert_eq!(pairs[0].id, "accordion/image_0001--image_0002");
    assert_eq!((pairs[0].source.size, pairs[0].target.size), ((30, 28), (31, 28)));
    assert_eq!(pairs[0].source.outline, [[1.0, 1.0], [20.0, 1.0], [20.5, 15.0], [1.0, 15.0]]);
    // An outline has its own number of vertices.
    assert_eq!(pairs[0].target.outline.len(), 3);
    assert_eq!(pairs[1].class, "watch");
    for (how, text) in ways_to_write(LIST) {
        folder.write(PATH, text);
        assert_eq!(read_caltech(folder.path()).unwrap().pairs, pairs, "{how}");
        assert_eq!(read_caltech_list(&folder.join(PATH)).unwrap().len(), 2);
    }
}

#[test]
fn damage_is_named_with_file_and_line() {
    let folder = fixture();
    for (from, to, said) in [
        (",2,\"", ",103,\"", ":2: `class` is `103`, neither the folder `accordion` nor a number up to 102"),
        (",watch,", ",cup,", ":3: `class` is `cup`"),
        ("accordion/image_0002", "watch/image_0002", ":2: `imageB` is not in the folder `accordion`"),
        ("\"1,1,15,15\"", "\"1,1,15\"", ":2: `XA` has 4 values, `YA` has 3"),
        ("\"2,30,16\",\"3,3,25\"", "\"2,30\",\"3,3\"", "has fewer than three vertices"),
        ("20.5", "nan", "`XA` has the value NaN"),
        ("\"1,1,15,15\"", "1,1,15,15", "the row has 10 columns, the header 7"),
        ("YB", "BY", "the header has no column `YB`"),
        ("watch/image_0005", "watch/image_0007", "watch/image_0007.jpg: there is no such file"),
    ] {
        folder.replace(PATH, from, to);
        let message = message(&folder);
        assert!(message.contains(said) && message.contains("test_pairs_caltech_with_category.csv"), "{message}");
        folder.write(PATH, LIST);
    }
    survives_damage(LIST.as_bytes(), |bytes| parse_caltech_list(Path::new("list.csv"), bytes));
}
