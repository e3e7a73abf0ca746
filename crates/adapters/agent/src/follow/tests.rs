use super::*;

#[test]
fn who_is_told_nothing_goes_on_asking() {
    for looked_for in [None, Some(6), Some(7)] {
        assert_eq!(next(None, 7, looked_for, false), Next::Ask);
        assert_eq!(next(None, 7, looked_for, true), Next::Rest, "it is told soon");
    }
}

#[test]
fn news_are_looked_for_once_and_rested_upon() {
    assert_eq!(next(Some(8), 7, None, true), Next::Look);
    assert_eq!(next(Some(8), 7, Some(7), true), Next::Look);
    assert_eq!(next(Some(7), 7, None, true), Next::Rest);
    assert_eq!(next(Some(7), 7, Some(6), true), Next::Rest);
}

#[test]
fn a_proxy_that_knows_less_is_asked_about_once() {
    assert_eq!(next(Some(6), 7, Some(7), true), Next::Look);
    assert_eq!(next(Some(6), 7, Some(6), true), Next::Rest);
    // What the machine locked itself out for is looked at again, once it is told anything.
    assert_eq!(next(Some(7), 0, Some(6), true), Next::Look);
}

/// Whatever it is told again and again, it asks once.
#[test]
fn no_word_of_a_proxy_makes_a_machine_ask_for_ever() {
    for told in 0..4 {
        for known in 0..4 {
            let mut looked_for = None;
            let mut looks = 0;
            while next(Some(told), known, looked_for, true) == Next::Look {
                looked_for = Some(told);
                looks += 1;
                assert!(looks <= 1);
            }
        }
    }
}
