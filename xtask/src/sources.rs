//! Sources of images on the command line: how they are read, and what of them is not used.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use sc_imagenet::{ClassNames, ImageSource, KeyEnd, PassedOver, SourceForm, SourceOptions};
use tracing::{debug, info, warn};

use crate::logging::NAMES;

/// So many images that are refused are named; with --verbose all.
const NAMED: usize = 20;

/// Where the keys of WebDataset shards end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// As WebDataset has it.
    #[default]
    FirstDot,
    /// For keys with dots, as in `0.0003.jpg`.
    LastDot,
}

/// How a source of images is read, where that is not plain from what is there.
#[derive(Clone, Debug, Default, Args)]
pub struct SourceFlags {
    /// Names of classes for shards that hold numbers, a line each: the first line is class 0
    #[arg(long, value_name = "FILE", requires = "data")]
    class_names: Option<PathBuf>,
    /// Where keys of WebDataset shards end: `0.0003.jpg` is of sample `0` or of sample `0.0003`
    #[arg(long, value_enum, default_value_t)]
    keys: Keys,
}

impl SourceFlags {
    /// Lists a source; what is odd about the names of its classes goes to the log.
    ///
    /// # Errors
    ///
    /// No source, or a file of names that cannot be used.
    pub fn open(&self, data: &Path) -> Result<ImageSource> {
        let names = match &self.class_names {
            Some(path) => ClassNames::read(path)?,
            None => ClassNames::default(),
        };
        for (name, numbers) in &names.repeated {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            warn!(
                "the classes {} are all named `{name}`; they stay apart as {}",
                numbers.join(", "),
                numbers.iter().map(|number| format!("`{name}_{number}`")).collect::<Vec<_>>().join(", ")
            );
        }
        let keys = match self.keys {
            Keys::FirstDot => KeyEnd::FirstDot,
            Keys::LastDot => KeyEnd::LastDot,
        };
        let options = SourceOptions { class_names: names.names, keys };
        let source = ImageSource::open_with(data, &options)?;
        if let Some(file) = &self.class_names {
            tell_names_used(file, &options.class_names, &source);
        }
        Ok(source)
    }
}

/// Says how many of the names that were given are those of classes of the source.
fn tell_names_used(file: &Path, names: &[String], source: &ImageSource) {
    let used = names.iter().filter(|name| source.original_classes().contains(name)).count();
    if source.form() != SourceForm::WebDataset {
        warn!("--class-names {} is not used: classes of {} have names already", file.display(), form_of(source));
    } else if used == 0 {
        let first = source.original_classes().first().map_or("", String::as_str);
        warn!("none of the names in {} is that of a class here; the first class is `{first}`", file.display());
    } else if used < names.len() {
        info!("{used} of the {} names in {} are those of classes with images", names.len(), file.display());
    }
}

/// What the source of a command is made of.
pub fn form_of(source: &ImageSource) -> &'static str {
    match source.form() {
        SourceForm::ClassFolders => "class folders",
        SourceForm::TarOfTars => "a tar of tars",
        SourceForm::WebDataset => "WebDataset shards",
    }
}

/// Says which images of a source are not used and why, and what was not looked at.
pub fn tell_unused(data: &Path, source: &ImageSource) {
    for (count, refused) in source.refused().iter().enumerate() {
        match count < NAMED {
            true => warn!("{}: {}", refused.path, refused.reason),
            false => debug!(target: NAMES, "{}: {}", refused.path, refused.reason),
        }
    }
    if source.refused().len() > NAMED {
        warn!("… and {} more (--verbose names them)", source.refused().len() - NAMED);
    }
    tell_passed_over(&data.display().to_string(), source.passed_over());
}

/// Says what of a folder or source was not looked at: a line that counts, and with --verbose one each.
pub fn tell_passed_over(data: &str, passed_over: &PassedOver) {
    if passed_over.is_empty() {
        return;
    }
    match passed_over.is_alarming() {
        true => warn!("{data}: {passed_over}"),
        false => info!("{data}: {passed_over}"),
    }
    for line in names(passed_over) {
        debug!(target: NAMES, "{data}: {line}");
    }
}

/// A line for each file that was passed over, as far as they are named.
pub fn names(passed_over: &PassedOver) -> impl Iterator<Item = String> {
    passed_over.groups().iter().flat_map(|group| {
        let more = group.count - group.named.len();
        let named = group.named.iter().map(|name| format!("passed over {name}"));
        named.chain((more > 0).then(|| format!("passed over {} more", group.reason.counted(more))))
    })
}
