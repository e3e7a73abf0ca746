use std::future::Future;
use std::pin::Pin;

use crate::Contract;

/// How a case went.
pub type Outcome = Result<(), Failure>;

/// Why a case failed: the chain of causes in one line.
#[derive(Debug)]
pub struct Failure(pub String);

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

/// A case under way.
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One promise of a port.
pub struct Case<C: Contract> {
    /// `crate::theme::promise`; what comes after the crate names the case.
    pub name: &'static str,
    /// Whether a backend can show it.
    pub applies: fn(&C::Capabilities) -> bool,
    /// What shows it.
    pub body: Body<C>,
}

/// What a case does.
pub enum Body<C: Contract> {
    /// Shown once.
    Once(for<'a> fn(&'a mut C::Stage) -> Running<'a>),
    /// Shown with each variety.
    Each(for<'a> fn(&'a mut C::Stage, C::Variety) -> Running<'a>),
}

/// Lists the cases of a theme, each an `async fn` of that name beside the list: `for` the contract, then either
/// `name if |has| …;` or, where some are shown with each variety, `once name if |has| …;` and `each name if |has| …;`.
#[macro_export]
macro_rules! cases {
    (for $contract:ty; $($name:ident if $applies:expr;)*) => {
        $crate::cases! { for $contract; $(once $name if $applies;)* }
    };
    (for $contract:ty; $($kind:ident $name:ident if $applies:expr;)*) => {
        /// The cases of this theme.
        pub(crate) fn cases() -> Vec<$crate::Case<$contract>> {
            vec![$($crate::Case {
                name: concat!(module_path!(), "::", stringify!($name)),
                applies: $applies,
                body: $crate::cases!(@body $kind $name),
            }),*]
        }
    };
    (@body once $name:ident) => { $crate::Body::Once(|stage| Box::pin($name(stage))) };
    (@body each $name:ident) => { $crate::Body::Each(|stage, variety| Box::pin($name(stage, variety))) };
}

/// Fails the case unless the result is the error wanted.
#[macro_export]
macro_rules! refused {
    ($result:expr, $wanted:pat) => {
        match $result {
            Err($wanted) => {}
            Err(other) => {
                return Err($crate::Failure(format!(
                    "wanted {}, got {other:?}",
                    stringify!($wanted)
                )));
            }
            Ok(_) => {
                return Err($crate::Failure(format!(
                    "wanted {}, got success",
                    stringify!($wanted)
                )));
            }
        }
    };
}
