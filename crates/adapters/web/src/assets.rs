//! What pages load besides themselves: a style sheet, a script for keys, an icon.

use axum::http::HeaderName;
use axum::http::header;

type Asset = ([(HeaderName, &'static str); 2], &'static str);

/// How long browsers keep them: an upgrade shows soon.
const KEPT: &str = "max-age=300";

pub(crate) async fn style() -> Asset {
    asset("text/css; charset=utf-8", include_str!("../assets/style.css"))
}

pub(crate) async fn keys() -> Asset {
    asset(
        "text/javascript; charset=utf-8",
        include_str!("../assets/keys.js"),
    )
}

pub(crate) async fn icon() -> Asset {
    asset("image/svg+xml", include_str!("../assets/icon.svg"))
}

const fn asset(media_type: &'static str, content: &'static str) -> Asset {
    (
        [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, KEPT)],
        content,
    )
}
