use super::*;

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "CREATE TABLE taken (number INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;
             CREATE TABLE serial (key BLOB PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
        )
        .unwrap();
    connection
}

fn key(number: i64) -> Vec<u8> {
    // Spread over the key space, as random serials are.
    number.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes().to_vec()
}

fn indexed(connection: &Connection) -> i64 {
    connection
        .query_row("SELECT count(*) FROM serial", [], |row| row.get(0))
        .unwrap()
}

/// Takes numbers in transactions of 100, each settling a slice; answers the number up to which all are settled.
fn take(connection: &Connection, serials: &mut Serials<'_>, numbers: std::ops::RangeInclusive<i64>) -> i64 {
    let mut settled = 0;
    let numbers: Vec<i64> = numbers.collect();
    for group in numbers.chunks(100) {
        connection.execute_batch("BEGIN").unwrap();
        for number in group {
            serials.take(key(*number), *number).unwrap();
        }
        let grown = serials.settle().unwrap();
        connection.execute_batch("COMMIT").unwrap();
        serials.committed();
        settled = grown.unwrap_or(settled);
    }
    settled
}

fn assert_all_known(serials: &mut Serials<'_>, numbers: std::ops::RangeInclusive<i64>) {
    for number in numbers {
        assert_eq!(
            serials.find(&key(number)).unwrap().map(|taken| taken.number),
            Some(number)
        );
    }
}

#[test]
fn serials_are_known_before_while_and_after_they_are_settled() {
    let connection = database();
    let mut serials = Serials::load(&connection, 0).unwrap();
    assert_eq!(take(&connection, &mut serials, 1..=16_300), 0);
    assert_eq!(indexed(&connection), 0);
    assert_eq!(take(&connection, &mut serials, 16_301..=17_000), 0);
    let begun = indexed(&connection);
    assert!(begun > 0 && begun < 16_000, "{begun}");
    assert_all_known(&mut serials, 1..=17_000);
    let settled = take(&connection, &mut serials, 17_001..=20_000);
    assert_eq!(settled, 16_400);
    assert_eq!(indexed(&connection), 16_400);
    assert_eq!(serials.unsettled.len(), 20_000 - 16_400);
    assert_all_known(&mut serials, 1..=20_000);
    assert_eq!(serials.find(&key(20_001)).unwrap(), None);
}

#[test]
fn a_restart_in_the_midst_of_settling_forgets_nothing() {
    let connection = database();
    let mut serials = Serials::load(&connection, 0).unwrap();
    take(&connection, &mut serials, 1..=17_000);
    drop(serials);
    let mut serials = Serials::load(&connection, 0).unwrap();
    assert_eq!(serials.unsettled.len(), 17_000);
    assert_all_known(&mut serials, 1..=17_000);
    let settled = take(&connection, &mut serials, 17_001..=20_000);
    assert_eq!((settled, indexed(&connection)), (17_100, 17_100));
    drop(serials);
    let mut serials = Serials::load(&connection, settled).unwrap();
    assert_eq!(serials.unsettled.len(), 20_000 - 17_100);
    assert_all_known(&mut serials, 1..=20_000);
}

#[test]
fn what_is_rolled_back_is_free_and_settling_goes_on() {
    let connection = database();
    let mut serials = Serials::load(&connection, 0).unwrap();
    take(&connection, &mut serials, 1..=16_300);
    // The pass begins in a transaction that fails, and a later one fails in its midst.
    for last in [16_300, 16_500] {
        connection.execute_batch("BEGIN").unwrap();
        for number in last + 1..=last + 200 {
            serials.take(key(number), number).unwrap();
        }
        serials.settle().unwrap();
        connection.execute_batch("ROLLBACK").unwrap();
        serials.rolled_back(last);
        assert_eq!(serials.find(&key(last + 1)).unwrap(), None);
        assert_all_known(&mut serials, 1..=last);
        take(&connection, &mut serials, last + 1..=last + 200);
    }
    let settled = take(&connection, &mut serials, 16_701..=20_000);
    assert_eq!(settled, indexed(&connection));
    assert!(settled > 16_384, "{settled}");
    assert_all_known(&mut serials, 1..=20_000);
}
