//! Outages at particular moments of a connection's life.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use stead_rig::RigError;
use stead_rig::address::Family;
use stead_tests::patience::{ms, pass, secs};

use crate::application::{Plan, Transfer, byte};
use crate::outages::SOON;
use crate::world::{Agreement, Outage, World, accept, address_of, dial};

/// Long enough that a TCP left to itself would send again only much later than [`SOON`].
const LONG: Outage = Outage::of(ms(1800));

/// Reads exactly so many bytes; how long that took.
fn read(mut from: &TcpStream, len: usize) -> (Vec<u8>, Duration) {
    let (mut bytes, began) = (vec![0; len], Instant::now());
    from.read_exact(&mut bytes).expect("the bytes arrive");
    (bytes, began.elapsed())
}

fn assert_at_end(mut from: &TcpStream) {
    assert_eq!(from.read(&mut [0]).expect("it ends well"), 0, "more than was sent");
}

fn assert_soon(took: Duration) {
    assert!(took < SOON, "it took {took:?} after the end of the outage");
}

#[test]
fn a_keystroke_in_the_dark_arrives_soon_after_it() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    world.dark(LONG, || (&here).write_all(b"k").expect("the kernel takes it"));
    let (bytes, took) = read(&there, 1);
    assert_eq!(bytes, b"k");
    assert_soon(took);
    world.assert_blameless()
}

#[test]
fn a_connection_asked_for_in_the_dark_opens_soon_after_it() -> Result<(), RigError> {
    for family in Family::BOTH {
        let Some(world) = World::ready(Agreement::usual(family))? else { return Ok(()) };
        let listener = world.listen(None)?;
        let to = address_of(&listener);
        let asking = world.dark(LONG, || world.hosts[0].run(move || dial(to, None)))?;
        let back = Instant::now();
        let near = asking.join()?;
        assert_soon(back.elapsed());
        Transfer::start(&[near, accept(&listener)], [Plan::BUSY.sending(200_000); 2]).finish();
        world.assert_blameless()?;
    }
    Ok(())
}

#[test]
fn a_half_that_ends_in_the_dark_leaves_the_other_half_open() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V6))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    world.dark(LONG, || {
        (&here).write_all(b"last words").expect("the kernel takes it");
        here.shutdown(Shutdown::Write).expect("it is connected");
    });
    let (bytes, took) = read(&there, 10);
    assert_eq!(bytes, b"last words");
    assert_soon(took);
    assert_at_end(&there);
    // The open half has an outage of its own.
    let transfer = Transfer::start(&[here, there], [Plan::QUIET, Plan::BUSY]);
    pass(ms(200));
    world.dark(Outage::of(ms(700)), || ());
    assert_soon(transfer.stall(0));
    transfer.finish();
    world.assert_blameless()
}

#[test]
fn both_halves_end_in_the_dark_and_nobody_is_reset() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    world.dark(LONG, || {
        (&here).write_all(b"good").expect("the kernel takes it");
        (&there).write_all(b"bye").expect("the kernel takes it");
        here.shutdown(Shutdown::Write).expect("it is connected");
        there.shutdown(Shutdown::Write).expect("it is connected");
    });
    assert_eq!(read(&there, 4).0, b"good");
    assert_eq!(read(&here, 3).0, b"bye");
    assert_at_end(&here);
    assert_at_end(&there);
    pass(ms(100));
    assert_eq!(world.line.judge().resets, [0, 0]);
    world.assert_blameless()
}

#[test]
fn an_outage_in_fin_wait_ends_with_the_other_halfs_data() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    here.shutdown(Shutdown::Write).expect("it is connected");
    assert_at_end(&there);
    let answer: Vec<u8> = (0..300_000).map(|at| byte(1, at)).collect();
    let writer = world.dark(LONG, || {
        let (to, answer) = (there.try_clone().expect("a descriptor"), answer.clone());
        thread::spawn(move || {
            (&to).write_all(&answer).expect("the kernel takes it");
            to.shutdown(Shutdown::Write).expect("it is connected");
        })
    });
    let (first, took) = read(&here, 1);
    assert_soon(took);
    let rest = read(&here, answer.len() - 1).0;
    assert_eq!([first, rest].concat(), answer);
    assert_at_end(&here);
    writer.join().expect("no panic");
    world.assert_blameless()
}

#[test]
fn urgent_data_of_the_dark_arrive_in_their_place() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    SockRef::from(&there).set_out_of_band_inline(true).expect("it is TCP");
    world.dark(LONG, || {
        (&here).write_all(b"before").expect("the kernel takes it");
        SockRef::from(&here).send_out_of_band(b"!").expect("the kernel takes it");
        (&here).write_all(b"after").expect("the kernel takes it");
    });
    let (bytes, took) = read(&there, 12);
    assert_eq!(bytes, b"before!after");
    assert_soon(took);
    world.assert_blameless()
}

