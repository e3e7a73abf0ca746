//! Log-in, sign-up, and what people do with their own credentials.

use std::net::SocketAddr;

use api_http::Peer;
use api_types::AddSecondFactorRequest;
use api_types::ChangePasswordRequest;
use api_types::HostTrust;
use api_types::InviteAnswer;
use api_types::InviteChallenge;
use api_types::InviteFinishRequest;
use api_types::InviteFinished;
use api_types::InviteInfo;
use api_types::InviteRequest;
use api_types::LoginAnswer;
use api_types::LoginBeginRequest;
use api_types::LoginChallenge;
use api_types::LoginFinishRequest;
use api_types::Me;
use api_types::NewSecondFactor;
use api_types::NewSecondFactorRequest;
use api_types::PresentTrust;
use api_types::PrivilegeToken;
use api_types::ReauthenticateRequest;
use api_types::SecondFactorProof;
use api_types::SecondFactorRow;
use api_types::SecretText;
use api_types::TotpSecret;
use authn::Password;
use authority::AuthorityType;
use authority::KeyForm;
use identity::ActProof;
use identity::Answer;
use identity::CertificateKeys;
use identity::Factor;
use identity::FactorKind;
use identity::Granted;
use identity::InviteFinish;
use identity::LoggedIn;
use identity::LoginFinish;
use identity::Offer;
use identity::PrivilegedAct;
use identity::ProofHolder;
use identity::Reauthenticate;
use identity::Wanted;
use names::Ttl;
use names::UserName;
use zeroize::Zeroizing;

use crate::Access;
use crate::Problem;
use crate::agents::ssh_line;
use crate::asked::Asked;
use crate::asked::Plain;
use crate::convert;
use crate::problem::internal;
use crate::problem::malformed;
use crate::proof::key_of;
use crate::proof::shown;
use access::Verb;

fn secret(text: &SecretText) -> Zeroizing<String> {
    Zeroizing::new(text.expose().to_owned())
}

fn password(text: &SecretText) -> Password {
    Password::new(text.expose().to_owned())
}

pub(crate) fn remote(plain: &Plain) -> Result<SocketAddr, Problem> {
    plain
        .remote
        .parse()
        .map_err(|_| internal("a log-in came from no address"))
}

pub(crate) fn factor(proof: SecondFactorProof) -> Factor {
    match proof {
        SecondFactorProof::Totp(code) => Factor::Totp(secret(&code)),
        SecondFactorProof::Webauthn(answer) => Factor::Webauthn(answer),
        SecondFactorProof::RecoveryCode(code) => Factor::RecoveryCode(secret(&code)),
    }
}

fn answer_of(new: NewSecondFactor) -> Answer {
    match new {
        NewSecondFactor::Totp(code) => Answer::Totp(secret(&code)),
        NewSecondFactor::Webauthn(answer) => Answer::Webauthn(answer),
    }
}

fn kind(plain: &Plain) -> Result<FactorKind, Problem> {
    let NewSecondFactorRequest { kind } = plain.document()?;
    FactorKind::ALL
        .into_iter()
        .find(|known| known.as_str() == kind)
        .ok_or_else(|| {
            malformed(
                "kind",
                format!("{kind:?} is no second factor: use totp or webauthn"),
            )
        })
}

/// `POST /webapi/login/begin`.
pub(crate) async fn login_begin(access: &Access, plain: &Plain) -> Result<LoginChallenge, Problem> {
    let LoginBeginRequest { user } = plain.document()?;
    challenge(access, &user).await
}

/// `POST /v1/me/reauthenticate/begin`.
pub(crate) async fn reauthenticate_begin(access: &Access, asked: &Asked) -> Result<LoginChallenge, Problem> {
    let user = access.person(&asked.caller)?;
    challenge(access, user.as_str()).await
}

pub(crate) async fn challenge(access: &Access, user: &str) -> Result<LoginChallenge, Problem> {
    let asked = access.identity.login_begin(user).await?;
    Ok(LoginChallenge {
        challenge_id: asked.id,
        second_factors: second_factors(&asked.kinds),
        webauthn: asked.webauthn,
    })
}

