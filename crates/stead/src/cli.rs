//! What can be asked of the program.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Keeps connections alive while hosts move.
///
/// Applications use stable virtual addresses; stead carries their packets between wherever the hosts
/// happen to be attached, encrypted as WireGuard does it.
#[derive(Debug, Parser)]
#[command(name = "stead", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "A first tunnel: `stead init DIR` on both hosts, enter each other's public key \
    under `peers:`, `stead check`, `stead up`.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Keygen(KeygenArgs),
    Pubkey(PubkeyArgs),
    Init(InitArgs),
    Check(CheckArgs),
    Up(UpArgs),
    Sns(SnsArgs),
    Status(StatusArgs),
    Connections(ConnectionsArgs),
    /// Hold the traffic of peers until `stead resume`
    ///
    /// Connections stay: what applications send is kept and their TCP is answered here meanwhile, so that
    /// it waits and does not give up. The peer notices the silence and does the same. For scripts, and for the
    /// moment before a host sleeps; neither a wake nor a move ends it, only `stead resume` or the daemon's end.
    Suspend(OrderArgs),
    /// Let the traffic of suspended peers flow again
    ///
    /// Asks them at once, from wherever this host is by now; what was held goes first. A peer that is not
    /// suspended on order, but is being looked for, is asked at once too.
    Resume(OrderArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Make a secret key
///
/// Prints it in base64, as `wg genkey` does; with --out it goes into a file that only its owner can
/// read, and its public key is printed.
#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// Write the key to FILE (mode 0600) and print its public key
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Replace FILE if it exists; its old key is lost
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
    /// Make a key to be shared by two peers, for `preshared_key_file`
    #[arg(long)]
    pub(crate) preshared: bool,
}

/// Print the public key of a secret key
///
/// This is what the other side enters as `public_key`.
#[derive(Args, Debug)]
pub(crate) struct PubkeyArgs {
    /// The file with the secret key; standard input if it is absent or `-`
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Also print the virtual address that belongs to the key, on a second line
    #[arg(long)]
    pub(crate) address: bool,
}

/// Write a first configuration and a key
///
/// The configuration explains every key. Nothing that exists is overwritten: a secret key that is
/// there already is kept and used.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// A directory for `stead.yaml` and `private.key`, or the configuration's own name (*.yaml)
    #[arg(value_name = "DIR|FILE")]
    pub(crate) path: PathBuf,
    /// Which example to begin with
    #[arg(long, value_enum, default_value_t = Example::RoamingLaptop, value_name = "EXAMPLE")]
    pub(crate) like: Example,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Example {
    /// Moves about and speaks first
    RoamingLaptop,
    /// Stays in one place and waits
    PublicServer,
}

/// Check a configuration and say what it means
///
/// Who this node is, its addresses, its peers and the routes that `stead up` installs. All mistakes
/// are shown at once. Exit status 0 if the configuration can be used, 1 if not.
#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run the node in the foreground
///
/// Prints `stead: ready` when it carries traffic. Ctrl-C, SIGTERM and `stop` over the control socket
/// end it; it leaves nothing behind. Needs root or the right to make network devices.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// The configuration
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Run a subscribe-notify service in the foreground
///
/// Nodes that list it find each other after both moved, and behind NATs. Prints `stead: ready` when it
/// answers. Ctrl-C, SIGTERM and `stop` over the control socket end it. Needs neither root nor an
/// interface, only a UDP port that the world can reach. It is not trusted: what nodes publish for each
/// other is sealed, and it cannot forge what they would believe.
#[derive(Args, Debug)]
pub(crate) struct SnsArgs {
    /// The service's configuration; `configs/subscribe-notify-service.yaml` explains every key
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Only check the configuration and say what it means
    #[arg(long, conflicts_with = "status")]
    pub(crate) check: bool,
    /// Show the service that runs this configuration: what it holds and what it did
    #[arg(long)]
    pub(crate) status: bool,
    /// With --status: print one line of JSON; durations in microseconds
    #[arg(long, requires = "status")]
    pub(crate) json: bool,
}

/// Show the running node and what is proven of its peers
///
/// For each peer the age of the last proof in each direction: when it was last heard, and when it
/// last showed that it hears us. Only the two together, both recent, are called proven.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) daemon: DaemonArgs,
    /// Print one line of JSON; ages and durations in microseconds
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the active connections of the running node
///
/// For each its original specification, which never changes, and the current one, which every move
/// changes.
#[derive(Args, Debug)]
pub(crate) struct ConnectionsArgs {
    #[command(flatten)]
    pub(crate) daemon: DaemonArgs,
    /// Print one line of JSON; ages in microseconds
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whom an order is for.
#[derive(Args, Debug)]
pub(crate) struct OrderArgs {
    /// The peers, by name or public key; all of them if none is given
    #[arg(value_name = "PEER")]
    pub(crate) peers: Vec<String>,
    #[command(flatten)]
    pub(crate) daemon: NamedDaemonArgs,
    /// Print one line of JSON; durations in microseconds
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which running node to order; the arguments are its peers.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct NamedDaemonArgs {
    /// The configuration it was started with; not needed if only one is running
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The interface it runs
    #[arg(long, short, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Its control socket
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

/// Which running node to ask.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct DaemonArgs {
    /// The configuration it was started with; not needed if only one is running
    #[arg(value_name = "FILE")]
    pub(crate) configuration: Option<PathBuf>,
    /// The interface it runs
    #[arg(long, short, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// Its control socket
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
}

/// Print completions for a shell
///
/// For example: stead completions bash > /etc/bash_completion.d/stead
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

/// Print the manual page
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Write the pages of all commands into DIR
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn one_way_at_most_to_name_the_running_node() {
        assert!(Cli::try_parse_from(["stead", "status", "a.yaml"]).is_ok());
        assert!(Cli::try_parse_from(["stead", "status", "--socket", "s", "--json"]).is_ok());
        assert!(Cli::try_parse_from(["stead", "status", "a.yaml", "--socket", "s"]).is_err());
        assert!(Cli::try_parse_from(["stead", "connections", "-i", "a", "--socket", "s"]).is_err());
    }

    #[test]
    fn orders_are_for_any_number_of_peers() {
        let all = Cli::try_parse_from(["stead", "suspend", "--json"]).unwrap();
        assert!(matches!(all.command, Command::Suspend(arguments) if arguments.peers.is_empty()));
        let two = Cli::try_parse_from(["stead", "resume", "home", "phone", "-i", "stead1"]).unwrap();
        assert!(matches!(two.command, Command::Resume(arguments) if arguments.peers == ["home", "phone"]));
        assert!(Cli::try_parse_from(["stead", "resume", "--config", "a.yaml", "--socket", "s"]).is_err());
    }

    #[test]
    fn a_service_needs_its_configuration_and_is_run_checked_or_asked() {
        assert!(Cli::try_parse_from(["stead", "sns", "--config", "a.yaml"]).is_ok());
        assert!(Cli::try_parse_from(["stead", "sns", "--config", "a.yaml", "--status", "--json"]).is_ok());
        assert!(Cli::try_parse_from(["stead", "sns", "--config", "a.yaml", "--json"]).is_err());
        assert!(Cli::try_parse_from(["stead", "sns", "--config", "a", "--status", "--check"]).is_err());
        assert!(Cli::try_parse_from(["stead", "sns"]).is_err());
    }

    #[test]
    fn force_without_a_file_is_refused() {
        assert!(Cli::try_parse_from(["stead", "keygen", "--force"]).is_err());
    }
}