#[test]
fn keepalives_every_second_find_the_other_alive_for_all_of_an_outage() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    for end in [&here, &there] {
        let often = TcpKeepalive::new().with_time(secs(1)).with_interval(secs(1)).with_retries(2);
        SockRef::from(end).set_tcp_keepalive(&often).expect("it is TCP");
    }
    world.dark(Outage::of(secs(6)), || ());
    (&here).write_all(b"here").expect("the connection is alive");
    (&there).write_all(b"there").expect("the connection is alive");
    assert_eq!((read(&there, 4).0, read(&here, 5).0), (b"here".to_vec(), b"there".to_vec()));
    let told = world.line.judge().told[0];
    assert!(told >= 6, "each keepalive was answered: {told}");
    world.assert_blameless()
}

#[test]
fn a_user_timeout_is_not_reached_by_shorter_outages_and_kept_to_in_a_longer_one() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let bounded = || {
        let streams = world.connect([None; 2])?;
        for end in &streams {
            SockRef::from(end).set_tcp_user_timeout(Some(secs(3))).expect("it is TCP");
        }
        Ok::<_, RigError>(streams)
    };
    let transfer = Transfer::start(&bounded()?, [Plan::BUSY; 2]);
    transfer.await_flow();
    for _ in 0..2 {
        world.dark(LONG, || ());
        for number in [0, 1] {
            assert_soon(transfer.stall(number));
        }
        pass(ms(200));
    }
    transfer.finish();
    world.assert_blameless()?;

    // Who sets it does not want a closed window to count as a sign of life; nor does Linux take it for one.
    let [here, _there] = bounded()?;
    world.line.judge().expect_reset(0);
    let error = world.dark(LONG, || {
        (&here).write_all(b"in vain").expect("the kernel takes it");
        (&here).read(&mut [0]).expect_err("its data have waited for too long")
    });
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    Ok(())
}

#[test]
fn a_window_that_the_other_had_closed_itself_opens_though_it_read_in_the_dark() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None, Some(20_000)])?;
    let all: Vec<u8> = (0..3_000_000).map(|at| byte(0, at)).collect();
    let (to, copy) = (here.try_clone().expect("a descriptor"), all.clone());
    let writer = thread::spawn(move || (&to).write_all(&copy).expect("everything can be sent"));
    // Nobody reads, so the window closes.
    pass(ms(400));
    let mut seen = world.dark(LONG, || {
        let mut seen = vec![0; 60_000];
        let len = (&there).read(&mut seen).expect("something has arrived before");
        seen.truncate(len);
        seen
    });
    let left = all.len() - seen.len();
    // What had arrived before the outage comes first, and is no sign that anything flows.
    let began = Instant::now();
    let rest = read(&there, left).0;
    let took = began.elapsed();
    seen.extend(rest);
    assert!(seen == all, "a wrong byte");
    assert!(took < SOON * 5, "all the rest took {took:?}");
    writer.join().expect("no panic");
    world.assert_blameless()
}

#[test]
fn a_connection_aborted_in_the_dark_is_reset_after_it_and_only_by_who_wants_it() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    let [here, there] = world.connect([None; 2])?;
    world.line.judge().expect_reset(0);
    world.dark(LONG, || {
        (&here).write_all(b"never mind").expect("the kernel takes it");
        SockRef::from(&here).set_linger(Some(Duration::ZERO)).expect("it is TCP");
        drop(here);
    });
    let back = Instant::now();
    let error = (&there).read(&mut [0; 20]).expect_err("it was aborted");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_soon(back.elapsed());
    // The data before it were let go, so the first one is not where it is expected, and the other asks once more
    // (RFC 5961 section 3.2).
    let resets = world.line.judge().resets;
    assert!((1..=2).contains(&resets[0]) && resets[1] == 0, "{resets:?}");
    world.assert_blameless()
}

#[test]
fn few_retries_end_a_connection_that_is_left_to_itself_and_none_that_is_suspended() -> Result<(), RigError> {
    let Some(world) = World::ready(Agreement::usual(Family::V4))? else { return Ok(()) };
    for host in &world.hosts {
        host.set_tcp_retries(3)?;
    }
    let streams = world.connect([None; 2])?;
    let transfer = Transfer::start(&streams, [Plan::BUSY; 2]);
    transfer.await_flow();
    world.dark(Outage::of(secs(7)), || ());
    for number in [0, 1] {
        assert_soon(transfer.stall(number));
    }
    transfer.finish();
    world.assert_blameless()?;

    let [here, _there] = world.connect([None; 2])?;
    let error = thread::scope(|scope| {
        scope.spawn(|| world.plainly_dark(secs(7)));
        pass(ms(50));
        (&here).write_all(b"in vain").expect("the kernel takes it");
        (&here).read(&mut [0]).expect_err("without suspension it does not live so long")
    });
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    Ok(())
}
