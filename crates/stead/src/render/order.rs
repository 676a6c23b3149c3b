//! What became of an order, for people: a line for each peer.

use stead_io::control::{OrderReport, Request};

use crate::render::quantity;

/// A line for each peer, as `stead suspend` and `stead resume` end.
pub(crate) fn render(order: &Request, reports: &[OrderReport]) -> String {
    if reports.is_empty() {
        return "No peers are configured\n".into();
    }
    let suspend = matches!(order, Request::Suspend { .. });
    let line = |report: &OrderReport| {
        let outcome = if suspend { suspended(report) } else { resumed(report) };
        format!("{}: {outcome}\n", report.peer.replace(char::is_control, "?"))
    };
    reports.iter().map(line).collect()
}

fn suspended(report: &OrderReport) -> String {
    if report.changed {
        return "suspended".into();
    }
    let since = report.held_since.map_or(String::new(), |since| format!(", for {}", quantity::micros(since)));
    format!("suspended already{since}")
}

fn resumed(report: &OrderReport) -> String {
    let flows = match report.held_because.as_deref() {
        None => "traffic flows",
        Some("resuming") => "the peer is asked, traffic flows as soon as it answers",
        Some("detached") => "traffic is held on until a network leads to the peer",
        Some("ordered") => "traffic is held on",
        Some(_) => "the peer is asked again now, traffic is held on until it answers",
    };
    if report.changed { format!("resumed; {flows}") } else { format!("was not suspended; {flows}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(changed: bool, because: Option<&str>) -> OrderReport {
        OrderReport {
            peer: "home".into(),
            changed,
            held_because: because.map(str::to_owned),
            held_since: because.map(|_| 3_200_000),
        }
    }

    #[test]
    fn a_first_order_is_told_from_a_second_one() {
        let order = Request::Suspend { peers: Vec::new() };
        let both = [report(true, Some("ordered")), report(false, Some("ordered"))];
        assert_eq!(render(&order, &both), "home: suspended\nhome: suspended already, for 3.2 s\n");
        assert_eq!(render(&order, &[]), "No peers are configured\n");
    }

    #[test]
    fn a_resumption_says_what_it_waits_for() {
        let order = Request::Resume { peers: Vec::new() };
        let text = |report| render(&order, &[report]);
        assert_eq!(
            text(report(true, Some("resuming"))),
            "home: resumed; the peer is asked, traffic flows as soon as it answers\n"
        );
        assert_eq!(
            text(report(true, Some("detached"))),
            "home: resumed; traffic is held on until a network leads to the peer\n"
        );
        assert_eq!(text(report(false, None)), "home: was not suspended; traffic flows\n");
        assert_eq!(
            text(report(false, Some("silent"))),
            "home: was not suspended; the peer is asked again now, traffic is held on until it answers\n"
        );
    }
}
