//! A gallery of labels that is one HTML file: tables of counts, figures of what confidences are worth, pairs with lines
//! between their key points, images that were kept and images that were rejected.

use image::RgbImage;

use super::gallery_cards::{push_pairs, push_pictures};
use super::text::{Page, escaped};
use super::{data_uri, push_figure, push_header};
use crate::drawing::DrawnMatch;
use crate::figure_data::{CoverageCurve, Reliability};
use crate::figures::Figure;
use crate::key_points::PixelBox;

/// Longest side, in pixels, of the images of an opened pair.
pub(super) const LARGE: u32 = 600;

/// All that a gallery shows. Pairs and pictures stand under a heading for each run of one class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelGallery {
    /// Its heading.
    pub title: String,
    /// What is shown, as name and value.
    pub facts: Vec<(String, String)>,
    /// What has to be said first; a paragraph each.
    pub notes: Vec<String>,
    /// Tables of counts.
    pub tables: Vec<GalleryTable>,
    /// Tables of labels held against annotated key points; empty where that was not done.
    pub checked: Vec<GalleryTable>,
    /// Precision over the share kept; `None` for no figure.
    pub coverage: Option<CoverageCurve>,
    /// What the confidences are worth; `None` for no figure.
    pub reliability: Option<Reliability>,
    /// Pairs with their labels.
    pub pairs: Vec<GalleryPair>,
    /// Images that were kept.
    pub kept: Vec<GalleryPicture>,
    /// Images that were rejected.
    pub rejected: Vec<GalleryPicture>,
}

/// A table: the first column is text, the others are numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GalleryTable {
    /// What it shows.
    pub caption: String,
    /// The headings of its columns.
    pub header: Vec<String>,
    /// Its rows, as long as the header.
    pub rows: Vec<Vec<String>>,
}

/// An image of a gallery, at most 600 pixels wide and high.
#[derive(Clone, Debug, PartialEq)]
pub struct GalleryImage {
    pub(super) pixels: RgbImage,
    /// `(width, height)` of the image that points and boxes are in.
    pub(super) size: (u32, u32),
}

impl GalleryImage {
    /// An image as its file has it; it is held as small as it is shown.
    ///
    /// # Panics
    ///
    /// If it has no pixel.
    pub fn new(image: RgbImage) -> Self {
        let size = image.dimensions();
        Self { pixels: data_uri::shrunk(&image, LARGE).unwrap_or(image), size }
    }
}

/// A pair with its labels. Points and boxes are in pixels of the images as they were given.
#[derive(Clone, Debug, PartialEq)]
pub struct GalleryPair {
    /// What it is called.
    pub name: String,
    /// Its class.
    pub class: String,
    /// The source image.
    pub source: GalleryImage,
    /// The target image.
    pub target: GalleryImage,
    /// The boxes of source and target.
    pub boxes: [PixelBox; 2],
    /// The key points.
    pub matches: Vec<DrawnMatch>,
    /// Whether the confidences of the matches are known; else they are not shown.
    pub confident: bool,
    /// How far from each source point the way there and back ends, in pixels; empty where that is not known.
    pub cycle_errors: Vec<f32>,
}

/// One image with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct GalleryPicture {
    /// What it is called.
    pub name: String,
    /// Its class.
    pub class: String,
    /// The image, or why it is not shown.
    pub image: Result<GalleryImage, String>,
    /// The object's box, where one was found.
    pub object_box: Option<PixelBox>,
    /// Its key points.
    pub points: Vec<[f32; 2]>,
    /// What there is to say of it, such as why it was rejected; a line each.
    pub lines: Vec<String>,
}

impl LabelGallery {
    /// The file. Equal galleries give equal files.
    ///
    /// # Panics
    ///
    /// If a row of a table is not as long as its header, or a pair has neither no cycle error nor one a match.
    pub fn html(&self) -> String {
        let mut page = Page::default();
        push_header(&mut page, &self.title, &self.facts);
        let sections = [
            ("counts", "Counts", !self.tables.is_empty() || !self.notes.is_empty()),
            ("checked", "Checked against key points", !self.checked.is_empty()),
            ("pairs", "Pairs", !self.pairs.is_empty()),
            ("kept", "Kept images", !self.kept.is_empty()),
            ("rejected", "Rejected images", !self.rejected.is_empty()),
        ];
        let sections: Vec<_> = sections.into_iter().filter(|(_, _, there)| *there).collect();
        page.push("<nav aria-label=\"Contents\">\n<ul>\n");
        for (id, name, _) in &sections {
            page.push(&format!("<li><a href=\"#{id}\">{name}</a></li>\n"));
        }
        page.push("</ul>\n</nav>\n<main>\n");
        for (id, name, _) in sections {
            page.push(&format!("<section id=\"{id}\">\n<h2>{name}</h2>\n"));
            match id {
                "counts" => self.push_counts(&mut page),
                "checked" => self.push_checked(&mut page),
                "pairs" => push_pairs(&mut page, &self.pairs),
                "kept" => push_pictures(&mut page, &self.kept, "kept"),
                _ => push_pictures(&mut page, &self.rejected, "rejected"),
            }
            page.push("</section>\n");
        }
        page.push("</main>\n</body>\n</html>\n");
        page.text()
    }

    fn push_counts(&self, page: &mut Page) {
        for note in &self.notes {
            page.push(&format!("<p class=\"note\">{}</p>\n", escaped(note)));
        }
        self.tables.iter().for_each(|table| table.push(page));
    }

    fn push_checked(&self, page: &mut Page) {
        self.checked.iter().for_each(|table| table.push(page));
        if self.coverage.is_none() && self.reliability.is_none() {
            return;
        }
        page.push("<div class=\"figures\">\n");
        if let Some(curve) = &self.coverage {
            push_figure(page, Figure::Coverage(curve), "Precision over the share of labels kept, the surest first");
        }
        if let Some(reliability) = &self.reliability {
            let caption = "Reliability: where confidences keep what they promise, bars end at the diagonal";
            push_figure(page, Figure::Reliability(reliability), caption);
        }
        page.push("</div>\n");
    }
}

impl GalleryTable {
    fn push(&self, page: &mut Page) {
        page.open_table(&self.caption, &self.caption);
        page.push("<tr>");
        for (column, name) in self.header.iter().enumerate() {
            let class = if column == 0 { "" } else { " class=\"n\"" };
            page.push(&format!("<th scope=\"col\"{class}>{}</th>", escaped(name)));
        }
        page.push("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            assert_eq!(row.len(), self.header.len(), "{}: one cell a column, in {row:?}", self.caption);
            page.push("<tr>");
            for (column, cell) in row.iter().enumerate() {
                page.push(&match column {
                    0 => format!("<th scope=\"row\">{}</th>", escaped(cell)),
                    _ => format!("<td class=\"n\">{}</td>", escaped(cell)),
                });
            }
            page.push("</tr>\n");
        }
        page.close_table();
    }
}
