//! `docs/reference/api.md`: written from the tables that the server decides by.

use std::fmt::Write;

use api_types::AccessRoute;
use api_types::Route;

use crate::caller::Role;
use crate::openapi::access_summary;
use crate::openapi::callers_in_words;
use crate::openapi::spared_in_words;
use crate::openapi::summary;
use crate::permission::Holders;
use crate::permission::Permission;
use crate::permission::TABLE;
use crate::problem::ACCESS_CODES;
use crate::problem::CODES;
use crate::public::PublicRoute;

/// The page, as it is checked in.
pub fn reference_markdown() -> String {
    let mut page = include_str!("reference/head.md").to_owned();
    page.push_str("\n## Routes of authorities\n\n| route | right | what it is for |\n|---|---|---|\n");
    for route in Route::ALL {
        let method = route.method().as_str();
        let (path, right, summary) = (route.path(), Permission::of(route), summary(route));
        // Writing to a text does not fail.
        let _ = writeln!(page, "| `{method} {path}` | `{right}` | {summary} |");
    }
    page.push_str(include_str!("reference/access.md"));
    page.push_str("\n| route | for | says anew who they are | what it is for |\n|---|---|---|---|\n");
    for route in AccessRoute::ALL {
        let method = route.method().as_str();
        let (path, summary) = (route.path(), access_summary(route));
        let callers = callers_in_words(route.callers());
        let callers = callers.trim_start_matches("For ").trim_end_matches('.');
        let act = route.privileged_act().map_or_else(String::new, |act| {
            format!("`{act}`{}", spared_in_words(route.spared_kinds()))
        });
        let _ = writeln!(page, "| `{method} {path}` | {callers} | {act} | {summary} |");
    }
    page.push_str(include_str!("reference/rights.md"));
    page.push_str("\n| right | every identity |");
    for role in Role::ALL {
        let _ = write!(page, " {} |", role.as_str());
    }
    page.push_str(" local socket |\n|---|---|---|---|---|\n");
    for (permission, holders) in TABLE {
        let is_everybodys = holders == Holders::EveryIdentity;
        let _ = write!(page, "| `{permission}` | {} |", mark(is_everybodys));
        for role in Role::ALL {
            let has = match holders {
                Holders::LocalOnly => false,
                Holders::Roles(roles) => roles.contains(&role),
                Holders::EveryIdentity => true,
            };
            let _ = write!(page, " {} |", mark(has));
        }
        page.push_str(" yes |\n");
    }
    page.push_str(include_str!("reference/errors.md"));
    page.push_str("\n| code | status | meaning |\n|---|---|---|\n");
    for (code, status, meaning) in CODES.into_iter().chain(ACCESS_CODES) {
        let _ = writeln!(page, "| `{code}` | {status} | {meaning} |");
    }
    page.push_str(include_str!("reference/public.md"));
    page.push_str("\n| path | what |\n|---|---|\n");
    for route in PublicRoute::ALL {
        let _ = writeln!(page, "| `{}` | {} |", route.path(), route.summary());
    }
    page.push_str(include_str!("reference/tail.md"));
    page
}

const fn mark(has: bool) -> &'static str {
    if has { "yes" } else { "" }
}