/// What is accepted where these kinds are: recovery codes always are.
pub(crate) fn second_factors(kinds: &[FactorKind]) -> Vec<String> {
    let kinds = kinds.iter().map(|kind| kind.as_str());
    kinds.chain(["recovery_code"]).map(ToOwned::to_owned).collect()
}

/// `POST /webapi/login/finish`.
pub(crate) async fn login_finish(access: &Access, plain: &Plain) -> Result<LoginAnswer, Problem> {
    let LoginFinishRequest {
        challenge_id,
        user,
        password: typed,
        second_factor,
        ssh_public_key,
        tls_public_key,
        ttl_seconds,
    } = plain.document()?;
    let keys = CertificateKeys {
        ssh: convert::ssh_key("ssh_public_key", &ssh_public_key)?,
        tls: convert::tls_key("tls_public_key", &tls_public_key)?,
        ttl: ttl_seconds.map(Ttl::from_seconds),
    };
    let logged_in = access
        .identity
        .login_finish(LoginFinish {
            challenge: challenge_id.as_deref(),
            user: &user,
            password: password(&typed),
            factor: factor(second_factor),
            wanted: Wanted::Certificates(Box::new(keys)),
            remote: remote(plain)?,
        })
        .await?;
    login_answer(access, logged_in).await
}

/// The certificates of somebody who logged in, with whom to trust.
pub(crate) async fn login_answer(access: &Access, logged_in: LoggedIn) -> Result<LoginAnswer, Problem> {
    let Granted::Certificates(certificates) = logged_in.granted else {
        return Err(internal("a log-in for certificates gave something else"));
    };
    let not_after = certificates.ssh.not_after.min(certificates.tls.not_after);
    Ok(LoginAnswer {
        user: logged_in.user.to_string(),
        cluster: access.service.cluster().name().to_string(),
        roles: certificates.roles.iter().map(ToString::to_string).collect(),
        logins: certificates.logins.iter().map(ToString::to_string).collect(),
        ssh_certificate: ssh_line(&certificates.ssh.document),
        tls_certificate: x509::pem::encode("CERTIFICATE", &certificates.tls.document),
        not_after: not_after.to_string(),
        trust: host_trust(access)?,
    })
}

/// How hosts of the cluster are recognised.
fn host_trust(access: &Access) -> Result<HostTrust, Problem> {
    let cluster = access.service.cluster();
    let host = cluster.authority(AuthorityType::Host)?;
    let mut trust = HostTrust::default();
    for (_, key) in host.record.trusted() {
        match (key.form, &key.certificate) {
            (KeyForm::Ssh, _) => {
                let line = ssh_cert::known_hosts_line(&key.public_key, &["*"], cluster.name().as_str());
                trust.known_hosts.push(line.map_err(internal)?);
            }
            (KeyForm::Tls, Some(der)) => trust
                .tls_authorities
                .push(x509::pem::encode("CERTIFICATE", &der.0)),
            (KeyForm::Tls, None) | (KeyForm::Jwt, _) => {}
        }
    }
    Ok(trust)
}

/// `GET /v1/me/trust`.
pub(crate) async fn trust(access: &Access, asked: &Asked) -> Result<PresentTrust, Problem> {
    access.person(&asked.caller)?;
    let cluster = access.service.cluster();
    // Another server may have moved a rotation on.
    cluster.refresh().await?;
    let user = cluster.authority(AuthorityType::User)?;
    let now = user.record.desired().signs_with;
    let is_current = match &asked.peer {
        Peer::Certificate { issuer, .. } => user
            .record
            .keys_of(now)
            .iter()
            .any(|key| key.public_key.spki_sha256() == *issuer),
        Peer::Local { .. } => false,
    };
    Ok(PresentTrust {
        cluster: cluster.name().to_string(),
        trust: host_trust(access)?,
        is_current,
    })
}

/// `GET /webapi/invite/{token}`.
pub(crate) async fn invite_look(access: &Access, plain: &Plain) -> Result<InviteInfo, Problem> {
    let view = access.identity.invite_look(plain.segment(0)).await?;
    Ok(InviteInfo {
        user: view.user.to_string(),
        purpose: view.purpose.as_str().to_owned(),
        expires: view.expires.to_string(),
        second_factors: view.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
    })
}

