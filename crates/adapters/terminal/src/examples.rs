use clap::Command;

use crate::documented::commands;
use crate::documented::with_pin;
use crate::documented::words;

/// What is missing in the help of a command line: a description anywhere, examples where a command has no commands below it.
#[must_use]
pub fn undocumented(command: Command, program: &str) -> Vec<String> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut missing = Vec::new();
    add_undocumented(&command, program, &mut missing);
    missing
}

fn add_undocumented(command: &Command, name: &str, missing: &mut Vec<String>) {
    let is_leaf = command.get_subcommands().next().is_none();
    if is_leaf && !after_help(command).contains("Examples:") {
        missing.push(format!("{name} has no examples"));
    }
    if command.get_about().is_none() {
        missing.push(format!("{name} is not described"));
    }
    for subcommand in command.get_subcommands() {
        add_undocumented(subcommand, &format!("{name} {}", subcommand.get_name()), missing);
    }
}

/// The examples in the help that the program itself would not understand, with its answer.
#[must_use]
pub fn examples_that_do_not_parse(command: &Command, program: &str) -> Vec<String> {
    let mut examples = Vec::new();
    add_examples(command, &format!("{program} "), &mut examples);
    examples
        .iter()
        .filter_map(|line| {
            let error = command.clone().try_get_matches_from(words(line)).err()?;
            Some(format!("{line}\n{error}"))
        })
        .collect()
}

/// The lines of examples that a terminal of 80 columns breaks where no shell would take them any more.
#[must_use]
pub fn examples_too_wide(command: &Command) -> Vec<String> {
    let text = after_help(command);
    let own = text.lines().filter(|line| line.chars().count() > COLUMNS);
    let mut wide: Vec<String> = own.map(str::to_owned).collect();
    for subcommand in command.get_subcommands() {
        wide.extend(examples_too_wide(subcommand));
    }
    wide
}

/// The columns of the narrowest terminal that examples are written for.
const COLUMNS: usize = 80;

/// The calls of the program, up to a pipe or a redirection. A backslash at its end goes on with a line.
fn add_examples(command: &Command, start: &str, examples: &mut Vec<String>) {
    let text = after_help(command);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in lines.join("\n").replace("\\\n", "").lines() {
        examples.extend(
            commands(line)
                .filter(|line| line.starts_with(start))
                .map(with_pin),
        );
    }
    for subcommand in command.get_subcommands() {
        add_examples(subcommand, start, examples);
    }
}

fn after_help(command: &Command) -> String {
    command
        .get_after_help()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_help_is_named() {
        let command = Command::new("p")
            .about("A program")
            .subcommand(
                Command::new("good")
                    .about("Does")
                    .after_help("Examples:\n  p good"),
            )
            .subcommand(Command::new("bare"));
        let missing = undocumented(command, "p");
        assert_eq!(missing, ["p bare has no examples", "p bare is not described"]);
    }

    #[test]
    fn examples_have_to_be_understood() {
        let command = Command::new("p").subcommand(
            Command::new("go")
                .arg(clap::arg!(--to <PLACE>))
                .after_help("Examples:\n  p go --to 'a b' | less\n  p go --away\n  elsewhere"),
        );
        let wrong = examples_that_do_not_parse(&command, "p");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(
            wrong.iter().all(|text| text.starts_with("p go --away\n")),
            "{wrong:?}"
        );
    }

    #[test]
    fn a_backslash_goes_on_with_a_line() {
        let help = |example: &str| {
            let go = Command::new("go").arg(clap::arg!(--to <PLACE>));
            Command::new("p").subcommand(go.after_help(format!("Examples:\n  {example}")))
        };
        let broken = help("p go \\\n    --to 'a b' \\\n    | less");
        assert_eq!(examples_that_do_not_parse(&broken, "p"), Vec::<String>::new());
        let wrong = examples_that_do_not_parse(&help("p go \\\n    --away"), "p");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(examples_too_wide(&broken), Vec::<String>::new());
        let wide = format!("p go --to {}", "a".repeat(80));
        assert_eq!(examples_too_wide(&help(&wide)), [format!("  {wide}")]);
    }
}
