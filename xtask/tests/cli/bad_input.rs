//! Bad input: a clear error that names the file and says what to do, and nothing lost.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::skips::skip;
use crate::support::{Scene, state};
use image::{ImageFormat, Rgb, RgbImage};

/// A folder of classes with so many images each.
fn folder(scene: &Scene, classes: &[(&str, usize)]) -> String {
    let root = scene.path("data");
    for (class, count) in classes {
        fs::create_dir_all(root.join(class)).unwrap();
        for index in 0..*count {
            picture(class, index).save(root.join(class).join(format!("{index}.jpg"))).unwrap();
        }
    }
    root.to_string_lossy().into_owned()
}

fn picture(class: &str, index: usize) -> RgbImage {
    let shade = class.len() as u32 * 40 + index as u32;
    RgbImage::from_fn(48, 40, |x, y| Rgb([(x * 5 + shade) as u8, (y * 6) as u8, (x * y) as u8]))
}

fn train<'a>(scene: &Scene, data: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut flags = scene.tiny("bad", &["--data", data, "--backbone", "small", "--set", "backbone.layers=[3,5]"]);
    flags.extend(more);
    flags
}

#[test]
fn folders_that_cannot_be_learnt_from() {
    let scene = Scene::new();
    let empty = scene.path("empty");
    fs::create_dir(&empty).unwrap();
    let message = scene.fail(&train(&scene, &empty.to_string_lossy(), &[]));
    assert!(message.contains("empty"), "{message}");

    let scene = Scene::new();
    let message = scene.fail(&train(&scene, &scene.path("nowhere").to_string_lossy(), &[]));
    assert!(message.contains("nowhere") && message.contains("no such folder"), "{message}");

    let scene = Scene::new();
    let message = scene.fail(&train(&scene, &folder(&scene, &[("cup", 3)]), &[]));
    assert!(message.contains("only one class") && message.contains("cup"), "{message}");

    // A class with one image is left out, which leaves one class here.
    let scene = Scene::new();
    let message = scene.fail(&train(&scene, &folder(&scene, &[("cup", 3), ("lamp", 1)]), &[]));
    assert!(message.contains("lamp") && message.contains("only one class"), "{message}");
}

#[test]
fn damaged_images_are_refused_by_name_and_the_rest_is_learnt_from() {
    let scene = Scene::new();
    let data = folder(&scene, &[("cup", 4), ("lamp", 4)]);
    let cup = Path::new(&data).join("cup");
    let whole = fs::read(cup.join("0.jpg")).unwrap();
    fs::write(cup.join("zero.jpg"), b"").unwrap();
    fs::write(cup.join("cut.jpg"), &whole[..whole.len() / 2]).unwrap();
    fs::write(cup.join("text.jpg"), b"this is no picture, whatever its name says").unwrap();
    fs::write(cup.join("huge.png"), png_header(20_000, 20_000)).unwrap();
    let output = scene.run(&train(&scene, &data, &[]));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    for name in ["zero.jpg", "cut.jpg", "text.jpg", "huge.png"] {
        assert!(log.contains(&format!("refused cup/{name}")), "{name} is not named:\n{log}");
    }
}

/// The first bytes of a PNG that promises a size; there is no pixel in it.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    RgbImage::new(1, 1).write_to(&mut std::io::Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = chunk.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    });
    bytes.splice(12..33, chunk.into_iter().chain((!crc).to_be_bytes()));
    bytes
}

#[test]
fn missing_and_absent_key_points_cost_their_points_alone() {
    let scene = Scene::new();
    let data = folder(&scene, &[("cup", 4), ("lamp", 4)]);
    for class in ["cup", "lamp"] {
        for index in 0..3 {
            let points = [Some([5.0, 6.0]), Some([30.0, 20.0]), (index > 0).then_some([10.0, 30.0]), None];
            eval::write_key_points(&Path::new(&data).join(class).join(format!("{index}.mat")), &points).unwrap();
        }
    }
    let table = scene.succeed(&train(&scene, &data, &[]));
    assert!(table.contains("12 pairs") && !table.contains("NaN"), "{table}");

    // A damaged annotation is an error that names it where it is asked for.
    fs::write(Path::new(&data).join("cup/1.mat"), b"MATLAB 5.0 no more").unwrap();
    let message = scene.fail(&["eval", "--run", "bad", "--data", &data, "--device", "cpu"]);
    assert!(message.contains("1.mat"), "{message}");
}

