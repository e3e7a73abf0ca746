use crate::AccessRoute;
use crate::Attempt;

/// Whom a route is for. The router asks this table before anything else, and everybody who is not named is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callers {
    /// Everybody, without any proof; each address has a share of this kind of attempt.
    Everybody(Attempt),
    /// People who logged in, for what is their own.
    People,
    /// People who logged in and the operator of the host.
    PeopleAndOperator,
    /// The operator of the host, and people whose roles have a rule for it, in words.
    Rules(&'static str),
    /// Machines of the cluster with one of these system roles; those with any when there are none.
    Machines(&'static [&'static str]),
}

impl AccessRoute {
    /// Whom the route is for.
    pub const fn callers(self) -> Callers {
        match self {
            Self::Me
            | Self::Trust
            | Self::ReauthenticateBegin
            | Self::ReauthenticateFinish
            | Self::BrowserProofBegin
            | Self::BrowserProofCollect
            | Self::SessionBegin
            | Self::SessionFinish
            | Self::SecondFactorBegin
            | Self::SecondFactorFinish
            | Self::SecondFactorDelete
            | Self::ChangePassword => Callers::People,
            Self::Nodes => Callers::PeopleAndOperator,
            Self::Resources => {
                Callers::Rules("`list` on the kind; documents that no rule lets them read are left out")
            }
            Self::Resource => Callers::Rules("`read` on the kind"),
            Self::ResourceCreate => Callers::Rules("`create` on the kind"),
            Self::ResourcePut => {
                Callers::Rules("`update` on the kind, and `create` when the document is not there yet")
            }
            Self::ResourceDelete => Callers::Rules("`delete` on the kind"),
            Self::UserInvite | Self::UserUnlock => Callers::Rules("`update` on `user`"),
            Self::TokenCreate => {
                Callers::Rules("`create` on `token`; with `update` on `token` a token may last longer")
            }
            Self::AccessExplain => Callers::Rules("`read` on `user` and on `role`"),
            Self::AgentView => Callers::Machines(&["node", "proxy", "db", "app"]),
            Self::AgentHeartbeat | Self::AgentRenew => Callers::Machines(&[]),
            Self::AgentEvents => Callers::Machines(&["node", "proxy"]),
            Self::AgentNodes | Self::AgentOpensshCertificate | Self::AgentOpensshHostCertificate => {
                Callers::Machines(&["proxy"])
            }
            Self::Join => Callers::Everybody(Attempt::Join),
            Self::LoginBegin | Self::BrowserLoginBegin => Callers::Everybody(Attempt::LogInBegin),
            Self::BrowserLoginCollect => Callers::Everybody(Attempt::Approval),
            Self::LoginFinish => Callers::Everybody(Attempt::LogInFinish),
            Self::Invite | Self::InviteBegin | Self::InviteFinish => Callers::Everybody(Attempt::Link),
        }
    }

    /// The act for which people have to say anew who they are, by the header [`crate::PRIVILEGE_HEADER`], if it is one.
    pub const fn privileged_act(self) -> Option<&'static str> {
        match self {
            Self::SecondFactorBegin | Self::SecondFactorDelete => Some("change_second_factors"),
            Self::ChangePassword => Some("change_password"),
            Self::ResourceCreate
            | Self::ResourcePut
            | Self::ResourceDelete
            | Self::UserInvite
            | Self::UserUnlock
            | Self::TokenCreate => Some("admin"),
            // What begins a change of second factors asks for the proof; what finishes it names what was begun.
            Self::SecondFactorFinish
            | Self::Me
            | Self::Trust
            | Self::ReauthenticateBegin
            | Self::ReauthenticateFinish
            | Self::BrowserProofBegin
            | Self::BrowserProofCollect
            // The second factor is in the request itself.
            | Self::SessionBegin
            | Self::SessionFinish
            | Self::Nodes
            | Self::Resources
            | Self::Resource
            | Self::AccessExplain
            | Self::AgentView
            | Self::AgentHeartbeat
            | Self::AgentRenew
            | Self::AgentEvents
            | Self::AgentNodes
            | Self::AgentOpensshCertificate
            | Self::AgentOpensshHostCertificate
            | Self::Join
            | Self::LoginBegin
            | Self::LoginFinish
            | Self::BrowserLoginBegin
            | Self::BrowserLoginCollect
            | Self::Invite
            | Self::InviteBegin
            | Self::InviteFinish => None,
        }
    }

    /// The kinds of document that may be changed by this route without that proof: where it only takes access away.
    pub fn spared_kinds(self) -> &'static [&'static str] {
        if self == Self::ResourceCreate {
            &["lock"]
        } else if self == Self::ResourceDelete {
            &["token"]
        } else {
            &[]
        }
    }
}
