use parts::imds::{ImdsStub, Role};
use parts::process::{Outcome, run};
use parts::python::Venv;

const RESOLVE: &str = "import boto3\n\
                       c = boto3.Session().get_credentials()\n\
                       print(c.method, c.get_frozen_credentials().access_key)";

#[test]
fn boto3_finds_the_role_credentials() {
    let stub = ImdsStub::start(Role::example("signet-auth"), "eu-central-1").unwrap();
    let outcome = resolve(&stub);
    assert_eq!(
        outcome.stdout,
        "iam-role ASIAIOSFODNN7EXAMPLE\n",
        "{}\n{:?}",
        outcome.stderr,
        stub.seen()
    );
    let seen = stub.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str(), seen[0].status),
        ("PUT", "/latest/api/token", 200)
    );
    assert!(
        seen.iter()
            .any(|each| each.path.ends_with("/signet-auth") && each.status == 200),
        "{seen:?}"
    );
}

#[test]
fn nothing_is_answered_without_a_token() {
    let stub = ImdsStub::start(Role::example("signet-auth"), "eu-central-1").unwrap();
    let script = "import sys, urllib.request as u, urllib.error as e\n\
                  try: u.urlopen(sys.argv[1]); print('answered')\n\
                  except e.HTTPError as x: print(x.code)";
    let url = format!(
        "{}/latest/meta-data/iam/security-credentials/",
        stub.endpoint_url()
    );
    let outcome = Venv::open().unwrap().run(script, [url]).unwrap();
    assert_eq!(outcome.stdout, "401\n", "{}", outcome.stderr);
}

fn resolve(stub: &ImdsStub) -> Outcome {
    let mut command = Venv::open().unwrap().command("python").unwrap();
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_EC2_METADATA_DISABLED",
    ] {
        command.env_remove(name);
    }
    command
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", stub.endpoint_url())
        .env("AWS_METADATA_SERVICE_TIMEOUT", "120")
        .env("AWS_REGION", "eu-central-1");
    command
        .env("AWS_CONFIG_FILE", "/nonexistent")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    run(command.args(["-c", RESOLVE])).unwrap()
}
