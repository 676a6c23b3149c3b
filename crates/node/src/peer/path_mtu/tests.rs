use core::net::SocketAddr;

use super::*;
use crate::peer::round_trip::RoundTrip;

const NOW: Instant = Instant::from_micros(5_000_000);

fn path(number: u32) -> Arc<Attachment> {
    let remote = SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()));
    Arc::new(Attachment { local: None, remote, path: PathId(number) })
}

/// Lets every probe up to `width` arrive at once, for a few seconds.
fn ask(path: &mut PathMtu, width: usize) {
    let mut now = NOW;
    for number in 0_u64..1000 {
        let Some((_, search)) = &mut path.current else { return };
        for (at, size) in search
            .handle_timeout(Some(NOW), (RoundTrip::UNMEASURED, number << 20), now)
            .into_iter()
            .enumerate()
        {
            let token = ChallengeToken((number * 8 + at as u64).to_le_bytes());
            search.on_sent(token, size, now);
            if size <= width {
                assert!(search.on_response(token, now).is_some());
            }
        }
        now += Duration::from_millis(5);
    }
}

#[test]
fn a_new_path_begins_with_the_configured_mtu_and_one_used_before_with_what_it_took() {
    let mut mtu = PathMtu::new(1420, 0);
    mtu.follow(Some(&path(1)), 1420, NOW);
    assert_eq!(mtu.poll_timeout(None), None, "nothing long has gone yet");
    ask(&mut mtu, 1376);
    assert_eq!(mtu.limit(), Some(1376));

    mtu.follow(Some(&path(2)), 1420, NOW);
    assert_eq!(mtu.limit(), Some(1420));
    mtu.follow(None, 1420, NOW);
    assert_eq!((mtu.limit(), mtu.poll_timeout(Some(NOW))), (None, None));

    let again = Arc::new(Attachment { path: PathId(3), ..*path(1) });
    mtu.follow(Some(&again), 1420, NOW);
    assert_eq!(mtu.limit(), Some(1376));
    for number in 10..20 {
        mtu.follow(Some(&path(number)), 1420, NOW);
        ask(&mut mtu, 1200);
    }
    assert!(mtu.known.len() <= MOST_KNOWN);
}

#[test]
fn answers_to_the_stack_are_rationed() {
    let mut ration = Ration { left: ANSWERS.0, counted: Instant::ZERO };
    let taken = |ration: &mut Ration, at: Instant| (0..1000).filter(|_| ration.take(at)).count();
    assert_eq!(taken(&mut ration, NOW), 10);
    assert_eq!(taken(&mut ration, NOW + Duration::from_millis(49)), 0);
    assert_eq!(taken(&mut ration, NOW + Duration::from_millis(101)), 2);
    assert_eq!(taken(&mut ration, NOW + Duration::from_secs(100)), 10);
}
