//! How far a TCP connection has come, judged by the flags that pass in both directions.
//!
//! Sees no sequence numbers, so it errs towards keeping: only an RST, or both FINs and an acknowledgement
//! after them, end a connection here.

use stead_wire::ip::TcpFlags;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    /// From this side.
    Outbound,
    /// From the other side.
    Inbound,
}

impl Direction {
    const fn reversed(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }
}

/// A connection's progress through its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    /// No segment with flags passed yet.
    Unseen,
    /// A SYN passed.
    Asked,
    /// SYNs passed both ways.
    Answered,
    /// Data may flow. Also the start for a connection that was there before this table.
    Established,
    /// One side has no more data; the other may go on for as long as it likes.
    HalfClosed(Direction),
    /// Both FINs passed; this side still has to acknowledge the later one.
    LastAcknowledge(Direction),
    /// Reset, or closed and acknowledged. A new SYN begins another connection.
    Ended,
}

impl Progress {
    /// Where a segment with `flags` takes the connection.
    pub(crate) const fn after(self, direction: Direction, flags: TcpFlags) -> Self {
        if flags.rst {
            Self::Ended
        } else if flags.syn {
            self.after_syn(flags.ack)
        } else if flags.fin {
            self.after_fin(direction)
        } else if flags.ack {
            self.after_acknowledgement(direction)
        } else {
            self
        }
    }

    /// Whether this direction's FIN has passed, or an RST of either.
    pub(crate) fn has_ended(self, direction: Direction) -> bool {
        match self {
            Self::Unseen | Self::Asked | Self::Answered | Self::Established => false,
            Self::HalfClosed(ended) => ended == direction,
            Self::LastAcknowledge(_) | Self::Ended => true,
        }
    }

    const fn after_syn(self, ack: bool) -> Self {
        match self {
            Self::Unseen | Self::Asked if ack => Self::Answered,
            Self::Unseen => Self::Asked,
            // A stray SYN: the receiver answers it with a challenge (RFC 5961 §4), nothing changes.
            Self::Asked
            | Self::Answered
            | Self::Established
            | Self::HalfClosed(_)
            | Self::LastAcknowledge(_)
            | Self::Ended => self,
        }
    }

    const fn after_fin(self, direction: Direction) -> Self {
        match self {
            Self::Unseen | Self::Asked | Self::Answered | Self::Established => Self::HalfClosed(direction),
            Self::HalfClosed(first) => match (first, direction) {
                (Direction::Outbound, Direction::Outbound) | (Direction::Inbound, Direction::Inbound) => self,
                (Direction::Outbound, Direction::Inbound) | (Direction::Inbound, Direction::Outbound) => {
                    Self::LastAcknowledge(direction.reversed())
                }
            },
            Self::LastAcknowledge(_) | Self::Ended => self,
        }
    }

    const fn after_acknowledgement(self, direction: Direction) -> Self {
        match self {
            Self::Unseen | Self::Asked | Self::Answered | Self::Established => Self::Established,
            Self::LastAcknowledge(awaited) => match (awaited, direction) {
                (Direction::Outbound, Direction::Outbound) | (Direction::Inbound, Direction::Inbound) => {
                    Self::Ended
                }
                (Direction::Outbound, Direction::Inbound) | (Direction::Inbound, Direction::Outbound) => self,
            },
            Self::HalfClosed(_) | Self::Ended => self,
        }
    }

    /// As a byte, for an atomic.
    pub(crate) const fn encode(self) -> u8 {
        match self {
            Self::Unseen => 0,
            Self::Asked => 1,
            Self::Answered => 2,
            Self::Established => 3,
            Self::HalfClosed(Direction::Outbound) => 4,
            Self::HalfClosed(Direction::Inbound) => 5,
            Self::LastAcknowledge(Direction::Outbound) => 6,
            Self::LastAcknowledge(Direction::Inbound) => 7,
            Self::Ended => 8,
        }
    }

