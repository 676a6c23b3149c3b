//! Answers as people read them: quantities, tables, reports.

pub(crate) mod connections;
pub(crate) mod order;
pub(crate) mod quantity;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod table;

/// An answer as programs read it: one line.
pub(crate) fn json_line(answer: &impl serde::Serialize) -> String {
    // Our own plain structures, whose keys are texts: there is nothing in them that JSON cannot say.
    let mut line = serde_json::to_string(answer).unwrap_or_default();
    line.push('\n');
    line
}
