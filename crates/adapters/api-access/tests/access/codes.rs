//! The codes that refusals have, against the table of the reference.

use std::collections::BTreeSet;

use api_access::Problem;
use api_http::ACCESS_CODES;
use api_http::CODES;
use enrollment::HostId;
use names::Ttl;
use names::UserName;
use resource::Kind;
use resource::ResourceName;
use resource::SystemRole;
use rotation::Generation;

fn directory() -> Vec<Problem> {
    use directory::Refusal;
    let (kind, name) = (Kind::User, ResourceName::parse("a").unwrap());
    let refusals = [
        Refusal::Invalid {
            kind,
            problems: Vec::new(),
        },
        Refusal::NotFound {
            kind,
            name: name.clone(),
        },
        Refusal::AlreadyExists {
            kind,
            name: name.clone(),
        },
        Refusal::Conflict {
            kind,
            name: name.clone(),
        },
        Refusal::Elsewhere { kind, hint: "there" },
        Refusal::RoleHeld {
            role: name.clone(),
            holders: Vec::new(),
        },
        Refusal::RoleHeldByTooMany {
            role: name.clone(),
            count: 9,
        },
        Refusal::LastEditor { user: name },
    ];
    refusals
        .map(|refusal| directory::DirectoryError::Refused(refusal).into())
        .into()
}

fn enrollment() -> Vec<Problem> {
    use enrollment::Refusal;
    let host_id = HostId::parse("11111111-2222-4333-8444-555555555555").unwrap();
    let role = SystemRole::Node;
    let text = String::new;
    let refusals = [
        Refusal::BadToken,
        Refusal::RoleNotGiven {
            role,
            allowed: Vec::new(),
        },
        Refusal::RoleNotJoinable { role, reason: "r" },
        Refusal::Malformed {
            field: "f",
            problem: text(),
        },
        Refusal::Invalid {
            kind: Kind::Token,
            problems: Vec::new(),
        },
        Refusal::NoProof(text()),
        Refusal::NameReserved {
            name: text(),
            reason: "r",
        },
        Refusal::NameTaken {
            name: text(),
            holder: text(),
        },
        Refusal::NotAMember(host_id.clone()),
        Refusal::OwnMachine(host_id.clone()),
        Refusal::Locked {
            host_id: host_id.clone(),
            message: None,
        },
        Refusal::BadCertificate("b"),
        Refusal::RolesDiffer {
            host_id,
            joined: Vec::new(),
            asked: Vec::new(),
        },
        Refusal::OtherGeneration {
            wanted: Generation::FIRST,
            now: Generation::FIRST,
        },
        Refusal::TokenTooLong {
            asked: Ttl::from_days(9),
            longest: Ttl::from_days(1),
        },
        Refusal::Conflict(text()),
    ];
    refusals
        .map(|refusal| enrollment::EnrollmentError::Refused(refusal).into())
        .into()
}

fn identity() -> Vec<Problem> {
    use identity::Refusal;
    let user = UserName::parse("alice").unwrap();
    let refusals = [
        Refusal::InvalidCredentials,
        Refusal::Busy,
        Refusal::ChallengeGone,
        Refusal::ApprovalRefused,
        Refusal::WrongApprovalCode { left: 1 },
        Refusal::ApprovalVoid,
        Refusal::ApprovalFromElsewhere,
        Refusal::BrowserLoginOff,
        Refusal::ApprovalOfAnother(user.clone()),
        Refusal::LinkGone,
        Refusal::WeakPassword(authn::PasswordProblem::TooShort),
        Refusal::SecondFactorRefused("r"),
        Refusal::FactorNotAllowed("totp"),
        Refusal::LastFactor,
        Refusal::DeviceNameTaken("phone".to_owned()),
        Refusal::NoSuchDevice,
        Refusal::TooManyDevices(9),
        Refusal::ReauthenticationNeeded,
        Refusal::SessionGone,
        Refusal::UserLocked {
            message: String::new(),
        },
        Refusal::NoSuchUser(user.clone()),
        Refusal::NotSignedUp(user.clone()),
        Refusal::Conflict(user),
        Refusal::Malformed {
            field: "f",
            problem: String::new(),
        },
    ];
    refusals
        .map(|refusal| identity::IdentityError::Refused(refusal).into())
        .into()
}

fn own() -> Vec<Problem> {
    vec![
        Problem::Denied {
            who: "a".into(),
            why: "w".into(),
        },
        Problem::Locked { message: None },
        Problem::NotForYou("others"),
        Problem::Revenant {
            user: "a".into(),
            until: "u".into(),
        },
        Problem::NotFound {
            what: "node",
            name: "n".into(),
        },
    ]
}

#[test]
fn every_refusal_has_a_code_of_the_reference_and_every_code_a_refusal() {
    let mut said = BTreeSet::new();
    for problem in [directory(), enrollment(), identity(), own()]
        .into_iter()
        .flatten()
    {
        let told = problem.told(false);
        let entry = (told.code, told.status.as_u16());
        let is_listed = ACCESS_CODES
            .iter()
            .chain(&CODES)
            .any(|(code, status, _)| (*code, *status) == entry);
        assert!(
            is_listed,
            "{entry:?} is not in the reference: add it to ACCESS_CODES of api-http"
        );
        assert!(!told.is_fault && !told.message.is_empty(), "{entry:?}");
        said.insert(told.code);
    }
    for (code, _, meaning) in ACCESS_CODES {
        assert!(said.contains(code), "nothing says {code}: {meaning}");
        let twice = ACCESS_CODES.iter().filter(|(other, ..)| *other == code).count();
        assert_eq!(twice, 1, "{code}");
        assert!(
            CODES.iter().all(|(other, ..)| *other != code),
            "{code} is listed twice"
        );
    }
}

#[test]
fn faults_say_nothing_of_their_cause_to_strangers() {
    let faults: [Problem; 3] = [
        directory::DirectoryError::Internal("the secret cause".into()).into(),
        enrollment::EnrollmentError::Internal("the secret cause".into()).into(),
        identity::IdentityError::Internal("the secret cause".into()).into(),
    ];
    for fault in faults {
        let told = fault.told(false);
        assert!(told.is_fault && told.status.as_u16() >= 500, "{told:?}");
        assert!(!told.message.contains("secret"), "{told:?}");
        assert!(fault.told(true).message.contains("secret"));
    }
}
