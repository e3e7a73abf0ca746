use comfy_table::ContentArrangement;
use comfy_table::ContentLineStyle;
use comfy_table::LineStyle;
use comfy_table::Table;
use comfy_table::TableStyle;

/// A table: columns one blank apart, a line of dashes under each heading.
pub(crate) fn table<const N: usize>(
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(
        TableStyle::new()
            .header_lines(ContentLineStyle::none().junction(' '))
            .header_separator(LineStyle::none().fill('-').junction(' '))
            .content_lines(ContentLineStyle::none().junction(' ')),
    );
    // What programs and people cut out of a table must not depend on the width of a terminal.
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.force_no_tty();
    table.set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| visible(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
    }
    let mut text: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    if table.row_count() == 0 {
        text.push_str("(none)\n");
    }
    text
}

/// Names and values, one a line, the values under each other. A value of several lines is indented to its column.
pub(crate) fn listing(rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count() + 1)
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (name, value) in rows {
        let mut heading = format!("{name}:");
        for line in value.lines() {
            text.push_str(format!("{heading:width$} {}", visible(line)).trim_end());
            text.push('\n');
            heading.clear();
        }
    }
    text
}

/// The text without control characters: what a server or a certificate says must not drive the terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars().flat_map(shown).collect()
}

/// The same for a text of several lines.
pub(crate) fn visible_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

fn shown(character: char) -> Vec<char> {
    // Bidirectional controls reorder what stands beside them.
    let is_misleading = character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if is_misleading {
        character.escape_unicode().collect()
    } else {
        vec![character]
    }
}

/// A list with commas, or a dash.
pub(crate) fn joined(words: &[String]) -> String {
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_listings_align() {
        let rows = [
            ["web-1".to_owned(), "yes".to_owned()],
            [String::new(), "x".to_owned()],
        ];
        assert_eq!(
            table(["node", "online"], rows),
            "node  online\n----- ------\nweb-1 yes\n      x\n"
        );
        assert_eq!(table(["id"], Vec::<[String; 1]>::new()), "id\n--\n(none)\n");
        let rows = [("User", "alice".to_owned()), ("Logins", "a\nb".to_owned())];
        assert_eq!(listing(&rows), "User:   alice\nLogins: a\n        b\n");
    }

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(
            visible("a\x1b[31mb\u{202e}c\td"),
            "a\\u{1b}[31mb\\u{202e}c\\u{9}d"
        );
        assert_eq!(table(["x"], [["a\nb".to_owned()]]), "x\n-------\na\\u{a}b\n");
    }
}
