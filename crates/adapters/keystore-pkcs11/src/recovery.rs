//! What each return value of a module calls for. Pure; the table is the whole of it.

use std::time::Duration;

use cryptoki::error::RvError;

/// What to do after a call failed. Whatever it is, the session that failed is closed and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// A passing shortage: wait, and call again.
    Retry,
    /// The session or the device stumbled: open a new session, find the key again, call again.
    ReopenSession,
    /// The token forgot the login: log in, call again.
    Relogin,
    /// The object handle is stale: find the key again, call again.
    Refind,
    /// The token or the library went away: look for the token again, initialise again where that does not find it.
    Reinitialise,
    /// Calling again changes nothing, or makes it worse.
    Fail,
}

/// How often an operation is begun before its failure is reported.
pub(crate) const ATTEMPTS_MAX: u32 = 4;

/// How long to wait after the `attempt`th failure (from 1): 20, 80, 320 ms.
pub(crate) fn pause(attempt: u32) -> Duration {
    Duration::from_millis(5).saturating_mul(4_u32.saturating_pow(attempt.min(4)))
}

/// The one table of return values.
///
/// Failures to log in do not come here: [`crate::judge`] decides about those, so that no PIN is tried into a lock-out.
pub const fn classify(value: RvError) -> Recovery {
    use RvError as E;
    match value {
        E::HostMemory
        | E::DeviceMemory
        | E::FunctionFailed
        | E::SessionCount
        | E::Cancel
        | E::FunctionCanceled
        | E::ExceededMaxIterations
        | E::NewPinMode
        | E::NextOtp => Recovery::Retry,

        E::GeneralError
        | E::DeviceError
        | E::SessionClosed
        | E::SessionHandleInvalid
        | E::OperationActive
        | E::OperationNotInitialized
        | E::VendorDefined(_)
        | E::UnknownErrorCode(_) => Recovery::ReopenSession,

        E::UserNotLoggedIn => Recovery::Relogin,

        E::ObjectHandleInvalid | E::KeyHandleInvalid => Recovery::Refind,

        E::DeviceRemoved
        | E::TokenNotPresent
        | E::TokenNotRecognized
        | E::SlotIdInvalid
        | E::CryptokiNotInitialized => Recovery::Reinitialise,

        E::ActionProhibited
        | E::ArgumentsBad
        | E::AttributeReadOnly
        | E::AttributeSensitive
        | E::AttributeTypeInvalid
        | E::AttributeValueInvalid
        | E::BufferTooSmall
        | E::CantLock
        | E::CryptokiAlreadyInitialized
        | E::CurveNotSupported
        | E::DataInvalid
        | E::DataLenRange
        | E::DomainParamsInvalid
        | E::EncryptedDataInvalid
        | E::EncryptedDataLenRange
        | E::FipsSelfTestFailed
        | E::FunctionNotParallel
        | E::FunctionNotSupported
        | E::FunctionRejected
        | E::InformationSensitive
        | E::KeyChanged
        | E::KeyFunctionNotPermitted
        | E::KeyIndigestible
        | E::KeyNeeded
        | E::KeyNotNeeded
        | E::KeyNotWrappable
        | E::KeySizeRange
        | E::KeyTypeInconsistent
        | E::KeyUnextractable
        | E::LibraryLoadFailed
        | E::MechanismInvalid
        | E::MechanismParamInvalid
        | E::MutexBad
        | E::MutexNotLocked
        | E::NeedToCreateThreads
        | E::NoEvent
        | E::PinExpired
        | E::PinIncorrect
        | E::PinInvalid
        | E::PinLenRange
        | E::PinLocked
        | E::PinTooWeak
        | E::PublicKeyInvalid
        | E::RandomNoRng
        | E::RandomSeedNotSupported
        | E::SavedStateInvalid
        | E::SessionExists
        | E::SessionParallelNotSupported
        | E::SessionReadOnly
        | E::SessionReadOnlyExists
        | E::SessionReadWriteSoExists
        | E::SignatureInvalid
        | E::SignatureLenRange
        | E::StateUnsaveable
        | E::TemplateIncomplete
        | E::TemplateInconsistent
        | E::TokenWriteProtected
        | E::UnwrappingKeyHandleInvalid
        | E::UnwrappingKeySizeRange
        | E::UnwrappingKeyTypeInconsistent
        | E::UserAlreadyLoggedIn
        | E::UserAnotherAlreadyLoggedIn
        | E::UserPinNotInitialized
        | E::UserTooManyTypes
        | E::UserTypeInvalid
        | E::WrappedKeyInvalid
        | E::WrappedKeyLenRange
        | E::WrappingKeyHandleInvalid
        | E::WrappingKeySizeRange
        | E::WrappingKeyTypeInconsistent => Recovery::Fail,
    }
}

/// Whether a refused `C_GenerateKeyPair` may be refused for its template, so that a smaller one is worth a try.
/// tpm2-pkcs11 says `CKR_GENERAL_ERROR` for an attribute it does not expect.
pub(crate) const fn blames_template(value: RvError) -> bool {
    matches!(
        value,
        RvError::GeneralError
            | RvError::ArgumentsBad
            | RvError::AttributeReadOnly
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
    )
}

/// The name of a return value as the standard spells it: `CKR_DEVICE_ERROR`.
pub(crate) fn name(value: RvError) -> String {
    if let RvError::VendorDefined(code) | RvError::UnknownErrorCode(code) = value {
        return format!("CKR {code:#010x}");
    }
    let mut name = "CKR".to_owned();
    for letter in format!("{value:?}").chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// A failure of the client library in one line: the function and the return value where there is one.
pub(crate) fn describe(error: &cryptoki::error::Error) -> String {
    match error {
        cryptoki::error::Error::Pkcs11(value, function) => format!("C_{function:?}: {}", name(*value)),
        other @ (cryptoki::error::Error::LibraryLoading(_)
        | cryptoki::error::Error::NotSupported
        | cryptoki::error::Error::TryFromInt(_)
        | cryptoki::error::Error::TryFromSlice(_)
        | cryptoki::error::Error::ParseInt(_)
        | cryptoki::error::Error::Utf8(_)
        | cryptoki::error::Error::NulError(_)
        | cryptoki::error::Error::NullFunctionPointer
        | cryptoki::error::Error::MissingSymbol(_)
        | cryptoki::error::Error::InvalidValue
        | cryptoki::error::Error::PinNotSet) => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
