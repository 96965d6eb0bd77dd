//! Whose a plan's settings are.

use anyhow::{Result, bail};
use clap::ValueEnum;

use super::plan::{Plan, sees_no_label};
use crate::matchers::MatcherName;

/// The sections that one beginning may have for itself: what is looked through is the same for all.
const OF_A_BEGINNING: [&str; 3] = ["pretrain.", "finetune.", "labels."];

/// A setting, and whose it is; none: all matchers', all beginnings'.
pub struct Setting<'a> {
    matcher: Option<&'a str>,
    init: Option<&'a str>,
    /// `key=value`.
    pub text: &'a str,
}

impl<'a> Setting<'a> {
    /// Reads one as plans write it.
    pub fn parse(setting: &'a str) -> Self {
        match setting.split_once(':') {
            Some((whose, text)) if !whose.contains('=') => match whose.split_once('/') {
                Some((matcher, init)) => Self { matcher: Some(matcher), init: Some(init), text },
                None => Self { matcher: Some(whose), init: None, text },
            },
            _ => Self { matcher: None, init: None, text: setting },
        }
    }

    /// Whether it is for a matcher that begins so.
    pub fn is_of(&self, matcher: MatcherName, init: &str) -> bool {
        self.matcher.is_none_or(|name| name == "*" || name == matcher.name()) && self.init.is_none_or(|of| of == init)
    }
}

impl Plan {
    /// A setting of a matcher or a beginning that there is not would be passed over.
    ///
    /// # Errors
    ///
    /// Such a setting, or one that a beginning cannot have for itself.
    pub(super) fn check_whose_settings(&self) -> Result<()> {
        self.settings.iter().try_for_each(|setting| self.check_whose(setting))
    }

    fn check_whose(&self, setting: &str) -> Result<()> {
        let Setting { matcher, init, text } = Setting::parse(setting);
        if let Some(name) = matcher.filter(|name| *name != "*")
            && MatcherName::from_str(name, false).is_err()
        {
            let names: Vec<&str> = MatcherName::value_variants().iter().map(|matcher| matcher.name()).collect();
            bail!(
                "`settings`: {setting:?} is for {name:?}, which is no matcher; there are {}, and * for all",
                names.join(", ")
            );
        }
        let Some(init) = init else { return Ok(()) };
        let known = self.inits.iter().any(|known| known == init) || sees_no_label(init);
        if !known && !self.labels_by_name()?.contains_key(init) {
            bail!("`settings`: {setting:?} is of a beginning that `inits` and `labels` have not");
        }
        if !OF_A_BEGINNING.iter().any(|section| text.starts_with(section)) {
            bail!("`settings`: {setting:?}: one beginning has only {}* for itself", OF_A_BEGINNING.join("*, "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::plan::BenchmarkPlan;
    use super::*;

    #[test]
    fn a_setting_is_of_whom_it_names_and_of_nobody_else() {
        let settings = [
            "finetune.trainer.learning_rate=0.5",
            "nc-net:finetune.trainer.learning_rate=0.25",
            "*/none-slow:finetune.trainer.learning_rate=0.125",
            "cats/none:finetune.trainer.learning_rate=0.0625",
        ];
        let plan = Plan { settings: settings.map(str::to_owned).to_vec(), ..Plan::default() };
        for (matcher, init, rate) in [
            (MatcherName::NcNet, "none", 0.25),
            (MatcherName::NcNet, "none-slow", 0.125),
            (MatcherName::Cats, "none", 0.0625),
            (MatcherName::Cats, "none-slow", 0.125),
            (MatcherName::Dhpf, "none", 0.5),
        ] {
            let found = plan.settings_of(matcher, init).unwrap().finetune.trainer.learning_rate;
            assert_eq!(found, rate, "{matcher:?} from {init}");
        }
    }

    #[test]
    fn a_setting_of_nobody_is_refused() {
        let check = |setting: &str| {
            let benchmark = BenchmarkPlan { data: PathBuf::from("data"), ..BenchmarkPlan::default() };
            let labels = vec!["ours=labels".to_owned()];
            let settings = vec![setting.to_owned()];
            Plan { benchmark, labels, settings, ..Plan::default() }.check()
        };
        for setting in ["cats/ours:labels.least_points=4", "*/none:finetune.batch=2", "hough:views=1"] {
            check(setting).unwrap();
        }
        for (setting, said) in [
            ("cat:views=1", "\"cat\", which is no matcher; there are nc-net, dhpf"),
            ("nc-net/theirs:finetune.batch=2", "of a beginning that `inits` and `labels` have not"),
            ("*/none:backbone.input=64", "only pretrain.*, finetune.*, labels.*"),
        ] {
            let message = format!("{:#}", check(setting).unwrap_err());
            assert!(message.contains(said) && message.contains(setting), "{message}");
        }
        for name in ["none-at-all", "untrained"] {
            let labels = vec![format!("{name}=labels")];
            let benchmark = BenchmarkPlan { data: PathBuf::from("data"), ..BenchmarkPlan::default() };
            let message = Plan { benchmark, labels, ..Plan::default() }.check().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
