//! The report as a picture: a panel of horizontal bars for each of the figures that matter most, as SVG.
//!
//! Colours follow the viewer's light or dark theme, text uses the system's own fonts, and nothing is fetched.

use std::fmt::Write as _;

use stead_rig::traffic::Probe;

use super::metric::{Metric, Quantile};
use super::promise::{STEAD, is_ceiling};
use super::report::BenchReport;
use super::step::{Flow, Load, Size};

/// One panel.
struct Panel {
    title: &'static str,
    metric: Metric,
    /// Whether longer bars are better.
    more_is_better: bool,
}

/// The whole picture, deterministic for a given report.
pub(super) fn svg(report: &BenchReport) -> String {
    let measured = |panel: &Panel| {
        report.systems.iter().any(|system| report.results.median(panel.metric, &system.name).is_some())
    };
    let panels: Vec<Panel> = panels().into_iter().filter(measured).collect();
    let panel_height = TITLE + ROW * report.systems.len() as u32 + GAP;
    let rows = (panels.len() as u32).div_ceil(COLUMNS);
    let (width, height) = (COLUMNS * PANEL + MARGIN, HEAD + rows * panel_height + FOOT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" aria-label=\"Tunnels side by side\">\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    text(&mut svg, "head", (MARGIN, 26), "Two hosts on one cable, one tunnel after the other");
    for (index, panel) in panels.iter().enumerate() {
        let (column, row) = (index as u32 % COLUMNS, index as u32 / COLUMNS);
        panel.draw(report, (MARGIN + column * PANEL, HEAD + row * panel_height), &mut svg);
    }
    let machine = &report.machine;
    let foot = format!(
        "Medians of {} runs in turn, {} s each. {}, {} processors, {}{}",
        report.settings.runs,
        report.settings.seconds,
        machine.processor,
        machine.processors,
        machine.kernel,
        machine.commit.as_ref().map_or_else(String::new, |commit| format!(", commit {commit}")),
    );
    text(&mut svg, "note", (MARGIN, height - 12), &foot);
    svg.push_str("</svg>\n");
    svg
}

impl Panel {
    fn draw(&self, report: &BenchReport, (left, top): (u32, u32), svg: &mut String) {
        let unit = self.metric.unit();
        let figures: Vec<(&str, Option<u64>)> = report
            .systems
            .iter()
            .map(|system| (system.name.as_str(), report.results.median(self.metric, &system.name)))
            .collect();
        let most = figures.iter().filter_map(|(_, figure)| *figure).max().unwrap_or(1).max(1);
        text(svg, "title", (left, top + 14), self.title);
        let better = if self.more_is_better { "more is better" } else { "less is better" };
        text(svg, "note", (left, top + 28), &format!("{}, {better}", unit.shown()));
        for (index, (name, figure)) in figures.into_iter().enumerate() {
            let y = top + TITLE + index as u32 * ROW;
            let class = class(name);
            text(svg, &format!("{class} name"), (left + NAME - 6, y + 12), name);
            let Some(figure) = figure else {
                text(svg, "note", (left + NAME, y + 12), "–");
                continue;
            };
            let length = (figure as f64 / most as f64 * f64::from(BAR)).max(1.0);
            let _infallible = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{length:.1}\" height=\"{}\" rx=\"2\"/>",
                left + NAME,
                y + 2,
                ROW - 5
            );
            let end = left + NAME + length as u32 + 5;
            text(svg, &format!("{class} figure"), (end, y + 12), &unit.show(figure));
        }
    }
}

fn panels() -> Vec<Panel> {
    let more = |title, metric| Panel { title, metric, more_is_better: true };
    let less = |title, metric| Panel { title, metric, more_is_better: false };
    let tcp = |offload, flow| Metric::Tcp { offload, flow };
    let trip = |load, probe, quantile| Metric::RoundTrip { load, probe, quantile };
    vec![
        more("TCP, one stream up", tcp(true, Flow::Up1)),
        more("TCP, one stream down", tcp(true, Flow::Down1)),
        more("TCP, one stream up, offload of the cable off", tcp(false, Flow::Up1)),
        more("TCP, four streams up", tcp(true, Flow::Up4)),
        more("TCP, four streams down", tcp(true, Flow::Down4)),
        more("TCP, one stream each way", tcp(true, Flow::Both)),
        more("UDP, packets of 200 B, loss below 1 %", Metric::Datagrams(Size::Small)),
        more("UDP, packets of 1400 B, loss below 1 %", Metric::Datagrams(Size::Large)),
        less("TCP request-response, median", trip(Load::Idle, Probe::Tcp, Quantile::Median)),
        less("Ping under a download, p95", trip(Load::Download, Probe::Ping, Quantile::P95)),
        less("Processor time, one TCP stream", Metric::ProcessorOfTunnel),
        less("Memory after all of it", Metric::Resident),
    ]
}

