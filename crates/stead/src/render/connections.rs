//! The local connection translation table, for people.

use stead_config::Paint;
use stead_io::control::ConnectionReport;

use crate::render::quantity;
use crate::render::table::Table;

/// A row per connection: what the application sees, and what carries it now.
pub(crate) fn render(connections: &[ConnectionReport], paint: Paint) -> String {
    if connections.is_empty() {
        return "No active connections\n".into();
    }
    let mut table = Table::new([
        "PROTO", "ORIGINAL", "CURRENT", "PEER", "STATE", "AGE", "IDLE", "SENT", "RECEIVED", "MOVES",
    ]);
    for connection in connections {
        let (original, current) = (&connection.original, &connection.current);
        let local = current.local.map_or("any".into(), |local| local.to_string());
        table.row([
            original.protocol.clone(),
            format!("{} -> {}", original.local, original.remote),
            format!("{local} -> {}", current.remote),
            connection.peer.clone(),
            connection.state.clone(),
            quantity::micros(connection.age),
            quantity::micros(connection.idle),
            quantity::bytes(connection.bytes_sent),
            quantity::bytes(connection.bytes_received),
            connection.moves.to_string(),
        ]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_io::control::{CurrentReport, OriginalReport};

    #[test]
    fn a_connection_is_shown_with_both_its_specifications() {
        let connection = ConnectionReport {
            original: OriginalReport {
                local: "10.77.0.2:51044".parse().unwrap(),
                remote: "10.77.0.1:22".parse().unwrap(),
                protocol: "tcp".into(),
            },
            current: CurrentReport {
                local: None,
                remote: "[2001:db8::1]:51820".parse().unwrap(),
                path: 3,
                session: 77,
                token: "00112233445566aa".into(),
            },
            peer: "home".into(),
            state: "open".into(),
            age: 95_000_000,
            idle: 20_000,
            packets_sent: 10,
            bytes_sent: 1500,
            packets_received: 20,
            bytes_received: 2_000_000,
            moves: 2,
        };
        assert_eq!(
            render(&[connection], Paint::Plain),
            "PROTO  ORIGINAL                         CURRENT                     \
             PEER  STATE  AGE     IDLE   SENT    RECEIVED  MOVES\n\
             tcp    10.77.0.2:51044 -> 10.77.0.1:22  any -> [2001:db8::1]:51820  \
             home  open   1m 35s  20 ms  1.5 kB  2.0 MB    2\n"
        );
        assert_eq!(render(&[], Paint::Plain), "No active connections\n");
    }
}
