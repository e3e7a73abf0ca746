//! `POST /v1/access/explain`.

use access::Decision;
use access::NodeView;
use access::ResourceView;
use access::Verb;
use access::WhereContext;
use api_types::ExplainAnswer;
use api_types::ExplainRequest;
use resource::Kind;
use resource::Metadata;

use crate::Access;
use crate::Problem;
use crate::asked::Asked;
use crate::asked::name;
use crate::problem::malformed;

pub(crate) async fn explain(access: &Access, asked: &Asked) -> Result<ExplainAnswer, Problem> {
    let ExplainRequest {
        user,
        login,
        node,
        resource,
        name: document,
        verb,
    } = asked.plain.document()?;
    access.allow_some(asked, "user", Verb::Read).await?;
    access.allow_some(asked, "role", Verb::Read).await?;
    let set = access.directory.access_set(&name("user", &user)?).await?;
    let (decision, explanation) = match (login, node, resource, verb) {
        (Some(login), Some(node), None, None) if document.is_none() => {
            let found = access.enrollment.node(None, &node).await?;
            let found = found.ok_or(Problem::NotFound {
                what: "node",
                name: node,
            })?;
            let view = NodeView {
                host_id: found.node.metadata.name.as_str(),
                hostname: &found.node.spec.hostname,
                labels: &found.node.metadata.labels,
            };
            let known = access.directory.view();
            let needs = set.session_needs(&view, &login, &known.auth_preference, &known.recording);
            let decision = set.login_to_node(&view, &login);
            let mut lines = set.explain_login(&view, &login);
            if decision.is_allowed() {
                lines.extend(needs.explain());
            }
            (decision, lines)
        }
        (None, None, Some(resource), Some(verb)) => {
            let verb: Verb = verb
                .parse()
                .map_err(|_| malformed("verb", format!("{verb:?} is no verb of rules")))?;
            let metadata = match &document {
                None => None,
                Some(text) => Some(metadata_of(access, asked, &resource, text).await?),
            };
            let context = WhereContext {
                resource: metadata.as_ref().map(|metadata| ResourceView {
                    name: metadata.name.as_str(),
                    labels: &metadata.labels,
                }),
                ..WhereContext::default()
            };
            (
                set.may(&resource, verb, &context),
                set.explain_may(&resource, verb, &context),
            )
        }
        _ => {
            let problem =
                "give a login and a node, or a resource and a verb, and a name with them for one document";
            return Err(malformed("body", problem));
        }
    };
    Ok(answer(&decision, explanation))
}

/// What conditions ask about a document: as it is, or of its name alone when there is none.
async fn metadata_of(
    access: &Access,
    asked: &Asked,
    resource: &str,
    text: &str,
) -> Result<Metadata, Problem> {
    let name = name("name", text)?;
    let stored = match Kind::parse(resource) {
        // The answer tells of its labels, so that it is for whoever may read it.
        Ok(kind) => {
            let rights = access.allow_some(asked, kind.as_str(), Verb::Read).await?;
            let stored = access.directory.find(kind, &name).await?;
            if let Some(document) = &stored {
                access.allow_this(asked, &rights, Verb::Read, document).await?;
            }
            stored
        }
        // What rules know besides documents has no labels.
        Err(_) => None,
    };
    Ok(stored.map_or_else(|| Metadata::named(name), |stored| stored.metadata().clone()))
}

fn answer(decision: &Decision, explanation: Vec<String>) -> ExplainAnswer {
    let (allowed, role, rule, why) = match decision {
        Decision::Allow(proof) => (
            true,
            Some(proof.role().to_string()),
            Some(proof.rule().to_string()),
            proof.why().to_string(),
        ),
        Decision::Deny(reason) => (
            false,
            reason.role().map(|role| role.to_string()),
            reason.rule().map(|rule| rule.to_string()),
            reason.why().to_string(),
        ),
    };
    ExplainAnswer {
        allowed,
        role,
        rule,
        why,
        explanation,
    }
}
