//! What a build is made from: enough to tell whether two of them may be one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most differences that a message lists.
const MOST_LISTED: usize = 6;
/// The setting under which a data set has the hash of what all its images hold.
const CONTENTS: &str = "image_contents";

/// The configuration of a build: two builds are the same if this is, to the letter.
///
/// The hash should cover everything that the result depends on: configuration, weights, seed, and the listing of the
/// images ([`ImageSource::listing_hash`](crate::ImageSource::listing_hash)). The settings say where two builds differ, and
/// stand in the datasheet. Neither may hold what the result does not depend on, as the number of shards or workers, or a
/// path on one machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildIdentity {
    /// The hash of everything that the result depends on.
    pub config_hash: String,
    /// Every setting as JSON text, by its path: `consistency.cycle_share` → `0.5`.
    pub settings: BTreeMap<String, String>,
}

impl BuildIdentity {
    /// An identity with the settings of `config`, taken apart into single values.
    ///
    /// # Panics
    ///
    /// If `config` is nothing that JSON can hold, as a map whose keys are no text.
    pub fn new(config_hash: impl Into<String>, config: &impl Serialize) -> Self {
        let mut settings = BTreeMap::new();
        // By way of text, in which an `f32` has the digits that it was written with.
        match serde_json::to_string(config).and_then(|text| serde_json::from_str(&text)) {
            Ok(value) => take_apart(String::new(), &value, &mut settings),
            Err(error) => panic!("a configuration that JSON cannot hold: {error}"),
        }
        Self { config_hash: config_hash.into(), settings }
    }

    /// The identity of a data set: that of its build, and what its images hold.
    pub(crate) fn with_contents(&self, contents: Option<u64>) -> Self {
        let mut identity = self.clone();
        if let Some(hash) = contents {
            identity.settings.insert(CONTENTS.to_owned(), format!("\"{hash:016x}\""));
        }
        identity
    }

    /// Where `there` differs from this one, for a message.
    pub(crate) fn differences(&self, there: &Self) -> String {
        let missing = "missing".to_owned();
        let mut names: Vec<&String> = self.settings.keys().chain(there.settings.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let differ: Vec<String> = names
            .into_iter()
            .filter_map(|name| {
                let here = self.settings.get(name).unwrap_or(&missing);
                let there = there.settings.get(name).unwrap_or(&missing);
                (here != there).then(|| format!("`{name}` is {there} there and {here} here"))
            })
            .collect();
        match differ.len() {
            0 => format!(
                "no setting differs, but the hash does ({} there, {} here): other weights, images or program",
                there.config_hash, self.config_hash
            ),
            1..=MOST_LISTED => differ.join(", "),
            more => format!("{} and {} settings more", differ[..MOST_LISTED].join(", "), more - MOST_LISTED),
        }
    }
}

fn take_apart(path: String, value: &Value, settings: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                take_apart(path, value, settings);
            }
        }
        value => {
            settings.insert(path, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_settings_that_differ_are_named() {
        let here = BuildIdentity::new("1", &json!({"match": {"tau": 0.1, "seed": 3}, "name": "x"}));
        let there = BuildIdentity::new("2", &json!({"match": {"tau": 0.2, "seed": 3}}));
        let expected = r#"`match.tau` is 0.2 there and 0.1 here, `name` is missing there and "x" here"#;
        assert_eq!(here.differences(&there), expected);
        let weights = BuildIdentity { config_hash: "3".to_owned(), ..here.clone() };
        assert!(here.differences(&weights).contains("other weights, images or program"));
        let many: BTreeMap<_, _> = (0..9).map(|key| (format!("k{key}"), key)).collect();
        assert!(here.differences(&BuildIdentity::new("4", &many)).ends_with("and 6 settings more"));
    }

    #[test]
    fn a_setting_has_the_digits_that_it_was_written_with() {
        #[derive(Serialize)]
        struct Config {
            share: f32,
        }
        assert_eq!(BuildIdentity::new("1", &Config { share: 0.1 }).settings["share"], "0.1");
    }
}
