//! A YAML text, its values and the place of each.
//!
//! `serde_yaml` says what the values are; it forgets where they stood as soon as they are
//! deserialized, and a missing, doubled or senseless value has no line at all in its errors. So the
//! text is read twice: `serde_yaml` makes the [`Value`], and `saphyr-parser`, whose events carry
//! their line and column, makes a [`Node`] tree of the same shape that holds only places and keys.
//! That parser is pure safe Rust, passes the YAML test suite and is maintained; walking its events
//! is a small job, where libyaml's would need `unsafe`. A text that either of the two refuses is
//! refused, so they cannot disagree about a file in use. Below an alias the tree ends: whatever is
//! wrong there is reported at the alias.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScanError};
use serde_yaml::Value;

use crate::mistake::Mistake;
use crate::report::{Finding, Position};

/// A YAML document and where everything in it stands.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it says.
    pub(crate) value: Value,
    /// Where it says so.
    pub(crate) root: Node,
}

impl Document {
    /// Reads a text that must hold exactly one document with no key twice in one place.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let text = core::str::from_utf8(bytes).map_err(|error| {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            vec![Finding::mistake(Some(end_of(&good)), Mistake::NotUtf8)]
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = tree(text)?;
        let doubled = root.doubled_keys();
        if !doubled.is_empty() {
            return Err(doubled);
        }
        match serde_yaml::from_str(text) {
            Ok(value) => Ok(Self { value, root }),
            Err(error) => {
                let at = error.location().map(|at| Position { line: at.line(), column: at.column() });
                Err(unreadable(text, at.unwrap_or(START), &error.to_string()))
            }
        }
    }
}

/// The place of a value, and of what is inside it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where the value begins.
    pub(crate) place: Position,
    /// What is inside.
    pub(crate) inside: Inside,
}

/// What a value is made of.
#[derive(Clone, Debug)]
pub(crate) enum Inside {
    /// A scalar or an alias: nothing that has a place of its own.
    Nothing,
    /// A list's elements.
    Elements(Vec<Node>),
    /// A mapping's entries.
    Entries(Vec<Entry>),
}

/// One key and the place of its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key's text; absent for keys that are lists or mappings.
    pub(crate) key: Option<String>,
    /// Where the key stands.
    pub(crate) place: Position,
    /// Its value.
    pub(crate) node: Node,
}

impl Node {
    /// The entry with this key, if this is a mapping that has one.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.inside {
            Inside::Entries(entries) => entries.iter().find(|entry| entry.key.as_deref() == Some(key)),
            Inside::Nothing | Inside::Elements(_) => None,
        }
    }

    /// The element with this index, if this is a list that is long enough.
    pub(crate) fn element(&self, index: usize) -> Option<&Self> {
        match &self.inside {
            Inside::Elements(elements) => elements.get(index),
            Inside::Nothing | Inside::Entries(_) => None,
        }
    }

    fn doubled_keys(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut open = vec![(String::new(), self)];
        while let Some((path, node)) = open.pop() {
            match &node.inside {
                Inside::Nothing => {}
                Inside::Elements(elements) => {
                    open.extend(
                        elements.iter().enumerate().map(|(at, node)| (element_path(&path, at), node)),
                    );
                }
                Inside::Entries(entries) => {
                    let mut seen = HashMap::new();
                    for entry in entries {
                        let Some(key) = &entry.key else { continue };
                        let path = key_path(&path, key);
                        if let Some(first_line) = seen.insert(key, entry.place.line) {
                            let mistake = Mistake::DuplicateKey { key: path.clone(), first_line };
                            findings.push(Finding::mistake(Some(entry.place), mistake));
                        }
                        open.push((path, &entry.node));
                    }
                }
            }
        }
        findings
    }
}

/// `peers.bob` and `endpoints` make `peers.bob.endpoints`.
pub(crate) fn key_path(section: &str, key: &str) -> String {
    if section.is_empty() { key.into() } else { format!("{section}.{key}") }
}