    /// The reverse of [`encode`](Self::encode); bytes it never gives are [`Ended`](Self::Ended).
    pub(crate) const fn decode(byte: u8) -> Self {
        match byte {
            0 => Self::Unseen,
            1 => Self::Asked,
            2 => Self::Answered,
            3 => Self::Established,
            4 => Self::HalfClosed(Direction::Outbound),
            5 => Self::HalfClosed(Direction::Inbound),
            6 => Self::LastAcknowledge(Direction::Outbound),
            7 => Self::LastAcknowledge(Direction::Inbound),
            _ => Self::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Direction::{Inbound, Outbound};
    use super::*;

    const NONE: TcpFlags = TcpFlags { fin: false, syn: false, rst: false, ack: false };
    const SYN: TcpFlags = TcpFlags { syn: true, ..NONE };
    const SYN_ACK: TcpFlags = TcpFlags { syn: true, ack: true, ..NONE };
    const ACK: TcpFlags = TcpFlags { ack: true, ..NONE };
    const FIN_ACK: TcpFlags = TcpFlags { fin: true, ack: true, ..NONE };
    const RST: TcpFlags = TcpFlags { rst: true, ..NONE };

    const ALL: [Progress; 9] = [
        Progress::Unseen,
        Progress::Asked,
        Progress::Answered,
        Progress::Established,
        Progress::HalfClosed(Outbound),
        Progress::HalfClosed(Inbound),
        Progress::LastAcknowledge(Outbound),
        Progress::LastAcknowledge(Inbound),
        Progress::Ended,
    ];

    fn run(segments: &[(Direction, TcpFlags)]) -> Progress {
        segments
            .iter()
            .fold(Progress::Unseen, |progress, &(direction, flags)| progress.after(direction, flags))
    }

    #[test]
    fn a_handshake_opens_from_either_side() {
        assert_eq!(run(&[(Outbound, SYN)]), Progress::Asked);
        assert_eq!(
            run(&[(Outbound, SYN), (Outbound, SYN)]),
            Progress::Asked,
            "a retransmission asks no louder"
        );
        assert_eq!(run(&[(Outbound, SYN), (Inbound, SYN_ACK)]), Progress::Answered);
        assert_eq!(run(&[(Outbound, SYN), (Inbound, SYN_ACK), (Outbound, ACK)]), Progress::Established);
        assert_eq!(run(&[(Inbound, SYN), (Outbound, SYN_ACK), (Inbound, ACK)]), Progress::Established);
    }

    #[test]
    fn a_connection_older_than_the_table_is_taken_as_established() {
        assert_eq!(run(&[(Inbound, ACK)]), Progress::Established);
        assert_eq!(run(&[(Inbound, NONE)]), Progress::Unseen, "a segment without flags says nothing");
    }

    #[test]
    fn both_fins_and_the_last_acknowledgement_end_it() {
        let open = [(Outbound, SYN), (Inbound, SYN_ACK), (Outbound, ACK)];
        let close = [(Outbound, FIN_ACK), (Inbound, ACK), (Inbound, ACK), (Inbound, FIN_ACK)];
        let before_last: Vec<_> = open.into_iter().chain(close).collect();

        assert_eq!(run(&before_last[..6]), Progress::HalfClosed(Outbound), "the other side may go on");
        assert_eq!(run(&before_last), Progress::LastAcknowledge(Outbound));
        assert_eq!(run(&before_last).after(Inbound, ACK), Progress::LastAcknowledge(Outbound));
        assert_eq!(run(&before_last).after(Outbound, ACK), Progress::Ended);
    }

    #[test]
    fn a_simultaneous_close_ends_it_too() {
        assert_eq!(
            run(&[(Outbound, ACK), (Outbound, FIN_ACK), (Inbound, FIN_ACK), (Inbound, ACK), (Outbound, ACK)]),
            Progress::Ended
        );
    }

    #[test]
    fn a_repeated_fin_of_one_side_does_not_close_the_other() {
        assert_eq!(run(&[(Inbound, FIN_ACK), (Inbound, FIN_ACK)]), Progress::HalfClosed(Inbound));
    }

    #[test]
    fn a_reset_ends_it_at_any_point_and_nothing_revives_it() {
        for progress in ALL {
            assert_eq!(progress.after(Inbound, RST), Progress::Ended, "{progress:?}");
        }
        for flags in [NONE, SYN, SYN_ACK, ACK, FIN_ACK] {
            assert_eq!(Progress::Ended.after(Outbound, flags), Progress::Ended, "{flags:?}");
        }
    }

    #[test]
    fn a_stray_syn_changes_no_open_connection() {
        for progress in &ALL[3..] {
            assert_eq!(progress.after(Inbound, SYN), *progress);
        }
    }

    #[test]
    fn every_progress_survives_its_encoding() {
        for progress in ALL {
            assert_eq!(Progress::decode(progress.encode()), progress);
        }
    }
}
