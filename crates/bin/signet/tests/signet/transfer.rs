//! Copying files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

use crate::world::World;
use crate::world::mode;
use crate::world::own_account;

crate::tests! {
    files_arrive_as_they_were
    directories_go_with_everything_in_them
    what_cannot_be_copied_is_said_and_the_rest_goes_on
}

fn world() -> World {
    let world = World::new();
    world.log_in();
    world
}

fn there(path: &std::path::Path) -> String {
    format!("{}@web-1:{}", own_account(), path.display())
}

fn files_arrive_as_they_were() {
    let world = world();
    let many: Vec<u8> = (0..3_000_001_u32).map(|n| (n % 251) as u8).collect();
    for (name, content) in [
        ("many", many.as_slice()),
        ("none", b""),
        ("chunk", &many[..131_072]),
    ] {
        let (from, up, down) = (
            world.path(name),
            world.path(&format!("{name}.up")),
            world.path(&format!("{name}.down")),
        );
        fs::write(&from, content).unwrap();
        fs::set_permissions(&from, fs::Permissions::from_mode(0o640)).unwrap();
        let outcome = world.run(&["scp", "-p", from.to_str().unwrap(), &there(&up)]);
        assert!(outcome.success(), "{outcome:?}");
        assert!(fs::read(&up).unwrap() == content, "{name}");
        assert_eq!(mode(&up), 0o640);
        assert_eq!(
            fs::metadata(&up).unwrap().mtime(),
            fs::metadata(&from).unwrap().mtime()
        );
        let outcome = world.run(&["scp", "-p", &there(&up), down.to_str().unwrap()]);
        assert!(outcome.success(), "{outcome:?}");
        assert!(fs::read(&down).unwrap() == content, "{name}");
        assert_eq!(mode(&down), 0o640);
        assert_eq!(
            fs::metadata(&down).unwrap().mtime(),
            fs::metadata(&from).unwrap().mtime()
        );
    }
    // A longer file before does not shine through.
    let (short, long) = (world.path("short"), world.path("long"));
    fs::write(&short, "ab").unwrap();
    fs::write(&long, "abcdef").unwrap();
    assert!(
        world
            .run(&["scp", short.to_str().unwrap(), &there(&long)])
            .success()
    );
    assert_eq!(fs::read(&long).unwrap(), b"ab");
}

fn directories_go_with_everything_in_them() {
    let world = world();
    let tree = world.path("tree");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::create_dir(tree.join("empty")).unwrap();
    for (name, text) in [
        ("1.log", "one"),
        ("a/2.log", "two"),
        ("a/b/sp ace", "three"),
        (".hidden", "four"),
    ] {
        fs::write(tree.join(name), text).unwrap();
    }
    symlink("1.log", tree.join("link")).unwrap();
    fs::create_dir(world.path("up")).unwrap();
    let outcome = world.run(&["scp", "-r", tree.to_str().unwrap(), &there(&world.path("up"))]);
    assert!(outcome.success(), "{outcome:?}");
    let outcome = world.run(&[
        "scp",
        "-r",
        &there(&world.path("up/tree")),
        world.path("down").to_str().unwrap(),
    ]);
    assert!(outcome.success(), "{outcome:?}");
    for place in ["up/tree", "down"] {
        let read = |name: &str| fs::read_to_string(world.path(place).join(name)).unwrap();
        assert_eq!(read("1.log"), "one");
        assert_eq!(read("a/2.log"), "two");
        assert_eq!(read("a/b/sp ace"), "three");
        assert_eq!(read(".hidden"), "four");
        assert_eq!(read("link"), "one");
        assert!(world.path(place).join("empty").is_dir());
    }
    fs::create_dir(world.path("logs")).unwrap();
    let outcome = world.run(&[
        "scp",
        &there(&tree.join("*.log")),
        world.path("logs").to_str().unwrap(),
    ]);
    assert!(outcome.success(), "{outcome:?}");
    let names: Vec<_> = fs::read_dir(world.path("logs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["1.log"]);
}

fn what_cannot_be_copied_is_said_and_the_rest_goes_on() {
    let world = world();
    let (good, to) = (world.path("good"), world.path("to"));
    fs::write(&good, "good").unwrap();
    fs::create_dir(&to).unwrap();
    let missing = world.path("missing");
    let outcome = world.run(&[
        "scp",
        missing.to_str().unwrap(),
        good.to_str().unwrap(),
        &there(&to),
    ]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("missing"), "{outcome:?}");
    assert_eq!(fs::read(to.join("good")).unwrap(), b"good");
    // What fails at one end is said of that end.
    let nowhere = world.path("nowhere").join("x");
    let outcome = world.run(&["scp", good.to_str().unwrap(), &there(&nowhere)]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let blamed = format!("signet: web-1:{}: ", nowhere.display());
    assert!(outcome.stderr.contains(&blamed), "{outcome:?}");
    let outcome = world.run(&["scp", &there(&good), nowhere.to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let blamed = format!("signet: {}: ", nowhere.display());
    assert!(outcome.stderr.contains(&blamed), "{outcome:?}");
    let outcome = world.run(&["scp", &there(&missing), &there(&good), to.to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let outcome = world.run(&["scp", &there(&to), world.path("other").to_str().unwrap()]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(outcome.stderr.contains("say -r"), "{outcome:?}");
    let outcome = world.run(&["scp", good.to_str().unwrap(), &there(&good), to.to_str().unwrap()]);
    assert_eq!(outcome.code, 255, "{outcome:?}");
}