/// stead stands out, what it is varied by less so, and ceilings step back.
fn class(name: &str) -> &'static str {
    match name {
        STEAD => "own",
        ceiling if is_ceiling(ceiling) => "ceiling",
        variant if variant.starts_with(STEAD) => "variant",
        _ => "other",
    }
}

fn text(svg: &mut String, class: &str, (x, y): (u32, u32), words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _infallible = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{words}</text>");
}

/// In pixels.
const COLUMNS: u32 = 3;
const MARGIN: u32 = 20;
const PANEL: u32 = 350;
const HEAD: u32 = 44;
const FOOT: u32 = 30;
const TITLE: u32 = 36;
const ROW: u32 = 18;
const GAP: u32 = 22;
/// Where bars begin in a panel, and how long the longest is; what is left holds its figure.
const NAME: u32 = 112;
const BAR: u32 = 165;
const STYLE: &str = "
.ground { fill: #ffffff }
text { font: 11px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
.head { font-size: 16px; font-weight: 600 }
.title { font-size: 12.5px; font-weight: 600 }
.name { text-anchor: end }
text.note { fill: #656d76 }
text.own { font-weight: 700 }
rect.own { fill: #d9480f }
rect.variant { fill: #f0a35e }
rect.other { fill: #7d8ca3 }
rect.ceiling { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
  .ground { fill: #0d1117 }
  text { fill: #e6edf3 }
  text.note { fill: #8d96a0 }
  rect.own { fill: #ff8a4c }
  rect.variant { fill: #a85a26 }
  rect.other { fill: #6e7f99 }
  rect.ceiling { fill: #3d444d }
}
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::bench::report::tests::fixed;

    #[test]
    fn every_system_has_a_bar_in_every_panel_or_a_dash() {
        let report = fixed();
        let picture = svg(&report);
        let shown =
            panels().iter().filter(|panel| report.results.median(panel.metric, STEAD).is_some()).count();
        assert_eq!(shown, 3);
        for system in &report.systems {
            let name = system.name.replace('&', "&amp;");
            assert_eq!(picture.matches(&format!(">{name}<")).count(), shown, "{name}");
        }
        assert_eq!(picture.matches(">–<").count(), 1, "one was not measured");
    }

    #[test]
    fn the_picture_is_well_formed_and_the_same_every_time() {
        let picture = svg(&fixed());
        well_formed(&picture);
        assert_eq!(picture, svg(&fixed()));
    }

    #[test]
    fn the_longest_bar_belongs_to_the_largest_figure() {
        let picture = svg(&fixed());
        assert_eq!(picture.matches(&format!("width=\"{BAR}.0\"")).count(), 3, "one for each panel");
        assert!(picture.contains("class=\"own\""));
    }

    #[test]
    fn no_title_reaches_the_next_panel() {
        // A letter of a wide font of that size has 7.5 pixels on average.
        for Panel { title, .. } in panels() {
            assert!(title.chars().count() as u32 * 15 / 2 < PANEL, "{title}");
        }
    }

    /// Tags are balanced, attributes quoted, and neither `&` nor `<` stands alone: all that this picture uses of XML.
    fn well_formed(xml: &str) {
        let (mut open, mut rest) = (Vec::new(), xml);
        while let Some(start) = rest.find('<') {
            let (words, tag) = rest.split_at(start);
            assert!(!words.contains('>') || open.last() == Some(&"style"), "a stray > in {words:?}");
            for entity in words.split('&').skip(1) {
                assert!(["amp;", "lt;", "gt;"].iter().any(|known| entity.starts_with(known)), "&{entity}");
            }
            let end = tag.find('>').expect("a tag ends");
            let inside = &tag[1..end];
            rest = &tag[end + 1..];
            assert_eq!(inside.matches('"').count() % 2, 0, "{inside}");
            assert!(!inside.contains('<'), "{inside}");
            if let Some(name) = inside.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !inside.ends_with('/') {
                open.push(inside.split(' ').next().expect("a tag has a name"));
            }
        }
        assert!(open.is_empty(), "{open:?} not closed");
        assert!(rest.trim().is_empty(), "{rest:?} after the end");
    }
}
