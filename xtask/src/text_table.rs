//! Tables for the terminal.

/// A heading and its cells.
pub fn column<T>(heading: &str, rows: &[T], show: impl Fn(&T) -> String) -> Vec<String> {
    std::iter::once(heading.to_owned()).chain(rows.iter().map(show)).collect()
}

/// Columns of equal length side by side, the first set left and the others right.
pub fn aligned(columns: &[Vec<String>]) -> String {
    let widths: Vec<usize> =
        columns.iter().map(|column| column.iter().map(|cell| cell.chars().count()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for line in 0..columns.first().map_or(0, Vec::len) {
        let cells = columns.iter().zip(&widths).enumerate().map(|(index, (column, &width))| match index {
            0 => format!("{:<width$}", column[line]),
            _ => format!("{:>width$}", column[line]),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
