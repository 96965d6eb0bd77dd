//! What an experiment is to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use eval::{BenchmarkName, BenchmarkSplit, Protocol};
use serde::{Deserialize, Serialize};

use super::setting::Setting;
use crate::config::{Range, above_zero, check_ranges, load_over, within};
use crate::matchers::{MatcherName, MatcherSettings, PairCount, Phase};
use crate::short_hash::short_hash;

/// What the beginning is called that has seen nothing: neither labels nor key points.
pub const UNTRAINED: &str = "untrained";

/// Part of a cell's identity: another rule of how long cells learn makes other cells.
const BUDGET_RULE: &str = "as long without labels as with them; every pair once";

/// The file of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Its name in tables.
    pub name: String,
    /// The matchers. Those that do not learn have a row of their own.
    pub matchers: Vec<MatcherName>,
    /// What matchers begin with: a name of `labels`, or no label: `none`, and `none-NAME` for a further one with settings of
    /// its own.
    pub inits: Vec<String>,
    /// Numbers of key-point pairs, `0` to so many, or `all`.
    pub pairs: Vec<String>,
    /// The seeds of parameters, order, changes and choice of pairs.
    pub seeds: Vec<u64>,
    /// Key points to learn from and to score on.
    pub benchmark: BenchmarkPlan,
    /// Folders of labels, `NAME=DIR` each; a name may come several times.
    pub labels: Vec<String>,
    /// Settings of all matchers, `key=value`, of one, `MATCHER:key=value`, and of one beginning of it,
    /// `MATCHER/INIT:key=value`; `*` is every matcher.
    pub settings: Vec<String>,
}

/// Key points to learn from and to score on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BenchmarkPlan {
    /// Its folder.
    pub data: PathBuf,
    /// Its name; empty: found from the folder.
    pub name: String,
    /// The part to learn from.
    pub train: String,
    /// The part to score on.
    pub score: String,
    /// Of data sets without a list of pairs: at most so many pairs a class are scored; 0: all.
    pub score_pairs: usize,
    /// How to score; empty: as is usual.
    pub protocol: String,
    /// Thresholds.
    pub alphas: Vec<f64>,
}

impl Default for BenchmarkPlan {
    fn default() -> Self {
        Self {
            data: PathBuf::new(),
            name: String::new(),
            train: "train".to_owned(),
            score: "val".to_owned(),
            score_pairs: 100,
            protocol: String::new(),
            alphas: vec![0.05, 0.10, 0.15],
        }
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            name: "experiment".to_owned(),
            matchers: vec![MatcherName::NcNet, MatcherName::Dhpf, MatcherName::Cats],
            inits: vec!["none".to_owned()],
            pairs: ["0", "20", "100", "all"].map(str::to_owned).to_vec(),
            seeds: vec![0, 1, 2],
            benchmark: BenchmarkPlan::default(),
            labels: Vec::new(),
            settings: Vec::new(),
        }
    }
}

/// One cell: a matcher, what it begins with, how many pairs it learns from, and a seed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// The matcher.
    pub matcher: MatcherName,
    /// What it begins with.
    pub init: String,
    /// How many pairs; `None` = all.
    pub pairs: Option<usize>,
    /// The seed.
    pub seed: u64,
}

/// Whether what begins so has seen no label.
pub(super) fn sees_no_label(init: &str) -> bool {
    init == "none" || init.starts_with("none-")
}

impl Cell {
    /// Whether it learns from no label.
    pub fn sees_no_label(&self) -> bool {
        sees_no_label(&self.init)
    }

    /// What it begins with, as tables and figures say it: what has parameters and has learned from nothing is untrained.
    pub fn begins_with(&self) -> &str {
        let untrained = self.matcher.learns() && self.sees_no_label() && self.pairs == Some(0);
        if untrained { UNTRAINED } else { &self.init }
    }

    /// The pairs as they are written.
    pub fn pairs_name(&self) -> String {
        PairCount(self.pairs).to_string()
    }

