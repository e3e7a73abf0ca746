//! A new second factor on a page: shown, and answered.

use authn::QrPicture;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::Answer;
use identity::FactorKind;
use identity::Offer;

use crate::forms::Fields;
use crate::problem::Problem;
use crate::problem::Turned;
use crate::proof;

/// What begins the address that applications for one-time codes read.
const TOTP_SCHEME: &str = "otpauth://totp/";

/// A second factor that waits for its proof, as a page shows it.
pub(crate) struct OfferView {
    pub(crate) challenge: String,
    pub(crate) kind: FactorKind,
    /// For one-time codes.
    pub(crate) totp: Option<TotpView>,
    /// For a key: what the script asks the browser, as JSON.
    pub(crate) question: String,
}

/// The seed of one-time codes.
pub(crate) struct TotpView {
    pub(crate) url: String,
    /// In groups of four, as people type it.
    pub(crate) secret: String,
    /// The address of the picture, which holds the picture.
    pub(crate) picture: String,
}

impl OfferView {
    pub(crate) fn of(offer: Offer) -> Result<Self, Problem> {
        let kind = match offer.totp {
            Some(_) => FactorKind::Totp,
            None => FactorKind::Webauthn,
        };
        let totp = offer.totp.map(|totp| TotpView::of(&totp.url, &totp.qr));
        Ok(Self {
            challenge: offer.challenge,
            kind,
            totp,
            question: offer
                .webauthn
                .map(|question| question.to_string())
                .unwrap_or_default(),
        })
    }

    /// The same one-time codes as the form was about, so that nobody needs to scan twice. A key is asked anew.
    pub(crate) fn again(fields: &Fields) -> Option<Self> {
        let url = fields.text("url");
        if !url.starts_with(TOTP_SCHEME) {
            return None;
        }
        Some(Self {
            challenge: fields.text("challenge").to_owned(),
            kind: FactorKind::Totp,
            totp: Some(TotpView::of(url, &QrPicture::draw(url)?)),
            question: String::new(),
        })
    }
}

impl TotpView {
    fn of(url: &str, picture: &QrPicture) -> Self {
        let secret = url.split_once("secret=").map_or("", |(_, rest)| rest);
        let secret = secret.split('&').next().unwrap_or_default();
        let letters: Vec<char> = secret.chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Self {
            url: url.to_owned(),
            secret: groups.join(" "),
            picture: format!(
                "data:image/svg+xml;base64,{}",
                STANDARD.encode(picture.svg().as_bytes())
            ),
        }
    }
}

/// The kind of second factor that somebody chose.
pub(crate) fn kind(text: &str) -> Option<FactorKind> {
    FactorKind::ALL.into_iter().find(|kind| kind.as_str() == text)
}

/// The proof of a new second factor.
pub(crate) fn answer(fields: &Fields) -> Result<Answer, Turned> {
    if let Some(answer) = proof::key_answer(fields)? {
        return Ok(Answer::Webauthn(answer));
    }
    if fields.text("code").trim().is_empty() {
        return Err(Turned::unfit(
            "the proof of the second factor is missing: give the code that the application shows, or use the key",
        ));
    }
    Ok(Answer::Totp(fields.secret("code")))
}

/// Refuses two new passwords that differ.
pub(crate) fn same_twice(fields: &Fields, name: &str) -> Result<(), Turned> {
    if fields.text(name) == fields.text("again") {
        Ok(())
    } else {
        Err(Turned::unfit("the two passwords differ; type the same one twice"))
    }
}
