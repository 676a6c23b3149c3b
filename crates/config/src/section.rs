//! One mapping of the document, read key by key.
//!
//! A [`Section`] knows which keys mean something in it. What cannot be read becomes a finding and the
//! reading goes on, so that one run shows every mistake.

use core::str::FromStr;

use serde::Deserialize as _;
use serde_yaml::Value;

use crate::document::{Node, element_path, key_path};
use crate::mistake::Mistake;
use crate::report::{Finding, Position};
use crate::{document, likely};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Located<T> {
    /// The value.
    pub(crate) value: T,
    /// Its place, or that of what it is inside of.
    pub(crate) place: Position,
}

/// A value of the document, its path and place.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    /// Keys from the top, `peers.bob.mtu`.
    pub(crate) path: String,
    /// The value.
    pub(crate) value: &'a Value,
    /// Where it stands.
    pub(crate) place: Position,
    node: Option<&'a Node>,
}

impl<'a> Item<'a> {
    /// The whole document.
    pub(crate) const fn top(document: &'a document::Document) -> Self {
        let node = Some(&document.root);
        Self { path: String::new(), value: &document.value, place: document.root.place, node }
    }

    /// The same value, said to stand at `place`.
    pub(crate) fn at(self, place: Position) -> Self {
        Self { place, ..self }
    }

