//! `cargo xtask bench`: how long the project's operations take, what memory they need, and how PyTorch does.

mod inputs;
mod memory;
mod operations;
mod processes;
mod sweep;
mod table;
mod timing;
mod untrained;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::ProgressBar;

use crate::progress;
use operations::{OPERATIONS, Operation, Run};
use processes::{Ours, Torch};
use sweep::{SIDES, Size, Sweep, side_of};
use table::{Row, table};
use timing::median;
#[cfg(test)]
pub use untrained::Untrained;

/// Rounds in which this program and PyTorch take turns.
const ROUNDS: usize = 5;
/// Timed runs of a process.
const REPEAT: usize = 7;
/// The same in a sweep, whose largest grids take long.
const SWEEP_REPEAT: usize = 3;

/// Time the operations that training and matching are made of, and compare them with PyTorch.
///
/// Every figure comes from a process of its own: seconds are the median of --repeat runs after one that warms up, memory
/// is the peak of a first run beyond what was resident before it (Linux only). Inputs are drawn from a fixed seed and are
/// not part of either. Run it while nothing else does.
///
/// With --against-torch, this program and the script take turns, five rounds of one process each; times are the medians
/// over the rounds, and the ratio (ours / PyTorch, below 1 is faster) is the median of the rounds' ratios. Operations that
/// no script has keep empty columns, as all do where PyTorch is missing.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  cargo xtask bench --list
      the operations and what they do
  cargo xtask bench --only readout/32 vote/32 --threads 2
      two of them, on two threads
  PYTHON=venv/bin/python cargo xtask bench --threads 2 --against-torch torch_ops.py
      all of them, in turn with PyTorch
  cargo xtask bench --json > bench.jsonl
      one line an operation: op, ours_s, torch_s, ratio, ours_mib, torch_mib; null where not measured
  cargo xtask bench --sweep
      the readout on grids of 16×16 to 128×128 cells, and the powers of the cells by which it grows")]
pub struct BenchArgs {
    /// These operations alone (--list shows their names)
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Take turns with this PyTorch script, run by $PYTHON, else by python3
    #[arg(long, value_name = "PATH")]
    against_torch: Option<PathBuf>,
    /// Timed runs of a process; default 7, with --sweep 3
    #[arg(long, value_name = "N")]
    repeat: Option<NonZeroUsize>,
    /// Threads of this program and of PyTorch; default: all cores
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Time the readout on grids of 16 to 128 cells a side instead, and fit how it grows
    #[arg(long, conflicts_with_all = ["only", "against_torch"])]
    sweep: bool,
    /// Print one JSON object an operation, a line each; of --sweep one object
    #[arg(long)]
    json: bool,
    /// Show the operations and stop
    #[arg(long)]
    list: bool,
    /// What a process started by this command is told: time this operation
    #[arg(long, value_name = "NAME", hide = true)]
    time: Option<String>,
    /// What a process started by this command is told: measure this operation's memory
    #[arg(long, value_name = "NAME", hide = true)]
    memory: Option<String>,
}

impl BenchArgs {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// An unknown operation, or one that fails.
    pub fn run(&self) -> Result<()> {
        if self.list {
            print!("{}", list());
            return Ok(());
        }
        let repeat = |default: usize| self.repeat.map_or(default, NonZeroUsize::get);
        if let Some(op) = &self.time {
            let timed = timing::time(op, self.prepare(op)?, repeat(REPEAT))?;
            println!("{}", serde_json::to_string(&timed)?);
            return Ok(());
        }
        if let Some(op) = &self.memory {
            let held = memory::measure(op, self.prepare(op)?)?;
            println!("{}", serde_json::to_string(&held)?);
            return Ok(());
        }
        if self.sweep { self.grids(repeat(SWEEP_REPEAT)) } else { self.operations(repeat(REPEAT)) }
    }

