//! A browser without a window and without JavaScript: it keeps cookies, reads hidden fields, and looks at every answer's headers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::Request;
use axum::http::StatusCode;
use axum::http::header;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::world::PASSWORD;
use crate::world::World;

pub(crate) const SESSION: &str = "__Host-signet";

pub(crate) struct Client {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) remote: SocketAddr,
    /// Said of every request, where set.
    pub(crate) fetch_site: Option<&'static str>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let found = self.text.split_once(&format!("name=\"{name}\" value=\""));
        let (_, rest) = found.unwrap_or_else(|| panic!("no field {name} in {}", self.text));
        unescape(rest.split('"').next().unwrap())
    }

    /// The seed of one-time codes.
    pub(crate) fn seed(&self) -> String {
        self.between("<code class=\"seed\">", "</code>")
    }

    pub(crate) fn between(&self, before: &str, after: &str) -> String {
        let (_, rest) = self
            .text
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {}", self.text));
        rest.split_once(after).unwrap().0.to_owned()
    }

    /// What an error says.
    pub(crate) fn error(&self) -> String {
        unescape(&self.between("role=\"alert\">", "</p>"))
    }

    pub(crate) fn codes(&self) -> Vec<String> {
        let parts = self.text.split("<li><code>").skip(1);
        parts
            .map(|part| part.split('<').next().unwrap().to_owned())
            .collect()
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.bytes()
        .map(|byte| {
            if plain(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

impl Client {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            router: world.router.clone(),
            cookies: BTreeMap::new(),
            remote: "192.0.2.1:40000".parse().unwrap(),
            fetch_site: None,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let request = self
            .request("POST", path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(pairs.join("&")))
            .unwrap();
        self.send(request).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.cookies {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        if let Some(site) = self.fetch_site {
            request = request.header("sec-fetch-site", site);
        }
        request
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        request.extensions_mut().insert(ConnectInfo(self.remote));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        };
        assert_headers(&asked, &answer);
        for line in answer.headers.get_all(header::SET_COOKIE) {
            self.keep(line.to_str().unwrap());
        }
        answer
    }

    fn keep(&mut self, line: &str) {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        assert!(name.starts_with("__Host-"), "{line}");
        let attributes: Vec<&str> = parts.collect();
        for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
            assert!(attributes.contains(&attribute), "{line}");
        }
        if attributes.contains(&"Max-Age=0") {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.cookies.contains_key(SESSION)
    }

    /// Signs somebody up with one-time codes; answers the seed and the page of recovery codes.
    pub(crate) async fn sign_up(&mut self, world: &World, name: &str) -> (String, Answer) {
        let path = format!("{}?factor=totp", world.invite(name).await);
        let page = self.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let seed = page.seed();
        let answer = self
            .answer_invite(&path, &page, &world.code(&seed), PASSWORD)
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        (seed, answer)
    }

    pub(crate) async fn answer_invite(
        &mut self,
        path: &str,
        page: &Answer,
        code: &str,
        password: &str,
    ) -> Answer {
        let fields = [
            ("csrf", page.hidden("csrf")),
            ("challenge", page.hidden("challenge")),
            ("factor", page.hidden("factor")),
            ("url", page.hidden("url")),
            ("user", "alice".to_owned()),
            ("new_password", password.to_owned()),
            ("again", password.to_owned()),
            ("name", "phone".to_owned()),
            ("code", code.to_owned()),
        ];
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.post(path, &fields).await
    }

    pub(crate) async fn log_in(&mut self, user: &str, password: &str, code: &str) -> Answer {
        let page = self.get("/web/login").await;
        let csrf = page.hidden("csrf");
        let fields = [
            ("csrf", csrf.as_str()),
            ("user", user),
            ("password", password),
            ("code", code),
            ("recovery_code", ""),
            ("challenge", ""),
            ("answer", ""),
        ];
        self.post("/web/login", &fields).await
    }
}

/// What every answer carries, errors and redirections included.
fn assert_headers(asked: &str, answer: &Answer) {
    let wanted = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in wanted {
        let own = answer
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("{asked}: no {name}"));
        assert_eq!(own, value, "{asked}");
    }
    let is_asset = asked.starts_with("GET /web/assets/") && answer.status == StatusCode::OK;
    let cache = if is_asset { "max-age=300" } else { "no-store" };
    assert_eq!(answer.headers[header::CACHE_CONTROL], cache, "{asked}");
    let is_page = answer
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/html; charset=utf-8");
    if is_page {
        assert_local(asked, &answer.text);
    }
}

/// Nothing inline that the policy forbids, and nothing from anywhere else.
fn assert_local(asked: &str, text: &str) {
    for forbidden in [
        " style=",
        " onclick=",
        " onload=",
        "<style",
        "http://",
        "https://",
        "javascript:",
    ] {
        assert!(!text.contains(forbidden), "{asked}: {forbidden} in {text}");
    }
    for script in text.split("<script").skip(1) {
        assert!(
            script.starts_with(" src=\"/web/assets/keys.js\" defer></script>"),
            "{asked}: {script}"
        );
    }
    assert!(text.len() < 60_000, "{asked}: {} bytes", text.len());
}
