use eval::{BenchmarkError, BenchmarkName, BenchmarkSplit, ReadOptions, read_pairs};

use crate::fixture::Folder;

#[test]
fn names_and_splits_are_read_back_as_they_are_written() {
    let names = BenchmarkName::ALL.map(|name| name.to_string());
    assert_eq!(
        names,
        ["pf-pascal", "pf-willow", "willow", "spair", "tss", "caltech", "ap-10k", "sc-imagenet", "table"]
    );
    for name in BenchmarkName::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
        assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{name}\""));
        for split in name.splits() {
            assert_eq!(split.to_string().parse(), Ok(*split));
            assert_eq!(serde_json::to_string(split).unwrap(), format!("\"{split}\""));
        }
    }
    let message = "voc".parse::<BenchmarkName>().unwrap_err().to_string();
    assert!(message.contains("`voc` is no benchmark; expected one of pf-pascal, pf-willow"), "{message}");
    assert!("dev".parse::<BenchmarkSplit>().unwrap_err().to_string().contains("`dev` is no split"));
}

#[test]
fn an_empty_folder_is_told_where_each_data_set_is_published_and_how_it_is_laid_out() {
    let folder = Folder::new();
    assert_eq!(BenchmarkName::detect(folder.path()), None);
    for name in BenchmarkName::ALL {
        let message = match name {
            BenchmarkName::Tss => eval::read_tss(folder.path()).unwrap_err().to_string(),
            BenchmarkName::Caltech => eval::read_caltech(folder.path()).unwrap_err().to_string(),
            _ => folder.message(name),
        };
        let (place, layout) = (name.published_at(), name.layout());
        assert!(
            message.contains(place) && message.contains(layout) && message.contains(&name.to_string()),
            "{message}"
        );
        assert!(message.contains(&folder.path().display().to_string()) && message.contains("is missing"), "{message}");
    }
}

#[test]
fn what_a_data_set_does_not_have_is_refused_with_what_it_has() {
    let read = |name, split| read_pairs(name, "nowhere".as_ref(), &ReadOptions { split, ..ReadOptions::default() });
    let error = read(BenchmarkName::PfWillow, Some(BenchmarkSplit::Train)).unwrap_err();
    assert_eq!(error.to_string(), "pf-willow has no split train; its splits are test");
    let error = read(BenchmarkName::Spair, Some(BenchmarkSplit::TestCrossFamily)).unwrap_err();
    assert_eq!(error.to_string(), "spair has no split test-cross-family; its splits are test, val, train");
    let error = read(BenchmarkName::Tss, None).unwrap_err();
    assert!(matches!(error, BenchmarkError::NoKeyPoints { reader: "read_tss", .. }));
    assert!(read(BenchmarkName::Caltech, None).unwrap_err().to_string().contains("`read_caltech`"));
}
