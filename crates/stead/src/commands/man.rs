//! `stead man`: the manual.

use std::fs;

use clap::CommandFactory as _;

use crate::cli::{Cli, ManArgs};
use crate::failure::Failure;
use crate::terminal;

pub(crate) fn run(arguments: &ManArgs) -> Result<(), Failure> {
    let Some(directory) = &arguments.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| Failure::refused(format!("cannot make the page: {error}"), "try --out"))?;
        return terminal::print(&String::from_utf8_lossy(&page));
    };
    fs::create_dir_all(directory).map_err(|error| Failure::file("make the directory", directory, &error))?;
    clap_mangen::generate_to(Cli::command(), directory)
        .map_err(|error| Failure::file("write the pages into", directory, &error))
}
