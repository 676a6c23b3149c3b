use super::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1_000)
}

fn there() -> SocketAddr {
    "192.0.2.1:1".parse().unwrap()
}

/// A path whose round trip is well known.
fn steady(rtt: Duration) -> RoundTrip {
    let mut path = RoundTrip::default();
    (0..40).for_each(|_| path.sample(rtt));
    path
}

fn near() -> RoundTrip {
    steady(ms(20))
}

/// Data has gone unanswered since then; the peer's data last came just before.
fn fell_silent(unanswered: u64) -> Traffic {
    let (since, heard) = (Some(at(unanswered)), Some(at(unanswered - 5)));
    Traffic { unanswered: since, last_data: since, heard_data: heard, unvalidated: false }
}

/// Data goes, and packets come.
fn both_ways(last_data: u64) -> Traffic {
    let last = Some(at(last_data));
    Traffic { unanswered: None, last_data: last, heard_data: last, unvalidated: false }
}

/// Data goes, and nothing comes but echoes.
fn one_way(unanswered: u64) -> Traffic {
    let since = Some(at(unanswered));
    Traffic { unanswered: since, last_data: since, heard_data: None, unvalidated: false }
}

fn proven_at(millis: u64) -> Liveness {
    Liveness { acknowledged: Some(at(millis)), ..Liveness::default() }
}

/// Tokens that differ.
fn token(number: u32) -> ChallengeToken {
    ChallengeToken([number as u8, (number >> 8) as u8, 1, 0, 0, 0, 0, 0])
}

/// Lets time pass until the path is doubted; nothing is ever answered. When challenges went, and when the doubt came.
fn until_doubted(liveness: &mut Liveness, traffic: Traffic, path: RoundTrip) -> (Vec<Instant>, Instant) {
    let mut asked = Vec::new();
    loop {
        let next = liveness.poll_timeout(traffic, path).expect("something is to come");
        match liveness.due(traffic, path, next) {
            Due::Nothing => panic!("it was due"),
            Due::Challenge => liveness.on_asked(token(asked.len() as u32), traffic, path, next),
            Due::Doubt => return (asked, next),
        }
        asked.push(next);
    }
}

fn answer(liveness: &mut Liveness, number: u32, millis: u64) -> Option<Duration> {
    liveness.on_response(token(number), (there(), Some(there())), at(millis))
}

#[test]
fn an_idle_path_is_not_asked() {
    let mut liveness = Liveness::default();
    assert_eq!(liveness.poll_timeout(one_way(5), near()), None, "there was no contact yet");
    liveness.acknowledge(at(10));
    let before = Traffic { last_data: Some(at(9)), ..Traffic::default() };
    assert_eq!(liveness.poll_timeout(before, near()), None, "idle since the last proof");
}

#[test]
fn a_silence_is_doubted_within_450_ms_and_two_round_trips() {
    for rtt in [1, 20, 100] {
        // Long ago or just now, the last proof postpones nothing.
        for proven in [1_000, 4_400, 4_990] {
            let (asked, doubted) = until_doubted(&mut proven_at(proven), fell_silent(5_000), steady(ms(rtt)));
            assert!(doubted <= at(5_360 + rtt), "{doubted:?}");
            assert_eq!(asked.len(), 16);
            assert!(doubted - *asked.last().unwrap() > ms(rtt), "the last one could have been answered");
        }
    }
}

#[test]
fn the_first_packet_after_a_pause_that_goes_unanswered_is_asked_about_as_soon() {
    let (asked, doubted) = until_doubted(&mut proven_at(1_000), one_way(5_000), near());
    assert_eq!(asked[0], at(5_065));
    assert!(doubted <= at(5_380), "{doubted:?}");
}

#[test]
fn while_packets_arrive_many_challenges_have_to_go_unanswered_over_a_long_time() {
    let (asked, doubted) = until_doubted(&mut proven_at(5_000), both_ways(14_000), near());
    assert_eq!(asked.len(), 20);
    assert_eq!(doubted, asked[0] + ms(1_300));

    let (asked, doubted) = until_doubted(&mut proven_at(5_000), both_ways(14_000), steady(ms(1_000)));
    assert_eq!(doubted, asked[0] + ms(4_020), "four times what an answer may take");
}

#[test]
fn a_packet_that_arrives_makes_a_question_one_of_traffic() {
    let mut liveness = proven_at(1_000);
    let silent = fell_silent(5_000);
    for number in 0..8 {
        let next = liveness.poll_timeout(silent, near()).unwrap();
        assert_eq!(liveness.due(silent, near(), next), Due::Challenge);
        liveness.on_asked(token(number), silent, near(), next);
    }
    let (asked, doubted) = until_doubted(&mut liveness, both_ways(5_400), near());
    assert_eq!(asked.len(), 12, "twenty in all");
    assert_eq!(doubted, at(5_065 + 1_300));
}

#[test]
fn a_silence_during_a_question_is_doubted_as_soon_as_any() {
    let mut liveness = proven_at(1_000);
    liveness.on_asked(token(99), both_ways(4_900), near(), at(4_900));
    let (_, doubted) = until_doubted(&mut liveness, fell_silent(5_000), near());
    assert!(doubted <= at(5_380), "{doubted:?}");
}

