//! Passwords that guessers try first. Shorter ones are not listed: they are too short anyway.

/// Whole passwords, in lower case.
const WHOLE: &[&str] = &[
    "0123456789ab",
    "0987654321ab",
    "112233445566",
    "123456123456",
    "123456789012",
    "1234567890qw",
    "1234567890qwertyuiop",
    "123456789101112",
    "123456789123",
    "123456789987654321",
    "123456789abc",
    "1234qwerasdf",
    "1234qwerasdfzxcv",
    "147258369147",
    "1a2b3c4d5e6f",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "1qazxsw23edc",
    "1qazxsw23edcvfr4",
    "741852963741",
    "789456123789",
    "987654321098",
    "a1b2c3d4e5f6",
    "a1s2d3f4g5h6",
    "abc123def456",
    "abcd1234abcd",
    "admin@123456",
    "aqswdefrgthy",
    "asdf1234asdf",
    "asdfghjkl;'",
    "asdfghjklzxcvbnm",
    "asdfqwer1234",
    "azertyuiop123",
    "battery staple",
    "correct horse battery staple",
    "correct-horse-battery-staple",
    "correcthorsebatterystaple",
    "ihatepasswords",
    "ilovemyfamily",
    "iloveyouforever",
    "iloveyousomuch",
    "jesuschrist1",
    "letmeinplease",
    "liverpoolfc1",
    "manchesterunited",
    "mypasswordis",
    "nopasswordneeded",
    "onetwothreefour",
    "opensesame12",
    "p4ssw0rdp4ssw0rd",
    "passwordisverystrong",
    "pleaseletmein",
    "q1w2e3r4t5y6",
    "q1w2e3r4t5y6u7i8",
    "qazwsxedc123",
    "qazwsxedcrfv",
    "qazwsxedcrfvtgb",
    "qazxswedcvfr",
    "qwaszxqwaszx",
    "qweasdzxc123",
    "qwer1234qwer",
    "qwerasdfzxcv",
    "qwerty123456qwerty",
    "qwertyasdfgh",
    "qwertyuiop[]",
    "qwertyuiop[]\\",
    "qwertyuiopas",
    "qwertyuiopasdf",
    "qwertyuiopasdfghjkl",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdf",
    "spongebobsquarepants",
    "thequickbrownfox",
    "thisisapassword",
    "thisismypassword",
    "trustno1trustno1",
    "whatismypassword",
    "yourpassword1",
    "youwillneverguess",
    "zaq12wsxcde3",
    "zaq1xsw2cde3",
    "zaq1xsw2cde3vfr4",
    "zxcvbnmasdfghjkl",
];

/// Words that do not become a secret by digits and signs before or behind them.
const STEMS: &[&str] = &[
    "abc",
    "admin",
    "administrator",
    "asdf",
    "asdfgh",
    "asdfghjkl",
    "azerty",
    "azertyuiop",
    "baseball",
    "batman",
    "changeit",
    "changeme",
    "changemenow",
    "charlie",
    "default",
    "dragon",
    "football",
    "guest",
    "hello",
    "helloworld",
    "iloveyou",
    "letmein",
    "login",
    "master",
    "masterpassword",
    "michael",
    "monkey",
    "motdepasse",
    "mynameis",
    "mypassword",
    "newpassword",
    "nopassword",
    "operator",
    "parola",
    "pass",
    "passphrase",
    "passw",
    "passwd",
    "password",
    "passwordpassword",
    "passwort",
    "princess",
    "qazwsx",
    "qazwsxedc",
    "qwer",
    "qwert",
    "qwerty",
    "qwertyuiop",
    "qwertz",
    "qwertzuiop",
    "root",
    "secret",
    "secretpassword",
    "senha",
    "shadow",
    "signet",
    "sommer",
    "summer",
    "sunshine",
    "superman",
    "supersecret",
    "teleport",
    "temporary",
    "test",
    "testing",
    "testtest",
    "user",
    "welcome",
    "winter",
    "zxcvbn",
    "zxcvbnm",
];

/// Whether guessers try it first. `lower` is the password in lower case.
pub(crate) fn is_frequent(lower: &str) -> bool {
    WHOLE.contains(&lower) || STEMS.contains(&stem(lower).as_str())
}

/// The word in the middle: without what is no letter on either side, and with the usual substitutes read as letters.
fn stem(lower: &str) -> String {
    let word = lower.trim_matches(|letter: char| !letter.is_alphabetic() && !matches!(letter, '@' | '$'));
    word.trim_matches(['@', '$'])
        .chars()
        .map(|letter| match letter {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_in_lower_case() {
        for list in [WHOLE, STEMS] {
            assert!(list.is_sorted());
            assert!(list.iter().all(|word| word.to_lowercase() == **word));
        }
    }

    #[test]
    fn disguises_are_seen_through() {
        for bad in [
            "password1234",
            "p@ssw0rd2024!!",
            "!!!!administrator",
            "passw0rd!!!!!",
            "qwerty123456",
        ] {
            assert!(is_frequent(bad), "{bad}");
        }
        for good in [
            "passwordless bread",
            "my dragon eats 12 rabbits",
            "rootbeer floats!",
        ] {
            assert!(!is_frequent(good), "{good}");
        }
    }
}
