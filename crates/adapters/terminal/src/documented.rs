//! What documents say to run, held against the description of the commands.

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use clap::Command;
use clap::error::ErrorKind;

/// The calls of the program that it would not understand, with where they stand and its answer: in `README.md`, `ARCHITECTURE.md`, all below
/// `docs`, and what stands between backquotes in the sources below `crates`, hints of errors among it. In blocks of code of documents they
/// are whole; between backquotes they may be the name of a command, of which something that it needs is left out. Documents that call it
/// nowhere are wrong as well: they are other ones than were meant.
///
/// # Errors
/// A document that cannot be read.
pub fn wrong_calls(command: &Command, program: &str, root: &Path) -> std::io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut has_calls = false;
    for (name, text) in texts(root)? {
        let calls = calls(program, &text);
        has_calls |= !calls.is_empty();
        let answers = calls.iter().filter_map(|call| call.wrong(command));
        wrong.extend(answers.map(|answer| format!("{name}: {answer}")));
    }
    if !has_calls {
        wrong.push(format!("nothing below {} calls {program}", root.display()));
    }
    Ok(wrong)
}

/// What people read, each with its path, but the reference of the commands, which is made from their description.
fn texts(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut left: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "docs", "crates"]
        .iter()
        .map(|name| root.join(name))
        .collect();
    while let Some(path) = left.pop() {
        let is_made = path.ends_with("docs/reference/cli");
        let is_for_tests = ["tests", "benches", "tests.rs", "testing"]
            .iter()
            .any(|name| path.ends_with(name));
        if is_made || is_for_tests {
            continue;
        }
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                left.push(entry?.path());
            }
            continue;
        }
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        match path.extension().and_then(OsStr::to_str) {
            Some("md") => found.push((name, std::fs::read_to_string(&path)?)),
            Some("rs") => found.push((name, prose_of(&std::fs::read_to_string(&path)?))),
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

/// The words of a source: comments without their marks, texts as one line, and `…` where something is put in. Tests at its end are none.
fn prose_of(source: &str) -> String {
    let product = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut prose = String::new();
    for line in product.lines() {
        let line = line.trim();
        let words = line.trim_start_matches(['/', '!']).trim();
        // What is put in, such as `{name}`, ends at the next brace.
        let mut parts = words.trim_end_matches('\\').split('{');
        prose.push_str(parts.next().unwrap_or_default());
        for part in parts {
            prose.push('…');
            prose.push_str(part.split_once('}').map_or("", |(_, behind)| behind));
        }
        prose.push('\n');
    }
    // Blocks of code in comments are Rust.
    prose.replace("```", "").replace("\\\"", "\"")
}

/// A call in a text.
struct Call {
    line: String,
    /// Whether it may lack something.
    is_name: bool,
}

impl Call {
    /// The call and what the program says to it, when it is not understood.
    fn wrong(&self, command: &Command) -> Option<String> {
        let error = command
            .clone()
            .try_get_matches_from(words(&with_pin(&self.line)))
            .err()?;
        self.minds(error.kind())
            .then(|| format!("{}\n{error}", self.line.trim()))
    }

    /// Whether a failure to parse is one of the text, rather than of what stands in it for something else.
    fn minds(&self, kind: ErrorKind) -> bool {
        if matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return false;
        }
        let is_missing = matches!(
            kind,
            ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        let is_value = matches!(kind, ErrorKind::InvalidValue | ErrorKind::ValueValidation);
        // An option is named without its value.
        let is_option = self.is_name
            && self
                .line
                .split_whitespace()
                .last()
                .is_some_and(|word| word.starts_with('-'));
        !(is_missing && self.is_name || is_value && (is_option || self.has_placeholder()))
    }

    /// Whether a word is `…`, what a shell puts in, or in capitals as in `--type=TYPE` and `HOST:3080`.
    fn has_placeholder(&self) -> bool {
        let is_name = |part: &str| {
            part.len() > 1
                && part
                    .chars()
                    .all(|character| character.is_ascii_uppercase() || matches!(character, '-' | '_'))
        };
        self.line.contains(['…', '$']) || self.line.split([' ', '=', ':', ',', '/', '@']).any(is_name)
    }
}

/// The calls of a program in a Markdown text.
fn calls(program: &str, text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let (mut code, mut prose) = (String::new(), String::new());
    let mut is_code = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            is_code = !is_code;
            // Neither goes on behind the other.
            prose.push_str("\n\n");
            code.push('\n');
        } else if is_code {
            code.push_str(line);
            code.push('\n');
        } else {
            prose.push_str(line);
            prose.push(if line.is_empty() { '\n' } else { ' ' });
        }
    }
    // A line with lines in it is a drawing.
    for line in code
        .replace("\\\n", "")
        .lines()
        .filter(|line| !line.contains('─'))
    {
        calls.extend(commands(line).filter_map(|line| Call::of(program, line, false)));
    }
    for paragraph in prose.lines() {
        // What stands between backquotes is every second part.
        for span in paragraph.split('`').skip(1).step_by(2) {
            for call in commands(span).flat_map(alternatives) {
                calls.extend(Call::of(program, &call, true));
            }
        }
    }
    calls
}

impl Call {
    /// A line that calls the program, maybe behind a prompt and with an environment.
    fn of(program: &str, line: &str, is_name: bool) -> Option<Self> {
        let mut rest = line.trim();
        while let Some((word, behind)) = rest.split_once(' ') {
            let is_before = matches!(word, "$" | "#" | "sudo")
                || word.split_once('=').is_some_and(|(name, _)| {
                    name.chars()
                        .all(|letter| letter.is_ascii_uppercase() || letter == '_')
                });
            if word == program {
                return Some(Self {
                    line: rest.to_owned(),
                    is_name,
                });
            }
            if !is_before {
                return None;
            }
            rest = behind.trim_start();
        }
        None
    }
}

