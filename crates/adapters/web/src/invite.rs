//! `/web/invite/{token}`: signing up, and beginning anew.

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::RawQuery;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::response::Response;
use identity::Enrolled;
use identity::FactorKind;
use identity::InviteFinish;
use identity::InviteView;
use identity::Purpose;
use identity::Wanted;

use crate::cookies;
use crate::cookies::FormCookie;
use crate::enrol;
use crate::enrol::OfferView;
use crate::forms::Fields;
use crate::forms::OpenForm;
use crate::pages;
use crate::pages::CodesPage;
use crate::pages::Frame;
use crate::pages::InviteChoosePage;
use crate::pages::InvitePage;
use crate::problem::Problem;
use crate::problem::Said;
use crate::problem::Turned;
use crate::proof;
use crate::signed_in::Remote;
use crate::site::Site;

/// `GET /web/invite/{token}`: the choice of a second factor, then, with `?factor=`, the form.
pub(crate) async fn page(
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = site.identity.invite_look(&token).await?;
    let asked = query.as_deref().and_then(|query| query.strip_prefix("factor="));
    let kind = match (asked.and_then(enrol::kind), view.kinds.as_slice()) {
        (Some(kind), _) => kind,
        (None, [only]) => *only,
        (None, _) => return choice(&site, &view),
    };
    let offer = OfferView::of(site.identity.invite_begin(&token, kind).await?)?;
    let cookie = FormCookie::of(&headers, site.entropy.as_ref())?;
    let page = form(&site, &view, &cookie, offer);
    cookie.sent_with(pages::page(StatusCode::OK, &page)?)
}

fn choice(site: &Site, view: &InviteView) -> Result<Response, Problem> {
    let page = InviteChoosePage {
        frame: Frame::open(site),
        user: view.user.to_string(),
        is_reset: view.purpose == Purpose::Reset,
        expires: view.expires,
    };
    pages::page(StatusCode::OK, &page)
}

fn form(site: &Site, view: &InviteView, cookie: &FormCookie, offer: OfferView) -> InvitePage {
    InvitePage {
        frame: Frame::open(site),
        csrf: cookie.csrf(),
        error: None,
        user: view.user.to_string(),
        is_reset: view.purpose == Purpose::Reset,
        has_choice: view.kinds.len() > 1,
        name: String::new(),
        offer,
    }
}

/// `POST /web/invite/{token}`. The answer is the page of recovery codes, which nothing shows again, and a session.
pub(crate) async fn enrol(
    State(site): State<Arc<Site>>,
    Path(token): Path<String>,
    form: OpenForm,
) -> Result<Response, Problem> {
    let OpenForm {
        fields,
        remote,
        cookie,
    } = form;
    match finish(&site, &token, &fields, remote).await {
        Ok(enrolled) => welcome(&site, enrolled),
        Err(turned) => again(&site, &token, &fields, &cookie, turned.said()?).await,
    }
}

async fn finish(site: &Site, token: &str, fields: &Fields, remote: Remote) -> Result<Enrolled, Turned> {
    enrol::same_twice(fields, "new_password")?;
    let finish = InviteFinish {
        token,
        challenge: fields.text("challenge"),
        password: fields.password("new_password"),
        answer: enrol::answer(fields)?,
        device_name: fields.text("name"),
        remote: remote.0,
        wanted: Some(Wanted::WebSession),
    };
    Ok(site.identity.invite_finish(finish).await?)
}

fn welcome(site: &Site, enrolled: Enrolled) -> Result<Response, Problem> {
    let codes = enrolled.recovery_codes.iter();
    let page = CodesPage {
        frame: Frame::open(site),
        is_sign_up: true,
        codes: codes.map(|code| code.expose().to_owned()).collect(),
    };
    let mut response = pages::page(StatusCode::OK, &page)?;
    if let Some(granted) = enrolled.granted {
        cookies::set_session(&mut response, &proof::session(granted)?.bearer)?;
    }
    Ok(response)
}

/// The form once more, with what was wrong.
async fn again(
    site: &Site,
    token: &str,
    fields: &Fields,
    cookie: &FormCookie,
    said: Said,
) -> Result<Response, Problem> {
    let view = site.identity.invite_look(token).await?;
    let kind = enrol::kind(fields.text("factor")).unwrap_or(FactorKind::Totp);
    let is_too_late = said.code == "challenge_gone";
    let offer = match OfferView::again(fields).filter(|_| !is_too_late) {
        Some(same) => same,
        None => OfferView::of(site.identity.invite_begin(token, kind).await?)?,
    };
    let message = if is_too_late {
        "this page was open for too long; the second factor below is a new one, set it up again".to_owned()
    } else {
        said.message
    };
    let page = InvitePage {
        error: Some(message),
        name: fields.text("name").to_owned(),
        ..form(site, &view, cookie, offer)
    };
    pages::page(said.status, &page)
}
