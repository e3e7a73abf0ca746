use std::future::Future;
use std::pin::Pin;

use crate::Capabilities;
use crate::stage::Stage;

/// How a case went.
pub(crate) type Outcome = Result<(), Failure>;

/// Why a case failed: the chain of causes in one line.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self(text)
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One promise of the port.
pub(crate) struct Case {
    /// `theme::promise`.
    pub(crate) name: &'static str,
    /// Whether a backend can show it.
    pub(crate) applies: fn(&Capabilities) -> bool,
    pub(crate) body: Body,
}

/// What a case does.
pub(crate) type Body = fn(&Stage) -> Running<'_>;

/// Lists the cases of a theme: `name if |has| …;`.
macro_rules! cases {
    ($($name:ident if $applies:expr;)*) => {
        /// The cases of this theme.
        pub(crate) fn cases() -> Vec<$crate::case::Case> {
            vec![$($crate::case::Case {
                name: concat!(module_path!(), "::", stringify!($name)),
                applies: $applies,
                body: |stage| Box::pin($name(stage)),
            }),*]
        }
    };
}
pub(crate) use cases;
