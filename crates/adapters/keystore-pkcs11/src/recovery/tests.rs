use super::*;

/// Every value the client library knows.
const ALL: &[RvError] = &[
    RvError::Cancel,
    RvError::HostMemory,
    RvError::SlotIdInvalid,
    RvError::GeneralError,
    RvError::FunctionFailed,
    RvError::ArgumentsBad,
    RvError::NoEvent,
    RvError::NeedToCreateThreads,
    RvError::CantLock,
    RvError::AttributeReadOnly,
    RvError::AttributeSensitive,
    RvError::AttributeTypeInvalid,
    RvError::AttributeValueInvalid,
    RvError::ActionProhibited,
    RvError::DataInvalid,
    RvError::DataLenRange,
    RvError::DeviceError,
    RvError::DeviceMemory,
    RvError::DeviceRemoved,
    RvError::EncryptedDataInvalid,
    RvError::EncryptedDataLenRange,
    RvError::FunctionCanceled,
    RvError::FunctionNotParallel,
    RvError::FunctionNotSupported,
    RvError::CurveNotSupported,
    RvError::KeyHandleInvalid,
    RvError::KeySizeRange,
    RvError::KeyTypeInconsistent,
    RvError::KeyNotNeeded,
    RvError::KeyChanged,
    RvError::KeyNeeded,
    RvError::KeyIndigestible,
    RvError::KeyFunctionNotPermitted,
    RvError::KeyNotWrappable,
    RvError::KeyUnextractable,
    RvError::MechanismInvalid,
    RvError::MechanismParamInvalid,
    RvError::ObjectHandleInvalid,
    RvError::OperationActive,
    RvError::OperationNotInitialized,
    RvError::PinIncorrect,
    RvError::PinInvalid,
    RvError::PinLenRange,
    RvError::PinExpired,
    RvError::PinLocked,
    RvError::SessionClosed,
    RvError::SessionCount,
    RvError::SessionHandleInvalid,
    RvError::SessionParallelNotSupported,
    RvError::SessionReadOnly,
    RvError::SessionExists,
    RvError::SessionReadOnlyExists,
    RvError::SessionReadWriteSoExists,
    RvError::SignatureInvalid,
    RvError::SignatureLenRange,
    RvError::TemplateIncomplete,
    RvError::TemplateInconsistent,
    RvError::TokenNotPresent,
    RvError::TokenNotRecognized,
    RvError::TokenWriteProtected,
    RvError::UnwrappingKeyHandleInvalid,
    RvError::UnwrappingKeySizeRange,
    RvError::UnwrappingKeyTypeInconsistent,
    RvError::UserAlreadyLoggedIn,
    RvError::UserNotLoggedIn,
    RvError::UserPinNotInitialized,
    RvError::UserTypeInvalid,
    RvError::UserAnotherAlreadyLoggedIn,
    RvError::UserTooManyTypes,
    RvError::WrappedKeyInvalid,
    RvError::WrappedKeyLenRange,
    RvError::WrappingKeyHandleInvalid,
    RvError::WrappingKeySizeRange,
    RvError::WrappingKeyTypeInconsistent,
    RvError::RandomSeedNotSupported,
    RvError::RandomNoRng,
    RvError::DomainParamsInvalid,
    RvError::BufferTooSmall,
    RvError::SavedStateInvalid,
    RvError::InformationSensitive,
    RvError::StateUnsaveable,
    RvError::CryptokiNotInitialized,
    RvError::CryptokiAlreadyInitialized,
    RvError::MutexBad,
    RvError::MutexNotLocked,
    RvError::NewPinMode,
    RvError::NextOtp,
    RvError::ExceededMaxIterations,
    RvError::FipsSelfTestFailed,
    RvError::LibraryLoadFailed,
    RvError::PinTooWeak,
    RvError::PublicKeyInvalid,
    RvError::FunctionRejected,
    RvError::VendorDefined(0x8000_0001),
    RvError::UnknownErrorCode(0x7f),
];

/// The values that call for something other than giving up; written out a second time on purpose.
const RECOVERABLE: &[(Recovery, &[RvError])] = &[
    (
        Recovery::Retry,
        &[
            RvError::HostMemory,
            RvError::DeviceMemory,
            RvError::FunctionFailed,
            RvError::SessionCount,
            RvError::Cancel,
            RvError::FunctionCanceled,
            RvError::ExceededMaxIterations,
            RvError::NewPinMode,
            RvError::NextOtp,
        ],
    ),
    (
        Recovery::ReopenSession,
        &[
            RvError::GeneralError,
            RvError::DeviceError,
            RvError::SessionClosed,
            RvError::SessionHandleInvalid,
            RvError::OperationActive,
            RvError::OperationNotInitialized,
            RvError::VendorDefined(0x8000_0001),
            RvError::UnknownErrorCode(0x7f),
        ],
    ),
    (Recovery::Relogin, &[RvError::UserNotLoggedIn]),
    (
        Recovery::Refind,
        &[RvError::ObjectHandleInvalid, RvError::KeyHandleInvalid],
    ),
    (
        Recovery::Reinitialise,
        &[
            RvError::DeviceRemoved,
            RvError::TokenNotPresent,
            RvError::TokenNotRecognized,
            RvError::SlotIdInvalid,
            RvError::CryptokiNotInitialized,
        ],
    ),
];

#[test]
fn every_return_value_has_its_recovery() {
    for value in ALL {
        let expected = RECOVERABLE
            .iter()
            .find(|(_, values)| values.contains(value))
            .map(|(recovery, _)| *recovery);
        assert_eq!(classify(*value), expected.unwrap_or(Recovery::Fail), "{value:?}");
    }
    let recoverable: usize = RECOVERABLE.iter().map(|(_, values)| values.len()).sum();
    assert_eq!(
        ALL.iter()
            .filter(|value| classify(**value) != Recovery::Fail)
            .count(),
        recoverable
    );
}

#[test]
fn pin_failures_are_never_retried() {
    for value in ALL.iter().filter(|value| format!("{value:?}").contains("Pin")) {
        // `CKR_NEW_PIN_MODE` and the like of one-time passwords never answer a call that is not a login.
        let is_final = classify(*value) == Recovery::Fail || *value == RvError::NewPinMode;
        assert!(is_final, "{value:?}");
    }
}

#[test]
fn values_are_named_as_in_the_standard() {
    assert_eq!(name(RvError::SessionHandleInvalid), "CKR_SESSION_HANDLE_INVALID");
    assert_eq!(name(RvError::VendorDefined(0x8000_0001)), "CKR 0x80000001");
}

#[test]
fn pauses_grow_and_stay_short() {
    let pauses: Vec<_> = (1..ATTEMPTS_MAX)
        .map(|attempt| pause(attempt).as_millis())
        .collect();
    assert_eq!(pauses, [20, 80, 320]);
}
