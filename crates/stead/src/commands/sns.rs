//! `stead sns`: runs a subscribe-notify service in the foreground, checks its configuration, or asks a running one.

use core::fmt::Write as _;

use stead_config::{Paint, ServiceConfiguration};
use stead_io::control::{self, Outcome, Request};
use stead_io::service::{ServiceDaemon, ServiceDaemonSettings};
use stead_sns::Settings;
use tracing::info;

use crate::cli::SnsArgs;
use crate::commands::daemon;
use crate::failure::Failure;
use crate::foreground::{log_to_stderr, runtime, split_hint, stop_signal};
use crate::render::quantity;
use crate::{render, terminal};

pub(crate) fn run(arguments: &SnsArgs) -> Result<(), Failure> {
    if arguments.status {
        return status(arguments);
    }
    let configuration = ServiceConfiguration::load(&arguments.config)?;
    terminal::warn(&configuration.warnings.render(terminal::stderr_paint()));
    if arguments.check {
        return terminal::print(&meaning(&configuration, terminal::stdout_paint()));
    }
    log_to_stderr(configuration.log.as_str());
    runtime()?.block_on(serve(configuration))
}

/// From the configuration to the end of the program.
async fn serve(configuration: ServiceConfiguration) -> Result<(), Failure> {
    let stop = stop_signal()?;
    let settings = ServiceDaemonSettings {
        listen_port: configuration.listen_port,
        control_socket: configuration.control_socket,
        service: configuration.settings,
    };
    let daemon = ServiceDaemon::start(settings).await.map_err(|error| split_hint(&error.to_string()))?;
    info!(port = daemon.port(), public_key = %daemon.public_key(), "Up");
    terminal::print("stead: ready\n")?;
    daemon.run_until(stop).await.map_err(|error| split_hint(&error.to_string()))?;
    info!("Stopped; nothing is left behind");
    Ok(())
}

fn status(arguments: &SnsArgs) -> Result<(), Failure> {
    let socket = ServiceConfiguration::control_socket_of(&arguments.config)?;
    match runtime()?.block_on(control::ask(&socket, &Request::Status))?.outcome {
        Outcome::Service(report) if arguments.json => terminal::print(&render::json_line(&report)),
        Outcome::Service(report) => {
            terminal::print(&render::service::render(&report, terminal::stdout_paint()))
        }
        _ => Err(daemon::beside_the_point()),
    }
}

/// What the configuration means, for people.
fn meaning(configuration: &ServiceConfiguration, paint: Paint) -> String {
    let mut text = format!("{} is valid\n\n", configuration.warnings.file().display());
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{} {value}", paint.faint(&format!("{name:<16}")));
    };
    let Settings { clients, quotas, longest_lease, window, relay, .. } = &configuration.settings;
    line("public key", &configuration.public_key().to_string());
    line(
        "listens on",
        &match configuration.listen_port {
            0 => "any free UDP port".to_owned(),
            port => format!("UDP port {port}"),
        },
    );
    line("control socket", &configuration.control_socket.display().to_string());
    line("logs", configuration.log.as_str());
    line(
        "serves",
        &match clients {
            None => "any key".to_owned(),
            Some(keys) => format!("{} listed keys", keys.len()),
        },
    );
    line("clients", &format!("{} at most, {} of one address", quotas.clients, quotas.clients_per_address));
    line(
        "subscriptions",
        &format!(
            "{} at most, {} of one client, {} of one address",
            quotas.subscriptions, quotas.subscriptions_per_client, quotas.subscriptions_per_address
        ),
    );
    line("leases", &format!("{} at most", quantity::duration(*longest_lease)));
    line("window", &quantity::duration(*window));
    line(
        "relay",
        &match relay {
            None => "off".to_owned(),
            Some(limits) => format!(
                "{}/s for a pair, {}/s in all",
                quantity::bytes(limits.rate),
                quantity::bytes(limits.total)
            ),
        },
    );
    text
}
