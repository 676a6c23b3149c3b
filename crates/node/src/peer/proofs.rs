//! What a peer has proven lately: that it hears us. Status shows its age; nothing is shown on hope.
//!
//! That we hear the peer is proven by every authenticated message and stamped in the [lane](crate::lane).
//! That it hears us is proven only by an answer that could not exist otherwise: a handshake response, or the
//! echo of a challenge. While data flows without such an answer, a challenge asks for one.

use stead_wire::options::ChallengeToken;
use stead_wire::time::{Duration, Instant};

/// How old the last proof may grow while we keep sending: one small message per interval is what it costs.
const ASK_AFTER: Duration = Duration::from_secs(10);

/// One peer's proofs.
#[derive(Debug, Default)]
pub(crate) struct Proofs {
    acknowledged: Option<Instant>,
    asked: Option<(ChallengeToken, Instant)>,
}

impl Proofs {
    /// When something of ours last provably arrived.
    pub(crate) const fn acknowledged(&self) -> Option<Instant> {
        self.acknowledged
    }

    /// Something of ours provably arrived.
    pub(crate) const fn acknowledge(&mut self, now: Instant) {
        self.acknowledged = Some(now);
        self.asked = None;
    }

    /// A challenge went out.
    pub(crate) const fn ask(&mut self, token: ChallengeToken, now: Instant) {
        self.asked = Some((token, now));
    }

    /// Nobody waits for the echo of the last challenge any more.
    pub(crate) const fn forget_question(&mut self) {
        self.asked = None;
    }

    /// Whether `token` answers our question; how long the answer took.
    pub(crate) fn on_response(&mut self, token: ChallengeToken, now: Instant) -> Option<Duration> {
        let (_, sent) = self.asked.filter(|(asked, _)| *asked == token)?;
        self.acknowledge(now);
        Some(now - sent)
    }

    /// When to ask, given when we last sent something; `None` while nothing was sent since the last proof or
    /// question.
    pub(crate) fn due(&self, last_sent: Option<Instant>) -> Option<Instant> {
        let last_sent = last_sent?;
        let since = self.acknowledged?.max(self.asked.map_or(Instant::ZERO, |(_, at)| at));
        (last_sent > since).then(|| since + ASK_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: ChallengeToken = ChallengeToken([7; 8]);

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_proof_is_asked_for_only_while_we_send() {
        let mut proofs = Proofs::default();
        assert_eq!(proofs.due(Some(at(5))), None, "there was no contact yet");
        proofs.acknowledge(at(10));
        assert_eq!(proofs.due(Some(at(9))), None, "idle since the last proof");
        assert_eq!(proofs.due(Some(at(11))), Some(at(20)));
    }

    #[test]
    fn an_unanswered_question_is_repeated_only_if_more_was_sent() {
        let mut proofs = Proofs::default();
        proofs.acknowledge(at(10));
        proofs.ask(TOKEN, at(20));
        assert_eq!(proofs.due(Some(at(20))), None, "the question itself is no reason");
        assert_eq!(proofs.due(Some(at(25))), Some(at(30)));
    }

    #[test]
    fn only_the_right_echo_is_a_proof() {
        let mut proofs = Proofs::default();
        proofs.ask(TOKEN, at(20));
        assert_eq!(proofs.on_response(ChallengeToken([8; 8]), at(21)), None);
        assert_eq!(proofs.acknowledged(), None);
        assert_eq!(proofs.on_response(TOKEN, at(21)), Some(Duration::from_secs(1)));
        assert_eq!(proofs.acknowledged(), Some(at(21)));
    }
}
