use std::sync::Arc;

use contract::Failure;
use contract::Outcome;
use contract::cases;
use state::Expect;
use state::StateKey;

use crate::stage::Stage;
use crate::stage::at;
use crate::stage::delete;
use crate::stage::paths;
use crate::stage::put;
use crate::stage::set;
use crate::suite::StateContract;

cases! {
    for StateContract;
    a_folder_holds_what_lies_in_it_in_order if |_| true;
    names_of_folders_are_not_patterns if |_| true;
    odd_folders_are_empty if |_| true;
    pages_show_everything_once if |_| true;
    a_page_begins_after_any_path if |_| true;
    removed_documents_are_not_listed if |_| true;
    a_page_is_a_snapshot if |_| true;
}

async fn a_folder_holds_what_lies_in_it_in_order(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for path in [
        "ab/c", "a/c", "a", "a.b/c", "a-b/c", "a/b/c", "A/b", "a/b", "b", "a0/b", "a/_", "a/B",
    ] {
        set(&*state, path, path).await?;
    }
    let page = state.list("a", None, 100).await?;
    assert_eq!(paths(&page.entries), ["a/B", "a/_", "a/b", "a/b/c", "a/c"]);
    assert!(
        page.entries
            .iter()
            .all(|entry| entry.value == entry.key.as_str().as_bytes())
    );
    assert_eq!(page.next, None);
    assert_eq!(paths(&state.list("a/b", None, 100).await?.entries), ["a/b/c"]);
    let everything = state.list("", None, 100).await?.entries;
    assert_eq!(everything.len(), 12);
    assert!(everything.is_sorted_by(|one, two| one.key < two.key));
    Ok(())
}

async fn names_of_folders_are_not_patterns(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for path in ["axc/d", "a_c/d", "a%c/d".replace('%', ".").as_str()] {
        set(&*state, path, "1").await?;
    }
    assert_eq!(paths(&state.list("a_c", None, 100).await?.entries), ["a_c/d"]);
    assert_eq!(paths(&state.list("a.c", None, 100).await?.entries), ["a.c/d"]);
    for pattern in ["%", "a%", "*", "a?c", "[a-z]*"] {
        assert_eq!(state.list(pattern, None, 100).await?.entries, [], "{pattern}");
    }
    Ok(())
}

async fn odd_folders_are_empty(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let revision = set(&*state, "a/b/c", "1").await?;
    for folder in ["/", "a/", "/a", "a//b", "a/b/c", "ä", "\0", "'; --", " "] {
        let page = state.list(folder, None, 100).await?;
        assert_eq!(
            (page.entries, page.next, page.revision),
            (vec![], None, revision),
            "{folder:?}"
        );
        assert_eq!(
            state.changes(folder, state::Revision(0), 10).await?,
            [],
            "{folder:?}"
        );
    }
    Ok(())
}

async fn pages_show_everything_once(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    let mut wanted = Vec::new();
    for number in 0..56 {
        let path = format!("a/{number:02}");
        set(&*state, &path, "1").await?;
        wanted.push(path);
    }
    set(&*state, "b/00", "1").await?;
    for limit in [1, 7, 8, 55, 56, 57] {
        let mut found = Vec::new();
        let mut after: Option<StateKey> = None;
        let mut pages = 0;
        loop {
            let page = state.list("a", after.as_ref(), limit).await?;
            pages += 1;
            assert!(page.entries.len() <= limit);
            found.extend(page.entries.into_iter().map(|entry| String::from(entry.key)));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!(found, wanted, "in pages of {limit}");
        // A last page that is full knows that it is the last.
        assert_eq!(pages, 56_usize.div_ceil(limit), "in pages of {limit}");
    }
    Ok(())
}

async fn a_page_begins_after_any_path(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for path in ["a/1", "a/3", "a/5"] {
        set(&*state, path, "1").await?;
    }
    let cases: [(&str, &[&str]); 6] = [
        ("a/3", &["a/5"]),
        ("a/2", &["a/3", "a/5"]),
        ("a/5", &[]),
        ("b/9", &[]),
        ("A", &["a/1", "a/3", "a/5"]),
        ("a", &["a/1", "a/3", "a/5"]),
    ];
    for (after, wanted) in cases {
        let page = state.list("a", Some(&at(after)?), 10).await?;
        assert_eq!(
            (paths(&page.entries), page.next),
            (wanted.to_vec(), None),
            "after {after}"
        );
    }
    Ok(())
}

async fn removed_documents_are_not_listed(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    for path in ["a/1", "a/2", "a/3"] {
        set(&*state, path, "1").await?;
    }
    state.commit(vec![delete("a/2", Expect::Anything)?]).await?;
    let page = state.list("a", None, 1).await?;
    assert_eq!(paths(&page.entries), ["a/1"]);
    let page = state.list("a", page.next.as_ref(), 1).await?;
    assert_eq!((paths(&page.entries), page.next), (vec!["a/3"], None));
    Ok(())
}

/// One document moves between two places, each time in one commit; nobody sees it in both or in neither.
async fn a_page_is_a_snapshot(stage: &Stage) -> Outcome {
    let state = stage.open().await?;
    set(&*state, "a/left", "0").await?;
    let writer = {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let mut places = ("a/left", "a/right");
            for round in 0..200 {
                let (from, to) = places;
                let moved = [
                    delete(from, Expect::Anything)?,
                    put(to, Expect::Absent, &round.to_string())?,
                ];
                state.commit(moved.into()).await?;
                places = (to, from);
            }
            Ok::<_, Failure>(())
        })
    };
    while !writer.is_finished() {
        let page = state.list("a", None, 10).await?;
        assert_eq!(page.entries.len(), 1, "{page:?}");
        assert!(page.entries.iter().all(|entry| entry.revision <= page.revision));
        tokio::task::yield_now().await;
    }
    writer.await?
}
