//! `stead completions`: what a shell needs to complete our command lines.

use clap::CommandFactory as _;

use crate::cli::{Cli, CompletionsArgs};
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(arguments: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "stead", &mut script);
    terminal::print(&String::from_utf8_lossy(&script))
}
