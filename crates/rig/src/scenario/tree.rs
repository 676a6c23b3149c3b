//! A YAML text as a tree of texts, lists and mappings that all know their place.
//!
//! A scenario holds nothing but words, and whoever reads one says what a word means. So the parser's events are
//! enough, and unlike a deserialiser they carry line and column for every value.

use saphyr_parser::{Event, Marker, Parser};

use super::mistake::{Mistake, Place};

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) inside: Inside,
}

/// What a value is made of.
#[derive(Clone, Debug)]
pub(super) enum Inside {
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

/// Reads a text that holds one document, no aliases, and no key twice in one mapping.
pub(super) fn parse(text: &str) -> Result<Node, Mistake> {
    let mut growing = Growing::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            refused(place_of(*error.marker()), format!("this is not YAML: {}", error.info()))
        })?;
        let place = place_of(span.start);
        match event {
            Event::DocumentStart(_) if growing.root.is_some() => {
                return Err(refused(place, "a second document begins here".to_owned()));
            }
            Event::Alias(_) => return Err(refused(place, "an alias stands here".to_owned())),
            Event::Scalar(value, ..) => {
                growing.add(Node { place, inside: Inside::Text(value.into_owned()) })?
            }
            Event::SequenceStart(..) => growing.open(place, Inside::List(Vec::new()))?,
            Event::MappingStart(..) => growing.open(place, Inside::Mapping(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, .. }) = growing.path.pop() {
                    growing.add(node)?;
                }
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }
    growing.root.ok_or_else(|| refused(Place { line: 1, column: 1 }, "the file says nothing".to_owned()))
}

/// The tree while its events come in: the path from the root to where we are.
#[derive(Default)]
struct Growing {
    path: Vec<Open>,
    root: Option<Node>,
}

/// A list or mapping whose end has not come.
struct Open {
    node: Node,
    /// The key whose value comes next; lists never have one.
    key: Option<(String, Place)>,
}

impl Growing {
    fn open(&mut self, place: Place, inside: Inside) -> Result<(), Mistake> {
        if self.path.len() == DEEPEST {
            return Err(refused(place, "nested too deeply".to_owned()));
        }
        self.path.push(Open { node: Node { place, inside }, key: None });
        Ok(())
    }

    /// Puts a finished value where it belongs: key, value, element or root.
    fn add(&mut self, node: Node) -> Result<(), Mistake> {
        let Some(Open { node: parent, key }) = self.path.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.inside {
            Inside::List(elements) => elements.push(node),
            Inside::Mapping(entries) => match key.take() {
                Some((key, place)) => entries.push(Entry { key, place, node }),
                None => *key = Some((key_of(&node, entries)?, node.place)),
            },
            // Never opened, so nothing is added to it.
            Inside::Text(_) => {}
        }
        Ok(())
    }
}

fn key_of(node: &Node, entries: &[Entry]) -> Result<String, Mistake> {
    let Inside::Text(key) = &node.inside else {
        return Err(refused(node.place, "a key that is no word".to_owned()));
    };
    match entries.iter().find(|entry| entry.key == *key) {
        Some(first) => {
            Err(refused(node.place, format!("`{key}` stands here twice, first in line {}", first.place.line)))
        }
        None => Ok(key.clone()),
    }
}

fn refused(place: Place, problem: String) -> Mistake {
    let expected = "one YAML document of keys and values, each key once, without aliases".to_owned();
    Mistake { place, problem, expected, hint: None }
}

fn place_of(marker: Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}

/// A scenario needs five levels.
const DEEPEST: usize = 16;
