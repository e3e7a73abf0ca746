//! The functions of the module: each passes through the gate of [`crate::state`] to the real one.
#![expect(
    unsafe_code,
    reason = "a PKCS#11 module is a table of `extern \"C\"` functions over raw pointers"
)]
#![expect(non_snake_case, reason = "the functions bear the names of the standard")]

use std::ffi::{CStr, c_char, c_void};
use std::slice;

use cryptoki_sys::*;

use crate::control::Kind;
use crate::state::{self, gate, gate_of};

type Slot = CK_SLOT_ID;
type Session = CK_SESSION_HANDLE;
type Object = CK_OBJECT_HANDLE;
type ObjectOut = *mut CK_OBJECT_HANDLE;
type Mechanism = *mut CK_MECHANISM;
type Template = *mut CK_ATTRIBUTE;
type Bytes = *mut CK_BYTE;
type Text = *mut CK_UTF8CHAR;
type Length = *mut CK_ULONG;

/// Calls the real function of this name.
macro_rules! real {
    ($function:ident($($argument:expr),*)) => {
        match state::real().and_then(|list| list.$function) {
            // SAFETY: the arguments are the caller's own, passed on unchanged; the module stays loaded for ever.
            Some(function) => unsafe { function($($argument),*) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}

/// Functions that need no more than the gate.
macro_rules! forward {
    ($($kind:ident: $function:ident($($name:ident: $type:ty),*);)*) => {
        $(unsafe extern "C" fn $function($($name: $type),*) -> CK_RV {
            gate(stringify!($function), Kind::$kind, || real!($function($($name),*)))
        })*
    };
}

/// The names of all functions, and the table of them.
macro_rules! table {
    ($($function:ident,)*) => {
        /// Every function of the table, in its order.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($function)),*];

        static TABLE: CK_FUNCTION_LIST =
            CK_FUNCTION_LIST { version: CK_VERSION { major: 2, minor: 40 }, $($function: Some($function)),* };
    };
}

table! {
    C_Initialize, C_Finalize, C_GetInfo, C_GetFunctionList, C_GetSlotList, C_GetSlotInfo,
    C_GetTokenInfo, C_GetMechanismList, C_GetMechanismInfo, C_InitToken, C_InitPIN, C_SetPIN,
    C_OpenSession, C_CloseSession, C_CloseAllSessions, C_GetSessionInfo, C_GetOperationState,
    C_SetOperationState, C_Login, C_Logout, C_CreateObject, C_CopyObject, C_DestroyObject,
    C_GetObjectSize, C_GetAttributeValue, C_SetAttributeValue, C_FindObjectsInit, C_FindObjects,
    C_FindObjectsFinal, C_EncryptInit, C_Encrypt, C_EncryptUpdate, C_EncryptFinal, C_DecryptInit,
    C_Decrypt, C_DecryptUpdate, C_DecryptFinal, C_DigestInit, C_Digest, C_DigestUpdate, C_DigestKey,
    C_DigestFinal, C_SignInit, C_Sign, C_SignUpdate, C_SignFinal, C_SignRecoverInit, C_SignRecover,
    C_VerifyInit, C_Verify, C_VerifyUpdate, C_VerifyFinal, C_VerifyRecoverInit, C_VerifyRecover,
    C_DigestEncryptUpdate, C_DecryptDigestUpdate, C_SignEncryptUpdate, C_DecryptVerifyUpdate,
    C_GenerateKey, C_GenerateKeyPair, C_WrapKey, C_UnwrapKey, C_DeriveKey, C_SeedRandom,
    C_GenerateRandom, C_GetFunctionStatus, C_CancelFunction, C_WaitForSlotEvent,
}

forward! {
    Library: C_Initialize(a: *mut c_void);
    Slot: C_GetSlotInfo(a: Slot, b: *mut CK_SLOT_INFO);
    Slot: C_GetMechanismInfo(a: Slot, b: CK_MECHANISM_TYPE, c: *mut CK_MECHANISM_INFO);
    Slot: C_InitToken(a: Slot, b: Text, c: CK_ULONG, d: Text);
    Session: C_InitPIN(a: Session, b: Text, c: CK_ULONG);
    Session: C_SetPIN(a: Session, b: Text, c: CK_ULONG, d: Text, e: CK_ULONG);
    Session: C_GetSessionInfo(a: Session, b: *mut CK_SESSION_INFO);
    Session: C_GetOperationState(a: Session, b: Bytes, c: Length);
    Session: C_SetOperationState(a: Session, b: Bytes, c: CK_ULONG, d: Object, e: Object);
    Session: C_Login(a: Session, b: CK_USER_TYPE, c: Text, d: CK_ULONG);
    Session: C_Logout(a: Session);
    Session: C_CreateObject(a: Session, b: Template, c: CK_ULONG, d: ObjectOut);
    Session: C_CopyObject(a: Session, b: Object, c: Template, d: CK_ULONG, e: ObjectOut);
    Session: C_DestroyObject(a: Session, b: Object);
    Session: C_GetObjectSize(a: Session, b: Object, c: Length);
    Session: C_SetAttributeValue(a: Session, b: Object, c: Template, d: CK_ULONG);
    Session: C_FindObjectsInit(a: Session, b: Template, c: CK_ULONG);
    Session: C_FindObjects(a: Session, b: ObjectOut, c: CK_ULONG, d: Length);
    Session: C_FindObjectsFinal(a: Session);
    Session: C_EncryptInit(a: Session, b: Mechanism, c: Object);
    Session: C_Encrypt(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_EncryptUpdate(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_EncryptFinal(a: Session, b: Bytes, c: Length);
    Session: C_DecryptInit(a: Session, b: Mechanism, c: Object);
    Session: C_Decrypt(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_DecryptUpdate(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_DecryptFinal(a: Session, b: Bytes, c: Length);
    Session: C_DigestInit(a: Session, b: Mechanism);
    Session: C_Digest(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_DigestUpdate(a: Session, b: Bytes, c: CK_ULONG);
    Session: C_DigestKey(a: Session, b: Object);
    Session: C_DigestFinal(a: Session, b: Bytes, c: Length);
    Session: C_SignInit(a: Session, b: Mechanism, c: Object);
    Session: C_SignUpdate(a: Session, b: Bytes, c: CK_ULONG);
    Session: C_SignFinal(a: Session, b: Bytes, c: Length);
    Session: C_SignRecoverInit(a: Session, b: Mechanism, c: Object);
    Session: C_SignRecover(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_VerifyInit(a: Session, b: Mechanism, c: Object);
    Session: C_Verify(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: CK_ULONG);
    Session: C_VerifyUpdate(a: Session, b: Bytes, c: CK_ULONG);
    Session: C_VerifyFinal(a: Session, b: Bytes, c: CK_ULONG);
    Session: C_VerifyRecoverInit(a: Session, b: Mechanism, c: Object);
    Session: C_VerifyRecover(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_DigestEncryptUpdate(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_DecryptDigestUpdate(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_SignEncryptUpdate(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_DecryptVerifyUpdate(a: Session, b: Bytes, c: CK_ULONG, d: Bytes, e: Length);
    Session: C_GenerateKey(a: Session, b: Mechanism, c: Template, d: CK_ULONG, e: ObjectOut);
    Session: C_WrapKey(a: Session, b: Mechanism, c: Object, d: Object, e: Bytes, f: Length);
    Session: C_UnwrapKey(a: Session, b: Mechanism, c: Object, d: Bytes, e: CK_ULONG, f: Template, g: CK_ULONG, h: ObjectOut);
    Session: C_DeriveKey(a: Session, b: Mechanism, c: Object, d: Template, e: CK_ULONG, f: ObjectOut);
    Session: C_SeedRandom(a: Session, b: Bytes, c: CK_ULONG);
    Session: C_GenerateRandom(a: Session, b: Bytes, c: CK_ULONG);
    Session: C_GetFunctionStatus(a: Session);
    Session: C_CancelFunction(a: Session);
    Library: C_WaitForSlotEvent(a: CK_FLAGS, b: *mut CK_SLOT_ID, c: *mut c_void);
}

/// The one symbol a PKCS#11 module must export.
///
/// # Safety
/// `list` is null or points to a writable pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    // SAFETY: the caller's promise.
    let Some(list) = (unsafe { list.as_mut() }) else {
        return CKR_ARGUMENTS_BAD;
    };
    if state::real().is_none() {
        return CKR_GENERAL_ERROR;
    }
    *list = (&raw const TABLE).cast_mut();
    CKR_OK
}

/// How often the function of this name was called; `u64::MAX` where there is no such function.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signet_shim_calls(name: *const c_char) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { about(name, state::calls) }
}

/// How many calls of the function of this name were under way at the same time, at most, since the orders last changed;
/// `u64::MAX` where there is no such function.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn signet_shim_most_at_once(name: *const c_char) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { about(name, state::most_at_once) }
}

/// # Safety
/// `name` is null or a C string.
unsafe fn about(name: *const c_char, answer: impl FnOnce(&str) -> u64) -> u64 {
    if name.is_null() {
        return u64::MAX;
    }
    // SAFETY: the caller's promise.
    let name = unsafe { CStr::from_ptr(name) };
    match name.to_str() {
        Ok(name) if NAMES.contains(&name) => answer(name),
        Ok(_) | Err(_) => u64::MAX,
    }
}

unsafe extern "C" fn C_Finalize(reserved: *mut c_void) -> CK_RV {
    let value = gate("C_Finalize", Kind::Library, || real!(C_Finalize(reserved)));
    state::forget_sessions(None);
    state::dump();
    value
}

unsafe extern "C" fn C_GetInfo(info: *mut CK_INFO) -> CK_RV {
    let value = gate("C_GetInfo", Kind::Library, || real!(C_GetInfo(info)));
    // SAFETY: the module accepted the pointer.
    if let (CKR_OK, Some(info)) = (value, unsafe { info.as_mut() })
        && let Some(name) = state::look(|control| control.manufacturer.clone())
    {
        write_padded(&mut info.manufacturerID, &name);
    }
    value
}

unsafe extern "C" fn C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    let value = gate("C_GetTokenInfo", Kind::Slot, || real!(C_GetTokenInfo(slot, info)));
    // SAFETY: the module accepted the pointer.
    if let (CKR_OK, Some(info)) = (value, unsafe { info.as_mut() }) {
        let (flags, name, sessions_max) = state::look(|control| {
            (
                control.token_flags,
                control.manufacturer.clone(),
                control.sessions_max,
            )
        });
        info.flags |= flags;
        if let Some(name) = name {
            write_padded(&mut info.manufacturerID, &name);
        }
        if let Some(sessions_max) = sessions_max {
            info.ulMaxSessionCount = sessions_max;
            info.ulMaxRwSessionCount = sessions_max;
            info.ulSessionCount = state::sessions_open();
        }
    }
    value
}

/// Text fields of the standard are padded with blanks and not terminated.
fn write_padded(field: &mut [CK_UTF8CHAR], text: &str) {
    for (to, from) in field.iter_mut().zip(text.bytes().chain(std::iter::repeat(b' '))) {
        *to = from;
    }
}

unsafe extern "C" fn C_GetSlotList(present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG) -> CK_RV {
    gate("C_GetSlotList", Kind::Library, || {
        if present != CK_FALSE && state::look(|control| control.token_removed) {
            // SAFETY: the caller's pointer, as the standard wants it.
            return match unsafe { count.as_mut() } {
                Some(count) => {
                    *count = 0;
                    CKR_OK
                }
                None => CKR_ARGUMENTS_BAD,
            };
        }
        real!(C_GetSlotList(present, slots, count))
    })
}

unsafe extern "C" fn C_GetMechanismList(
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    let value = gate("C_GetMechanismList", Kind::Slot, || {
        real!(C_GetMechanismList(slot, list, count))
    });
    let hidden = state::look(|control| control.hidden_mechanisms.clone());
    if value == CKR_OK && !list.is_null() && !hidden.is_empty() {
        // SAFETY: the module filled `*count` entries. The first call, which asks for the number alone, may
        // name more than the second fills: callers must take the second for the truth, and do.
        unsafe {
            let all = slice::from_raw_parts_mut(list, usize::try_from(*count).unwrap_or(0));
            let kept: Vec<_> = all
                .iter()
                .copied()
                .filter(|mechanism| !hidden.contains(mechanism))
                .collect();
            for (to, from) in all.iter_mut().zip(&kept) {
                *to = *from;
            }
            *count = CK_ULONG::try_from(kept.len()).unwrap_or(0);
        }
    }
    value
}

unsafe extern "C" fn C_OpenSession(
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    application: *mut c_void,
    notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    gate("C_OpenSession", Kind::Slot, || {
        if !state::reserve_session() {
            return CKR_SESSION_COUNT;
        }
        let value = real!(C_OpenSession(slot, flags, application, notify, session));
        // SAFETY: on success the module wrote the handle.
        state::settle_session((value == CKR_OK).then(|| (unsafe { *session }, slot)));
        value
    })
}

unsafe extern "C" fn C_CloseSession(session: CK_SESSION_HANDLE) -> CK_RV {
    gate("C_CloseSession", Kind::Session, || {
        let value = real!(C_CloseSession(session));
        state::forget_session(session);
        value
    })
}

unsafe extern "C" fn C_CloseAllSessions(slot: CK_SLOT_ID) -> CK_RV {
    gate("C_CloseAllSessions", Kind::Slot, || {
        let value = real!(C_CloseAllSessions(slot));
        state::forget_sessions(Some(slot));
        value
    })
}

unsafe extern "C" fn C_GetAttributeValue(
    session: Session,
    object: Object,
    template: Template,
    count: CK_ULONG,
) -> CK_RV {
    let value = gate("C_GetAttributeValue", Kind::Session, || {
        real!(C_GetAttributeValue(session, object, template, count))
    });
    let lies = state::look(|control| control.lies.clone());
    if value == CKR_OK && !lies.is_empty() {
        // SAFETY: the module accepted the template.
        for attribute in unsafe { attributes_mut(template, count) } {
            let lie = lies.iter().find(|(kind, _)| *kind == attribute.type_);
            if let Some((_, lie)) = lie
                && attribute.ulValueLen == 1
                && !attribute.pValue.is_null()
            {
                // SAFETY: the module filled one byte here.
                unsafe { *attribute.pValue.cast::<CK_BBOOL>() = if *lie { CK_TRUE } else { CK_FALSE } };
            }
        }
    }
    value
}

unsafe extern "C" fn C_GenerateKeyPair(
    session: Session,
    mechanism: Mechanism,
    public: Template,
    public_count: CK_ULONG,
    private: Template,
    private_count: CK_ULONG,
    public_key: ObjectOut,
    private_key: ObjectOut,
) -> CK_RV {
    gate("C_GenerateKeyPair", Kind::Session, || {
        let refused = state::look(|control| control.refused_attributes.clone());
        // SAFETY: the caller's templates, as the standard wants them.
        let asked = unsafe {
            attributes_mut(public, public_count)
                .iter()
                .chain(attributes_mut(private, private_count).iter())
        };
        let asked: Vec<_> = asked.map(|attribute| attribute.type_).collect();
        if let Some((_, value)) = refused.iter().find(|(kind, _)| asked.contains(kind)) {
            return *value;
        }
        real!(C_GenerateKeyPair(
            session,
            mechanism,
            public,
            public_count,
            private,
            private_count,
            public_key,
            private_key
        ))
    })
}

unsafe extern "C" fn C_Sign(
    session: Session,
    data: Bytes,
    size: CK_ULONG,
    signature: Bytes,
    signature_size: Length,
) -> CK_RV {
    // Asking for the size of a signature makes none: a token answers at once, and clients ask before each
    // signature. Counting it or slowing it down would double everything.
    let name = if signature.is_null() {
        "C_Sign (size)"
    } else {
        "C_Sign"
    };
    gate_of(name, Kind::Session, Some(session), || {
        real!(C_Sign(session, data, size, signature, signature_size))
    })
}

/// # Safety
/// `template` is null or points to `count` attributes that nobody else uses meanwhile.
unsafe fn attributes_mut<'a>(template: Template, count: CK_ULONG) -> &'a mut [CK_ATTRIBUTE] {
    let count = usize::try_from(count).unwrap_or(0);
    if template.is_null() || count == 0 {
        return &mut [];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(template, count) }
}

/// Closes every session of this slot in the real module.
pub(crate) fn close_all(slot: CK_SLOT_ID) {
    real!(C_CloseAllSessions(slot));
}

/// Logs out through this session in the real module.
pub(crate) fn log_out(session: CK_SESSION_HANDLE) {
    real!(C_Logout(session));
}
