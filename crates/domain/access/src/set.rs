use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use names::Principal;
use resource::ResourceName;

use crate::condition::Facts;
use crate::decision::Decision;
use crate::options::SessionOptions;
use crate::pattern::Matcher;
use crate::role::Role;
use crate::rules::RESOURCES;
use crate::rules::Verb;
use crate::rules::WhereContext;
use crate::selector::NodeMatcher;

/// Who asks: a name, and the traits that templates read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserTraits {
    /// The name of the user.
    pub name: String,
    /// The traits, by name; `logins` are the names to log in by.
    pub traits: BTreeMap<String, Vec<String>>,
}

/// A node as roles see it.
#[derive(Debug, Clone, Copy)]
pub struct NodeView<'a> {
    /// Its host id.
    pub host_id: &'a str,
    /// The name people call it by.
    pub hostname: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// Every role of one user, with the user's traits filled in. Refusals come first, and what nothing permits is refused.
///
/// Neither the order of the roles nor how often one is given changes any answer.
#[derive(Debug, Clone)]
pub struct AccessSet {
    pub(crate) user: UserTraits,
    pub(crate) roles: Vec<BorneRole>,
    pub(crate) role_names: Vec<String>,
    pub(crate) unknown: Vec<ResourceName>,
    pub(crate) options: SessionOptions,
    /// What was left out of certificates, in words.
    pub(crate) left_out: Vec<String>,
}

/// A role with the traits of its bearer filled in.
#[derive(Debug, Clone)]
pub(crate) struct BorneRole {
    pub(crate) role: Arc<Role>,
    /// Permitted logins, each with its place in the role.
    pub(crate) logins: BTreeMap<Principal, usize>,
    pub(crate) nodes: NodeMatcher,
    pub(crate) denied_logins: Vec<Matcher>,
    pub(crate) denied_nodes: NodeMatcher,
}

impl AccessSet {
    /// The roles of a user.
    pub fn new(roles: Vec<Arc<Role>>, user: &UserTraits) -> Self {
        let mut roles = roles;
        roles.sort_by(|one, other| one.name.cmp(&other.name));
        roles.dedup_by(|one, other| Arc::ptr_eq(one, other));
        let (options, mut left_out) = SessionOptions::merge(roles.iter().map(Arc::as_ref), &user.traits);
        let roles: Vec<BorneRole> = roles
            .into_iter()
            .map(|role| BorneRole::new(role, user, &mut left_out))
            .collect();
        Self {
            user: user.clone(),
            role_names: roles.iter().map(|borne| borne.role.name.to_string()).collect(),
            roles,
            unknown: Vec::new(),
            options,
            left_out,
        }
    }

    /// The roles of a user by their names. A name that no role has grants nothing.
    pub fn resolve(
        names: &[ResourceName],
        known: &BTreeMap<ResourceName, Arc<Role>>,
        user: &UserTraits,
    ) -> Self {
        let names: BTreeSet<&ResourceName> = names.iter().collect();
        let found = names
            .iter()
            .filter_map(|name| known.get(*name))
            .cloned()
            .collect();
        let mut set = Self::new(found, user);
        set.unknown = names
            .into_iter()
            .filter(|name| !known.contains_key(*name))
            .cloned()
            .collect();
        set
    }

    /// Whether the user may log in to a node by a login.
    ///
    /// A refusal of the login or of the node is enough, in any role. A permission needs one role that both selects the
    /// node and permits the login.
    pub fn login_to_node(&self, node: &NodeView<'_>, login: &str) -> Decision {
        let principal = match Principal::parse(login) {
            Ok(principal) => principal,
            Err(error) => return Decision::deny_by_default(format!("{login:?} is no login: {error}")),
        };
        if let Some(refusal) = self
            .refusal_of_login(&principal)
            .or_else(|| self.refusal_of_node(node))
        {
            return refusal;
        }
        for borne in &self.roles {
            if let Some(place) = borne.logins.get(&principal)
                && borne.nodes.matches(node.labels)
            {
                return Decision::allow(
                    &borne.role.name,
                    format!("spec.allow.logins[{place}]"),
                    format!(
                        "it permits login {login:?}, and its node_labels match node {:?}",
                        node.hostname
                    ),
                );
            }
        }
        Decision::deny_by_default(self.why_no_login(node, &principal))
    }

    /// The logins the user may use on a node.
    pub fn logins_on(&self, node: &NodeView<'_>) -> BTreeSet<Principal> {
        if self.refusal_of_node(node).is_some() {
            return BTreeSet::new();
        }
        let selecting = self.roles.iter().filter(|borne| borne.nodes.matches(node.labels));
        self.without_refused(selecting.flat_map(|borne| borne.logins.keys()))
    }

    /// The logins the user may use anywhere, as the principals of a certificate. Roles that select no node add none.
    pub fn logins(&self) -> BTreeSet<Principal> {
        let selecting = self.roles.iter().filter(|borne| !borne.nodes.is_empty());
        self.without_refused(selecting.flat_map(|borne| borne.logins.keys()))
    }

    /// Whether the user may do something with a resource, one of [`RESOURCES`].
    pub fn may(&self, resource: &str, verb: Verb, context: &WhereContext<'_>) -> Decision {
        if !RESOURCES.contains(&resource) {
            return unknown_resource(resource);
        }
        let facts = self.facts(resource, context);
        for borne in &self.roles {
            let found = borne
                .role
                .deny
                .rules
                .iter()
                .position(|rule| rule.refuses(verb, &facts));
            if let Some(index) = found {
                return refused(borne, index, resource, verb);
            }
        }
        for borne in &self.roles {
            let found = borne
                .role
                .allow
                .rules
                .iter()
                .position(|rule| rule.permits(verb, &facts));
            if let Some(index) = found {
                return permitted(borne, index, resource, verb);
            }
        }
        Decision::deny_by_default(format!("no role permits to {verb} {resource}"))
    }

