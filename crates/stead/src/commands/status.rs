//! `stead status`: what the running node knows of itself and of its peers.

use stead_io::control::{Outcome, Request};

use crate::cli::StatusArgs;
use crate::commands::daemon;
use crate::failure::Failure;
use crate::{render, terminal};

pub(crate) fn run(arguments: &StatusArgs) -> Result<(), Failure> {
    let paint = terminal::stdout_paint();
    let text = match daemon::ask(&arguments.daemon, &Request::Status)? {
        Outcome::Status(report) if arguments.json => render::json_line(&report),
        Outcome::Status(report) => render::status::render(&report, paint),
        Outcome::Service(report) if arguments.json => render::json_line(&report),
        Outcome::Service(report) => render::service::render(&report, paint),
        _ => return Err(daemon::beside_the_point()),
    };
    terminal::print(&text)
}
