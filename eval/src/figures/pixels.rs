//! Drawing into an image.

use std::convert::Infallible;

use ab_glyph::{Font, PxScale, ScaleFont, point};
use image::RgbImage;
use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendTextStyle, DrawingErrorKind};

use super::font::FigureFont;

/// Where the library draws to. Edges are hard; the picture is made smaller afterwards.
pub(super) struct PixelBackend<'a> {
    pub picture: &'a mut RgbImage,
    pub font: &'a FigureFont,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for PixelBackend<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.picture.dimensions()
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, colour: BackendColor) -> Drawn {
        let place = u32::try_from(x).ok().zip(u32::try_from(y).ok());
        if let Some(pixel) = place.and_then(|(x, y)| self.picture.get_pixel_mut_checked(x, y)) {
            let (red, green, blue) = colour.rgb;
            for (channel, ink) in pixel.0.iter_mut().zip([red, green, blue]) {
                let mixed = f64::from(*channel) * (1.0 - colour.alpha) + f64::from(ink) * colour.alpha;
                *channel = mixed.round() as u8;
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let outlines = &self.font.outlines;
        // The size is the height of a line, 1.24 em; the font is scaled by the height from its lowest to its highest reach.
        let em = (style.size() / 1.24) as f32;
        let height = outlines.height_unscaled() / outlines.units_per_em().unwrap_or(1000.0);
        let scaled = outlines.as_scaled(PxScale::from(em * height));
        let width: f32 = text.chars().map(|letter| scaled.h_advance(scaled.glyph_id(letter))).sum();
        let mut x = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => 0.35 * em,
            VPos::Bottom => -0.25 * em,
        };
        let mut covered = Vec::new();
        for letter in text.chars() {
            let id = scaled.glyph_id(letter);
            let glyph = id.with_scale_and_position(scaled.scale(), point(x, baseline));
            x += scaled.h_advance(id);
            if let Some(outlined) = scaled.outline_glyph(glyph) {
                let corner = outlined.px_bounds().min;
                outlined.draw(|column, row, coverage| {
                    covered.push((corner.x as i32 + column as i32, corner.y as i32 + row as i32, coverage));
                });
            }
        }
        for (x, y, coverage) in covered {
            let (x, y) = style.transform().transform(x, y);
            self.draw_pixel((at.0 + x, at.1 + y), style.color().mix(f64::from(coverage.clamp(0.0, 1.0))))?;
        }
        Ok(())
    }
}
