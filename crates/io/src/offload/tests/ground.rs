//! A plain way to build packets, with naive checksums, that shares nothing with the code under test.

use core::net::IpAddr;

use crate::offload::checksum::naive;
use crate::offload::{Checksums, Coalescer, Gso, Segments, VirtioHeader};

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const PSH: u8 = 0x08;
pub(super) const ACK: u8 = 0x10;
pub(super) const URG: u8 = 0x20;
pub(super) const ECE: u8 = 0x40;
pub(super) const CWR: u8 = 0x80;

/// Everything that goes into a packet's headers.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) tos: u8,
    pub(super) ttl: u8,
    pub(super) id: u16,
    pub(super) dont_fragment: bool,
    pub(super) ports: (u16, u16),
    /// `None` for UDP.
    pub(super) tcp: Option<Tcp>,
}

#[derive(Clone, Debug)]
pub(super) struct Tcp {
    pub(super) sequence: u32,
    pub(super) acknowledgement: u32,
    pub(super) flags: u8,
    pub(super) window: u16,
    pub(super) options: Vec<u8>,
}

impl Recipe {
    pub(super) fn tcp_v4() -> Self {
        Self {
            source: "10.77.0.1".parse().unwrap(),
            destination: "10.77.0.2".parse().unwrap(),
            tos: 0,
            ttl: 64,
            id: 1000,
            dont_fragment: true,
            ports: (40_000, 443),
            tcp: Some(Tcp {
                sequence: 5000,
                acknowledgement: 77,
                flags: ACK,
                window: 501,
                options: vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            }),
        }
    }

    pub(super) fn tcp_v6() -> Self {
        Self { source: "fd73::1".parse().unwrap(), destination: "fd73::2".parse().unwrap(), ..Self::tcp_v4() }
    }

    pub(super) fn udp_v4() -> Self {
        Self { tcp: None, ..Self::tcp_v4() }
    }

    pub(super) fn udp_v6() -> Self {
        Self { tcp: None, ..Self::tcp_v6() }
    }

    pub(super) fn with_flags(mut self, flags: u8) -> Self {
        self.tcp.as_mut().expect("only TCP has flags").flags = flags;
        self
    }

    /// Ids count, so that a cut gives them back exactly.
    pub(super) fn fragmentable(mut self) -> Self {
        self.dont_fragment = false;
        self
    }

    pub(super) fn with_port(mut self, port: u16) -> Self {
        self.ports.0 = port;
        self
    }

    /// The headers of the segment that begins `offset` bytes into this one's payload.
    pub(super) fn further(&self, offset: usize, packets: usize) -> Self {
        let mut further = self.clone();
        further.id = self.id.wrapping_add(packets as u16);
        if let Some(tcp) = &mut further.tcp {
            tcp.sequence = tcp.sequence.wrapping_add(offset as u32);
        }
        further
    }

    pub(super) const fn is_v4(&self) -> bool {
        self.source.is_ipv4()
    }

    pub(super) const fn ip_len(&self) -> usize {
        if self.is_v4() { 20 } else { 40 }
    }

    pub(super) fn headers_len(&self) -> usize {
        self.ip_len() + self.tcp.as_ref().map_or(8, |tcp| 20 + tcp.options.len())
    }

    fn protocol(&self) -> u8 {
        if self.tcp.is_some() { 6 } else { 17 }
    }

    fn checksum_offset(&self) -> usize {
        if self.tcp.is_some() { 16 } else { 6 }
    }