    /// The text of a scalar, numbers as they were written by most people.
    pub(crate) fn text(&self, expected: &str) -> Result<String, Mistake> {
        match self.value {
            Value::Number(number) => Ok(number.to_string()),
            _ => String::deserialize(self.value).map_err(|_| self.wrong_type(expected)),
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, expected: &'static str) -> Result<u64, Mistake> {
        match self.value {
            Value::Number(number) => u64::deserialize(self.value).map_err(|_| Mistake::OutOfRange {
                key: self.path.clone(),
                found: number.to_string(),
                expected,
            }),
            _ => Err(self.wrong_type(expected)),
        }
    }

    /// What is written as text and parsed by its own type.
    pub(crate) fn parsed<T: FromStr>(
        &self,
        expected: &str,
        mistake: impl FnOnce(String, String, T::Err) -> Mistake,
    ) -> Result<T, Mistake> {
        let text = self.text(expected)?;
        text.parse().map_err(|fault| mistake(self.path.clone(), text, fault))
    }

    /// Nothing there, or a list or mapping with nothing in it.
    pub(crate) fn is_hollow(&self) -> bool {
        match self.value {
            Value::Null => true,
            Value::Sequence(values) => values.is_empty(),
            Value::Mapping(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// The elements of a list; a value alone stands for a list of one.
    pub(crate) fn elements(&self) -> Vec<Self> {
        let Value::Sequence(values) = self.value else {
            return vec![self.clone()];
        };
        let element = |(index, value)| {
            let node = self.node.and_then(|node| node.element(index));
            let place = node.map_or(self.place, |node| node.place);
            Item { path: element_path(&self.path, index), value, place, node }
        };
        values.iter().enumerate().map(element).collect()
    }

    pub(crate) fn wrong_type(&self, expected: &str) -> Mistake {
        let hint = match self.value {
            Value::Null => "write a value behind the colon, or remove the line",
            Value::Sequence(_) => "write one value here, without `-` and brackets",
            Value::Mapping(_) => "write one value here, without keys",
            Value::String(_) => "the examples in `configs/` show it with every key explained",
            Value::Bool(_) | Value::Number(_) | Value::Tagged(_) => "see the examples in `configs/`",
        };
        Mistake::WrongType {
            key: self.path.clone(),
            found: describe(self.value),
            expected: expected.into(),
            hint,
        }
    }

    fn within(&self, key: &str, value: &'a Value) -> Self {
        let entry = self.node.and_then(|node| node.entry(key));
        // A value that is not there has no place but its key's.
        let place =
            entry.map_or(self.place, |entry| if value.is_null() { entry.place } else { entry.node.place });
        Self { path: key_path(&self.path, key), value, place, node: entry.map(|entry| &entry.node) }
    }
}

/// A mapping whose keys are being read.
#[derive(Debug)]
pub(crate) struct Section<'a, 'f> {
    item: Item<'a>,
    /// Known keys that some unknown one was probably meant to be.
    misspelt: Vec<&'static str>,
    findings: &'f mut Vec<Finding>,
}

impl<'a, 'f> Section<'a, 'f> {
    /// Opens a mapping in which only the `known` keys mean something; anything else is found here.
    ///
    /// `null`, a key with nothing behind it, is a mapping without entries.
    pub(crate) fn open(
        item: Item<'a>,
        known: &'static [&'static str],
        findings: &'f mut Vec<Finding>,
    ) -> Option<Self> {
        let mut section = Self::open_names(item, findings)?;
        for (key, place, _) in section.entries() {
            if !known.contains(&key.as_str()) {
                let likely = likely::among(&key, known);
                section.misspelt.extend(likely);
                let section_path = section.item.path.clone();
                let mistake = Mistake::UnknownKey { key, section: section_path, likely, known };
                section.findings.push(Finding::mistake(Some(place), mistake));
            }
        }
        Some(section)
    }

    /// Opens a mapping whose keys are names that the writer chose.
    pub(crate) fn open_names(item: Item<'a>, findings: &'f mut Vec<Finding>) -> Option<Self> {
        match item.value {
            Value::Mapping(mapping) => {
                for odd in mapping.keys().filter(|key| !key.is_string()) {
                    let place =
                        scalar_text(odd).and_then(|text| item.node?.entry(&text)).map(|entry| entry.place);
                    let mistake = Mistake::KeyNotText { section: item.path.clone(), found: describe(odd) };
                    findings.push(Finding::mistake(place.or(Some(item.place)), mistake));
                }
            }
            Value::Null => {}
            other => {
                let mistake = if item.path.is_empty() {
                    Mistake::NotKeys { found: describe(other) }
                } else {
                    let (expected, hint) = (
                        "`key: value` lines, indented below it",
                        "remove what stands there, or any `-` in front",
                    );
                    Mistake::WrongType {
                        key: item.path.clone(),
                        found: describe(other),
                        expected: expected.into(),
                        hint,
                    }
                };
                findings.push(Finding::mistake(Some(item.place), mistake));
                return None;
            }
        }
        Some(Self { item, misspelt: Vec::new(), findings })
    }

    /// Every entry with a text for a key: the key, the key's place, its value.
    pub(crate) fn entries(&self) -> Vec<(String, Position, Item<'a>)> {
        let Value::Mapping(mapping) = self.item.value else {
            return Vec::new();
        };
        let entry = |(key, value): (&'a Value, &'a Value)| {
            let key = key.as_str()?;
            let place =
                self.item.node.and_then(|node| node.entry(key)).map_or(self.item.place, |entry| entry.place);
            Some((key.to_owned(), place, self.item.within(key, value)))
        };
        mapping.iter().filter_map(entry).collect()
    }

    /// Reads a key that may be absent; what cannot be read is found and counts as absent.
    pub(crate) fn optional<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&Item<'a>) -> Result<T, Mistake>,
    ) -> Option<Located<T>> {
        let item = self.item.within(key, self.item.value.get(key)?);
        match read(&item) {
            Ok(value) => Some(Located { value, place: item.place }),
            Err(mistake) => {
                self.findings.push(Finding::mistake(Some(item.place), mistake));
                None
            }
        }
    }

    /// Reads a key that has no default.
    pub(crate) fn required<T>(
        &mut self,
        key: &str,
        expected: &'static str,
        hint: &'static str,
        read: impl FnOnce(&Item<'a>) -> Result<T, Mistake>,
    ) -> Option<Located<T>> {
        if !self.is_attempted(key) {
            let mistake = Mistake::MissingKey { key: key_path(&self.item.path, key), expected, hint };
            self.findings.push(Finding::mistake(Some(self.item.place), mistake));
        }
        self.optional(key, read)
    }

    /// Is the key there, or one that was probably meant to be it?
    pub(crate) fn is_attempted(&self, key: &str) -> bool {
        self.item.value.get(key).is_some() || self.misspelt.contains(&key)
    }

    /// Reads a list, or a value alone; elements that cannot be read are found and left out.
    pub(crate) fn list<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Item<'a>) -> Result<T, Mistake>,
    ) -> Vec<Located<T>> {
        let Some(value) = self.item.value.get(key) else {
            return Vec::new();
        };
        let mut read_ones = Vec::new();
        for item in self.item.within(key, value).elements() {
            match read(&item) {
                Ok(value) => read_ones.push(Located { value, place: item.place }),
                Err(mistake) => self.findings.push(Finding::mistake(Some(item.place), mistake)),
            }
        }
        read_ones
    }

    /// The value behind a key, for a section inside this one.
    pub(crate) fn item(&self, key: &str) -> Option<Item<'a>> {
        Some(self.item.within(key, self.item.value.get(key)?))
    }

    /// Where findings go while this section is read.
    pub(crate) fn findings(&mut self) -> &mut Vec<Finding> {
        self.findings
    }
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".into(),
        Value::Bool(truth) => format!("the truth value `{truth}`"),
        Value::Number(number) => format!("the number {number}"),
        // Longer texts may be keys, and a secret one must not end in a terminal's history.
        Value::String(text) if text.chars().count() > 20 => "a text".into(),
        Value::String(text) => format!("the text `{}`", text.escape_debug()),
        Value::Sequence(_) => "a list".into(),
        Value::Mapping(_) => "a set of keys".into(),
        Value::Tagged(tagged) => format!("a value with the tag {}", tagged.tag),
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
