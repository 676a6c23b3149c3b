//! `stead suspend` and `stead resume`: orders to the running node.

use stead_config::likely;
use stead_io::control::{Outcome, Request};

use crate::cli::OrderArgs;
use crate::commands::daemon;
use crate::failure::Failure;
use crate::{render, terminal};

pub(crate) fn suspend(arguments: &OrderArgs) -> Result<(), Failure> {
    give(arguments, &Request::Suspend { peers: arguments.peers.clone() })
}

pub(crate) fn resume(arguments: &OrderArgs) -> Result<(), Failure> {
    give(arguments, &Request::Resume { peers: arguments.peers.clone() })
}

fn give(arguments: &OrderArgs, order: &Request) -> Result<(), Failure> {
    match daemon::ask_named(&arguments.daemon, order)? {
        Outcome::Ordered(reports) if arguments.json => terminal::print(&render::json_line(&reports)),
        Outcome::Ordered(reports) => terminal::print(&render::order::render(order, &reports)),
        Outcome::UnknownPeer { name, peers } => Err(unknown(&name, &peers)),
        _ => Err(daemon::beside_the_point()),
    }
}

fn unknown(name: &str, peers: &[String]) -> Failure {
    let names: Vec<&str> = peers.iter().map(String::as_str).collect();
    let hint = match likely::among(name, &names) {
        Some(meant) => format!("did you mean `{meant}`? Nothing was done for any peer"),
        None if peers.is_empty() => "no peers are configured".into(),
        None => format!("the peers are {}; nothing was done for any of them", peers.join(", ")),
    };
    Failure::refused(format!("no peer is called `{name}`"), hint)
}
