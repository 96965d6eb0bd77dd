//! Progress lines with an estimate of the time left, for anything longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

/// How often a command without a terminal says how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(15);

/// A count of images that shows how many there are a second and the time left: as a line in a terminal, and where there
/// is none, now and then in the log.
pub struct Counted {
    bar: ProgressBar,
    what: &'static str,
    total: usize,
    done: usize,
    began: Instant,
    told: Instant,
}

impl Counted {
    /// Nothing of `total` is done yet.
    pub fn new(what: &'static str, total: usize) -> Counted {
        let now = Instant::now();
        Counted { bar: count(total, what), what, total, done: 0, began: now, told: now }
    }

    /// So many more are done.
    pub fn add(&mut self, more: usize) {
        self.done += more;
        self.bar.inc(more as u64);
        if self.bar.is_hidden() && self.told.elapsed() >= TOLD_EVERY {
            let left = self.began.elapsed().as_secs_f64() / self.done.max(1) as f64 * (self.total - self.done) as f64;
            info!("{}: {}/{} images, {:.1} a second, {left:.0} s left", self.what, self.done, self.total, self.rate());
            self.told = Instant::now();
        }
    }

    /// Says how long it took.
    pub fn finish(self) {
        let (seconds, rate) = (self.began.elapsed().as_secs_f64(), self.rate());
        info!("{}: {} images in {seconds:.1} s, {rate:.1} a second", self.what, self.done);
    }

    fn rate(&self) -> f64 {
        self.done as f64 / self.began.elapsed().as_secs_f64().max(1e-9)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line that shows how far a count has come; nothing where the error stream is no terminal.
pub fn count(total: usize, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(total as u64);
    bar.set_style(style("{msg} [{bar:30}] {pos}/{len}, {per_sec}, {eta} left"));
    bar.set_message(what.to_owned());
    bar
}

/// As [`count`], with room for losses behind the time left.
pub fn steps(total: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_position(done as u64);
    bar.set_style(style("step {pos}/{len} [{bar:20}] {eta} left  {msg}"));
    bar.reset_eta();
    bar
}

/// Says in the log, now and then, how far training is: for whoever has no terminal that shows a bar.
pub struct ToldSteps {
    total: usize,
    first: usize,
    began: Instant,
    told: Instant,
}

impl ToldSteps {
    /// Training of `total` steps, of which `done` were done before.
    pub fn new(total: usize, done: usize) -> ToldSteps {
        let now = Instant::now();
        ToldSteps { total, first: done, began: now, told: now }
    }

    /// So many steps are done; a line of it, with `what` in it, if the last one is long ago.
    pub fn at(&mut self, done: usize, what: &str) {
        if self.told.elapsed() >= TOLD_EVERY {
            let (of_these, total) = (done - self.first, self.total);
            let left = self.began.elapsed().as_secs_f64() / of_these.max(1) as f64 * (total - done) as f64;
            info!("step {done}/{total}, {what}, {left:.0} s left");
            self.told = Instant::now();
        }
    }

    /// Seconds since the first step that is not from before.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}