/// `peers.bob.endpoints` and 1 make `peers.bob.endpoints[1]`.
pub(crate) fn element_path(list: &str, index: usize) -> String {
    format!("{list}[{index}]")
}

fn tree(text: &str) -> Result<Node, Vec<Finding>> {
    let mut parser = Parser::new_from_str(text);
    let mut growing = Growing::default();
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| refused(text, &error))?;
        let place = place_of(span.start);
        if growing.open.len() > DEEPEST {
            return Err(unreadable(text, place, "nested too deeply"));
        }
        match event {
            Event::DocumentStart(_) if growing.root.is_some() => {
                return Err(vec![Finding::mistake(Some(place), Mistake::SecondDocument)]);
            }
            Event::Scalar(value, ..) => growing.leaf(Some(value.into_owned()), place),
            Event::Alias(_) => growing.leaf(None, place),
            Event::SequenceStart(..) => growing.open.push(Open::list(place)),
            Event::MappingStart(..) => growing.open.push(Open::mapping(place)),
            Event::SequenceEnd | Event::MappingEnd => growing.close(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    match growing.root {
        Some(root) if !text.lines().all(blank) => Ok(root),
        _ => Err(vec![Finding::mistake(Some(START), Mistake::Empty)]),
    }
}

/// The tree while its events come in: the path from the root to where we are.
#[derive(Default)]
struct Growing {
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or a mapping whose end has not come.
struct Open {
    place: Position,
    inside: Inside,
    /// The key whose value comes next; lists never have one.
    key: Option<(Option<String>, Position)>,
}

impl Open {
    const fn list(place: Position) -> Self {
        Self { place, inside: Inside::Elements(Vec::new()), key: None }
    }

    const fn mapping(place: Position) -> Self {
        Self { place, inside: Inside::Entries(Vec::new()), key: None }
    }
}

impl Growing {
    fn leaf(&mut self, text: Option<String>, place: Position) {
        self.add(text, Node { place, inside: Inside::Nothing });
    }

    fn close(&mut self) {
        if let Some(Open { place, inside, .. }) = self.open.pop() {
            self.add(None, Node { place, inside });
        }
    }

    /// Puts a finished value where it belongs: key, value, element or root.
    fn add(&mut self, text: Option<String>, node: Node) {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut parent.inside, parent.key.take()) {
            (Inside::Entries(entries), Some((key, place))) => entries.push(Entry { key, place, node }),
            (Inside::Entries(_), None) => parent.key = Some((text, node.place)),
            (Inside::Elements(elements), _) => elements.push(node),
            (Inside::Nothing, _) => {}
        }
    }
}

fn refused(text: &str, error: &ScanError) -> Vec<Finding> {
    unreadable(text, place_of(*error.marker()), error.info())
}

/// Says why `text` is not YAML: tabs first, since they are hard to see and easy to mend.
fn unreadable(text: &str, place: Position, problem: &str) -> Vec<Finding> {
    let tabs: Vec<_> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start_matches(' ').starts_with('\t') && !line.trim().is_empty())
        .map(|(index, line)| {
            let column = 1 + line.chars().take_while(|c| *c == ' ').count();
            Finding::mistake(Some(Position { line: index + 1, column }), Mistake::Tab)
        })
        .collect();
    if !tabs.is_empty() {
        return tabs;
    }
    let bracketed = |line: &str| line.contains("]:") && line.contains("::") && !line.contains("\"[");
    let bracketed_endpoint = text.lines().skip(place.line.saturating_sub(2)).take(2).any(bracketed);
    let mistake = Mistake::Syntax { problem: problem.into(), bracketed_endpoint };
    vec![Finding::mistake(Some(place), mistake)]
}

fn place_of(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or("");
    Position { line: text.matches('\n').count() + 1, column: last.chars().count() + 1 }
}

/// Where a finding about the whole file stands.
const START: Position = Position { line: 1, column: 1 };

