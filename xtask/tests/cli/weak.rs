//! Weak means weak: key points score, and do nothing else.

use std::path::Path;

use crate::support::{Scene, state};

#[test]
fn a_run_without_key_points_ends_in_the_same_parameters() {
    let scene = Scene::new();
    // The first run draws the data set; the others read it as any user's folder, with and without its `.mat` files.
    scene.succeed(&scene.tiny("drawn", &[]));
    let drawn = std::fs::read_dir(scene.path("cache/drawn")).unwrap().next().unwrap().unwrap().path();
    let with = scene.path("with");
    let without = scene.path("without");
    for class in std::fs::read_dir(&drawn).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        for file in std::fs::read_dir(class.path()).unwrap().flatten() {
            let name = Path::new(&class.file_name()).join(file.file_name());
            let is_mat = file.path().extension().is_some_and(|extension| extension == "mat");
            for folder in [Some(&with), (!is_mat).then_some(&without)].into_iter().flatten() {
                std::fs::create_dir_all(folder.join(&name).parent().unwrap()).unwrap();
                std::fs::copy(file.path(), folder.join(&name)).unwrap();
            }
        }
    }
    let config = scene.path("runs/drawn/config.toml").to_string_lossy().into_owned();
    let mut ended = Vec::new();
    for (run, folder) in [("with", &with), ("without", &without)] {
        let data = folder.to_string_lossy().into_owned();
        let flags = ["train", "--config", &config, "--data", &data, "--run", run, "--device", "cpu"];
        let table = scene.succeed(&flags);
        assert_eq!(table.contains("stage-1"), run == "with", "{table}");
        ended.push(["last", "best"].map(|which| {
            state(&scene.path("runs").join(run).join(format!("checkpoints/{which}.ckpt")))["parameters"].clone()
        }));
    }
    assert_eq!(ended[0], ended[1]);
}
