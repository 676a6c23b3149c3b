//! `stead status`: what the running node knows of itself and of its peers.

use stead_io::control::{Outcome, Request};

use crate::cli::StatusArgs;
use crate::commands::daemon;
use crate::failure::Failure;
use crate::{render, terminal};

pub(crate) fn run(arguments: &StatusArgs) -> Result<(), Failure> {
    let Outcome::Status(report) = daemon::ask(&arguments.daemon, Request::Status)? else {
        return Err(daemon::beside_the_point());
    };
    if arguments.json {
        return terminal::print(&render::json_line(&report));
    }
    terminal::print(&render::status::render(&report, terminal::stdout_paint()))
}