#[test]
fn a_host_that_was_stopped_asks_before_it_doubts() {
    let mut liveness = proven_at(1_000);
    let silent = fell_silent(5_000);
    liveness.on_asked(token(0), silent, near(), at(5_065));
    assert_eq!(liveness.due(silent, near(), at(60_000)), Due::Challenge);
}

#[test]
fn an_answer_that_comes_late_ends_the_doubt_and_is_a_sample() {
    let mut liveness = proven_at(1_000);
    let (asked, doubted) = until_doubted(&mut liveness, fell_silent(5_000), near());
    liveness.forget_question();
    assert!(doubted < at(6_230));
    assert_eq!(answer(&mut liveness, 0, 6_230), Some(at(6_230) - asked[0]));
    assert_eq!(liveness.acknowledged(), Some(at(6_230)));
    assert_eq!(answer(&mut liveness, 0, 6_231), None, "once");
    assert_eq!(answer(&mut liveness, 1, 6_260), Some(at(6_260) - asked[1]), "the next is another sample");
}

#[test]
fn an_answer_to_an_earlier_question_does_not_answer_a_later_one() {
    let mut liveness = proven_at(1_000);
    liveness.on_asked(token(0), both_ways(5_000), near(), at(5_000));
    liveness.acknowledge(at(5_100));
    liveness.on_asked(token(1), both_ways(6_000), near(), at(6_000));
    assert_eq!(answer(&mut liveness, 0, 6_010), Some(ms(1_010)));
    assert!(liveness.question.is_some(), "it was asked after that had arrived");
    assert_eq!(answer(&mut liveness, 1, 6_020), Some(ms(20)));
    assert!(liveness.question.is_none());
}

#[test]
fn traffic_one_way_costs_a_challenge_per_interval() {
    let mut liveness = proven_at(5_000);
    assert_eq!(liveness.poll_timeout(one_way(5_010), near()), Some(at(6_000)));
    liveness.on_asked(token(0), one_way(5_010), near(), at(6_000));
    assert_eq!(answer(&mut liveness, 0, 6_020), Some(ms(20)));
    assert_eq!(liveness.poll_timeout(one_way(6_030), near()), Some(at(7_020)));
}

#[test]
fn a_conversation_that_pauses_is_asked_once_and_then_once_a_second() {
    let mut liveness = proven_at(1_000);
    let paused = fell_silent(5_000);
    assert_eq!(liveness.poll_timeout(paused, near()), Some(at(5_065)));
    liveness.on_asked(token(0), paused, near(), at(5_065));
    answer(&mut liveness, 0, 5_085);
    let still = Traffic { unanswered: Some(at(5_090)), ..paused };
    assert_eq!(liveness.poll_timeout(still, near()), Some(at(6_085)));
}

#[test]
fn traffic_both_ways_is_asked_for_proof_of_our_direction_now_and_then() {
    let liveness = proven_at(5_000);
    assert_eq!(liveness.poll_timeout(both_ways(9_000), near()), Some(at(15_000)));
    let mut unsettled = near();
    unsettled.sample(ms(200));
    assert_eq!(liveness.poll_timeout(both_ways(9_000), unsettled), Some(at(6_000)), "to know it better");
    assert_eq!(liveness.poll_timeout(both_ways(9_000), RoundTrip::default()), Some(at(5_200)));
    assert!(liveness.worth_asking(both_ways(9_000), at(9_000)), "if the peer misses something, at once");
    assert!(!liveness.worth_asking(both_ways(5_100), at(5_150)), "but not more often than that");
}

#[test]
fn a_silence_that_ends_with_the_first_answer_is_looked_back_at_if_it_was_abrupt() {
    let asked = |traffic: Traffic| {
        let mut liveness = proven_at(1_000);
        liveness.on_asked(token(0), traffic, near(), at(6_000));
        liveness.lost_since(token(0))
    };
    assert_eq!(asked(fell_silent(5_100)), Some(at(4_600)));
    assert_eq!(asked(one_way(5_100)), None, "it says nothing but that it hears us");
    assert_eq!(asked(fell_silent(5_900)), None, "not yet a silence");
}

#[test]
fn who_could_not_ask_yet_takes_the_peers_question_for_the_end_of_a_silence() {
    let asked_along = |now: u64| {
        let mut liveness = proven_at(5_000);
        liveness.on_asked(token(0), one_way(now - 10), near(), at(now));
        liveness.on_suspicion(at(now));
        liveness.lost_since(token(0))
    };
    assert_eq!(asked_along(5_900), Some(at(4_500)));
    assert_eq!(asked_along(7_000), None, "it would have asked");
}

#[test]
fn only_the_right_echo_over_the_right_path_is_a_proof() {
    let mut liveness = Liveness::default();
    let elsewhere = "192.0.2.7:1".parse().unwrap();
    liveness.on_asked(token(0), one_way(10), near(), at(20));
    assert_eq!(answer(&mut liveness, 8, 50), None);
    assert_eq!(liveness.on_response(token(0), (elsewhere, Some(there())), at(50)), None);
    assert_eq!(liveness.acknowledged(), None);
    assert_eq!(answer(&mut liveness, 0, 50), Some(ms(30)));
    assert_eq!(liveness.acknowledged(), Some(at(50)));

    liveness.on_asked(token(1), one_way(60), near(), at(70));
    liveness.forget_path();
    assert_eq!(answer(&mut liveness, 1, 90), None, "it went over another path");
}
