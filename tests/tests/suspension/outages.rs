//! Outages under data that flow both ways, whatever the two kernels have agreed on.

use std::time::Duration;

use stead_noise::random::{Random, RandomStream};
use stead_rig::RigError;
use stead_rig::address::Family;
use stead_tests::patience::{ms, pass};

use crate::application::{Plan, Transfer};
use crate::line::Room;
use crate::world::{Agreement, Outage, World};

/// What the first new byte may take after both ends have resumed. A round trip is 10 ms; the rest is for a machine that
/// does other things, and well below what a TCP takes that was left to itself for as long.
pub(crate) const SOON: Duration = ms(600);

/// Outages one after the other under two busy sides; then every byte must be there.
fn endure(agreement: Agreement, outages: &[Outage]) -> Result<(), RigError> {
    let Some(world) = World::ready(agreement)? else { return Ok(()) };
    let transfer = Transfer::start(&world.connect([None; 2])?, [Plan::BUSY; 2]);
    transfer.await_flow();
    for outage in outages {
        pass(ms(150));
        world.dark(*outage, || ());
        for number in [0, 1] {
            let stall = transfer.stall(number);
            assert!(stall < SOON, "end {number} waited {stall:?} after {outage:?}");
        }
    }
    let received = transfer.finish();
    world.assert_blameless()?;
    let told = world.line.judge().told;
    assert!(received.iter().all(|bytes| *bytes > 100_000), "it did flow: {received:?}");
    assert!(told.iter().all(|many| *many > 0), "both kernels were told: {told:?}");
    Ok(())
}

const THREE: [Outage; 3] = [Outage::of(ms(120)), Outage::of(ms(400)), Outage::of(ms(900))];

#[test]
fn data_both_ways_outlive_outages_over_ipv4() -> Result<(), RigError> {
    endure(Agreement::usual(Family::V4), &THREE)
}

#[test]
fn data_both_ways_outlive_outages_over_ipv6() -> Result<(), RigError> {
    endure(Agreement::usual(Family::V6), &THREE)
}

#[test]
fn data_outlive_outages_without_timestamps() -> Result<(), RigError> {
    endure(Agreement { timestamps: false, ..Agreement::usual(Family::V4) }, &THREE)
}

#[test]
fn data_outlive_outages_without_selective_acknowledgements() -> Result<(), RigError> {
    endure(Agreement { sack: false, ..Agreement::usual(Family::V6) }, &THREE)
}

#[test]
fn data_outlive_outages_with_small_windows_that_are_not_scaled() -> Result<(), RigError> {
    endure(Agreement { scaling: false, ..Agreement::usual(Family::V4) }, &THREE)
}

#[test]
fn data_outlive_outages_where_nothing_was_agreed_on() -> Result<(), RigError> {
    endure(
        Agreement { timestamps: false, sack: false, scaling: false, ..Agreement::usual(Family::V6) },
        &THREE,
    )
}

/// Everything by chance; the seed is printed, and `STEAD_SUSPENSION_SEED=N` repeats it.
#[test]
fn every_byte_arrives_whatever_two_sides_do_and_whenever_it_is_dark() -> Result<(), RigError> {
    const CASES: u64 = 6;
    let given = std::env::var("STEAD_SUSPENSION_SEED").ok().and_then(|text| text.parse().ok());
    let first = given.unwrap_or_else(|| u64::from(std::process::id()) * CASES);
    for seed in (first..).take(if given.is_some() { 1 } else { CASES as usize }) {
        eprintln!(
            "again: STEAD_SUSPENSION_SEED={seed} cargo test -p stead-tests --test suspension every_byte_arrives"
        );
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        endure_by_chance(&mut Random::from_seed(bytes).stream("suspension"))?;
    }
    Ok(())
}

fn endure_by_chance(dice: &mut RandomStream) -> Result<(), RigError> {
    let agreement = Agreement {
        family: Family::BOTH[below(dice, 2)],
        timestamps: below(dice, 3) > 0,
        sack: below(dice, 3) > 0,
        scaling: below(dice, 3) > 0,
    };
    let connections: Vec<_> =
        (0..3).map(|_| ([buffer(dice), buffer(dice)], [plan(dice), plan(dice)])).collect();
    let outages: Vec<_> = (0..3).map(|_| (millis(dice, 0, 200), outage(dice))).collect();
    eprintln!("{agreement:?} {connections:?} {outages:?}");

    let Some(world) = World::with(Room::Scarce, agreement)? else { return Ok(()) };
    let mut transfers = Vec::new();
    for (buffers, plans) in connections {
        transfers.push(Transfer::start(&world.connect(buffers)?, plans));
    }
    for (after, outage) in outages {
        pass(after);
        world.dark(outage, || ());
    }
    for transfer in transfers {
        transfer.finish();
    }
    world.assert_blameless()
}

fn outage(dice: &mut RandomStream) -> Outage {
    let noticed = [millis(dice, 0, 250), millis(dice, 0, 250)];
    let resumed = [millis(dice, 0, 150), millis(dice, 0, 150)];
    let most = [150, 600, 1500][below(dice, 3)];
    Outage { lasts: millis(dice, 50, most), noticed, resumed }
}

fn plan(dice: &mut RandomStream) -> Plan {
    let most = [1, 2000, 300_000, 3_000_000][below(dice, 4)];
    let reads = match below(dice, 3) {
        0 => (2000 + below(dice, 20_000), millis(dice, 1, 8)),
        _ => Plan::BUSY.reads,
    };
    // A slow reader must be done in time, too.
    let sends = 1 + below(dice, most);
    Plan { sends, reads }
}

fn buffer(dice: &mut RandomStream) -> Option<usize> {
    [None, Some(4096), Some(60_000), Some(3_000_000)][below(dice, 4)]
}

fn millis(dice: &mut RandomStream, least: usize, most: usize) -> Duration {
    ms((least + below(dice, most - least)) as u64)
}

fn below(dice: &mut RandomStream, bound: usize) -> usize {
    (dice.next_u64() % bound as u64) as usize
}
