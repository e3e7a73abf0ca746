use super::*;

#[test]
fn a_path_is_recognised_with_and_without_its_id() {
    assert!(is_at(Route::Key, "/v1/keys/abc"));
    assert!(is_at(Route::KeyRetire, "/v1/keys/abc/retire"));
    assert!(is_at(Route::Status, "/v1/status"));
    for other in [
        "/v1/keys/",
        "/v1/keys",
        "/v1/keys/abc/def",
        "/v1/status/",
        "//v1/status",
        "",
    ] {
        assert!(!is_at(Route::Key, other), "{other}");
        assert!(!is_at(Route::Status, other), "{other}");
    }
}