    /// The name of its file.
    pub fn file(&self) -> String {
        format!("{}_{}_{}_{}.json", self.matcher.name(), self.init, self.pairs_name(), self.seed)
    }
}

impl Plan {
    /// Reads a plan, with `key=value` settings over it.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a key that is not known, a value that makes no sense.
    pub fn load(file: &Path, set: &[String]) -> Result<Plan> {
        let plan: Plan = load_over(&Plan::default(), Some(file), set)?;
        plan.check().with_context(|| format!("in {}", file.display()))?;
        Ok(plan)
    }

    pub(super) fn check(&self) -> Result<()> {
        check_ranges(self, &ranges())?;
        for (name, empty) in [
            ("matchers", self.matchers.is_empty()),
            ("inits", self.inits.is_empty()),
            ("pairs", self.pairs.is_empty()),
            ("seeds", self.seeds.is_empty()),
            ("benchmark.alphas", self.benchmark.alphas.is_empty()),
        ] {
            if empty {
                bail!("`{name}` is empty: there is nothing to do");
            }
        }
        if self.benchmark.data.as_os_str().is_empty() {
            bail!("give the folder with key points: `benchmark.data`, or --set benchmark.data=DIR");
        }
        self.pair_counts()?;
        self.splits()?;
        self.benchmark_name()?;
        Protocol::default()
            .with_keys(&self.benchmark.protocol)
            .map_err(|error| anyhow::anyhow!("`benchmark.protocol`: {error}"))?;
        self.labels_by_name()?;
        no_twins("matchers", &self.matchers)?;
        no_twins("inits", &self.inits)?;
        no_twins("pairs", &self.pair_counts()?)?;
        no_twins("seeds", &self.seeds)?;
        for init in &self.inits {
            let odd = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
            if init.is_empty() || init.contains(odd) {
                bail!("`inits`: {init:?} is no name; letters, digits and - are");
            }
            if !sees_no_label(init) {
                self.folders_of(init)?;
            }
        }
        if let Some(name) = self.labels_by_name()?.into_keys().find(|name| sees_no_label(name) || *name == UNTRAINED) {
            bail!("`labels`: what begins with {name:?} has seen no label; choose another name");
        }
        self.check_whose_settings()?;
        for &matcher in &self.matchers {
            self.inits.iter().try_for_each(|init| self.settings_of(matcher, init).map(drop))?;
        }
        Ok(())
    }

    /// The counts of `pairs`.
    ///
    /// # Errors
    ///
    /// What is neither a number nor `all`.
    pub fn pair_counts(&self) -> Result<Vec<Option<usize>>> {
        let count = |text: &String| match text.parse() {
            Ok(PairCount(count)) => Ok(count),
            Err(why) => bail!("`pairs`: {text:?} is {why}"),
        };
        self.pairs.iter().map(count).collect()
    }

    /// The parts to learn from and to score on.
    ///
    /// # Errors
    ///
    /// What is no part.
    pub fn splits(&self) -> Result<[BenchmarkSplit; 2]> {
        let part = |text: &str| {
            text.parse::<BenchmarkSplit>().map_err(|error| anyhow::anyhow!("`benchmark`: {text:?}: {error}"))
        };
        Ok([part(&self.benchmark.train)?, part(&self.benchmark.score)?])
    }

    /// The benchmark's name, where it is given.
    ///
    /// # Errors
    ///
    /// A name of none.
    pub fn benchmark_name(&self) -> Result<Option<BenchmarkName>> {
        let name = &self.benchmark.name;
        (!name.is_empty())
            .then(|| name.parse().map_err(|error| anyhow::anyhow!("`benchmark.name`: {error}")))
            .transpose()
    }

    pub(super) fn labels_by_name(&self) -> Result<BTreeMap<&str, Vec<PathBuf>>> {
        let mut folders: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
        for entry in &self.labels {
            let (name, folder) =
                entry.split_once('=').with_context(|| format!("`labels`: {entry:?} is not NAME=DIR"))?;
            folders.entry(name.trim()).or_default().push(PathBuf::from(folder.trim()));
        }
        Ok(folders)
    }