#[test]
fn weights_that_are_not_what_they_should_be() {
    let scene = Scene::new();
    let data = folder(&scene, &[("cup", 2), ("lamp", 2)]);
    let train = |weights: &str| {
        let more = ["train", "--data", &data, "--run", "w", "--device", "cpu", "--overwrite", "--weights", weights];
        scene.fail(&more)
    };
    let text = scene.path("text.pth").to_string_lossy().into_owned();
    fs::write(&text, "no weights at all").unwrap();
    assert!(train(&text).contains("text.pth"), "a text file");

    let message = scene.fail(&["train", "--data", &data, "--run", "none", "--device", "cpu"]);
    assert!(message.contains("cargo xtask weights fetch efficientnet-lite0"), "{message}");

    // With real weights at hand: a flipped byte and a truncated file.
    let known = &corr_volume::known_weights()[0];
    let cache = std::env::var_os("SCORR_WEIGHTS").map(std::path::PathBuf::from).or_else(|| {
        let home = std::env::var_os("XDG_CACHE_HOME")
            .map(std::path::PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))?;
        Some(home.join("scorr/weights"))
    });
    let Some(Ok(mut bytes)) = cache.map(|folder| fs::read(folder.join(known.file))) else {
        return skip("weights", format!("the rest needs {} in the cache folder", known.file));
    };
    let path = scene.path(known.file).to_string_lossy().into_owned();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(train(&path).contains(known.file), "a truncated file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let message = train(&path);
    assert!(message.contains("damaged or altered") && message.contains(known.file), "{message}");
}

#[test]
fn an_unknown_configuration_key_names_the_nearest() {
    let scene = Scene::new();
    let message = scene.fail(&["train", "--set", "loss.bipat=2"]);
    assert!(message.contains("unknown key `loss.bipat`") && message.contains("`loss.bipath`"), "{message}");
    let file = scene.path("c.toml");
    fs::write(&file, "[student]\nstage = 2\n").unwrap();
    let message = scene.fail(&["train", "--config", &file.to_string_lossy()]);
    assert!(message.contains("c.toml") && message.contains("`student.stages`"), "{message}");
}

#[test]
#[cfg(unix)]
fn a_full_disk_while_saving_keeps_the_previous_checkpoint() {
    let scene = Scene::new();
    scene.succeed(&scene.tiny("a", &["--set", "train.steps=2"]));
    let checkpoint = scene.path("runs/a/checkpoints/last.ckpt");
    let before = (fs::read(&checkpoint).unwrap(), state(&checkpoint));
    // The same run with more steps to go, under a limit on the size of files: writing beyond it fails as on a full disk.
    let config = scene.path("runs/a/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("steps = 2\n", "steps = 4\n")).unwrap();
    let script = r#"trap '' XFSZ; ulimit -f "$1"; shift; exec "$@""#;
    let blocks = (before.0.len() as u64 / 1024 / 2).to_string();
    let output = Command::new("bash")
        .args(["-c", script, "limited", &blocks, env!("CARGO_BIN_EXE_xtask")])
        .args(["train", "--run", "a", "--resume", "--device", "cpu"])
        .current_dir(scene.path(""))
        .env("SCORR_CACHE", scene.path("cache"))
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("last.ckpt") || message.contains("best.ckpt"), "{message}");
    assert_eq!(fs::read(&checkpoint).unwrap(), before.0);
    // With room again it goes on from there.
    scene.succeed(&["train", "--run", "a", "--resume", "--device", "cpu"]);
    assert_eq!(state(&checkpoint)["step"], 4);
}
