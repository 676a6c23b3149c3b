//! `lacking`: what is to be installed before tunnels can run here, for the script that does it.

use std::collections::BTreeSet;

use clap::Args;
use stead_rig::Driver;
use stead_rig::tunnel::Source;

use super::terminal::Terminal;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Which tunnels; all if none is named.
    #[arg(long, value_delimiter = ',')]
    tunnels: Vec<Driver>,
}

/// Each program once: `debian PACKAGE`, or `crate NAME VERSION`.
pub(super) fn run(arguments: &Arguments, terminal: &Terminal) {
    let tunnels = if arguments.tunnels.is_empty() { Driver::ALL } else { &arguments.tunnels };
    let wanted: BTreeSet<String> = tunnels
        .iter()
        .flat_map(|tunnel| tunnel.lacking())
        .map(|program| match program.source {
            Source::Debian(package) => format!("debian {package}"),
            Source::Crate { name, version } => format!("crate {name} {version}"),
        })
        .collect();
    for line in wanted {
        terminal.line(&line);
    }
}
