//! A listing in the making: what was found, in any order, becomes a source in the fixed order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use super::{ImageSource, Place, SourceError, SourceForm, SourceImage};
use crate::check::RefusedImage;
use crate::names::{NameError, NameKind, check_not_empty, id_within, shortened};
use crate::passed_over::{PassedOver, PassedReason};
use crate::safe_names::{safe_classes, safe_ids};

/// What was found so far.
#[derive(Default)]
pub(super) struct Listing {
    /// Numbers of the classes in the order in which they were met.
    classes: BTreeMap<String, u32>,
    images: Vec<SourceImage>,
    refused: Vec<RefusedImage>,
    /// Classes without a name, with the number of their images.
    refused_classes: BTreeMap<String, (NameError, u64)>,
    /// Numbers of classes that have no name, with the number of their images.
    unnamed_classes: BTreeMap<usize, u64>,
    passed_over: PassedOver,
}

impl Listing {
    /// An image of `class`; `stem` is the part of `name` in front of the extension and behind folders.
    pub(super) fn add(&mut self, class: &str, name: &str, stem: Range<usize>, place: Place) {
        if let Err(error) = check_not_empty(NameKind::Class, class) {
            self.refused_classes.entry(class.to_owned()).or_insert((error, 0)).1 += 1;
            return;
        }
        let range = id_within(class, name, stem);
        let id = name.get(range.clone()).unwrap_or_default();
        if let Err(error) = check_not_empty(NameKind::Image, id) {
            return self.refuse(format!("{class}/{name}"), error.to_string());
        }
        // A name has fewer bytes than a file name may have, and a class is met for every image at most.
        let (Ok(start), Ok(end), Ok(next)) =
            (u32::try_from(range.start), u32::try_from(range.end), u32::try_from(self.classes.len()))
        else {
            return self.refuse(format!("{class}/{name}"), "is more than can be numbered".to_owned());
        };
        let class = match self.classes.get(class) {
            Some(&known) => known,
            None => {
                self.classes.insert(class.to_owned(), next);
                next
            }
        };
        self.images.push(SourceImage { class, place, name: name.into(), id: start..end, safe: None });
    }

    /// Something that is not used: its path within the source, and why.
    pub(super) fn refuse(&mut self, path: String, reason: String) {
        self.refused.push(RefusedImage { path, reason });
    }

    /// An image whose class is a number that has no name.
    pub(super) fn refuse_unnamed(&mut self, number: usize) {
        *self.unnamed_classes.entry(number).or_default() += 1;
    }

    /// Something that is not looked at.
    pub(super) fn pass_over(&mut self, reason: PassedReason, name: String) {
        self.passed_over.add(reason, name);
    }

    /// All that one who listed files before has not looked at.
    pub(super) fn pass_over_all(&mut self, passed_over: PassedOver) {
        self.passed_over = passed_over;
    }

    /// The source: every class and image with a name of its own that the layout can hold, sorted by these.
    pub(super) fn finish(mut self, form: SourceForm, files: Vec<PathBuf>) -> Result<ImageSource, SourceError> {
        for (class, (error, images)) in std::mem::take(&mut self.refused_classes) {
            self.refuse(class, format!("{} (its {images} images are left out)", advised(&error, form)));
        }
        for (number, images) in std::mem::take(&mut self.unnamed_classes) {
            let line = number.saturating_add(1);
            let reason = format!("has no name; write it on line {line} (its {images} images are left out)");
            self.refuse(format!("class number {number}"), reason);
        }

        let (original, met): (Vec<String>, Vec<u32>) = std::mem::take(&mut self.classes).into_iter().unzip();
        let mut named: Vec<(String, String, u32)> = safe_classes(&original)
            .into_iter()
            .zip(original)
            .zip(met)
            .map(|((safe, original), met)| (safe, original, met))
            .collect();
        named.sort_unstable();
        let mut number_in_order = vec![0; named.len()];
        for (number, (_, _, met)) in (0..).zip(&named) {
            number_in_order[*met as usize] = number;
        }
        let (classes, original_classes): (Vec<String>, Vec<String>) =
            named.into_iter().map(|(safe, original, _)| (safe, original)).unzip();
        for image in &mut self.images {
            image.class = number_in_order[image.class as usize];
        }
        self.drop_repeated(&original_classes);
        self.name_images(&classes);
        self.images.sort_unstable_by(|a, b| (a.class, a.id(), &a.name).cmp(&(b.class, b.id(), &b.name)));
        let mut images = self.images;
        images.shrink_to_fit();
        self.refused.sort_unstable_by(|a, b| (&a.path, &a.reason).cmp(&(&b.path, &b.reason)));

        if images.is_empty() {
            let first = self.refused.first().map(|image| format!("{}: {}", image.path, image.reason));
            let path = files.into_iter().next().unwrap_or_default();
            let (refused, passed_over) = (self.refused.len(), self.passed_over);
            return Err(SourceError::NoImages { path, refused, first, passed_over });
        }
        let starts = (0..=classes.len()).map(|class| images.partition_point(|image| image.class() < class)).collect();
        Ok(ImageSource {
            form,
            files,
            classes,
            original_classes,
            starts,
            images,
            refused: self.refused,
            passed_over: self.passed_over,
        })
    }

    /// Leaves out what is of one name in one class, as a member that a tar holds twice: the first is used.
    fn drop_repeated(&mut self, original_classes: &[String]) {
        self.images.sort_unstable_by(|a, b| (a.class, &a.name, a.place).cmp(&(b.class, &b.name, b.place)));
        let refused = &mut self.refused;
        self.images.dedup_by(|image, before| {
            let same = before.class == image.class && before.name == image.name;
            if same {
                let path = format!("{}/{}", original_classes[image.class as usize], image.name);
                let reason = format!("has the id `{}`, and so has `{}`; rename one", image.id(), before.name);
                refused.push(RefusedImage { path, reason });
            }
            same
        });
    }

    /// Gives the images, which are together by class, ids that the layout can hold.
    fn name_images(&mut self, classes: &[String]) {
        for images in self.images.chunk_by_mut(|a, b| a.class == b.class) {
            let Some(first) = images.first() else { continue };
            let names: Vec<(&str, &str)> = images.iter().map(|image| (&*image.name, image.id())).collect();
            let ids = safe_ids(&classes[first.class as usize], &names);
            for (image, id) in images.iter_mut().zip(ids) {
                image.safe = (id != image.id()).then(|| id.into_boxed_str());
            }
        }
    }
}

/// What is wrong with the name of a class, and what to do about it in a source of this form.
fn advised(error: &NameError, form: SourceForm) -> String {
    let advice = match form {
        SourceForm::ClassFolders => return error.to_string(),
        SourceForm::TarOfTars => "pack the tar anew with another name for the tar of this class",
        SourceForm::WebDataset => "write another name into its `.cls` members, or name classes with --class-names",
    };
    format!("{} `{}` {}; {advice}", error.kind, shortened(&error.name), error.problem)
}

/// The part of a path behind its folders and in front of its last extension.
pub(super) fn last_stem(path: &str) -> Range<usize> {
    let start = path.rfind('/').map_or(0, |slash| slash + 1);
    let end = path[start..].rfind('.').map_or(path.len(), |dot| start + dot);
    start..end
}
