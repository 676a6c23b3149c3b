//! Requests to the kernel's routing tables (Linux), answered before the call returns.
//!
//! Replies are handed on as raw bytes: a message kind that a newer kernel phrases differently must not make
//! the rest of a dump unreadable.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// A request socket. One request at a time.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
}

/// How often a dump is repeated that a change in the tables interrupted. They settle or the last one has to do.
const DUMPS: usize = 5;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

impl Netlink {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// All entries of a table: the messages without their netlink headers, as in every answer here.
    pub(crate) fn dump(&mut self, request: RouteNetlinkMessage) -> io::Result<Vec<Vec<u8>>> {
        let mut answers = Vec::new();
        for _ in 0..DUMPS {
            let interrupted = self.exchange(request.clone(), NLM_F_DUMP, &mut answers)?;
            if !interrupted {
                break;
            }
        }
        Ok(answers)
    }

    /// The one answer to a question; an error of the kernel's if there is none.
    pub(crate) fn ask(&mut self, request: RouteNetlinkMessage) -> io::Result<Vec<Vec<u8>>> {
        let mut answers = Vec::new();
        self.exchange(request, NLM_F_ACK, &mut answers)?;
        Ok(answers)
    }

    /// Changes a table; `flags` say how (`NLM_F_CREATE`, …).
    pub(crate) fn change(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.exchange(request, NLM_F_ACK | flags, &mut Vec::new()).map(drop)
    }

    /// Sends a request and gathers the answers up to its end; tells whether a change interrupted a dump.
    fn exchange(
        &mut self,
        request: RouteNetlinkMessage,
        flags: u16,
        answers: &mut Vec<Vec<u8>>,
    ) -> io::Result<bool> {
        answers.clear();
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;

        let mut interrupted = false;
        loop {
            let (received, _kernel) = self.socket.recv_from_full()?;
            if self.gather(&received, answers, &mut interrupted)? {
                return Ok(interrupted);
            }
        }
    }

    /// Takes the messages of one datagram; true at the end of the answer.
    fn gather(
        &self,
        received: &[u8],
        answers: &mut Vec<Vec<u8>>,
        interrupted: &mut bool,
    ) -> io::Result<bool> {
        let mut rest = received;
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            if message.sequence_number() == self.sequence {
                *interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match message.message_type() {
                    NLMSG_DONE => return Ok(true),
                    NLMSG_ERROR => return acknowledged(message.payload()).map(|()| true),
                    _ => answers.push(message.payload().to_vec()),
                }
            }
            // Messages start at multiples of four.
            let next = (message.length() as usize).next_multiple_of(4);
            rest = rest.get(next..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// An error message begins with a negative error number, or with 0 for an acknowledgement.
fn acknowledged(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::Error::from(io::ErrorKind::InvalidData)),
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::{LinkHeader, LinkMessage};

    use super::*;

    #[test]
    fn a_dump_of_the_links_has_the_loopback_device() {
        let mut netlink = Netlink::open().unwrap();

        let links = netlink.dump(RouteNetlinkMessage::GetLink(LinkMessage::default())).unwrap();

        assert!(links.iter().any(|link| LinkHeader::parse(link).unwrap().index == 1));
    }

    #[test]
    fn a_question_the_kernel_cannot_answer_is_its_error() {
        let mut netlink = Netlink::open().unwrap();
        let mut nowhere = LinkMessage::default();
        nowhere.header.index = i32::MAX as u32;

        let error = netlink.ask(RouteNetlinkMessage::GetLink(nowhere)).err().unwrap();

        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        assert!(netlink.dump(RouteNetlinkMessage::GetLink(LinkMessage::default())).is_ok(), "still in step");
    }
}
