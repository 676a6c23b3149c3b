//! What somebody on the line makes of a UDP packet. Checksums stay right, or the receiving kernel would drop
//! it before any program could be fooled.

/// A copy whose payload differs: its last two different 16-bit words have changed places.
///
/// None for what is not UDP, and for a payload in which no two words differ.
pub(super) fn forged(packet: &[u8]) -> Option<Vec<u8>> {
    let payload = udp(packet)? + UDP_HEADER;
    let mut copy = packet.to_vec();
    // From the end, where the authentication tag is.
    let words: Vec<usize> = (payload..packet.len().checked_sub(1)?).step_by(2).collect();
    let last = *words.last()?;
    let other = words.iter().rev().find(|at| packet[**at..**at + 2] != packet[last..last + 2])?;
    copy.swap(last, *other);
    copy.swap(last + 1, other + 1);
    Some(copy)
}

/// A copy from another source port, as a NAT would make it that has forgotten the mapping.
///
/// None for what is not UDP.
pub(super) fn resourced(packet: &[u8]) -> Option<Vec<u8>> {
    let header = udp(packet)?;
    let mut copy = packet.to_vec();
    let old = u16::from_be_bytes([packet[header], packet[header + 1]]);
    let new = old ^ 0x0400;
    copy[header..header + 2].copy_from_slice(&new.to_be_bytes());
    let checksum = u16::from_be_bytes([packet[header + 6], packet[header + 7]]);
    // Zero says that there is none.
    if checksum != 0 {
        let fixed = match updated(checksum, old, new) {
            0 => 0xffff,
            other => other,
        };
        copy[header + 6..header + 8].copy_from_slice(&fixed.to_be_bytes());
    }
    Some(copy)
}

/// RFC 1624, equation 3: the checksum after one word changed.
fn updated(checksum: u16, old: u16, new: u16) -> u16 {
    let mut sum = u32::from(!checksum) + u32::from(!old) + u32::from(new);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Where the UDP header begins, if the packet is an unfragmented one with a UDP header.
fn udp(packet: &[u8]) -> Option<usize> {
    const UDP: u8 = 17;
    let (header, protocol) = match packet.first()? >> 4 {
        4 => {
            let fragmented = (u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x3fff) != 0;
            let length = usize::from(packet[0] & 0xf) * 4;
            (length, if fragmented { 0 } else { *packet.get(9)? })
        }
        6 => (40, *packet.get(6)?),
        _ => return None,
    };
    (protocol == UDP && packet.len() > header + UDP_HEADER).then_some(header)
}

const UDP_HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0xca, 0x6c, 0xca, 0x6c, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let sum = checksum(&packet);
        packet[26..28].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    /// Over the pseudo header (RFC 768) and all that follows the IP header; zero if the one inside is right.
    fn checksum(packet: &[u8]) -> u16 {
        let words = packet[12..].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let mut sum = words.sum::<u32>() + 17 + u32::try_from(packet.len() - 20).unwrap();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }

    #[test]
    fn a_forged_copy_has_another_payload_and_a_right_checksum() {
        let forged = forged(&packet()).unwrap();
        assert_ne!(forged, packet());
        assert_eq!((forged[..28].to_vec(), checksum(&forged)), (packet()[..28].to_vec(), 0));
    }

    #[test]
    fn a_resourced_copy_has_another_source_port_and_a_right_checksum() {
        let resourced = resourced(&packet()).unwrap();
        assert_ne!(resourced[20..22], packet()[20..22]);
        assert_eq!((resourced[28..].to_vec(), checksum(&resourced)), (packet()[28..].to_vec(), 0));
    }

    #[test]
    fn what_is_not_udp_is_left_alone() {
        for text in [&[][..], &[0x45], &[0x60; 30], &[0; 60]] {
            assert_eq!((forged(text), resourced(text)), (None, None));
        }
        let mut fragment = packet();
        fragment[6] = 0x20;
        assert_eq!(forged(&fragment), None);
    }
}
