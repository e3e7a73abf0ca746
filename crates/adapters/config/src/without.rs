//! A YAML text without one of its keys: blanks stand in its place, so that everything else stays where it is.

use crate::error::Place;

/// The text without the key that stands at a place, and its value; nothing when there is none.
pub(crate) fn key_at(text: &str, Place { line, column }: Place) -> Option<String> {
    let (line, column) = (usize::try_from(line).ok()?, usize::try_from(column).ok()?);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let before = lines.get(..line.checked_sub(1)?)?.concat();
    let own = lines.get(line.checked_sub(1)?)?;
    let offset = own.char_indices().nth(column.checked_sub(1)?)?.0;
    let (indent, _) = own.split_at_checked(offset)?;
    let start = before.len().checked_add(offset)?;
    let is_block = indent.chars().all(|c| c == ' ' || c == '-');
    let end = if is_block {
        end_of_block(
            &lines,
            line,
            indent.chars().count(),
            before.len().checked_add(own.len())?,
        )
    } else {
        end_in_flow(text, start)?
    };
    let (head, rest) = text.split_at_checked(start)?;
    let (gone, tail) = rest.split_at_checked(end.checked_sub(start)?)?;
    let blanks: String = gone.chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
    Some(format!("{head}{blanks}{tail}"))
}

/// Where the value of a key ends that stands alone on its line: with the last line that is deeper, or an item of its list.
fn end_of_block(lines: &[&str], line: usize, indent: usize, mut end: usize) -> usize {
    for below in lines.iter().skip(line) {
        let content = below.trim_start_matches(' ');
        let depth = below.len().saturating_sub(content.len());
        let is_empty = content.trim().is_empty();
        let is_item = depth == indent && (content.starts_with("- ") || content.trim_end() == "-");
        if !(is_empty || depth > indent || is_item) {
            break;
        }
        end = end.saturating_add(below.len());
    }
    end
}

/// Where a key between braces ends: behind its comma, or before the brace.
fn end_in_flow(text: &str, start: usize) -> Option<usize> {
    let (mut depth, mut quote) = (0_u32, None);
    for (offset, c) in text.get(start..)?.char_indices() {
        let at = start.checked_add(offset)?;
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth = depth.saturating_add(1),
            (None, '}' | ']') if depth == 0 => return Some(at),
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => return at.checked_add(1),
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str, line: u64, column: u64) -> String {
        key_at(text, Place { line, column }).unwrap()
    }

    #[test]
    fn a_key_goes_with_everything_below_it() {
        let text = "a:\n  b: 1\n  c:\n  - 2\n\n    - 3\n  d: 4\ne: {f: [1, 2], g: \"x, }\", h: 3}\n";
        assert_eq!(
            without(text, 3, 3)
                .lines()
                .filter(|line| !line.trim().is_empty())
                .count(),
            4
        );
        assert!(without(text, 3, 3).contains("\n  d: 4\n"));
        assert_eq!(
            without(text, 1, 1).trim_start(),
            "e: {f: [1, 2], g: \"x, }\", h: 3}\n"
        );
        let flow = |column| without(text, 8, column).lines().last().unwrap().replace(' ', "");
        assert_eq!(flow(5), "e:{g:\"x,}\",h:3}");
        assert_eq!(flow(16), "e:{f:[1,2],h:3}");
        assert_eq!(flow(27), "e:{f:[1,2],g:\"x,}\",}");
        assert_eq!(
            without("l:\n  - a: 1\n    b: 2\n", 2, 5),
            "l:\n  -     \n    b: 2\n"
        );
        assert!(key_at(text, Place { line: 99, column: 1 }).is_none());
    }
}