    /// The folders of labels that a beginning has.
    ///
    /// # Errors
    ///
    /// None.
    pub fn folders_of(&self, init: &str) -> Result<Vec<PathBuf>> {
        self.labels_by_name()?
            .remove(init)
            .with_context(|| format!("`inits` has {init:?}, and `labels` no folder of it: add \"{init}=DIR\""))
    }

    /// The settings of a matcher that begins so.
    ///
    /// # Errors
    ///
    /// A setting that there is not.
    pub fn settings_of(&self, matcher: MatcherName, init: &str) -> Result<MatcherSettings> {
        let mine = self.settings.iter().map(|setting| Setting::parse(setting));
        let mine = mine.filter(|setting| setting.is_of(matcher, init)).map(|setting| setting.text.to_owned());
        MatcherSettings::load(matcher, None, &mine.collect::<Vec<_>>())
            .with_context(|| format!("in the settings of {} from {init}", matcher.name()))
    }

    /// How a cell learns from `pairs` pairs with key points.
    ///
    /// It passes over all of them at least once, whatever the settings' steps are. What sees no label learns longer, by as
    /// many pairs as others of its matcher see in training on labels: both have the same budget.
    ///
    /// # Errors
    ///
    /// As [`Plan::settings_of`].
    pub fn finetune(&self, cell: &Cell, pairs: usize) -> Result<Phase> {
        let MatcherSettings { pretrain, mut finetune, .. } = self.settings_of(cell.matcher, &cell.init)?;
        let more = if cell.sees_no_label() { pretrain.pairs_seen().div_ceil(finetune.batch) } else { 0 };
        finetune.trainer.steps = more + finetune.trainer.steps.max(pairs.div_ceil(finetune.batch));
        Ok(finetune)
    }

    /// All cells, those that others build on first. What does not learn has one cell.
    ///
    /// # Errors
    ///
    /// As [`Plan::pair_counts`].
    pub fn cells(&self) -> Result<Vec<Cell>> {
        let counts = self.pair_counts()?;
        let mut cells = Vec::new();
        for &seed in &self.seeds {
            for &matcher in &self.matchers {
                if !matcher.learns() {
                    if seed == self.seeds[0] {
                        cells.push(Cell { matcher, init: "none".to_owned(), pairs: Some(0), seed });
                    }
                    continue;
                }
                for init in &self.inits {
                    cells.extend(counts.iter().map(|&pairs| Cell { matcher, init: init.clone(), pairs, seed }));
                }
            }
        }
        Ok(cells)
    }

    /// The folders of labels that a beginning has, and a hash of how each was built: labels that were built anew are others.
    /// Folders that `cargo xtask label` has not built do not say.
    fn builds_of(&self, init: &str) -> Result<Vec<(PathBuf, Option<String>)>> {
        let build = |folder: &Path| std::fs::read(folder.join("build.json")).ok().map(|bytes| short_hash(&bytes));
        Ok(self.folders_of(init)?.into_iter().map(|folder| (folder.clone(), build(&folder))).collect())
    }

    /// What a cell depends on, as a hash: a file of another is not taken for this one's.
    ///
    /// # Errors
    ///
    /// As [`Plan::settings_of`].
    pub fn identity(&self, cell: &Cell) -> Result<String> {
        let mut settings = self.settings_of(cell.matcher, &cell.init)?;
        let (folders, budget) = if cell.sees_no_label() {
            // Of how others learn from labels it depends on how long they do, and on nothing else.
            let budget = settings.pretrain.pairs_seen();
            (settings.pretrain, settings.labels) = Default::default();
            (Vec::new(), budget)
        } else {
            (self.builds_of(&cell.init)?, 0)
        };
        let settings = settings.relevant(cell.matcher)?;
        let text = serde_json::to_string(&(cell, folders, &self.benchmark, settings, budget, BUDGET_RULE))?;
        Ok(short_hash(text.as_bytes()))
    }

