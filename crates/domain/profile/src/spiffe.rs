use names::ClusterName;

use crate::Finding;

/// Checks that a text is a SPIFFE id of this cluster: an authority vouches for its own trust domain alone.
///
/// # Errors
/// A finding, when it is no SPIFFE id (SPIFFE-ID section 2) or one of another trust domain.
pub fn check_spiffe_id(id: &str, cluster: &ClusterName) -> Result<(), Vec<Finding>> {
    let Some(path) = id
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.strip_prefix(cluster.as_str()))
    else {
        let message = format!("is not of the trust domain spiffe://{cluster}");
        return Err(vec![Finding::new("spiffe.trust_domain", message)]);
    };
    check_path(path).map_err(|problem| vec![Finding::new("spiffe.path", problem)])
}

/// The path of a SPIFFE id (SPIFFE-ID section 2.2): segments of letters, digits, dots, hyphens and underscores, none of them `.` or `..`.
fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(segments) = path.strip_prefix('/') else {
        return Err("begins with a slash, such as /ns/prod/sa/web");
    };
    if path.len() > 1_024 {
        return Err("is longer than 1,024 bytes");
    }
    for segment in segments.split('/') {
        let is_formed = segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if segment.is_empty() || segment == "." || segment == ".." || !is_formed {
            return Err(
                "has segments of letters, digits, dots, hyphens and underscores, none of them empty, . or ..",
            );
        }
    }
    Ok(())
}
