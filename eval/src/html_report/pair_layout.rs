//! Where the two images of a pair stand, and what is drawn over them.

use std::fmt::Write;

use super::DrawnPair;

/// Width and height in pixels of a pair's source and target.
pub(super) type Sizes = [(u32, u32); 2];

/// Left, top, width and height, in units of the layout.
#[derive(Clone, Copy)]
pub(super) struct Place {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// Two images within a frame. One unit is about one pixel of the screen.
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    pub source: Place,
    pub target: Place,
    /// Radius of a mark.
    pub mark: f64,
    /// Whether points are numbered.
    pub numbered: bool,
}

impl Layout {
    /// Small, beside one another.
    pub fn thumbnail(sizes: Sizes) -> Self {
        Self::beside(sizes, 320.0, 150.0, 4.0, 3.4, false)
    }

    /// Large, beside one another.
    pub fn wide(sizes: Sizes) -> Self {
        Self::beside(sizes, 1040.0, 520.0, 10.0, 5.5, true)
    }

    fn beside(sizes: Sizes, width: f64, highest: f64, gap: f64, mark: f64, numbered: bool) -> Self {
        let [source, target] = sizes.map(aspect);
        let height = ((width - gap) / (source + target)).min(highest);
        let place = |left: f64, aspect: f64| Place { left, top: 0.0, width: height * aspect, height };
        let right = height * source + gap;
        Self {
            width: right + height * target,
            height,
            source: place(0.0, source),
            target: place(right, target),
            mark,
            numbered,
        }
    }

    /// One below the other, for a narrow screen.
    pub fn narrow(sizes: Sizes) -> Self {
        const WIDTH: f64 = 360.0;
        const HIGHEST: f64 = 420.0;
        let place = |top: f64, size: (u32, u32)| {
            let height = (WIDTH / aspect(size)).min(HIGHEST);
            let width = height * aspect(size);
            Place { left: (WIDTH - width) / 2.0, top, width, height }
        };
        let source = place(0.0, sizes[0]);
        let target = place(source.height + 8.0, sizes[1]);
        Self { width: WIDTH, height: target.top + target.height, source, target, mark: 5.0, numbered: true }
    }

    /// The CSS variables of the frame: its shape and its greatest width.
    pub fn frame_style(&self, suffix: &str) -> String {
        let Self { width, height, .. } = self;
        format!("--ratio{suffix}:{width:.1}/{height:.1};--width{suffix}:{width:.0}px;")
    }

    /// The CSS variables of the images' places: (source, target).
    pub fn image_styles(&self, suffix: &str) -> [String; 2] {
        [self.source, self.target].map(|place| {
            let (x, y) = (100.0 * place.left / self.width, 100.0 * place.top / self.height);
            let (w, h) = (100.0 * place.width / self.width, 100.0 * place.height / self.height);
            format!("--x{suffix}:{x:.3}%;--y{suffix}:{y:.3}%;--w{suffix}:{w:.3}%;--h{suffix}:{h:.3}%;")
        })
    }

    /// Lines from asked to predicted points with their marks. An answer outside its image is drawn at the image's border, and
    /// one that is no finite number not at all.
    pub fn overlay(&self, pair: &DrawnPair, class: &str) -> String {
        let distances = pair.frame_distances();
        let mut order: Vec<usize> = (0..pair.points.len()).collect();
        // Wrong ones are drawn over right ones.
        order.sort_by_key(|&index| !pair.is_right(distances[index]));
        let (mut lines, mut marks, mut numbers) = (String::new(), String::new(), String::new());
        for index in order {
            let right = pair.is_right(distances[index]);
            let from = self.source.at(pair.points[index], pair.source.dimensions());
            let answer = pair.predicted[index];
            let finite = answer.iter().all(|x| x.is_finite());
            let to = finite.then(|| self.target.at(answer, pair.target.dimensions()));
            let layers = if right { ["halo", "right"] } else { ["halo dashed", "wrong"] };
            if let Some(to) = to {
                for layer in layers {
                    line(&mut lines, from, to, layer);
                }
                if !right {
                    let truth = self.target.at(pair.truth[index], pair.target.dimensions());
                    line(&mut lines, to, truth, "miss");
                    self.truth(&mut marks, truth);
                }
            }
            for end in std::iter::once(from).chain(to) {
                self.mark(&mut marks, end, right);
            }
            if self.numbered {
                let (x, y) = (from.0 + self.mark + 2.0, from.1 - self.mark);
                // Writing to a `String` cannot fail.
                let _ = write!(numbers, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", index + 1);
            }
        }
        let Self { width, height, .. } = self;
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width:.1} {height:.1}\" aria-hidden=\"true\">{lines}{marks}{numbers}</svg>"
        )
    }

    fn mark(&self, svg: &mut String, (x, y): (f64, f64), right: bool) {
        let r = self.mark;
        let _ = if right {
            write!(svg, "<circle class=\"right\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\"/>")
        } else {
            let cross = format!(
                "M{:.1} {:.1}L{:.1} {:.1}M{:.1} {:.1}L{:.1} {:.1}",
                x - r,
                y - r,
                x + r,
                y + r,
                x - r,
                y + r,
                x + r,
                y - r
            );
            write!(svg, "<path class=\"halo\" d=\"{cross}\"/><path class=\"cross\" d=\"{cross}\"/>")
        };
    }

    /// The annotation of a wrong answer: an empty square.
    fn truth(&self, svg: &mut String, (x, y): (f64, f64)) {
        let r = self.mark * 0.9;
        let side = 2.0 * r;
        for layer in ["halo", "truth"] {
            let _ = write!(
                svg,
                "<rect class=\"{layer}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{side:.1}\" height=\"{side:.1}\"/>",
                x - r,
                y - r
            );
        }
    }
}

impl Place {
    /// The place of an image that has a frame to itself, `width` units wide and high at most.
    pub fn alone(size: (u32, u32), width: f64) -> Self {
        let (width, height) = (width.min(width * aspect(size)), width.min(width / aspect(size)));
        Self { left: 0.0, top: 0.0, width, height }
    }

    /// Width and height in units.
    pub fn size(self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// A point of the image (in pixels, the centre of its top-left pixel being [0, 0]), held within the image.
    pub fn at(self, point: [f32; 2], size: (u32, u32)) -> (f64, f64) {
        let share = |x: f32, count: u32| ((f64::from(x) + 0.5) / f64::from(count)).clamp(0.0, 1.0);
        (self.left + share(point[0], size.0) * self.width, self.top + share(point[1], size.1) * self.height)
    }
}

fn aspect((width, height): (u32, u32)) -> f64 {
    // A strip would leave no room for the other image.
    (f64::from(width.max(1)) / f64::from(height.max(1))).clamp(0.2, 5.0)
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), class: &str) {
    let _ = write!(svg, "<path class=\"{class}\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>", from.0, from.1, to.0, to.1);
}
