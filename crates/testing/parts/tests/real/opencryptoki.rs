use parts::opencryptoki::{PIN, TOKEN_LABEL, is_inside, module_path, rerun_test_inside};
use parts::pkcs11_tool::Pkcs11Tool;

#[test]
fn an_rsa_key_is_made_in_a_token_of_this_test_alone() {
    if !is_inside() {
        let name = "opencryptoki::an_rsa_key_is_made_in_a_token_of_this_test_alone";
        rerun_test_inside(name).unwrap();
        // A second run finds a fresh token.
        rerun_test_inside(name).unwrap();
        return;
    }
    let tool = Pkcs11Tool::new(&module_path().unwrap(), []).unwrap();
    assert_eq!(tool.list_objects(TOKEN_LABEL, PIN).unwrap(), []);
    tool.generate_key(TOKEN_LABEL, PIN, "rsa:2048", "host-1", "01")
        .unwrap();
    let objects = tool.list_objects(TOKEN_LABEL, PIN).unwrap();
    assert_eq!(
        objects.iter().filter(|object| object.is_private_key()).count(),
        1,
        "{objects:?}"
    );
}
