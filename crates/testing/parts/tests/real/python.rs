use parts::python::Venv;

#[test]
fn scripts_get_their_arguments_and_libraries() {
    let script = "import sys, jwt, boto3, saml2, signxml, pkilint, hvac, onelogin.saml2, moto, ministack\n\
                  print(sys.argv[1])";
    let outcome = Venv::open().unwrap().run(script, ["given"]).unwrap();
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, "given\n"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_failing_script_shows_why() {
    let outcome = Venv::open()
        .unwrap()
        .run("raise SystemExit('no good')", [""; 0])
        .unwrap();
    assert!(
        outcome.code == 1 && outcome.stderr.contains("no good"),
        "{outcome:?}"
    );
}