    fn addresses(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => [source.octets(), destination.octets()].concat(),
            (IpAddr::V6(source), IpAddr::V6(destination)) => [source.octets(), destination.octets()].concat(),
            _ => panic!("one family on both sides"),
        }
    }

    /// A complete packet.
    pub(super) fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet = self.unfinished(payload);
        let at = self.ip_len() + self.checksum_offset();
        packet[at..at + 2].fill(0);
        let covered = [&self.pseudo_header(payload)[..], &packet[self.ip_len()..]].concat();
        let sum = complement(naive::folded(&covered));
        packet[at..at + 2].copy_from_slice(&if sum == [0, 0] { [0xff, 0xff] } else { sum });
        packet
    }

    /// A packet whose transport checksum holds only the pseudo-header's sum.
    pub(super) fn unfinished(&self, payload: &[u8]) -> Vec<u8> {
        let mut packet = self.ip_header(payload);
        packet.extend(self.ports.0.to_be_bytes());
        packet.extend(self.ports.1.to_be_bytes());
        let partial = naive::folded(&self.pseudo_header(payload));
        match &self.tcp {
            None => {
                packet.extend((8 + payload.len() as u16).to_be_bytes());
                packet.extend(partial);
            }
            Some(tcp) => {
                packet.extend(tcp.sequence.to_be_bytes());
                packet.extend(tcp.acknowledgement.to_be_bytes());
                packet.extend([(((20 + tcp.options.len()) / 4) << 4) as u8, tcp.flags]);
                packet.extend(tcp.window.to_be_bytes());
                packet.extend(partial);
                packet.extend([0, 0]);
                packet.extend(&tcp.options);
            }
        }
        packet.extend(payload);
        packet
    }

    /// What the kernel hands over for these headers and this payload, to be cut every `size` bytes.
    pub(super) fn read(&self, payload: &[u8], size: u16) -> Vec<u8> {
        [&self.virtio(size).encode()[..], &self.unfinished(payload)].concat()
    }

    pub(super) fn virtio(&self, size: u16) -> VirtioHeader {
        let gso = match (&self.tcp, self.is_v4()) {
            (Some(_), true) => Gso::Tcpv4,
            (Some(_), false) => Gso::Tcpv6,
            (None, _) => Gso::UdpL4,
        };
        let reduced = self.tcp.as_ref().is_some_and(|tcp| tcp.flags & CWR != 0);
        VirtioHeader {
            flags: VirtioHeader::NEEDS_CSUM,
            gso_type: gso.encode() | if reduced { VirtioHeader::GSO_ECN } else { 0 },
            hdr_len: self.headers_len() as u16,
            gso_size: size,
            csum_start: self.ip_len() as u16,
            csum_offset: self.checksum_offset() as u16,
        }
    }

    /// The same cut as the real one, packet by packet.
    pub(super) fn cut(&self, payload: &[u8], size: usize) -> Vec<Vec<u8>> {
        let count = payload.chunks(size).count();
        let cut = payload.chunks(size).enumerate().map(|(index, chunk)| {
            let mut recipe = self.further(index * size, index);
            if let Some(tcp) = &mut recipe.tcp {
                tcp.flags &= if index == 0 { 0xff } else { !CWR };
                tcp.flags &= if index + 1 == count { 0xff } else { !(FIN | PSH) };
            }
            recipe.packet(chunk)
        });
        cut.collect()
    }

    fn pseudo_header(&self, payload: &[u8]) -> Vec<u8> {
        let transport_len = (self.headers_len() - self.ip_len() + payload.len()) as u16;
        let mut pseudo = self.addresses();
        pseudo.extend([0, self.protocol()]);
        pseudo.extend(transport_len.to_be_bytes());
        pseudo
    }

    fn ip_header(&self, payload: &[u8]) -> Vec<u8> {
        let total_len = (self.headers_len() + payload.len()) as u16;
        let mut header = Vec::new();
        if self.is_v4() {
            header.extend([0x45, self.tos]);
            header.extend(total_len.to_be_bytes());
            header.extend(self.id.to_be_bytes());
            header.extend([if self.dont_fragment { 0x40 } else { 0 }, 0, self.ttl, self.protocol(), 0, 0]);
            header.extend(self.addresses());
            let checksum = complement(naive::folded(&header));
            header[10..12].copy_from_slice(&checksum);
        } else {
            header.extend([0x60 | self.tos >> 4, self.tos << 4, 0x12, 0x34]);
            header.extend((total_len - 40).to_be_bytes());
            header.extend([self.protocol(), self.ttl]);
            header.extend(self.addresses());
        }
        header
    }
}

fn complement([first, second]: [u8; 2]) -> [u8; 2] {
    [!first, !second]
}

/// Bytes that look like nothing in particular, the same each time.
pub(super) fn payload(len: usize) -> Vec<u8> {
    (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// All packets of a read, cut by the code under test, complete.
pub(super) fn expanded(read: &[u8]) -> Vec<Vec<u8>> {
    cut(read, Checksums::Complete)
}

/// All packets of a read, cut by the code under test.
pub(super) fn cut(read: &[u8], checksums: Checksums) -> Vec<Vec<u8>> {
    let segments = Segments::of_read(read).expect("well-formed");
    let write = |index| {
        let mut out = vec![0xaa; segments.len_of(index)];
        assert_eq!(segments.write(index, &mut out, checksums), out.len());
        out
    };
    (0..segments.count()).map(write).collect()
}

/// What a coalescer would write, one read's worth each.
pub(super) fn written(coalescer: &Coalescer<'_>) -> Vec<Vec<u8>> {
    let writes = coalescer.super_packets().map(|packet| {
        let mut bytes = packet.head().to_vec();
        packet.body().for_each(|part| bytes.extend(part));
        assert_eq!(bytes.len(), VirtioHeader::LEN + packet.len());
        bytes
    });
    writes.collect()
}
