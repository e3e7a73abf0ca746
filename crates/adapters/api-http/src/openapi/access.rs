//! The routes about people, documents and machines.

use api_types::AccessRoute;
use api_types::AddSecondFactorRequest;
use api_types::AgentEventsRequest;
use api_types::AgentView;
use api_types::AgentViewParameters;
use api_types::BrowserCollectRequest;
use api_types::BrowserLoginAnswer;
use api_types::BrowserLoginRequest;
use api_types::BrowserProofAnswer;
use api_types::BrowserProofRequest;
use api_types::BrowserRequestBegun;
use api_types::ChangePasswordRequest;
use api_types::DeleteParameters;
use api_types::ExplainAnswer;
use api_types::ExplainRequest;
use api_types::HeartbeatAnswer;
use api_types::HeartbeatRequest;
use api_types::InviteAnswer;
use api_types::InviteChallenge;
use api_types::InviteFinishRequest;
use api_types::InviteFinished;
use api_types::InviteInfo;
use api_types::InviteRequest;
use api_types::JoinAnswer;
use api_types::JoinRequest;
use api_types::LoginAnswer;
use api_types::LoginBeginRequest;
use api_types::LoginChallenge;
use api_types::LoginFinishRequest;
use api_types::Me;
use api_types::NewSecondFactorRequest;
use api_types::NodeRow;
use api_types::OpensshCertificateAnswer;
use api_types::OpensshCertificateRequest;
use api_types::OpensshHostCertificateAnswer;
use api_types::OpensshHostCertificateRequest;
use api_types::PresentTrust;
use api_types::PrivilegeToken;
use api_types::ReauthenticateRequest;
use api_types::RenewRequest;
use api_types::ResourceDocument;
use api_types::ResourcePage;
use api_types::ResourceParameters;
use api_types::SessionBeginRequest;
use api_types::SessionCertificate;
use api_types::SessionFinishRequest;
use api_types::SessionNeed;
use api_types::TokenAnswer;
use api_types::TokenRequest;

use super::shape::Nothing;
use super::shape::Schemas;
use super::shape::Shape;

/// What a route takes and answers.
pub(super) fn shape(route: AccessRoute, schemas: &mut Schemas) -> Shape {
    let all = schemas;
    match route {
        AccessRoute::Me => all.answers::<Me>("Who the caller is"),
        AccessRoute::Trust => all.answers::<PresentTrust>("Whom the caller is to trust now"),
        AccessRoute::ReauthenticateBegin => {
            all.answers::<LoginChallenge>("Ask for the challenge of saying anew who one is")
        }
        AccessRoute::ReauthenticateFinish => {
            all.takes::<ReauthenticateRequest, PrivilegeToken>("Say anew who one is, for one purpose")
        }
        AccessRoute::BrowserProofBegin => all.takes::<BrowserProofRequest, BrowserRequestBegun>(
            "Ask for a proof that one makes in a browser, for one purpose",
        ),
        AccessRoute::BrowserProofCollect => all.takes::<BrowserCollectRequest, BrowserProofAnswer>(
            "Wait until it is approved, and get the proof, once",
        ),
        AccessRoute::SessionBegin => all.takes::<SessionBeginRequest, SessionNeed>(
            "What a session on a server needs besides the permission",
        ),
        AccessRoute::SessionFinish => all.takes::<SessionFinishRequest, SessionCertificate>(
            "Give a second factor for one session, or a proof of it, for a certificate for it",
        ),
        AccessRoute::SecondFactorBegin => {
            all.takes::<NewSecondFactorRequest, InviteChallenge>("Begin to add a second factor")
        }
        AccessRoute::SecondFactorFinish => {
            all.takes::<AddSecondFactorRequest, Me>("Add the second factor that was begun")
        }
        AccessRoute::SecondFactorDelete => all.answers::<Me>("Remove a second factor"),
        AccessRoute::ChangePassword => all.takes::<ChangePasswordRequest, Nothing>("Change the password"),
        AccessRoute::Nodes => all.lists::<NodeRow>("The servers that the caller may see"),
        AccessRoute::Resources => all
            .answers::<ResourcePage>("The documents of a kind")
            .with::<ResourceParameters>(),
        AccessRoute::ResourceCreate => {
            all.takes::<ResourceDocument, ResourceDocument>("Make a document that is not there yet")
        }
        AccessRoute::Resource => all.answers::<ResourceDocument>("One document"),
        AccessRoute::ResourcePut => {
            all.takes::<ResourceDocument, ResourceDocument>("Write a document, whether it is there or not")
        }
        AccessRoute::ResourceDelete => all
            .answers::<Nothing>(
                "Remove a document; certificates of a user or host that is removed open nothing any more",
            )
            .with::<DeleteParameters>(),
        AccessRoute::UserInvite => all
            .takes::<InviteRequest, InviteAnswer>(
                "A link by which a user sets a password and a second factor",
            )
            .with_optional_body(),
        AccessRoute::UserUnlock => all.answers::<Nothing>("End the lock-out of a user after failed log-ins"),
        AccessRoute::TokenCreate => all.takes::<TokenRequest, TokenAnswer>("Make a token to join with"),
        AccessRoute::AccessExplain => {
            all.takes::<ExplainRequest, ExplainAnswer>("Whether somebody may do something, and what decides")
        }
        AccessRoute::AgentView => all
            .answers::<AgentView>("What a machine needs to decide by itself; waits for a change")
            .with::<AgentViewParameters>(),
        AccessRoute::AgentHeartbeat => {
            all.takes::<HeartbeatRequest, HeartbeatAnswer>("Say where a machine is and what it trusts")
        }
        AccessRoute::AgentRenew => {
            all.takes::<RenewRequest, JoinAnswer>("Certificates for a machine in the place of those it has")
        }
        AccessRoute::AgentEvents => {
            all.takes::<AgentEventsRequest, Nothing>("Tell what happened on a machine")
        }
        AccessRoute::AgentNodes => all.lists::<NodeRow>("Every server, for a proxy"),
        AccessRoute::AgentOpensshCertificate => all
            .takes::<OpensshCertificateRequest, OpensshCertificateAnswer>(
                "A certificate for one connection of a user to a server without an agent",
            ),
        AccessRoute::AgentOpensshHostCertificate => all
            .takes::<OpensshHostCertificateRequest, OpensshHostCertificateAnswer>(
                "What a proxy shows in the place of a server without an agent",
            ),
        AccessRoute::Join => all.takes::<JoinRequest, JoinAnswer>("Join as a machine, by a token"),
        AccessRoute::LoginBegin => all.takes::<LoginBeginRequest, LoginChallenge>(
            "Ask for the challenge of a log-in, for a security key to answer",
        ),
        AccessRoute::LoginFinish => all.takes::<LoginFinishRequest, LoginAnswer>(
            "Log in with password and second factor, for certificates",
        ),
        AccessRoute::BrowserLoginBegin => {
            all.takes::<BrowserLoginRequest, BrowserRequestBegun>("Ask to be let in by somebody in a browser")
        }
        AccessRoute::BrowserLoginCollect => all.takes::<BrowserCollectRequest, BrowserLoginAnswer>(
            "Wait until it is approved, and get the certificates, once",
        ),
        AccessRoute::Invite => all.answers::<InviteInfo>("Whose link it is"),
        AccessRoute::InviteBegin => {
            all.takes::<NewSecondFactorRequest, InviteChallenge>("Choose the second factor of a link")
        }
        AccessRoute::InviteFinish => all.takes::<InviteFinishRequest, InviteFinished>(
            "Set password and second factor, and use the link up",
        ),
    }
}
