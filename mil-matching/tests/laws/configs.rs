use mil_matching::{
    MaskConfig, MaskKind, PixelConfig, RegionKind, RegionMatcherConfig, RegionsConfig, StaircaseConfig,
};
use serde::{Serialize, de::DeserializeOwned};

fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(config: &T) {
    let text = toml::to_string(config).expect("a config writes TOML");
    assert_eq!(&toml::from_str::<T>(&text).expect("it reads what it wrote"), config);
    let unknown = format!("no_such_key = 1\n{text}");
    let error = toml::from_str::<T>(&unknown).expect_err("an unknown key is an error").to_string();
    assert!(error.contains("no_such_key"), "{error}");
}

#[test]
fn configs_survive_toml_and_refuse_unknown_keys() {
    survives(&MaskConfig { kind: MaskKind::Soft, ..Default::default() });
    survives(&StaircaseConfig::default());
    survives(&RegionsConfig { kind: RegionKind::Windows, ..Default::default() });
    survives(&RegionMatcherConfig::new(7));
    survives(&PixelConfig::default());
    survives(&mil_matching::ClassifierConfig::new(3, 4));
}

#[test]
fn missing_keys_take_their_defaults() {
    assert_eq!(toml::from_str::<MaskConfig>("").expect("empty"), MaskConfig::default());
    assert_eq!(toml::from_str::<RegionsConfig>("count = 12").expect("one key"), RegionsConfig::default());
    assert_eq!(toml::from_str::<PixelConfig>("").expect("empty"), PixelConfig::default());
    assert_eq!(toml::from_str::<RegionMatcherConfig>("channels = 5").expect("one key"), RegionMatcherConfig::new(5));
}
