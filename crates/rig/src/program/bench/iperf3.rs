//! The same stream with iperf3, as a check on the rig's own traffic.

use std::process::Command;
use std::time::Duration;

use stead_rig::RigError;
use stead_rig::traffic::Line;

/// Bits that iperf3's server received each second.
pub(super) fn run(line: &Line, time: Duration) -> Result<u64, RigError> {
    let address = line.address.to_string();
    let mut server = Command::new("iperf3");
    server.args(["--server", "--one-off", "--forceflush", "--bind", &address]);
    let server = line.server.spawn(server)?;
    server.wait_for("Server listening", Duration::from_secs(5))?;
    let seconds = time.as_secs().max(1).to_string();
    let mut client = Command::new("iperf3");
    client.args(["--client", &address, "--time", &seconds, "--omit", "1", "--json"]);
    let printed = line.client.output(client)?;
    let report: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
    let rate = report.pointer("/end/sum_received/bits_per_second").and_then(serde_json::Value::as_f64);
    rate.map(|rate| rate as u64)
        .ok_or_else(|| RigError::Tunnel(format!("iperf3 reported no rate: {printed}")))
}
