use pseudo_label::{ConsistencyConfig, KeyPointConfig, KeyPointOrder};
use serde::{Serialize, de::DeserializeOwned};

fn survives<T: Serialize + DeserializeOwned + PartialEq + Default + std::fmt::Debug>(config: &T) {
    let text = toml::to_string(config).expect("a config writes TOML");
    assert_eq!(&toml::from_str::<T>(&text).expect("it reads what it wrote"), config);
    let error = toml::from_str::<T>(&format!("no_such_key = 1\n{text}")).expect_err("an unknown key is an error");
    assert!(error.to_string().contains("no_such_key"), "{error}");
    assert_eq!(toml::from_str::<T>("").expect("an empty table"), T::default());
}

#[test]
fn configs_survive_toml_take_their_defaults_and_refuse_unknown_keys() {
    survives(&ConsistencyConfig { cycle: false, partners: 0.75, ..Default::default() });
    survives(&KeyPointConfig { most: 400, spacing: 0.0, order: KeyPointOrder::Chance });
}