    /// Threads to use.
    fn threads(&self) -> usize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    /// Sizes the thread pool and draws an operation's inputs.
    fn prepare(&self, op: &str) -> Result<Run> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads());
        pool.build_global().context("the thread pool was started before its size was known")?;
        match side_of(op) {
            Some(side) => operations::readout(1, side),
            None => (find(op)?.prepare)(),
        }
    }

    fn operations(&self, repeat: usize) -> Result<()> {
        let chosen = self.chosen()?;
        let ours = Ours::new(self.threads())?;
        let torch = self.torch();
        let processes = |op: &&Operation| match compared(op, torch.as_ref()) {
            Some(_) => 2 * (ROUNDS + 1),
            None => 2,
        };
        let bar = progress::count(chosen.iter().map(processes).sum(), "measuring");
        let mut rows = Vec::new();
        for op in chosen {
            bar.set_message(op.name);
            let row = measure(op, &ours, compared(op, torch.as_ref()), repeat, &bar)?;
            if self.json {
                let line = serde_json::to_string(&row)?;
                bar.suspend(|| println!("{line}"));
            }
            rows.push(row);
        }
        bar.finish_and_clear();
        if !self.json {
            let rival = torch.map_or_else(String::new, |torch| {
                format!("; {ROUNDS} rounds in turn with PyTorch {}, ratios ours / PyTorch", torch.version)
            });
            println!("{} threads, {repeat} runs a process{rival}\n\n{}", self.threads(), table(&rows).trim_end());
        }
        Ok(())
    }

    fn grids(&self, repeat: usize) -> Result<()> {
        let ours = Ours::new(self.threads())?;
        let bar = progress::count(2 * SIDES.len(), "measuring");
        let mut sizes = Vec::new();
        for side in SIDES {
            let op = format!("sweep/{side}");
            bar.set_message(op.clone());
            // The largest grids may not fit into memory; what was measured is shown all the same.
            let ours_s = ours.seconds(&op, repeat).map_or_else(|error| complain(&bar, &op, &error), Some);
            bar.inc(1);
            let ours_mib = ours.mib(&op).unwrap_or_else(|error| complain(&bar, &op, &error));
            bar.inc(1);
            sizes.push(Size { side, cells: side * side, ours_s, ours_mib });
        }
        bar.finish_and_clear();
        let sweep = Sweep::new(sizes, self.threads());
        if self.json {
            println!("{}", serde_json::to_string(&sweep)?);
        } else {
            print!("{} threads, {repeat} runs a process\n\n{}", self.threads(), sweep.table());
        }
        Ok(())
    }

    /// The operations to measure, in the order of the list.
    fn chosen(&self) -> Result<Vec<&'static Operation>> {
        for name in &self.only {
            find(name)?;
        }
        let wanted = |op: &&Operation| self.only.is_empty() || self.only.iter().any(|name| name == op.name);
        Ok(OPERATIONS.iter().filter(wanted).collect())
    }

    /// PyTorch, where it is asked for and there.
    fn torch(&self) -> Option<Torch> {
        let script = self.against_torch.as_ref()?;
        match Torch::find(script, self.threads()) {
            Ok(torch) => Some(torch),
            Err(missing) => {
                eprintln!("no comparison with PyTorch: {missing}");
                None
            }
        }
    }
}

/// PyTorch, if it has the operation.
fn compared<'a>(op: &Operation, torch: Option<&'a Torch>) -> Option<&'a Torch> {
    op.rival.and(torch)
}

fn measure(op: &Operation, ours: &Ours, torch: Option<&Torch>, repeat: usize, bar: &ProgressBar) -> Result<Row> {
    let mut rival = torch.zip(op.rival);
    let (mut ours_s, mut torch_s) = (Vec::new(), Vec::new());
    for _ in 0..if rival.is_some() { ROUNDS } else { 1 } {
        ours_s.push(ours.seconds(op.name, repeat)?);
        bar.inc(1);
        if let Some((torch, script)) = rival {
            match torch.seconds(op.name, script, repeat) {
                Ok(seconds) => torch_s.push(seconds),
                Err(error) => {
                    complain::<f64>(bar, op.name, &error);
                    rival = None;
                    torch_s.clear();
                }
            }
            bar.inc(1);
        }
    }
    let ours_mib = ours.mib(op.name)?;
    bar.inc(1);
    let mut torch_mib = None;
    if let Some((torch, script)) = rival {
        torch_mib = torch.mib(op.name, script).unwrap_or_else(|error| complain(bar, op.name, &error));
        bar.inc(1);
    }
    let ratios: Vec<f64> = ours_s.iter().zip(&torch_s).map(|(ours, torch)| ours / torch).collect();
    let middle = |values: &[f64]| (!values.is_empty()).then(|| median(values));
    let ours_s = middle(&ours_s);
    Ok(Row {
        op: op.name.to_owned(),
        ours_s,
        torch_s: middle(&torch_s),
        ratio: middle(&ratios),
        ours_mib,
        torch_mib,
        items_per_s: ours_s.zip(op.items).map(|(seconds, (count, _))| count as f64 / seconds),
        unit: op.items.map_or("", |(_, unit)| unit),
    })
}

/// Says what could not be measured.
fn complain<T>(bar: &ProgressBar, op: &str, error: &anyhow::Error) -> Option<T> {
    bar.suspend(|| eprintln!("{op}: {}", crate::output::chain(error)));
    None
}

fn find(name: &str) -> Result<&'static Operation> {
    let Some(found) = OPERATIONS.iter().find(|op| op.name == name) else {
        let names: Vec<&str> = OPERATIONS.iter().map(|op| op.name).collect();
        bail!("no operation is called {name:?}; there are {}", names.join(", "));
    };
    Ok(found)
}

fn list() -> String {
    OPERATIONS.iter().map(|op| format!("{:<18}{}\n", op.name, op.about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        for (index, op) in OPERATIONS.iter().enumerate() {
            assert!(OPERATIONS[index + 1..].iter().all(|other| other.name != op.name), "{}", op.name);
            assert_eq!(find(op.name).unwrap().about, op.about);
        }
    }

    #[test]
    fn every_operation_runs_twice() {
        let _generator = crate::train::small_run::generator();
        for op in OPERATIONS.iter().filter(|op| !["readout/64", "backbone/320"].contains(&op.name)) {
            let mut run = (op.prepare)().unwrap();
            run().and_then(|()| run()).unwrap_or_else(|error| panic!("{}: {error:#}", op.name));
        }
    }
}
