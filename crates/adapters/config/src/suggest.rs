/// The candidate that somebody who typed `word` most likely meant, if any is near enough: at most two slips, or one
/// in a word of five letters or less.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerance = if word.chars().count() > 5 { 2 } else { 1 };
    let folded = fold(word);
    candidates
        .into_iter()
        .map(|candidate| (distance(&folded, &fold(candidate)), candidate))
        .filter(|(slips, _)| *slips <= tolerance)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Case, hyphens and underscores are not what people get wrong.
fn fold(word: &str) -> Vec<char> {
    word.chars()
        .take(64)
        .map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() })
        .collect()
}

/// How many insertions, deletions, replacements and swaps of neighbours lead from one word to the other
/// (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_char = None;
    for (row, &typed) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut previous_meant = None;
        for (column, &meant) in to.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(typed != meant);
            let mut best = replaced
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            if previous_char == Some(meant) && previous_meant == Some(typed) && column >= 1 {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            previous_meant = Some(meant);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_char = Some(typed);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slips(from: &str, to: &str) -> usize {
        distance(&fold(from), &fold(to))
    }

    #[test]
    fn slips_are_counted() {
        assert_eq!(slips("", ""), 0);
        assert_eq!(slips("abc", ""), 3);
        assert_eq!(slips("", "abc"), 3);
        assert_eq!(slips("data_dir", "data-dir"), 0);
        assert_eq!(slips("data_dri", "data_dir"), 1);
        assert_eq!(slips("kitten", "sitting"), 3);
        assert_eq!(slips("pkcs11", "pkcs1"), 1);
    }

    #[test]
    fn only_near_words_are_suggested() {
        let keys = [
            "module_path",
            "token_label",
            "slot_number",
            "pin",
            "pin_path",
            "max_sessions",
        ];
        assert_eq!(nearest("modul_path", keys), Some("module_path"));
        assert_eq!(nearest("PinPath", keys), Some("pin_path"));
        assert_eq!(nearest("pni", keys), Some("pin"));
        assert_eq!(nearest("gcp_kms", ["pkcs11", "aws_kms"]), None);
        assert_eq!(nearest("colour", keys), None);
    }
}
