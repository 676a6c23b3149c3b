//! A mapping of a scenario's file while it is read: every key asked for by name, the rest refused.

use std::cell::RefCell;
use std::time::Duration;

use super::mistake::{Found, Place};
use super::tree::{Entry, Inside, Node};
use super::unit;

/// A mapping and which of its keys were asked for.
pub(super) struct Section<'a> {
    /// Where it stands in the file, in keys: `timeline[2]`.
    path: String,
    pub(super) place: Place,
    entries: &'a [Entry],
    asked: RefCell<Vec<&'static str>>,
    pub(super) found: &'a Found,
}

impl<'a> Section<'a> {
    pub(super) fn root(node: &'a Node, found: &'a Found) -> Self {
        Self::of(String::new(), node, found)
    }

    /// What is no mapping is reported and read as an empty one.
    fn of(path: String, node: &'a Node, found: &'a Found) -> Self {
        let entries = match &node.inside {
            Inside::Mapping(entries) => entries.as_slice(),
            // `name:` with nothing behind it.
            Inside::Text(text) if text.is_empty() || text == "~" => &[],
            Inside::Text(_) | Inside::List(_) => {
                let what = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
                found.plain(node.place, format!("{what} is no mapping"), "keys and values: `{ key: value }`");
                &[]
            }
        };
        Self { path, place: node.place, entries, asked: RefCell::default(), found }
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    /// Where the key's value stands, or the section if the key is not there.
    pub(super) fn place_of(&self, key: &'static str) -> Place {
        self.entry(key).map_or(self.place, |entry| entry.node.place)
    }

    /// A word that `parse` understands.
    pub(super) fn value<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let node = &self.entry(key)?.node;
        self.understood(&self.path_of(key), node, expected, parse)
    }

    /// As [`value`](Self::value), and the key must be there.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.found.plain(self.place, format!("`{}` is missing", self.path_of(key)), expected);
        }
        self.value(key, expected, parse)
    }

    /// A word as it stands, such as a name.
    pub(super) fn word(&self, key: &'static str, expected: &str) -> Option<String> {
        self.value(key, expected, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    pub(super) fn duration(&self, key: &'static str) -> Option<Duration> {
        self.value(key, unit::DURATION, unit::duration)
    }

    pub(super) fn count(&self, key: &'static str) -> Option<u64> {
        self.value(key, "a whole number", |text| text.parse().ok())
    }

    pub(super) fn switch(&self, key: &'static str) -> Option<bool> {
        self.choice(key, &[("true", true), ("false", false), ("on", true), ("off", false)])
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        self.value(key, &one_of(words), |text| chosen(text, words))
    }

    /// Some of some words.
    pub(super) fn choices<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<Vec<T>> {
        self.list(key, &one_of(words), |text| chosen(text, words))
    }

    /// A list of words, or one word for a list of one.
    pub(super) fn list<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let node = &self.entry(key)?.node;
        let path = self.path_of(key);
        match &node.inside {
            Inside::List(elements) => {
                elements.iter().map(|node| self.understood(&path, node, expected, &parse)).collect()
            }
            Inside::Text(_) | Inside::Mapping(_) => {
                Some(vec![self.understood(&path, node, expected, parse)?])
            }
        }
    }

    /// A mapping below this one.
    pub(super) fn section(&self, key: &'static str) -> Option<Section<'a>> {
        let entry = self.entry(key)?;
        Some(Self::of(self.path_of(key), &entry.node, self.found))
    }

    /// A mapping from names to mappings.
    pub(super) fn named_sections(&self, key: &'static str) -> Vec<(String, Section<'a>)> {
        let Some(section) = self.section(key) else { return Vec::new() };
        let named = |entry: &'a Entry| {
            let path = format!("{}.{}", section.path, entry.key);
            (entry.key.clone(), Self { place: entry.place, ..Self::of(path, &entry.node, self.found) })
        };
        section.entries.iter().map(named).collect()
    }

    /// A list of mappings.
    pub(super) fn rows(&self, key: &'static str) -> Vec<Section<'a>> {
        let Some(entry) = self.entry(key) else { return Vec::new() };
        let path = self.path_of(key);
        match &entry.node.inside {
            Inside::List(rows) => rows
                .iter()
                .enumerate()
                .map(|(number, row)| Self::of(format!("{path}[{number}]"), row, self.found))
                .collect(),
            Inside::Text(text) if text.is_empty() => Vec::new(),
            Inside::Text(_) | Inside::Mapping(_) => {
                self.found.plain(
                    entry.node.place,
                    format!("`{path}` is no list"),
                    "rows: `- { key: value }`",
                );
                Vec::new()
            }
        }
    }

    /// Every key with a word for its value, whatever the keys are.
    pub(super) fn words(&self) -> impl Iterator<Item = (&'a str, Place, &'a str)> + '_ {
        self.entries.iter().map(|entry| {
            let text = match &entry.node.inside {
                Inside::Text(text) => text.as_str(),
                Inside::List(_) | Inside::Mapping(_) => "",
            };
            (entry.key.as_str(), entry.place, text)
        })
    }

    /// Refuses every key that nobody asked for.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for entry in self.entries.iter().filter(|entry| !asked.contains(&entry.key.as_str())) {
            let what =
                if self.path.is_empty() { "key".to_owned() } else { format!("key of `{}`", self.path) };
            self.found.unknown(entry.place, &what, &entry.key, asked.iter().copied());
        }
    }

    fn entry(&self, key: &'static str) -> Option<&'a Entry> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn understood<T>(
        &self,
        path: &str,
        node: &Node,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let (value, shown) = match &node.inside {
            Inside::Text(text) => (parse(text), text.as_str()),
            Inside::List(_) => (None, "a list"),
            Inside::Mapping(_) => (None, "a mapping"),
        };
        if value.is_none() {
            self.found.plain(node.place, format!("`{path}` cannot be `{shown}`"), expected);
        }
        value
    }
}

fn chosen<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

fn one_of<T>(words: &[(&'static str, T)]) -> String {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    format!("one of: {}", words.join(", "))
}
