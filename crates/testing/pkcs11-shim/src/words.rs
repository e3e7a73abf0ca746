//! Names of constants as the control file spells them: lower case, without the `CKR_`, `CKA_` … prefix.
//! Every place also takes a number in hexadecimal (`0x30`).

use cryptoki_sys::*;

macro_rules! table {
    ($(#[$doc:meta])* $function:ident -> $type:ty, $what:literal { $($word:literal => $value:ident,)* }) => {
        $(#[$doc])*
        pub(crate) fn $function(word: &str) -> Result<$type, String> {
            match word {
                $($word => Ok($value),)*
                _ => hexadecimal(word).ok_or_else(|| format!("`{word}` is no {} known here", $what)),
            }
        }
    };
}

fn hexadecimal(word: &str) -> Option<CK_ULONG> {
    CK_ULONG::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

table! {
    /// A `CKR_` return value.
    return_value -> CK_RV, "return value" {
        "host_memory" => CKR_HOST_MEMORY,
        "slot_id_invalid" => CKR_SLOT_ID_INVALID,
        "general_error" => CKR_GENERAL_ERROR,
        "function_failed" => CKR_FUNCTION_FAILED,
        "arguments_bad" => CKR_ARGUMENTS_BAD,
        "attribute_type_invalid" => CKR_ATTRIBUTE_TYPE_INVALID,
        "attribute_value_invalid" => CKR_ATTRIBUTE_VALUE_INVALID,
        "action_prohibited" => CKR_ACTION_PROHIBITED,
        "data_len_range" => CKR_DATA_LEN_RANGE,
        "device_error" => CKR_DEVICE_ERROR,
        "device_memory" => CKR_DEVICE_MEMORY,
        "device_removed" => CKR_DEVICE_REMOVED,
        "function_canceled" => CKR_FUNCTION_CANCELED,
        "function_not_supported" => CKR_FUNCTION_NOT_SUPPORTED,
        "key_handle_invalid" => CKR_KEY_HANDLE_INVALID,
        "key_size_range" => CKR_KEY_SIZE_RANGE,
        "key_function_not_permitted" => CKR_KEY_FUNCTION_NOT_PERMITTED,
        "mechanism_invalid" => CKR_MECHANISM_INVALID,
        "mechanism_param_invalid" => CKR_MECHANISM_PARAM_INVALID,
        "object_handle_invalid" => CKR_OBJECT_HANDLE_INVALID,
        "operation_active" => CKR_OPERATION_ACTIVE,
        "operation_not_initialized" => CKR_OPERATION_NOT_INITIALIZED,
        "pin_incorrect" => CKR_PIN_INCORRECT,
        "pin_expired" => CKR_PIN_EXPIRED,
        "pin_locked" => CKR_PIN_LOCKED,
        "session_closed" => CKR_SESSION_CLOSED,
        "session_count" => CKR_SESSION_COUNT,
        "session_handle_invalid" => CKR_SESSION_HANDLE_INVALID,
        "session_read_only" => CKR_SESSION_READ_ONLY,
        "template_incomplete" => CKR_TEMPLATE_INCOMPLETE,
        "template_inconsistent" => CKR_TEMPLATE_INCONSISTENT,
        "token_not_present" => CKR_TOKEN_NOT_PRESENT,
        "token_not_recognized" => CKR_TOKEN_NOT_RECOGNIZED,
        "token_write_protected" => CKR_TOKEN_WRITE_PROTECTED,
        "user_already_logged_in" => CKR_USER_ALREADY_LOGGED_IN,
        "user_not_logged_in" => CKR_USER_NOT_LOGGED_IN,
        "user_pin_not_initialized" => CKR_USER_PIN_NOT_INITIALIZED,
        "cryptoki_not_initialized" => CKR_CRYPTOKI_NOT_INITIALIZED,
    }
}

table! {
    /// A `CKF_` flag of a token.
    token_flag -> CK_FLAGS, "token flag" {
        "user_pin_count_low" => CKF_USER_PIN_COUNT_LOW,
        "user_pin_final_try" => CKF_USER_PIN_FINAL_TRY,
        "user_pin_locked" => CKF_USER_PIN_LOCKED,
        "write_protected" => CKF_WRITE_PROTECTED,
        "error_state" => CKF_ERROR_STATE,
    }
}

table! {
    /// A `CKM_` mechanism.
    mechanism -> CK_MECHANISM_TYPE, "mechanism" {
        "ec_key_pair_gen" => CKM_EC_KEY_PAIR_GEN,
        "ecdsa" => CKM_ECDSA,
        "eddsa" => CKM_EDDSA,
        "ec_edwards_key_pair_gen" => CKM_EC_EDWARDS_KEY_PAIR_GEN,
        "rsa_pkcs" => CKM_RSA_PKCS,
        "rsa_pkcs_pss" => CKM_RSA_PKCS_PSS,
        "rsa_pkcs_key_pair_gen" => CKM_RSA_PKCS_KEY_PAIR_GEN,
    }
}

table! {
    /// A `CKA_` attribute.
    attribute -> CK_ATTRIBUTE_TYPE, "attribute" {
        "token" => CKA_TOKEN,
        "private" => CKA_PRIVATE,
        "sensitive" => CKA_SENSITIVE,
        "extractable" => CKA_EXTRACTABLE,
        "always_sensitive" => CKA_ALWAYS_SENSITIVE,
        "never_extractable" => CKA_NEVER_EXTRACTABLE,
        "local" => CKA_LOCAL,
        "sign" => CKA_SIGN,
        "verify" => CKA_VERIFY,
        "id" => CKA_ID,
        "label" => CKA_LABEL,
        "modifiable" => CKA_MODIFIABLE,
        "copyable" => CKA_COPYABLE,
        "destroyable" => CKA_DESTROYABLE,
        "wrap_with_trusted" => CKA_WRAP_WITH_TRUSTED,
    }
}
