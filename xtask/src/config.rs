//! The configuration of a run: a TOML file over the defaults, `--set key=value` over both, unknown keys refused.

mod check;
#[cfg(test)]
pub mod every_key;
mod ranges;
mod schema;

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use ranges::{Range, above_zero, check_ranges, rate, share, temperature, under, weight, within};
#[cfg(test)]
pub use schema::LossSection;
pub use schema::{
    BackboneSection, ClassifierSection, DataSection, MaskSection, StudentSection, TrainConfig, TrainSection, Tune,
};

impl TrainConfig {
    /// Merges `file` (if any) and the `key=value` settings over `base`, and checks the result. Where they name another backbone
    /// than `base`, what they do not say of it is that backbone's default.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or parsed, an unknown key (the nearest known one is named), a value of the wrong
    /// type or out of range.
    pub fn load(base: TrainConfig, file: Option<&Path>, settings: &[String]) -> Result<TrainConfig> {
        let mut config: TrainConfig = load_over(&base, file, settings)?;
        if config.backbone.name != base.backbone.name {
            let backbone = BackboneSection::of(config.backbone.name);
            config = load_over(&TrainConfig { backbone, ..base }, file, settings)?;
        }
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
/// A file that cannot be read or parsed, an unknown key (the nearest known one is named), a value of the wrong type (its key is
/// named).
pub fn load_over<C: Serialize + DeserializeOwned>(base: &C, file: Option<&Path>, settings: &[String]) -> Result<C> {
    let mut table = Table::try_from(base).context("the default configuration does not serialise")?;
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
    table.clone().try_into().map_err(|error| blame::<C>(&known, &table, &error))
}

/// What is wrong with a configuration that is none, with the key whose value makes it so.
fn blame<C: DeserializeOwned>(known: &Table, given: &Table, error: &toml::de::Error) -> anyhow::Error {
    let mut changed = Vec::new();
    list_changed(known, given, "", &mut changed);
    for (path, value) in changed {
        let mut alone = known.clone();
        set(&mut alone, &path, value);
        if let Err(why) = alone.try_into::<C>() {
            return anyhow!("`{path}`: {}", why.message());
        }
    }
    anyhow!("the configuration has a value of the wrong type: {}", error.message())
}

fn list_changed(known: &Table, given: &Table, prefix: &str, out: &mut Vec<(String, Value)>) {
    for (key, value) in given {
        let path = join(prefix, key);
        match (known.get(key), value) {
            (Some(Value::Table(known)), Value::Table(given)) if !is_whole(key) => {
                list_changed(known, given, &path, out)
            }
            (before, now) if before != Some(now) => out.push((path, now.clone())),
            _ => {}
        }
    }
}

/// Sets a key of a table whose sections are there.
fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => drop(table.insert(path.to_owned(), value)),
        Some((section, rest)) => {
            if let Some(Value::Table(inner)) = table.get_mut(section) {
                set(inner, rest, value);
            }
        }
    }
}

/// Whether a section is replaced as a whole: a readout's keys depend on its kind.
fn is_whole(key: &str) -> bool {
    key.ends_with("readout")
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
            (Value::Table(known), Value::Table(from)) if !is_whole(&key) => {
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
    fn another_backbone_brings_its_own_defaults() {
        let load = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
            TrainConfig::load(TrainConfig::default(), None, &settings)
        };
        let small = load(&["backbone.name=small"]).unwrap();
        assert_eq!((small.backbone.layers, small.backbone.input), (vec![3, 5], 128));
        let given = load(&["backbone.name=small", "backbone.layers=[4]", "backbone.input=64"]).unwrap();
        assert_eq!((given.backbone.layers, given.backbone.input), (vec![4], 64));
        let error = load(&["backbone.name=small", "backbone.layers=[3, 6]"]).unwrap_err().to_string();
        assert!(error.contains("`backbone.layers` asks for block 6, small has blocks 0 to 5"), "{error}");
    }

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
