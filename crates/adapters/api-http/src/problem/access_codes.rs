//! The codes of refusals about people, documents and machines. `api-access` says them, and its tests compare them with this.

/// Every code that the routes of access add, with the status it comes with and what it means.
pub const ACCESS_CODES: [(&str, u16, &str); 39] = [
    (
        "invalid_document",
        422,
        "A document or a value in it cannot be; the message lists every problem.",
    ),
    (
        "not_found",
        404,
        "There is no document, host or server of this name.",
    ),
    ("already_exists", 409, "A document of this name is there already."),
    (
        "not_a_document",
        400,
        "This is changed elsewhere; the message says where.",
    ),
    (
        "role_held",
        409,
        "Users or tokens bear the role; `force` removes it all the same.",
    ),
    (
        "last_editor",
        409,
        "Nobody would be left who may change anything.",
    ),
    ("locked", 403, "A lock is on the caller or the machine."),
    (
        "invalid_credentials",
        401,
        "The log-in failed; why is told to nobody but the audit log.",
    ),
    (
        "busy",
        429,
        "Too many passwords wait to be hashed; asking again helps.",
    ),
    (
        "challenge_gone",
        410,
        "The challenge was used or has ended; begin anew.",
    ),
    (
        "approval_refused",
        403,
        "What a program asked for was refused in the browser, or ended by wrong codes there.",
    ),
    (
        "wrong_approval_code",
        403,
        "The code that was typed in the browser is not the program's; three wrong ones end the request.",
    ),
    (
        "approval_void",
        410,
        "Wrong codes have ended the request; begin anew.",
    ),
    (
        "approval_from_elsewhere",
        403,
        "The program asked from another address than the browser's, and nobody said that this is known.",
    ),
    (
        "browser_login_off",
        403,
        "The cluster does not let the command line in through a browser.",
    ),
    (
        "approval_of_another",
        403,
        "What waits for an approval is for somebody else.",
    ),
    ("link_gone", 404, "The link was used, replaced or has ended."),
    (
        "weak_password",
        422,
        "The password is too short, too long or one of those that are guessed first.",
    ),
    (
        "second_factor_refused",
        422,
        "The new second factor did not prove itself.",
    ),
    (
        "factor_not_allowed",
        403,
        "The cluster does not accept this kind of second factor.",
    ),
    ("last_factor", 409, "The last second factor cannot be removed."),
    ("no_such_device", 404, "There is no second factor of this id."),
    (
        "too_many_devices",
        409,
        "There is room for no more second factors.",
    ),
    (
        "device_name_taken",
        409,
        "The user has a second factor of this name.",
    ),
    ("session_gone", 401, "The session has ended."),
    ("user_locked", 403, "A lock is on the user."),
    ("no_such_user", 404, "There is no user of this name."),
    ("not_signed_up", 404, "The user has not signed up yet."),
    (
        "bad_token",
        401,
        "The token was never given, is used up or has ended.",
    ),
    (
        "role_not_given",
        403,
        "The token does not give this system role, or no token can.",
    ),
    (
        "no_proof",
        400,
        "The certificate request is not bound to token, name and SSH key.",
    ),
    ("name_reserved", 403, "The name belongs to the cluster itself."),
    ("name_taken", 409, "Another host has this name."),
    ("not_a_member", 403, "The host was removed, or never joined."),
    (
        "bad_certificate",
        401,
        "The certificate is not of a machine of this cluster.",
    ),
    (
        "own_machine",
        409,
        "The host is the auth service's own machine, whose proxy leads to every other.",
    ),
    (
        "roles_differ",
        409,
        "The machine asks for other system roles than it joined with.",
    ),
    (
        "other_generation",
        409,
        "The rotation moved on meanwhile; ask again.",
    ),
    (
        "token_too_long",
        403,
        "Only operators make tokens that last longer.",
    ),
];
