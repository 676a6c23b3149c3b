//! Every system that stead is compared with carries connections, both ways.
#![cfg(target_os = "linux")]

use std::fs;

use stead_rig::address::Family;
use stead_rig::traffic::{Bulk, Direction, Length, Line, Outcome};
use stead_rig::{Driver, RigError, Tunnel, World};

/// A tunnel between two hosts on one cable, a transfer each way over every family it carries, then its processes.
fn carries_both_ways(driver: Driver, families: &[Family], programs: &[&str]) -> Result<(), RigError> {
    let test = format!("{driver}_carries_connections_both_ways");
    if !driver.met(&test) {
        return Ok(());
    }
    let world = World::new()?;
    let (near, far) = (world.host("near")?, world.host("far")?);
    world.cable((&near, "198.18.0.1/30"), (&far, "198.18.0.2/30"))?;
    let tunnel = Tunnel::establish(driver, &near, &far)?;
    for family in families {
        for line in [tunnel.line_over(*family)?, tunnel.line_back(*family)?] {
            for direction in [Direction::ToServer, Direction::ToClient] {
                assert_carries(driver, &line, direction)?;
            }
        }
    }
    let running: Vec<String> = tunnel.processes().into_iter().map(name_of).collect();
    assert_eq!(running, programs, "{driver}");
    Ok(())
}

fn assert_carries(driver: Driver, line: &Line, direction: Direction) -> Result<(), RigError> {
    let bulk = Bulk { direction, length: Length::Bytes(500_001), ..Bulk::default() };
    let report = bulk.start(line)?.finish();
    assert_eq!(report.outcome, Outcome::Complete, "{driver} to {}: {report:?}", line.address);
    assert_eq!(report.sha256_sent, report.sha256_received, "{driver} to {}", line.address);
    Ok(())
}

/// As the kernel has it, which keeps fifteen characters.
fn name_of(process: u32) -> String {
    fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default().trim().to_owned()
}

#[test]
fn the_bare_cable_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::None, &[Family::V4], &[])
}

#[test]
fn the_forwarder_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::Forwarder, &Family::BOTH, &[])
}

#[test]
fn the_sealing_forwarder_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::ForwarderAes, &Family::BOTH, &[])
}

#[test]
fn wireguard_go_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::WireguardGo, &Family::BOTH, &["wireguard-go"; 2])
}

#[test]
fn boringtun_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::Boringtun, &Family::BOTH, &["boringtun-cli"; 2])
}

#[test]
fn gotatun_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::Gotatun, &Family::BOTH, &["gotatun"; 2])
}

#[test]
fn nebula_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::Nebula, &[Family::V4], &["nebula"; 2])
}

#[test]
fn openvpn_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::Openvpn, &Family::BOTH, &["openvpn"; 2])
}

#[test]
fn tinc_carries_connections_both_ways() -> Result<(), RigError> {
    carries_both_ways(Driver::Tinc, &Family::BOTH, &["tincd"; 2])
}
