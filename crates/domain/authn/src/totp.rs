//! One-time codes from a shared seed and the time (RFC 6238, on RFC 4226): SHA-1, 30 seconds, six digits, as every
//! authenticator application does it.

use aws_lc_rs::hmac;
use names::UnixSeconds;
use serde::Deserialize;
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::base32;

/// The bytes of a seed: 160 bits, as RFC 4226 section 4 (R6) recommends.
const SEED_BYTES: usize = 20;
/// How long a code is shown, in seconds.
const STEP_SECONDS: u64 = 30;
/// What six digits count to.
const CODES: u32 = 1_000_000;

/// A seed that server and application share.
#[derive(Clone)]
pub struct TotpSeed(Zeroizing<[u8; SEED_BYTES]>);

/// The number of a time step since 1970; each is accepted at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Step(pub u64);

impl Step {
    /// The step a moment lies in.
    pub const fn at(now: UnixSeconds) -> Self {
        Self(now.as_u64() / STEP_SECONDS)
    }
}

impl TotpSeed {
    /// A seed of random bytes.
    pub fn from_random(bytes: [u8; SEED_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The seed as it was opened from its seal; `None` when it has another length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        if bytes.len() != SEED_BYTES {
            return None;
        }
        seed.copy_from_slice(bytes);
        Some(Self(seed))
    }

    /// The bytes, to be sealed.
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The seed as people type it into an application.
    pub fn base32(&self) -> Zeroizing<String> {
        base32::encode(self.0.as_slice())
    }

    /// The address that an application reads from a QR code (`otpauth://totp/issuer:account?…`).
    pub fn otpauth_url(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let issuer = percent_encode(issuer);
        let account = percent_encode(account);
        let secret = self.base32();
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            secret.as_str()
        ))
    }

    /// The code of a step.
    pub fn code(&self, step: Step) -> Zeroizing<String> {
        Zeroizing::new(format!("{:06}", self.truncated(step) % CODES))
    }

    /// The step an entered code is of, when it is this step's, the one before or the one after, and later than the last one
    /// accepted: a code is good once. The work is the same whatever is entered.
    pub fn accept(&self, entered: &str, now: UnixSeconds, last_used: Option<Step>) -> Option<Step> {
        let digits: Zeroizing<String> =
            Zeroizing::new(entered.chars().filter(|letter| *letter != ' ').take(16).collect());
        let Step(middle) = Step::at(now);
        let mut accepted = None;
        for number in middle.saturating_sub(1)..=middle.saturating_add(1) {
            let step = Step(number);
            let is_equal: bool = self.code(step).as_bytes().ct_eq(digits.as_bytes()).into();
            let is_new = last_used.is_none_or(|last| step > last);
            if is_equal && is_new && accepted.is_none() {
                accepted = Some(step);
            }
        }
        accepted
    }

    /// Dynamic truncation (RFC 4226 section 5.3).
    fn truncated(&self, Step(number): Step) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.as_slice());
        let tag = hmac::sign(&key, &number.to_be_bytes());
        let bytes = tag.as_ref();
        let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0x0f);
        bytes
            .iter()
            .skip(offset)
            .take(4)
            .fold(0_u32, |word, byte| (word << 8) | u32::from(*byte))
            & 0x7fff_ffff
    }
}

/// Everything but the unreserved characters of RFC 3986 section 2.3.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, the seed for SHA-1.
    fn rfc_seed() -> TotpSeed {
        TotpSeed::from_random(*b"12345678901234567890")
    }

    #[test]
    fn the_vectors_of_rfc_6238_appendix_b_hold() {
        let vectors = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        for (moment, eight_digits) in vectors {
            let step = Step::at(UnixSeconds(moment));
            assert_eq!(rfc_seed().truncated(step) % 100_000_000, eight_digits, "{moment}");
            let six = format!("{:06}", eight_digits % 1_000_000);
            assert_eq!(rfc_seed().code(step).as_str(), six);
        }
    }

    #[test]
    fn the_vectors_of_rfc_4226_appendix_d_hold() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (count, code) in (0..).zip(codes) {
            assert_eq!(rfc_seed().code(Step(count)).as_str(), code);
        }
    }

    #[test]
    fn one_step_of_drift_is_accepted_and_no_more() {
        let seed = rfc_seed();
        let now = UnixSeconds(1_234_567_890);
        let Step(middle) = Step::at(now);
        for number in middle - 5..=middle + 5 {
            let accepted = seed.accept(&seed.code(Step(number)), now, None);
            let expected = (middle - 1..=middle + 1)
                .contains(&number)
                .then_some(Step(number));
            assert_eq!(accepted, expected, "{number}");
        }
    }

    #[test]
    fn each_code_is_good_once() {
        let seed = rfc_seed();
        let now = UnixSeconds(1_234_567_890);
        let Step(middle) = Step::at(now);
        let code = seed.code(Step(middle));
        let used = seed.accept(&code, now, None);
        assert_eq!(used, Some(Step(middle)));
        assert_eq!(seed.accept(&code, now, used), None);
        // What was passed over is gone as well, what comes later is not.
        assert_eq!(seed.accept(&seed.code(Step(middle - 1)), now, used), None);
        let next = seed.accept(&seed.code(Step(middle + 1)), now, used);
        assert_eq!(next, Some(Step(middle + 1)));
    }

    #[test]
    fn what_is_no_code_is_not_accepted() {
        let seed = rfc_seed();
        let now = UnixSeconds(59);
        for bad in [
            "",
            "28708",
            "2870820",
            "94287082",
            "abcdef",
            "２８７０８２",
            "-87082",
        ] {
            assert_eq!(seed.accept(bad, now, None), None, "{bad}");
        }
        assert!(seed.accept("287 082", now, None).is_some());
        assert!(seed.accept(&seed.code(Step(0)), UnixSeconds(0), None).is_some());
    }

    #[test]
    fn an_application_is_told_everything() {
        let url = rfc_seed().otpauth_url("signet.example.com", "al ice@x");
        assert_eq!(
            url.as_str(),
            "otpauth://totp/signet.example.com:al%20ice%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=signet.example.com&algorithm=SHA1&digits=6&period=30"
        );
    }
}