    /// As [`Plan::identity`], of the training on labels that a cell begins with.
    ///
    /// # Errors
    ///
    /// As [`Plan::settings_of`].
    pub fn start_identity(&self, cell: &Cell) -> Result<String> {
        let settings = self.settings_of(cell.matcher, &cell.init)?;
        let settings = MatcherSettings { finetune: Default::default(), ..settings };
        let settings = settings.relevant(cell.matcher)?;
        let text = serde_json::to_string(&(cell.matcher, cell.seed, self.builds_of(&cell.init)?, settings))?;
        Ok(short_hash(text.as_bytes()))
    }
}

/// The range of every number.
fn ranges() -> Vec<Range> {
    vec![within("seeds", 0.0, 9.3e18), within("benchmark.score_pairs", 0.0, 1e9), above_zero("benchmark.alphas", 10.0)]
}

/// Refuses a list in which something stands twice: its cells would be one file.
fn no_twins<T: PartialEq + std::fmt::Debug>(key: &str, values: &[T]) -> Result<()> {
    match values.iter().enumerate().find(|(place, value)| values[..*place].contains(value)) {
        Some((_, twin)) => bail!("`{key}` has {twin:?} twice"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::every_key;

    #[test]
    fn every_key_is_refused_by_its_name_or_makes_a_plan() {
        let mut plan = Plan::default();
        plan.benchmark.data = PathBuf::from("WILLOW");
        let load = |settings: &[String]| {
            let loaded: Plan = load_over(&plan, None, settings)?;
            loaded.check().map(|()| loaded)
        };
        assert!(every_key::try_all(&plan, &ranges(), load).len() > 10);
        for (setting, said) in [
            ("settings=[\"catz:views=1\"]", "\"catz\", which is no matcher"),
            ("settings=[\"cats:views=-1\"]", "`views`"),
            ("benchmark.protocol=frame=round", "`benchmark.protocol`"),
            ("benchmark.name=willows", "`benchmark.name`"),
            ("seeds=[1, 2, 1]", "`seeds` has 1 twice"),
        ] {
            let message = format!("{:#}", load(&[setting.to_owned()]).unwrap_err());
            assert!(message.contains(said), "{setting}: {message}");
        }
    }

    #[test]
    fn the_plan_of_the_claim_is_read_and_has_a_cell_of_each_combination_once() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/claim.toml");
        let plan = Plan::load(&file, &[]).unwrap();
        let cells = plan.cells().unwrap();
        let files: std::collections::BTreeSet<_> = cells.iter().map(Cell::file).collect();
        assert_eq!((files.len(), cells.len()), (112, 112));
        // What a cell is fine-tuned from comes before it.
        let place = |file: &str| cells.iter().position(|cell| cell.file() == file).unwrap();
        assert!(place("cats_labels_0_2.json") < place("cats_labels_all_2.json"));
        assert_eq!(cells.iter().filter(|cell| cell.init == "labels-unchecked").count(), 36);
    }

    #[test]
    fn the_plan_that_chooses_rates_differs_in_nothing_but_the_rates_and_where_it_scores() {
        let load = |file: &str| {
            Plan::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments").join(file), &[]).unwrap()
        };
        let (claim, rates) = (load("claim.toml"), load("claim-rates.toml"));
        assert_ne!(claim.benchmark.data, rates.benchmark.data);
        assert_eq!(BenchmarkPlan { data: claim.benchmark.data.clone(), ..rates.benchmark.clone() }, claim.benchmark);
        for cell in rates.cells().unwrap() {
            let of_claim = Cell { init: "none".to_owned(), ..cell.clone() };
            assert!(cell.sees_no_label() && claim.matchers.contains(&cell.matcher), "{cell:?}");
            let mut phase = rates.finetune(&cell, 100).unwrap();
            let wanted = claim.finetune(&of_claim, 100).unwrap();
            phase.trainer.learning_rate = wanted.trainer.learning_rate;
            assert_eq!(phase, wanted);
        }
        // The rate of the claim is one that was tried.
        for &matcher in &rates.matchers {
            let rate =
                |plan: &Plan, init: &str| plan.settings_of(matcher, init).unwrap().finetune.trainer.learning_rate;
            let tried: Vec<f64> = rates.inits.iter().map(|init| rate(&rates, init)).collect();
            assert!(tried.contains(&rate(&claim, "none")), "{matcher:?}: {tried:?}");
        }
    }

    fn cell(init: &str, pairs: Option<usize>) -> Cell {
        Cell { matcher: MatcherName::NcNet, init: init.to_owned(), pairs, seed: 0 }
    }

    #[test]
    fn what_sees_no_label_learns_as_long_as_what_does_and_every_pair_is_seen() {
        let settings = ["pretrain.trainer.steps=600", "finetune.trainer.steps=60", "finetune.batch=4"];
        let plan = |more: &[&str]| Plan {
            labels: vec!["ours=labels".to_owned()],
            settings: settings.iter().chain(more).map(|setting| (*setting).to_owned()).collect(),
            ..Plan::default()
        };
        let steps = |plan: &Plan, init: &str, pairs: usize| {
            plan.finetune(&cell(init, Some(pairs)), pairs).unwrap().trainer.steps
        };
        let usual = plan(&[]);
        // 20 pairs, as many as the steps see, one more, and all.
        for (pairs, own) in [(20, 60), (240, 60), (241, 61), (4018, 1005)] {
            assert_eq!(steps(&usual, "ours", pairs), own, "{pairs} pairs");
            for none in ["none", "none-slow"] {
                assert_eq!(steps(&usual, none, pairs), 600 + own, "{pairs} pairs");
            }
        }
        // Pairs count, not steps: larger batches on labels are worth more steps of few.
        assert_eq!(steps(&plan(&["pretrain.batch=6"]), "none", 20), 900 + 60);
        assert_eq!(steps(&plan(&["pretrain.trainer.steps=0"]), "none", 20), 60);
        // A beginning's own number of steps.
        assert_eq!(steps(&plan(&["nc-net/none:finetune.trainer.steps=70"]), "none", 20), 670);
    }

    #[test]
    fn what_has_learned_from_nothing_is_called_untrained() {
        assert_eq!(cell("none", Some(0)).begins_with(), "untrained");
        assert_eq!(cell("none-slow", Some(0)).begins_with(), "untrained");
        assert_eq!(cell("none", Some(20)).begins_with(), "none");
        assert_eq!(cell("none", None).begins_with(), "none");
        assert_eq!(cell("ours", Some(0)).begins_with(), "ours");
        // What has nothing to learn is not waiting for it.
        assert_eq!(Cell { matcher: MatcherName::Hough, ..cell("none", Some(0)) }.begins_with(), "none");
    }

    #[test]
    fn a_cell_is_another_where_what_it_depends_on_changes() {
        let identity = |init: &str, setting: &str| {
            let plan = Plan {
                inits: vec![init.to_owned()],
                labels: vec!["ours=labels".to_owned()],
                settings: vec![setting.to_owned()],
                ..Plan::default()
            };
            let cell = Cell { matcher: MatcherName::Cats, init: init.to_owned(), pairs: Some(20), seed: 0 };
            plan.identity(&cell).unwrap()
        };
        let usual = |init: &str| identity(init, "views=3");
        for (setting, of_none) in [
            ("cats:cats.depth=2", true),
            ("finetune.batch=5", true),
            ("pretrain.batch=5", true),
            ("pretrain.trainer.steps=5", true),
            ("pretrain.trainer.learning_rate=5", false),
            ("cats/none:finetune.batch=5", true),
            ("cats/ours:finetune.batch=5", false),
            ("labels.least_points=5", false),
            ("dhpf:dhpf.grid=8", false),
            ("cache_mib=5", false),
        ] {
            let of_all = of_none && !setting.contains("/none");
            let of_labels = of_all || ["pretrain", "labels", "cats/ours"].iter().any(|own| setting.starts_with(own));
            assert_eq!(identity("none", setting) != usual("none"), of_none, "{setting}");
            assert_eq!(identity("ours", setting) != usual("ours"), of_labels, "{setting}");
        }
        assert_ne!(usual("none"), usual("ours"));
    }
}
