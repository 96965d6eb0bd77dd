//! Weakly supervised semantic correspondence on the command line: `cargo xtask <command>`.
//!
//! This program composes the crates; it chooses the device, owns the run folders and reads the flags.

#![deny(clippy::print_stdout, clippy::print_stderr)]

// First, so that its macros are those of every other module.
#[macro_use]
mod output;

mod ahead;
mod allocator;
mod atomic;
mod bench;
mod benchmark;
mod cache_folder;
mod checkpoint;
mod config;
mod contents;
mod dense;
mod describe;
mod device;
mod doctor;
mod drawn;
mod evaluate;
mod experiment;
mod feature_cache;
mod foreground;
mod images;
mod inspect;
mod label;
mod logging;
mod mask_report;
mod match_images;
mod matchers;
mod merge_parts;
mod more_metrics;
mod network;
mod progress;
mod question;
mod report_files;
mod run_folder;
mod score;
mod score_outside;
mod short_hash;
mod sources;
mod text_table;
mod train;
mod trained;
mod weights;

use std::ffi::OsStr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Learn from folders of images, with nothing but class labels, where each point of one object lies on another.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    version,
    about,
    after_help = "First steps:
  cargo xtask train                       the whole way on drawn objects, nothing to download
  cargo xtask doctor                      what is here, what is missing, how to mend it
  cargo xtask weights fetch efficientnet-lite0
  cargo xtask train --data FOLDER --run mine
  cargo xtask match a.jpg b.jpg --run mine --out matches.png
  cargo xtask label --run mine --data FOLDER --out LABELS"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::TrainArgs),
    Eval(evaluate::EvalArgs),
    Score(score_outside::ScoreArgs),
    Inspect(inspect::InspectArgs),
    Match(match_images::MatchArgs),
    Label(label::LabelArgs),
    Merge(merge_parts::MergeArgs),
    Pretrain(matchers::PretrainArgs),
    Finetune(matchers::FinetuneArgs),
    Experiment(experiment::ExperimentArgs),
    Bench(bench::BenchArgs),
    /// List, download or verify backbone weights
    #[command(subcommand)]
    Weights(weights::WeightsCommand),
    Doctor(doctor::DoctorArgs),
}

fn main() -> ExitCode {
    allocator::keep_freed_memory();
    // burn loads optimiser states on its default device, which would be a GPU that may not be there.
    set_default("BURN_DEVICE", "flex".as_ref());
    // Without a desktop's session, Mesa complains on the error stream each time that adapters are listed.
    set_default("XDG_RUNTIME_DIR", std::env::temp_dir().as_os_str());
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(help) => return show(&help),
    };
    let outcome = match command {
        Command::Train(args) => args.run(),
        Command::Eval(args) => args.run(),
        Command::Score(args) => args.run(),
        Command::Inspect(args) => args.run(),
        Command::Match(args) => args.run(),
        Command::Label(args) => args.run(),
        Command::Merge(args) => args.run(),
        Command::Pretrain(args) => args.run(),
        Command::Finetune(args) => args.run(),
        Command::Experiment(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Weights(command) => command.run(),
        Command::Doctor(args) => args.run(),
    };
    ended(outcome.and_then(|()| output::finish()))
}

/// Shows what clap has to say: help and version on standard output, a complaint about flags on the error stream.
fn show(help: &clap::Error) -> ExitCode {
    match help.print() {
        Err(error) if !help.use_stderr() => output::keep(error),
        _ if help.use_stderr() => return ExitCode::from(2),
        _ => {}
    }
    ended(output::finish())
}

fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", output::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Sets an environment variable that is not set.
fn set_default(name: &str, value: &OsStr) {
    if std::env::var_os(name).is_none() {
        // SAFETY: called from `main` before any other thread is started.
        unsafe { std::env::set_var(name, value) };
    }
}
