use super::*;

fn database(keys: u64) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("CREATE TABLE serial (key BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID; BEGIN")
        .unwrap();
    {
        let mut insert = connection.prepare("INSERT INTO serial VALUES (?1, ?2)").unwrap();
        for number in 0..keys {
            insert.execute(params![key(number), number as i64]).unwrap();
        }
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

fn key(number: u64) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

/// Spread well, and the same in every run.
fn hash(key: &[u8]) -> u64 {
    let mut hash = u64::from_be_bytes(key.try_into().unwrap()).wrapping_add(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
        hash = (hash ^ (hash >> 29)).wrapping_mul(factor);
    }
    hash ^ (hash >> 32)
}

fn hash_of(number: u64) -> u64 {
    hash(&key(number))
}

fn fill(filter: &mut Filter<'_>) -> usize {
    let mut slices = 0;
    while matches!(filter.reading, Reading::UpTo(_)) {
        filter.fill(hash).unwrap();
        slices += 1;
    }
    slices
}

#[test]
fn it_knows_nothing_before_it_has_read_everything() {
    let connection = database(10_000);
    let mut filter = Filter::new(&connection, 10_000).unwrap();
    filter.fill(hash).unwrap();
    assert!((0..20_000).all(|number| !filter.is_absent(hash_of(number))));
    assert_eq!(fill(&mut filter), 2);
    assert!((0..10_000).all(|number| !filter.is_absent(hash_of(number))));
    let absent = (10_000..20_000).filter(|number| filter.is_absent(hash_of(*number)));
    assert!(absent.count() > 9_900);
}

#[test]
fn a_slice_that_ends_with_the_index_is_not_the_last_word() {
    let connection = database(SLICE.unsigned_abs());
    let mut filter = Filter::new(&connection, 0).unwrap();
    assert_eq!(fill(&mut filter), 2);
    assert!((0..SLICE.unsigned_abs()).all(|number| !filter.is_absent(hash_of(number))));
}

#[test]
fn what_is_added_is_never_absent_whether_it_was_read_or_not() {
    let connection = database(5_000);
    let mut filter = Filter::new(&connection, 5_000).unwrap();
    filter.add(hash_of(7_000_000));
    fill(&mut filter);
    filter.add(hash_of(8_000_000));
    for number in [0, 4_999, 7_000_000, 8_000_000] {
        assert!(!filter.is_absent(hash_of(number)), "{number}");
    }
}

#[test]
fn a_full_one_is_replaced_by_a_larger_one_with_everything_in_the_index() {
    let count = KEYS_MIN as u64 + 1;
    let connection = database(count);
    let mut filter = Filter::new(&connection, 0).unwrap();
    let small = filter.words.len();
    fill(&mut filter);
    // It was filled beyond its room, and notices at the next slice.
    filter.fill(hash).unwrap();
    fill(&mut filter);
    assert_eq!(filter.words.len(), small * GROWTH);
    assert!((0..count).all(|number| !filter.is_absent(hash_of(number))));
    let absent = (count..2 * count).filter(|number| filter.is_absent(hash_of(*number)));
    assert!(absent.count() as u64 > count * 99 / 100);
}

#[test]
fn a_ledger_too_large_for_it_does_without() {
    let connection = database(1);
    let mut filter = Filter::new(&connection, KEYS_MAX + 1).unwrap();
    filter.fill(hash).unwrap();
    filter.add(hash_of(0));
    filter.fill(hash).unwrap();
    assert!(!filter.is_absent(hash_of(0)) && !filter.is_absent(hash_of(1)));
    assert!(filter.words.is_empty());
}