/// `POST /webapi/invite/{token}/begin`.
pub(crate) async fn invite_begin(access: &Access, plain: &Plain) -> Result<InviteChallenge, Problem> {
    let token = plain.segment(0);
    let view = access.identity.invite_look(token).await?;
    let offer = access.identity.invite_begin(token, kind(plain)?).await?;
    Ok(offered(view.user.as_str(), offer))
}

fn offered(user: &str, offer: Offer) -> InviteChallenge {
    let totp = offer.totp.map(|totp| TotpSecret {
        secret: SecretText::new(totp.secret.to_string()),
        url: SecretText::new(totp.url.to_string()),
        qr_svg: SecretText::new(totp.qr.svg().to_string()),
        qr_text: SecretText::new(totp.qr.text().to_string()),
    });
    InviteChallenge {
        challenge_id: offer.challenge,
        user: user.to_owned(),
        totp,
        webauthn: offer.webauthn,
    }
}

/// `POST /webapi/invite/{token}/finish`.
pub(crate) async fn invite_finish(access: &Access, plain: &Plain) -> Result<InviteFinished, Problem> {
    let InviteFinishRequest {
        challenge_id,
        password: typed,
        second_factor,
        device_name,
    } = plain.document()?;
    let enrolled = access
        .identity
        .invite_finish(InviteFinish {
            token: plain.segment(0),
            challenge: &challenge_id,
            password: password(&typed),
            answer: answer_of(second_factor),
            device_name: device_name.as_deref().unwrap_or_default(),
            remote: remote(plain)?,
            wanted: None,
        })
        .await?;
    let codes = enrolled.recovery_codes.iter();
    Ok(InviteFinished {
        user: enrolled.user.to_string(),
        recovery_codes: codes
            .map(|code| SecretText::new(code.expose().to_owned()))
            .collect(),
    })
}

/// Where people open pages, without a slash at the end.
pub(crate) fn web_base(access: &Access) -> String {
    access.proxy.as_ref().map_or_else(
        || access.service.web_url().to_owned(),
        |proxy| format!("https://{proxy}"),
    )
}

/// `POST /v1/users/{name}/invite`.
pub(crate) async fn invite(access: &Access, asked: &Asked) -> Result<InviteAnswer, Problem> {
    let user = asked.plain.name(0)?;
    let InviteRequest { ttl_seconds } = asked
        .plain
        .document::<Option<InviteRequest>>()?
        .unwrap_or_default();
    // Who may change nobody does not learn who is there.
    let rights = access.allow_some(asked, "user", Verb::Update).await?;
    let document = access.directory.get(resource::Kind::User, &user).await?;
    access.allow_this(asked, &rights, Verb::Update, &document).await?;
    access.ask_for_proof(asked).await?;
    let name = user_name(user.as_str())?;
    let ttl = ttl_seconds.map(Ttl::from_seconds);
    let invite = access.identity.invite(&asked.caller.actor(), &name, ttl).await?;
    let token = invite.bearer.expose();
    let base = web_base(access);
    Ok(InviteAnswer {
        user: name.to_string(),
        purpose: invite.purpose.as_str().to_owned(),
        url: SecretText::new(format!("{base}/web/invite/{}", token.as_str())),
        token: SecretText::new(token.to_string()),
        expires: invite.expires.to_string(),
    })
}

/// `POST /v1/users/{name}/unlock`.
pub(crate) async fn unlock(access: &Access, asked: &Asked) -> Result<(), Problem> {
    let user = asked.plain.name(0)?;
    // Who may change nobody does not learn who is there.
    let rights = access.allow_some(asked, "user", Verb::Update).await?;
    let document = access.directory.get(resource::Kind::User, &user).await?;
    access.allow_this(asked, &rights, Verb::Update, &document).await?;
    access.ask_for_proof(asked).await?;
    access
        .identity
        .unlock(&asked.caller.actor(), &user_name(user.as_str())?)
        .await?;
    Ok(())
}

pub(crate) fn user_name(text: &str) -> Result<UserName, Problem> {
    UserName::parse(text).map_err(|error| malformed("user", error.to_string()))
}

