//! Classical matchers: pre-trained on labels, fine-tuned on key points, scored.

mod command;
mod features;
mod labels;
mod learner;
mod pairs;
mod session;
mod settings;

pub use command::{FinetuneArgs, PretrainArgs};
pub use features::Features;
pub use labels::read_labels;
pub use learner::{Learner, LearnerState};
pub use pairs::{PairCount, TrainingPairs, read_training_pairs};
pub use session::{load_state, save_state};
pub use settings::{MatcherName, MatcherSettings, Phase};
