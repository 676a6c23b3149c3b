//! Tables of text: columns as wide as their widest cell, two spaces between them.

use stead_config::Paint;

/// A table with a headline.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    head: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub(crate) const fn new(head: [&'static str; COLUMNS]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row. What could steer a terminal is shown as `?`.
    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells.map(|cell| cell.replace(char::is_control, "?")));
    }

    /// The table as lines of text.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let mut widths = self.head.map(|title| title.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let head = line(&self.head, &widths);
        let rows = self.rows.iter().map(|row| line(&row.each_ref().map(String::as_str), &widths) + "\n");
        format!("{}\n{}", paint.strong(&head), rows.collect::<String>())
    }
}

fn line(cells: &[&str], widths: &[usize]) -> String {
    let padded: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["PEER", "STATE"]);
        table.row(["bob".into(), "proven".into()]);
        table.row(["constance".into(), "no session".into()]);
        assert_eq!(
            table.render(Paint::Plain),
            "PEER       STATE\nbob        proven\nconstance  no session\n"
        );
    }

    #[test]
    fn nothing_in_a_cell_can_steer_the_terminal() {
        let mut table = Table::new(["PEER"]);
        table.row(["a\x1b[31m\nb".into()]);
        assert_eq!(table.render(Paint::Plain), "PEER\na?[31m?b\n");
    }
}
