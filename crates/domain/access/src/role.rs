use names::Principal;
use resource::Conditions;
use resource::Document;
use resource::Problem;
use resource::ResourceName;
use resource::RoleOptions;
use resource::RoleSpec;

use crate::pattern::Pattern;
use crate::rules::CompiledRule;
use crate::selector::Selector;
use crate::template::Template;

/// The most regular expressions in one role.
const REGEXES_MAX: usize = 200;

/// A role ready to be asked: every pattern, template and condition in it is compiled.
#[derive(Debug, Clone)]
pub struct Role {
    pub(crate) name: ResourceName,
    pub(crate) options: RoleOptions,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) allow: Allow,
    pub(crate) deny: Deny,
}

/// An extension for SSH certificates.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    pub(crate) name: String,
    pub(crate) value: Template,
}

/// What a role permits: logins are names that can be listed.
#[derive(Debug, Clone)]
pub(crate) struct Allow {
    pub(crate) logins: Vec<Template>,
    pub(crate) nodes: Selector,
    pub(crate) rules: Vec<CompiledRule>,
}

/// What a role refuses: logins are patterns.
#[derive(Debug, Clone)]
pub(crate) struct Deny {
    pub(crate) logins: Vec<Pattern>,
    pub(crate) nodes: Selector,
    pub(crate) rules: Vec<CompiledRule>,
}

impl Role {
    /// Checks and compiles the document of a role. A document that this refuses must not be stored.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(document: &Document<RoleSpec>) -> Result<Self, Vec<Problem>> {
        let mut problems = document.check().err().unwrap_or_default();
        let RoleSpec { options, allow, deny } = &document.spec;
        let regexes = count_regexes(allow) + count_regexes(deny);
        if regexes > REGEXES_MAX {
            problems.push(
                Problem::new("spec", format!("has {regexes} regular expressions"))
                    .allowed(format!("at most {REGEXES_MAX}")),
            );
            return Err(problems);
        }
        let role = Self {
            name: document.metadata.name.clone(),
            options: options.clone(),
            extensions: parse_extensions(options, &mut problems),
            allow: parse_allow(allow, &mut problems),
            deny: parse_deny(deny, &mut problems),
        };
        if problems.is_empty() {
            Ok(role)
        } else {
            Err(problems)
        }
    }

    /// Its name.
    pub const fn name(&self) -> &ResourceName {
        &self.name
    }

    /// Its options, as the document has them.
    pub const fn options(&self) -> &RoleOptions {
        &self.options
    }
}

fn count_regexes(conditions: &Conditions) -> usize {
    let Conditions {
        logins,
        node_labels,
        rules: _,
    } = conditions;
    let texts = logins.iter().chain(node_labels.values().flatten());
    texts
        .map(|text| usize::from(text.starts_with('^')) + text.matches("regexp").count())
        .sum()
}

fn parse_extensions(options: &RoleOptions, problems: &mut Vec<Problem>) -> Vec<Extension> {
    let mut extensions = Vec::new();
    for (index, extension) in options.cert_extensions.iter().enumerate() {
        match Template::parse(&extension.value) {
            Ok(value) => extensions.push(Extension {
                name: extension.name.clone(),
                value,
            }),
            Err(what) => {
                let path = format!("spec.options.cert_extensions[{index}].value");
                problems.push(Problem::new(path, what));
            }
        }
    }
    extensions
}

fn parse_allow(conditions: &Conditions, problems: &mut Vec<Problem>) -> Allow {
    let mut logins = Vec::new();
    for (index, text) in conditions.logins.iter().enumerate() {
        match parse_login(text) {
            Ok(template) => logins.push(template),
            Err(what) => problems.push(
                Problem::new(format!("spec.allow.logins[{index}]"), what)
                    .allowed("a name to log in by, or a template such as {{internal.logins}}"),
            ),
        }
    }
    Allow {
        logins,
        nodes: Selector::parse(&conditions.node_labels, "spec.allow.node_labels", problems),
        rules: parse_rules(conditions, "spec.allow.rules", problems),
    }
}

/// A permitted login: a principal, or a template whose values can be principals. Patterns name nobody, and a
/// certificate has to say names.
fn parse_login(text: &str) -> Result<Template, String> {
    let template = Template::parse(text)?;
    let sample = match &template {
        Template::Literal(text) if text.starts_with('^') => {
            return Err("is a pattern, which cannot be permitted".to_owned());
        }
        Template::Literal(text) => text.clone(),
        Template::Expression { prefix, suffix, .. } => format!("{prefix}x{suffix}"),
    };
    Principal::parse(&sample)
        .map(|_| template)
        .map_err(|error| error.to_string())
}

fn parse_deny(conditions: &Conditions, problems: &mut Vec<Problem>) -> Deny {
    let mut logins = Vec::new();
    for (index, text) in conditions.logins.iter().enumerate() {
        match Pattern::parse(text) {
            Ok(pattern) => logins.push(pattern),
            Err(what) => problems.push(Problem::new(format!("spec.deny.logins[{index}]"), what)),
        }
    }
    Deny {
        logins,
        nodes: Selector::parse(&conditions.node_labels, "spec.deny.node_labels", problems),
        rules: parse_rules(conditions, "spec.deny.rules", problems),
    }
}

fn parse_rules(conditions: &Conditions, path: &str, problems: &mut Vec<Problem>) -> Vec<CompiledRule> {
    let rules = conditions.rules.iter().enumerate();
    rules
        .map(|(index, rule)| CompiledRule::parse(rule, &format!("{path}[{index}]"), problems))
        .collect()
}
