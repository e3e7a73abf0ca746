use super::*;

const ROLE: &str =
    "{kind: role, version: v1, metadata: {name: web, revision: 7}, spec: {allow: {logins: [root]}}}";

#[test]
fn a_change_is_decided_on_what_was_shown() {
    let before = read_one(ROLE).unwrap();
    assert_eq!(changed(ROLE, &before).unwrap(), None);
    assert_eq!(
        changed(&ROLE.replace(", revision: 7", ""), &before).unwrap(),
        None,
        "the revision is not theirs to change"
    );
    let after = changed(&ROLE.replace("root", "deploy").replace("7", "9"), &before)
        .unwrap()
        .unwrap();
    assert_eq!(after.metadata().revision, Some(7));
    assert!(
        changed(&ROLE.replace("web", "db"), &before).is_err(),
        "a name stays"
    );
    assert!(changed("kind: role", &before).is_err());
    assert!(changed("", &before).is_err());
}

#[test]
fn an_editor_is_a_command_with_arguments() {
    let file = Edited::new(&"role/a:b".parse().unwrap(), "one\n").unwrap();
    let text = file.edit(&OsString::from("sed -i -e s/one/two/")).unwrap();
    assert_eq!(text, "two\n");
    assert!(file.edit(&OsString::from("false")).is_err());
    let kept = file.kept(Failure::failed("x"));
    assert!(kept.message().contains(&file.path.display().to_string()));
    assert!(file.path.exists());
    file.remove();
    assert!(!file.path.exists());
}
