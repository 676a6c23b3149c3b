//! A running subscribe-notify service, for people.

use core::fmt::Write as _;

use stead_config::Paint;
use stead_io::control::ServiceReport;

use crate::render::quantity;
use crate::render::table::Table;

/// The service, then what it declined, then what was dropped.
pub(crate) fn render(report: &ServiceReport, paint: Paint) -> String {
    let mut text = service(report, paint);
    for (heading, counts) in [("DECLINED", &report.declined), ("DROPPED", &report.drops)] {
        if counts.is_empty() {
            continue;
        }
        let mut table = Table::new([heading, "COUNT"]);
        for (reason, count) in counts {
            table.row([reason.clone(), count.to_string()]);
        }
        text.push('\n');
        text.push_str(&table.render(paint));
    }
    text
}

fn service(report: &ServiceReport, paint: Paint) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{} {value}", paint.faint(&format!("{name:<16}")));
    };
    line("service", if report.closed { "for listed keys" } else { "for any key" });
    line("public key", &report.public_key);
    line("listens on", &format!("UDP port {}", report.listen_port));
    line("running for", &quantity::duration(core::time::Duration::from_micros(report.uptime)));
    line(
        "clients",
        &format!(
            "{} of at most {}, {} of them behind a NAT",
            report.clients.now, report.clients.most, report.clients_private
        ),
    );
    line(
        "subscriptions",
        &format!(
            "{} of at most {}, {} pairs complete",
            report.subscriptions.now, report.subscriptions.most, report.pairs
        ),
    );
    let published = report.publications;
    line(
        "published",
        &format!(
            "{}, of these {} moves, {} of both sides at once",
            published.taken, published.moves, published.simultaneous
        ),
    );
    let told = report.notifications;
    line(
        "notified",
        &format!("{}, of these {} heard, {} deferred", told.begun, told.acknowledged, told.deferred),
    );
    line(
        "relay",
        &match &report.relay {
            None => "off".to_owned(),
            Some(relay) => format!(
                "{} pairs may, {} do now; {} datagrams, {} so far",
                relay.slots,
                relay.active,
                relay.datagrams,
                quantity::bytes(relay.bytes)
            ),
        },
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_io::control::{HeldReport, NotificationReport, PublicationReport, RelayReport};

    #[test]
    fn a_report_shows_what_is_held_what_was_done_and_what_was_not() {
        let report = ServiceReport {
            public_key: "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=".into(),
            listen_port: 51821,
            uptime: 3_700_000_000,
            closed: false,
            clients: HeldReport { now: 12, most: 65536 },
            clients_private: 7,
            clients_knocking: 1,
            subscriptions: HeldReport { now: 30, most: 1_000_000 },
            pairs: 14,
            publications: PublicationReport { taken: 90, moves: 40, simultaneous: 3 },
            notifications: NotificationReport { begun: 50, acknowledged: 48, deferred: 2 },
            declined: [("quota".to_owned(), 4)].into(),
            relay: Some(RelayReport { slots: 2, active: 1, datagrams: 9, bytes: 1_234_000 }),
            drops: [("wrong-mac1".to_owned(), 2)].into(),
        };

        assert_eq!(
            render(&report, Paint::Plain),
            "service          for any key\n\
             public key       HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\n\
             listens on       UDP port 51821\n\
             running for      1h 1m\n\
             clients          12 of at most 65536, 7 of them behind a NAT\n\
             subscriptions    30 of at most 1000000, 14 pairs complete\n\
             published        90, of these 40 moves, 3 of both sides at once\n\
             notified         50, of these 48 heard, 2 deferred\n\
             relay            2 pairs may, 1 do now; 9 datagrams, 1.2 MB so far\n\
             \n\
             DECLINED  COUNT\n\
             quota     4\n\
             \n\
             DROPPED     COUNT\n\
             wrong-mac1  2\n"
        );
        let off = render(&ServiceReport { relay: None, closed: true, ..report }, Paint::Plain);
        assert!(off.contains("relay            off\n") && off.contains("for listed keys"));
    }
}