/// `GET /v1/me`.
pub(crate) async fn me(access: &Access, asked: &Asked) -> Result<Me, Problem> {
    let name = access.person(&asked.caller)?;
    let document = access.directory.user(&name).await?;
    let document = document.ok_or(Problem::NotFound {
        what: "user",
        name: name.to_string(),
    })?;
    let set = access.directory.access_set(&name).await?;
    let account = access.identity.account(&user_name(name.as_str())?).await?;
    let row = |device: &identity::DeviceView| SecondFactorRow {
        id: device.id.clone(),
        name: device.name.clone(),
        kind: device.kind.as_str().to_owned(),
        added: device.added.to_string(),
        last_used: device.used.map(|moment| moment.to_string()),
    };
    Ok(Me {
        user: name.to_string(),
        roles: document.spec.roles.iter().map(ToString::to_string).collect(),
        traits: document.spec.traits,
        logins: set.logins().iter().map(ToString::to_string).collect(),
        second_factors: account.devices.iter().map(row).collect(),
        recovery_codes_left: account.recovery_codes_left as u64,
    })
}

/// `POST /v1/me/reauthenticate/finish`.
pub(crate) async fn reauthenticate(access: &Access, asked: &Asked) -> Result<PrivilegeToken, Problem> {
    let ReauthenticateRequest {
        challenge_id,
        password: typed,
        second_factor,
        purpose,
    } = asked.plain.document()?;
    let act = act(&purpose)?;
    let user = user_name(access.person(&asked.caller)?.as_str())?;
    let proof = access
        .identity
        .reauthenticate(Reauthenticate {
            challenge: &challenge_id,
            user: &user,
            password: password(&typed),
            factor: factor(second_factor),
            act,
            holder: ProofHolder::Key(key_of(&asked.peer)?),
            remote: remote(&asked.plain)?,
        })
        .await?;
    Ok(proof_token(&proof))
}

/// A kind of act that asks for a proof.
pub(crate) fn act(word: &str) -> Result<PrivilegedAct, Problem> {
    PrivilegedAct::ALL
        .into_iter()
        .find(|act| act.as_str() == word)
        .ok_or_else(|| malformed("purpose", format!("{word:?} is nothing that asks for this")))
}

pub(crate) fn proof_token(proof: &ActProof) -> PrivilegeToken {
    PrivilegeToken {
        token: SecretText::new(proof.bearer.expose().to_string()),
        expires: proof.expires.to_string(),
    }
}

/// `POST /v1/me/second_factors/begin`.
pub(crate) async fn factor_begin(access: &Access, asked: &Asked) -> Result<InviteChallenge, Problem> {
    let user = user_name(access.person(&asked.caller)?.as_str())?;
    let kind = kind(&asked.plain)?;
    let offer = access.identity.device_begin(&user, shown(asked)?, kind).await?;
    Ok(offered(user.as_str(), offer))
}

/// `POST /v1/me/second_factors/finish`.
pub(crate) async fn factor_finish(access: &Access, asked: &Asked) -> Result<Me, Problem> {
    let AddSecondFactorRequest {
        challenge_id,
        second_factor,
        name,
    } = asked.plain.document()?;
    let user = user_name(access.person(&asked.caller)?.as_str())?;
    access
        .identity
        .device_finish(
            &asked.caller.actor(),
            &user,
            &challenge_id,
            answer_of(second_factor),
            &name,
        )
        .await?;
    me(access, asked).await
}

/// `DELETE /v1/me/second_factors/{id}`.
pub(crate) async fn factor_delete(access: &Access, asked: &Asked) -> Result<Me, Problem> {
    let user = user_name(access.person(&asked.caller)?.as_str())?;
    access
        .identity
        .device_remove(
            &asked.caller.actor(),
            &user,
            shown(asked)?,
            asked.plain.segment(0),
        )
        .await?;
    me(access, asked).await
}

/// `POST /v1/me/password`.
pub(crate) async fn change_password(access: &Access, asked: &Asked) -> Result<(), Problem> {
    let ChangePasswordRequest { password: typed } = asked.plain.document()?;
    let user = user_name(access.person(&asked.caller)?.as_str())?;
    access
        .identity
        .password_change(
            &asked.caller.actor(),
            &user,
            shown(asked)?,
            password(&typed),
            None,
        )
        .await?;
    Ok(())
}
