//! The configuration of a run: a TOML file over the defaults, `--set key=value` over both, unknown keys refused.

mod schema;

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

#[cfg(test)]
pub use schema::LossSection;
pub use schema::{
    BackboneSection, ClassifierSection, DataSection, MaskSection, StudentSection, TrainConfig, TrainSection, Tune,
};

impl TrainConfig {
    /// Merges `file` (if any) and the `key=value` settings over `base`, and checks the result.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or parsed, an unknown key (the nearest known one is named), a value of the wrong
    /// type or out of range.
    pub fn load(base: TrainConfig, file: Option<&Path>, settings: &[String]) -> Result<TrainConfig> {
        let config = load_over(base, file, settings)?;
        config.check()?;
        Ok(config)
    }

    /// The configuration as a TOML text, every key written out.
    ///
    /// # Errors
    ///
    /// Never for a configuration that [`TrainConfig::load`] made.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).context("the configuration does not serialise")
    }

    /// The first difference to another configuration, as `key: this / other`, ignoring the keys in `except`.
    pub fn first_difference(&self, other: &TrainConfig, except: &[&str]) -> Result<Option<String>> {
        let (a, b) = (Table::try_from(self)?, Table::try_from(other)?);
        Ok(difference(&a, &b, "", except))
    }
}

/// Any configuration with `file` (if any) and the `key=value` settings merged over `base`; what the values may be is not
/// checked.
///
/// # Errors
///
/// A file that cannot be read or parsed, an unknown key (the nearest known one is named), a value of the wrong type.
pub fn load_over<C: Serialize + DeserializeOwned>(base: C, file: Option<&Path>, settings: &[String]) -> Result<C> {
    let mut table = Table::try_from(&base).context("the default configuration does not serialise")?;
    let known = table.clone();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let given: Table = text.parse().with_context(|| format!("{} is not valid TOML", path.display()))?;
        merge(&mut table, given, &known, "").with_context(|| format!("in {}", path.display()))?;
    }
    for setting in settings {
        let given = parse_setting(setting)?;
        merge(&mut table, given, &known, "").with_context(|| format!("in --set {setting}"))?;
    }
    table.try_into().context("the configuration has a value of the wrong type")
}

/// `a.b.c=value` as a nested table; the value is TOML, or else a plain string.
fn parse_setting(setting: &str) -> Result<Table> {
    let Some((key, value)) = setting.split_once('=') else {
        bail!("--set wants key=value, as in --set train.steps=300, got {setting:?}");
    };
    let value = format!("value = {}", value.trim())
        .parse::<Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.trim().to_owned()));
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut table = Table::from_iter([(last.to_owned(), value)]);
    for part in parts.into_iter().rev() {
        table = Table::from_iter([(part.to_owned(), Value::Table(table))]);
    }
    Ok(table)
}

fn merge(into: &mut Table, from: Table, known: &Table, prefix: &str) -> Result<()> {
    for (key, value) in from {
        let path = join(prefix, &key);
        let Some(expected) = known.get(&key) else {
            let mut all = Vec::new();
            list_keys(known, prefix, &mut all);
            let nearest = all
                .iter()
                .map(|candidate| (strsim::damerau_levenshtein(candidate, &path), candidate))
                .min()
                .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
                .unwrap_or_default();
            bail!("unknown key `{path}`{nearest}");
        };
        match (expected, value) {
            // A readout's keys depend on its kind, so that it is replaced as a whole.
            (Value::Table(known), Value::Table(from)) if !key.ends_with("readout") => {
                let Some(Value::Table(into)) = into.get_mut(&key) else { bail!("`{path}` is not a section") };
                merge(into, from, known, &path)?;
            }
            // An integer where a float is expected is what everybody writes.
            (Value::Float(_), Value::Integer(number)) => {
                into.insert(key, Value::Float(number as f64));
            }
            (expected, value) => {
                if expected.type_str() != value.type_str() {
                    bail!("`{path}` wants a value of type {}, got {} ({value})", expected.type_str(), value.type_str());
                }
                into.insert(key, value);
            }
        }
    }
    Ok(())
}

fn list_keys(table: &Table, prefix: &str, out: &mut Vec<String>) {
    for (key, value) in table {
        let path = join(prefix, key);
        if let Value::Table(inner) = value {
            list_keys(inner, &path, out);
        }
        out.push(path);
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn difference(a: &Table, b: &Table, prefix: &str, except: &[&str]) -> Option<String> {
    for key in a.keys().chain(b.keys()) {
        let path = join(prefix, key);
        if except.contains(&path.as_str()) {
            continue;
        }
        match (a.get(key), b.get(key)) {
            (Some(Value::Table(a)), Some(Value::Table(b))) => {
                if let Some(found) = difference(a, b, &path, except) {
                    return Some(found);
                }
            }
            (a, b) if a == b => {}
            (a, b) => {
                let show = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
                return Some(format!("`{path}`: {} / {}", show(a), show(b)));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_override_and_integers_serve_as_floats() {
        let settings = ["train.steps=7".to_owned(), "train.learning_rate=1".to_owned()];
        let config = TrainConfig::load(TrainConfig::default(), None, &settings).unwrap();
        assert_eq!((config.train.steps, config.train.learning_rate), (7, 1.0));
    }

    #[test]
    fn an_unknown_key_names_the_nearest_known_one() {
        let settings = ["train.step=7".to_owned()];
        let error = TrainConfig::load(TrainConfig::default(), None, &settings).unwrap_err();
        assert!(format!("{error:#}").contains("did you mean `train.steps`?"), "{error:#}");
    }

    #[test]
    fn a_wrong_type_is_named() {
        let settings = ["train.steps=many".to_owned()];
        let error = TrainConfig::load(TrainConfig::default(), None, &settings).unwrap_err();
        assert!(format!("{error:#}").contains("`train.steps` wants a value of type integer"), "{error:#}");
    }

    #[test]
    fn a_configuration_survives_its_own_file() {
        let config = TrainConfig::default();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, config.to_toml().unwrap()).unwrap();
        let again = TrainConfig::load(TrainConfig::default(), Some(&path), &[]).unwrap();
        assert_eq!(config.first_difference(&again, &[]).unwrap(), None);
    }
}
