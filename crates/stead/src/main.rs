//! stead keeps connections alive while hosts move. This is the program; the work is done in the
//! crates below it.
//!
//! `cli` says what can be asked, `commands` has a file for each answer, `foreground` keeps those going that last, `render` and `terminal` put
//! answers before people, `failure` says why there is none.

mod cli;
mod commands;
mod failure;
mod foreground;
mod key_file;
mod render;
mod terminal;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use failure::Failure;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Keygen(arguments) => commands::keygen::run(&arguments),
        Command::Pubkey(arguments) => commands::pubkey::run(&arguments),
        Command::Init(arguments) => commands::init::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Up(arguments) => commands::up::run(&arguments),
        Command::Sns(arguments) => commands::sns::run(&arguments),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Connections(arguments) => commands::connections::run(&arguments),
        Command::Suspend(arguments) => commands::order::suspend(&arguments),
        Command::Resume(arguments) => commands::order::resume(&arguments),
        Command::Completions(arguments) => commands::completions::run(&arguments),
        Command::Man(arguments) => commands::man::run(&arguments),
    }
}
