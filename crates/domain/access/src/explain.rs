//! Why a decision fell as it did, line by line, for `signetctl access explain`.

use names::Principal;

use crate::rules::Verb;
use crate::rules::WhereContext;
use crate::set::AccessSet;
use crate::set::BorneRole;
use crate::set::NodeView;

impl AccessSet {
    /// Who the user is to its roles, which roles there are and what was left out.
    pub fn explain(&self) -> Vec<String> {
        let mut lines = vec![format!("user {}", self.user.name)];
        for borne in &self.roles {
            let logins: Vec<&str> = borne.logins.keys().map(Principal::as_str).collect();
            let logins = if logins.is_empty() {
                "no logins".to_owned()
            } else {
                format!("logins {}", logins.join(", "))
            };
            lines.push(format!("role {}: permits {logins}", borne.role.name));
        }
        if self.roles.is_empty() {
            lines.push("no roles: nothing is permitted".to_owned());
        }
        for name in &self.unknown {
            lines.push(format!("role {name}: does not exist and grants nothing"));
        }
        lines.extend(self.left_out.iter().cloned());
        lines
    }

    /// What each role says to a login on a node. The decision is [`AccessSet::login_to_node`].
    pub fn explain_login(&self, node: &NodeView<'_>, login: &str) -> Vec<String> {
        let mut lines = self.explain();
        lines.push(format!(
            "request: login {login:?} on node {:?} ({})",
            node.hostname, node.host_id
        ));
        if let Ok(principal) = Principal::parse(login) {
            lines.extend(
                self.roles
                    .iter()
                    .map(|borne| borne.explain_login(node, &principal)),
            );
        }
        lines
    }

    /// What each role says to a request of the API. The decision is [`AccessSet::may`].
    pub fn explain_may(&self, resource: &str, verb: Verb, context: &WhereContext<'_>) -> Vec<String> {
        let mut lines = self.explain();
        lines.push(match context.resource {
            Some(document) => format!("request: {verb} {resource}/{}", document.name),
            None => format!("request: {verb} {resource}"),
        });
        let facts = self.facts(resource, context);
        for borne in &self.roles {
            let mut says = Vec::new();
            for (index, rule) in borne.role.deny.rules.iter().enumerate() {
                if rule.refuses(verb, &facts) {
                    says.push(format!("spec.deny.rules[{index}] refuses it"));
                }
            }
            for (index, rule) in borne.role.allow.rules.iter().enumerate() {
                if rule.permits(verb, &facts) {
                    says.push(format!("spec.allow.rules[{index}] permits it"));
                } else if rule.permits_some(resource, verb) {
                    let but = match context.resource {
                        Some(_) => "its condition is not true",
                        None => "its condition is not true while no document is named",
                    };
                    says.push(format!("spec.allow.rules[{index}] would permit it, but {but}"));
                }
            }
            if says.is_empty() {
                says.push("says nothing to it".to_owned());
            }
            lines.push(format!("role {}: {}", borne.role.name, says.join("; ")));
        }
        lines
    }
}

impl BorneRole {
    fn explain_login(&self, node: &NodeView<'_>, login: &Principal) -> String {
        let mut says = Vec::new();
        let refusing = self
            .denied_logins
            .iter()
            .position(|pattern| pattern.matches(login.as_str()));
        if let Some(place) = refusing {
            says.push(format!("spec.deny.logins[{place}] refuses the login"));
        }
        if self.denied_nodes.matches(node.labels) {
            says.push("spec.deny.node_labels refuses the node".to_owned());
        }
        says.push(match self.logins.get(login) {
            Some(place) => format!("spec.allow.logins[{place}] permits the login"),
            None => "spec.allow.logins does not have the login".to_owned(),
        });
        says.push(if self.nodes.is_empty() {
            "it has no node_labels and selects no node".to_owned()
        } else {
            match self.nodes.first_mismatch(node.labels) {
                None => "spec.allow.node_labels select the node".to_owned(),
                Some(key) => match node.labels.get(key) {
                    Some(value) => format!("spec.allow.node_labels.{key} does not match {value:?}"),
                    None => {
                        format!("spec.allow.node_labels.{key} does not match: the node has no such label")
                    }
                },
            }
        });
        format!("role {}: {}", self.role.name, says.join("; "))
    }
}
