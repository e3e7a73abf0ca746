use names::UnixSeconds;
use resource::Document;
use resource::LockSpec;
use resource::LockTarget;

/// Whoever or whatever a lock might be for. What is absent is not known and matches no lock that asks for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct LockSubject<'a> {
    /// The name of the user.
    pub user: Option<&'a str>,
    /// The names of all roles the user bears.
    pub roles: &'a [&'a str],
    /// The name to log in by.
    pub login: Option<&'a str>,
    /// The host id and the hostname of the node.
    pub node: Option<(&'a str, &'a str)>,
    /// The id of the second factor that was used.
    pub mfa_device: Option<&'a str>,
}

/// The first lock in force that is for the subject.
pub fn lock_hits<'l>(
    locks: impl IntoIterator<Item = &'l Document<LockSpec>>,
    subject: &LockSubject<'_>,
    now: UnixSeconds,
) -> Option<&'l Document<LockSpec>> {
    locks
        .into_iter()
        .find(|lock| !lock.is_expired(now) && is_for(&lock.spec.target, subject))
}

/// Whether everything the target names is the subject's. A target that names nothing is nobody's.
fn is_for(target: &LockTarget, subject: &LockSubject<'_>) -> bool {
    let LockTarget {
        user,
        role,
        login,
        node,
        mfa_device,
    } = target;
    let is = |wanted: &Option<String>, own: Option<&str>| match wanted {
        Some(wanted) => own == Some(wanted.as_str()),
        None => true,
    };
    let bears_role = role.as_deref().is_none_or(|role| subject.roles.contains(&role));
    let is_node = match (node, subject.node) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(node), Some((host_id, hostname))) => node == host_id || node == hostname,
    };
    !target.is_empty()
        && is(user, subject.user)
        && bears_role
        && is(login, subject.login)
        && is_node
        && is(mfa_device, subject.mfa_device)
}
