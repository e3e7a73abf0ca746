use crate::Body;
use crate::Case;
use crate::Contract;
use crate::Running;
use crate::skips::Skip;

/// A case with its variety chosen.
pub(crate) struct Planned<C: Contract> {
    pub(crate) name: String,
    pub(crate) act: Act<C>,
    pub(crate) skip: Option<Skip>,
}

/// What is done on the stage.
pub(crate) enum Act<C: Contract> {
    Once(for<'a> fn(&'a mut C::Stage) -> Running<'a>),
    With(
        for<'a> fn(&'a mut C::Stage, C::Variety) -> Running<'a>,
        C::Variety,
    ),
}

impl<C: Contract> Act<C> {
    pub(crate) fn begin(self, stage: &mut C::Stage) -> Running<'_> {
        match self {
            Self::Once(body) => body(stage),
            Self::With(body, variety) => body(stage, variety),
        }
    }
}

/// Every case, each variety apart, and whether the bench skips it.
pub(crate) fn plan<C: Contract>(bench: &C::Bench) -> Vec<Planned<C>> {
    let has = C::capabilities(bench);
    let mut planned = Vec::new();
    for Case { name, applies, body } in C::cases() {
        let case = name.split_once("::").map_or(name, |(_, case)| case);
        let skip = |variety| {
            if applies(&has) {
                C::skip(bench, case, variety)
            } else {
                Some(Skip::Incapable)
            }
        };
        match body {
            Body::Once(body) => planned.push(Planned {
                name: case.to_owned(),
                act: Act::Once(body),
                skip: skip(None),
            }),
            Body::Each(body) => planned.extend(C::varieties().into_iter().map(|(slug, variety)| Planned {
                name: format!("{case}::{slug}"),
                act: Act::With(body, variety),
                skip: skip(Some(variety)),
            })),
        }
    }
    planned
}
