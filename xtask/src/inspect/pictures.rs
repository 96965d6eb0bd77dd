//! The images of a data set, wherever they are.

use eval::GalleryImage;
use sc_imagenet::{DecodeLimits, ImageSource, Layout, decode};

/// The images of the layout, and of the source that was labelled.
pub struct Pictures<'a> {
    /// The data set.
    pub layout: &'a Layout,
    /// What `--data` gave.
    pub source: Option<&'a ImageSource>,
}

impl Pictures<'_> {
    /// An image, made as small as it is shown.
    ///
    /// # Errors
    ///
    /// Why it is not to be had, and what to do about it.
    pub fn load(&self, class: &str, id: &str) -> Result<GalleryImage, String> {
        let limits = DecodeLimits::default();
        let path = self.layout.image(class, id);
        let image = if path.is_file() {
            decode(&path, &limits)
        } else {
            let Some(source) = self.source else {
                return Err(format!(
                    "the data set holds no image {class}/{id}; give the images that were labelled with --data SRC"
                ));
            };
            let number = source.find(class, id).ok_or_else(|| {
                format!("neither the data set nor --data holds an image {class}/{id}; give those that were labelled")
            })?;
            source.decode(number, &limits)
        };
        image.map(GalleryImage::new).map_err(|error| error.to_string())
    }
}