    /// Whether the user may do something with some resource of a kind, under whatever condition. It tells an empty list
    /// from a refused one; what is in the list is decided by [`AccessSet::may`] for each.
    pub fn may_some(&self, resource: &str, verb: Verb) -> Decision {
        if !RESOURCES.contains(&resource) {
            return unknown_resource(resource);
        }
        for borne in &self.roles {
            let mut rules = borne.role.deny.rules.iter();
            if let Some(index) = rules.position(|rule| rule.refuses_always(resource, verb)) {
                return refused(borne, index, resource, verb);
            }
        }
        for borne in &self.roles {
            let mut rules = borne.role.allow.rules.iter();
            if let Some(index) = rules.position(|rule| rule.permits_some(resource, verb)) {
                return permitted(borne, index, resource, verb);
            }
        }
        Decision::deny_by_default(format!("no role permits to {verb} any {resource}"))
    }

    /// How the user's sessions behave.
    pub const fn options(&self) -> &SessionOptions {
        &self.options
    }

    /// The names of the roles that were found, in their order.
    pub fn roles(&self) -> impl Iterator<Item = &ResourceName> {
        self.roles.iter().map(|borne| &borne.role.name)
    }

    /// The names of roles that do not exist and grant nothing.
    pub fn unknown_roles(&self) -> &[ResourceName] {
        &self.unknown
    }

    pub(crate) fn facts<'a>(&'a self, kind: &'a str, context: &WhereContext<'a>) -> Facts<'a> {
        let WhereContext { resource, session } = *context;
        Facts {
            user: &self.user.name,
            roles: &self.role_names,
            traits: &self.user.traits,
            kind,
            resource,
            session,
        }
    }

    fn refusal_of_login(&self, login: &Principal) -> Option<Decision> {
        self.roles.iter().find_map(|borne| {
            let mut patterns = borne.denied_logins.iter();
            let place = patterns.position(|pattern| pattern.matches(login.as_str()))?;
            Some(Decision::deny(
                &borne.role.name,
                format!("spec.deny.logins[{place}]"),
                format!("it refuses login {:?} on every node", login.as_str()),
            ))
        })
    }

    fn refusal_of_node(&self, node: &NodeView<'_>) -> Option<Decision> {
        let refusing = self
            .roles
            .iter()
            .find(|borne| borne.denied_nodes.matches(node.labels))?;
        Some(Decision::deny(
            &refusing.role.name,
            "spec.deny.node_labels",
            format!("it refuses node {:?} for every login", node.hostname),
        ))
    }

    fn without_refused<'a>(&self, logins: impl Iterator<Item = &'a Principal>) -> BTreeSet<Principal> {
        logins
            .filter(|login| self.refusal_of_login(login).is_none())
            .cloned()
            .collect()
    }

    fn why_no_login(&self, node: &NodeView<'_>, login: &Principal) -> String {
        let permits_login = self.roles.iter().any(|borne| borne.logins.contains_key(login));
        let selects_node = self.roles.iter().any(|borne| borne.nodes.matches(node.labels));
        let login = login.as_str();
        let hostname = node.hostname;
        match (permits_login, selects_node) {
            _ if self.roles.is_empty() => "the user has no roles".to_owned(),
            (true, true) => {
                format!("no single role both permits login {login:?} and selects node {hostname:?}")
            }
            (true, false) => format!("no role selects node {hostname:?}"),
            (false, true) => format!("no role permits login {login:?}"),
            (false, false) => format!("no role permits login {login:?}, and none selects node {hostname:?}"),
        }
    }
}

impl BorneRole {
    fn new(role: Arc<Role>, user: &UserTraits, left_out: &mut Vec<String>) -> Self {
        let mut logins = BTreeMap::new();
        for (place, template) in role.allow.logins.iter().enumerate() {
            let values = template.expand(&user.traits);
            if values.is_empty() {
                left_out.push(format!(
                    "role {}, spec.allow.logins[{place}]: its template has no value",
                    role.name
                ));
            }
            for value in values {
                match Principal::parse(&value) {
                    Ok(principal) => {
                        logins.entry(principal).or_insert(place);
                    }
                    Err(error) => left_out.push(format!(
                        "role {}, spec.allow.logins[{place}]: {value:?} is left out: {error}",
                        role.name
                    )),
                }
            }
        }
        Self {
            logins,
            nodes: role.allow.nodes.expand(&user.traits),
            denied_logins: role
                .deny
                .logins
                .iter()
                .map(|pattern| pattern.expand(&user.traits))
                .collect(),
            denied_nodes: role.deny.nodes.expand(&user.traits),
            role,
        }
    }
}

fn unknown_resource(resource: &str) -> Decision {
    Decision::deny_by_default(format!("{resource:?} is no kind of resource"))
}

fn permitted(borne: &BorneRole, index: usize, resource: &str, verb: Verb) -> Decision {
    Decision::allow(
        &borne.role.name,
        format!("spec.allow.rules[{index}]"),
        format!("it permits to {verb} {resource}"),
    )
}

fn refused(borne: &BorneRole, index: usize, resource: &str, verb: Verb) -> Decision {
    Decision::deny(
        &borne.role.name,
        format!("spec.deny.rules[{index}]"),
        format!("it refuses to {verb} {resource}"),
    )
}
