//! `cargo xtask experiment FILE`: matchers from several beginnings, fine-tuned on more and more key points, in one table.

mod figure;
mod plan;
mod setting;
mod table;
mod work;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use tracing::info;

use self::plan::Plan;
use self::table::Table;
use crate::device::DeviceChoice;
use crate::logging;
use crate::run_folder::check_results_folder;

/// Train matchers from several beginnings on more and more key points, and set their scores side by side.
///
/// Every cell of the grid is a file in the output folder: what is there is not done again, and a killed experiment goes on where
/// it was. Files of another plan are refused.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask experiment xtask/experiments/claim.toml --out runs/claim
  cargo xtask experiment xtask/experiments/claim.toml --out runs/claim --summary --json
  cargo xtask experiment xtask/experiments/claim.toml --out try --set 'matchers=[\"cats\"]' --set 'seeds=[0]'")]
pub struct ExperimentArgs {
    /// What to do: see `xtask/experiments/claim.toml`
    file: PathBuf,
    /// Where cells, table and figure go
    #[arg(long, default_value = "runs/experiment", value_name = "DIR")]
    out: PathBuf,
    /// Set one key of the file, as in --set benchmark.score_pairs=20
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Do nothing more; show what there is
    #[arg(long)]
    summary: bool,
    /// Print the table as JSON
    #[arg(long)]
    json: bool,
    /// Cells that are worked on at a time; default: as many as there are cores
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// auto, cpu, wgpu, or wgpu:N
    #[arg(long, default_value_t)]
    device: DeviceChoice,
}

impl ExperimentArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// A plan that cannot be read, data that are not there, a loss that is no number, a full disk: finished cells stay.
    pub fn run(&self) -> Result<()> {
        logging::start(None)?;
        check_results_folder(&self.out, "--out")?;
        let plan = Plan::load(&self.file, &self.set)?;
        if !self.summary {
            let cores = || std::thread::available_parallelism().map_or(1, usize::from);
            work::run(&plan, &self.out, self.jobs.unwrap_or_else(cores).max(1), &self.device.open()?)?;
        }
        let table = Table::read(&plan, &self.out)?;
        if self.json {
            println!("{}", serde_json::to_string(&table)?);
        } else {
            println!("{}", table.text());
        }
        if !self.summary {
            for path in figure::write(&table, &plan, &self.out)? {
                info!("{}", path.display());
            }
        }
        Ok(())
    }
}