/// A call in which what stands for a pin is as long as one.
pub(crate) fn with_pin(line: &str) -> String {
    let pin = format!("sha256:{}", "7e".repeat(32));
    line.replace("sha256:HEX", &pin).replace("sha256:…", &pin)
}

/// The commands of a line of a shell, without where their output goes, and what is said of them behind two blanks.
pub(crate) fn commands(line: &str) -> impl Iterator<Item = &str> {
    let line = without_remark(line);
    line.split(" | ").flat_map(|line| line.split(" && ")).map(|line| {
        let end = [" >", " 2>", " <"]
            .iter()
            .filter_map(|mark| line.find(mark))
            .min();
        line.get(..end.unwrap_or(line.len())).unwrap_or_default()
    })
}

/// A line up to what is outside quotes and behind two blanks or a hash.
fn without_remark(line: &str) -> &str {
    let mut quote = None;
    let (mut blanks, mut has_word) = (0, false);
    for (place, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') if blanks > 0 && has_word => return line.get(..place).unwrap_or_default(),
            (None, ' ') => {
                blanks += 1;
                if blanks > 1 && has_word {
                    return line.get(..place).unwrap_or_default();
                }
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None | Some(_), _) => {}
        }
        has_word |= !matches!(character, '$' | '#');
        blanks = 0;
    }
    line
}

/// What `a|b` between blanks stands for, each by itself.
fn alternatives(span: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for word in span.split_whitespace() {
        let words: Vec<&str> = word.split('|').filter(|word| !word.is_empty()).collect();
        all = all
            .iter()
            .flat_map(|start| words.iter().map(move |word| format!("{start}{word} ")))
            .collect();
    }
    all
}

/// Splits at blanks outside quotes, as a shell does.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut is_word) = (String::new(), false);
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (None, '\'' | '"') => (quote, is_word) = (Some(character), true),
            (Some(open), close) if open == close => quote = None,
            (None, ' ') if is_word => {
                words.push(std::mem::take(&mut word));
                is_word = false;
            }
            (None, ' ') => {}
            (_, other) => {
                word.push(other);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let go = Command::new("go")
            .arg(clap::arg!(-t --to <PLACE>).required(true))
            .arg(clap::arg!(--fast))
            .arg(clap::arg!(--at <TIME>).value_parser(clap::value_parser!(u8)));
        let command = Command::new("p")
            .subcommand_required(true)
            .subcommand(go)
            .subcommand(Command::new("stop"));
        let wrong = calls("p", text)
            .into_iter()
            .filter_map(|call| call.wrong(&command));
        wrong
            .map(|text| text.lines().next().unwrap_or_default().to_owned())
            .collect()
    }

    #[test]
    fn blocks_of_code_are_understood_whole() {
        for good in [
            "p go --to x",
            "$ p go --to 'a  b'",
            "  $ p go --to x   # there",
            "# A=1 p go --to x > file",
            "sudo p go --to x --at 3 | less",
            "p go \\\n    --to x",
            "p go --to x     and then it goes",
            "pp go",
            " p ──► q",
            "# p",
            "p go --to x --at TIME",
        ] {
            assert_eq!(wrong(&format!("```\n{good}\n```\n")), [""; 0], "{good}");
        }
        for (bad, call) in [
            ("p go", "p go"),
            ("$ p run", "p run"),
            ("less | p go --slow", "p go --slow"),
            ("a && p stop --to x", "p stop --to x"),
            ("p go --to x --at 300", "p go --to x --at 300"),
            ("p go --to x \\\n  --slow", "p go --to x --slow"),
        ] {
            assert_eq!(wrong(&format!("words\n\n```sh\n{bad}\n```\n")), [call], "{bad}");
        }
    }

    #[test]
    fn between_backquotes_something_may_be_left_out_and_nothing_be_wrong() {
        for good in [
            "p go",
            "p go --to …",
            "p go --to=X --at NOON",
            "p go|stop",
            "p",
            "q go",
        ] {
            assert_eq!(wrong(&format!("Say `{good}` and more.")), [""; 0], "{good}");
        }
        for (bad, call) in [
            ("p run", "p run"),
            ("p go --slow", "p go --slow"),
            ("p go\n--slow", "p go --slow"),
            ("p go|run", "p run"),
            ("a | p run > b", "p run"),
            ("p go --at noon", "p go --at noon"),
        ] {
            assert_eq!(wrong(&format!("Say `x` or `{bad}` and more.")), [call], "{bad}");
        }
    }

    #[test]
    fn hints_in_sources_are_read_and_tests_are_not() {
        let source = "/// Runs `p go`, and\n/// `p run`.\nconst A: &str = \"run `p go --at {time} \\\n    --slow` or \\\"`p go`\\\"\";\n\
                      /// ```\n/// p walk\n/// ```\n#[cfg(test)]\nmod tests { \"`p fly`\" }\n";
        assert_eq!(wrong(&prose_of(source)), ["p run", "p go --at … --slow"]);
    }

    #[test]
    fn documents_that_call_nothing_are_not_the_ones_that_were_meant() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let of = |program: &'static str| wrong_calls(&Command::new(program), program, &root).unwrap();
        assert!(
            of("nothing-of-ours")
                .iter()
                .any(|wrong| wrong.starts_with("nothing below"))
        );
        let strange = of("signetctl");
        assert!(
            strange
                .iter()
                .any(|wrong| wrong.starts_with("README.md: signetctl status\n")),
            "{strange:?}"
        );
        assert!(wrong_calls(&Command::new("p"), "p", &root.join("nowhere")).is_err());
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(words("a  'b c' \"d\"e '' "), ["a", "b c", "de", ""]);
    }
}
