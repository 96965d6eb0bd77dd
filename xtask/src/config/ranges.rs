//! Which numbers a configuration may have: a table of its keys, checked before any work.

use std::fmt;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use toml::{Table, Value};

/// What the number under a key may be, or each number of the list under it.
#[derive(Clone, Debug)]
pub struct Range {
    key: String,
    low: f64,
    high: f64,
    /// The lower end is no value.
    above: bool,
}

/// From `low` to `high`, both included.
pub fn within(key: &str, low: f64, high: f64) -> Range {
    Range { key: key.to_owned(), low, high, above: false }
}

/// Above 0, up to `high`.
pub fn above_zero(key: &str, high: f64) -> Range {
    Range { above: true, ..within(key, 0.0, high) }
}

/// A share or a probability.
pub fn share(key: &str) -> Range {
    within(key, 0.0, 1.0)
}

/// A temperature of a softmax over cosines or shares: colder ones overflow.
pub fn temperature(key: &str) -> Range {
    within(key, 1e-4, 100.0)
}

/// The weight of a loss, or of a decay.
pub fn weight(key: &str) -> Range {
    within(key, 0.0, 1e6)
}

/// A learning rate. One that is too large ends in a loss that is no number, which is an error with a name.
pub fn rate(key: &str) -> Range {
    above_zero(key, 1e38)
}

/// The ranges of a section that stands under `prefix`.
pub fn under(prefix: &str, ranges: Vec<Range>) -> impl Iterator<Item = Range> {
    ranges.into_iter().map(move |range| Range { key: format!("{prefix}.{}", range.key), ..range })
}

impl Range {
    fn has(&self, value: f64) -> bool {
        // A value of type f32 is as near to the bound as it can be.
        let low = self.low.min(f64::from(self.low as f32));
        let high = self.high.max(f64::from(self.high as f32));
        (low..=high).contains(&value) && !(self.above && value == self.low)
    }

    /// The key and the ends, for tests that try them.
    #[cfg(test)]
    pub fn ends(&self) -> (&str, [f64; 2]) {
        (&self.key, [self.low, self.high])
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.above {
            true => write!(f, "above {} and at most {}", self.low, self.high),
            false => write!(f, "in {}..={}", self.low, self.high),
        }
    }
}

/// Refuses a configuration with a number that is out of its range.
///
/// # Errors
///
/// The first such number, its key and its range.
pub fn check_ranges(config: &impl Serialize, ranges: &[Range]) -> Result<()> {
    for (key, value) in numbers(config)? {
        if let Some(range) = ranges.iter().find(|range| range.key == key)
            && !range.has(value)
        {
            bail!("`{key}` is {range}, not {value}");
        }
    }
    Ok(())
}

/// The keys with a number, or a list of some, that no range is of: there are to be none.
#[cfg(test)]
pub fn without_range(config: &impl Serialize, ranges: &[Range]) -> Vec<String> {
    let keys = numbers(config).unwrap().into_iter().map(|(key, _)| key);
    keys.filter(|key| !ranges.iter().any(|range| range.key == *key)).collect()
}

/// Every number of a configuration with its key.
fn numbers(config: &impl Serialize) -> Result<Vec<(String, f64)>> {
    let table = Table::try_from(config).context("the configuration has a number beyond 9223372036854775807")?;
    let mut found = Vec::new();
    list_numbers("", &Value::Table(table), &mut found);
    Ok(found)
}

fn list_numbers(path: &str, value: &Value, out: &mut Vec<(String, f64)>) {
    match value {
        Value::Integer(number) => out.push((path.to_owned(), *number as f64)),
        Value::Float(number) => out.push((path.to_owned(), *number)),
        Value::Array(values) => values.iter().for_each(|value| list_numbers(path, value, out)),
        Value::Table(table) => {
            for (key, value) in table {
                list_numbers(&super::join(path, key), value, out);
            }
        }
        _ => {}
    }
}
