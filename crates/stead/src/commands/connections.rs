//! `stead connections`: the running node's local connection translation table.

use stead_io::control::{Outcome, Request};

use crate::cli::ConnectionsArgs;
use crate::commands::daemon;
use crate::failure::Failure;
use crate::{render, terminal};

pub(crate) fn run(arguments: &ConnectionsArgs) -> Result<(), Failure> {
    let Outcome::Connections(rows) = daemon::ask(&arguments.daemon, &Request::Connections)? else {
        return Err(daemon::beside_the_point());
    };
    if arguments.json {
        return terminal::print(&render::json_line(&rows));
    }
    terminal::print(&render::connections::render(&rows, terminal::stdout_paint()))
}