/// Lists and mappings inside each other; a configuration needs four levels, and freeing a tree takes
/// stack for each.
const DEEPEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn first_mistake(text: &[u8]) -> (Option<Position>, Mistake) {
        let finding = Document::parse(text).unwrap_err().remove(0);
        let crate::report::Cause::Mistake(mistake) = finding.cause else { panic!("not a mistake") };
        (finding.place, mistake)
    }

    fn at(line: usize, column: usize) -> Position {
        Position { line, column }
    }

    #[test]
    fn every_key_and_value_has_its_place() {
        let document = Document::parse(b"a: 1\npeers:\n  bob:\n    ips: [x,\n      y]\n").unwrap();
        let bob = document.root.entry("peers").unwrap().node.entry("bob").unwrap();
        assert_eq!(bob.place, at(3, 3));
        let ips = bob.node.entry("ips").unwrap();
        assert_eq!((ips.place, ips.node.place), (at(4, 5), at(4, 10)));
        assert_eq!(ips.node.element(1).unwrap().place, at(5, 7));
        assert!(ips.node.element(2).is_none());
        assert_eq!(document.value["peers"]["bob"]["ips"][1], "y");
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_change_nothing() {
        let document = Document::parse("\u{feff}a: 1\r\nb: ü: no".replace(": no", "").as_bytes()).unwrap();
        assert_eq!(document.root.entry("b").unwrap().place, at(2, 1));
        assert_eq!(document.value["a"], 1);
    }

    #[test]
    fn an_alias_is_a_value_without_places_inside() {
        let document = Document::parse(b"a: &x [1, 2]\nb: *x\n").unwrap();
        assert_eq!(document.value["b"][1], 2);
        assert_eq!(document.root.entry("b").unwrap().node.place, at(2, 4));
    }

    #[test]
    fn all_doubled_keys_are_found_at_any_depth() {
        let findings = Document::parse(b"a: 1\na: 2\nb:\n  - {c: 1, c: 2}\n").unwrap_err();
        let places: Vec<_> = findings.iter().map(|finding| finding.place).collect();
        assert_eq!(places, [Some(at(2, 1)), Some(at(4, 12))]);
        assert!(findings[1].what().contains("`b[0].c`"));
    }

    #[test]
    fn what_is_no_yaml_document_is_refused_for_its_own_reason() {
        assert_eq!(first_mistake(b""), (Some(START), Mistake::Empty));
        assert_eq!(first_mistake(b"# nothing\n\n"), (Some(START), Mistake::Empty));
        assert_eq!(first_mistake(b"a: \xff"), (Some(at(1, 4)), Mistake::NotUtf8));
        assert_eq!(first_mistake(b"a:\n\tb: 1\n"), (Some(at(2, 1)), Mistake::Tab));
        assert_eq!(first_mistake(b"a: 1\n---\nb: 1\n"), (Some(at(2, 1)), Mistake::SecondDocument));
        assert!(matches!(first_mistake(b"a: [1\nb: 2\n"), (_, Mistake::Syntax { .. })));
        assert!(matches!(first_mistake(b"a: *nowhere\n"), (_, Mistake::Syntax { .. })));
    }

    #[test]
    fn an_ipv6_endpoint_without_quotes_gets_its_own_hint() {
        let (_, mistake) = first_mistake(b"a: 1\nendpoints: [2001:db8::7]:51820\n");
        assert!(matches!(mistake, Mistake::Syntax { bracketed_endpoint: true, .. }), "{mistake:?}");
    }

    #[test]
    fn depth_is_bounded() {
        let (_, mistake) = first_mistake("[".repeat(100_000).as_bytes());
        assert!(matches!(mistake, Mistake::Syntax { .. }));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "[ -~\\n\\t\u{80}-\u{ff}]{0,120}",
            yaml in "([a-c]: |- |[\\[\\]{},\n \"'#|>!?]|&a |\\*a|---){0,40}",
        ) {
            let _ = Document::parse(text.as_bytes());
            let _ = Document::parse(yaml.as_bytes());
        }
    }
}
