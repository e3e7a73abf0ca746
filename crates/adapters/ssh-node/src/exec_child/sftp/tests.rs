use super::*;

struct Yes;

impl Judge for Yes {
    fn may(&mut self, _: FileAction, _: &[u8], _: Option<&[u8]>) -> io::Result<Result<(), String>> {
        Ok(Ok(()))
    }
}

fn conversation(requests: &[u8]) -> (io::Result<()>, Vec<u8>) {
    let mut answers = Vec::new();
    let result = converse(requests, &mut answers, &mut Server::new(Yes));
    (result, answers)
}

fn framed(packet: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend_from_slice(packet);
    bytes
}

#[test]
fn the_greeting_is_answered_with_version_three() {
    let (result, answers) = conversation(&framed(&[1, 0, 0, 0, 3]));
    result.unwrap();
    assert_eq!(&answers[4..9], &[2, 0, 0, 0, 3]);
}

#[test]
fn packets_that_are_too_long_or_empty_end_the_conversation() {
    assert!(conversation(&[0xff; 8]).0.is_err());
    assert!(conversation(&[0, 0, 0, 0]).0.is_err());
    assert!(conversation(&framed(&[3])).0.is_err());
}

#[test]
fn every_request_cut_anywhere_is_answered_with_a_status() {
    for kind in (3..=20).chain([200, 77]) {
        for length in 0..24 {
            let mut packet = vec![kind, 0, 0, 0, 9];
            packet.resize(5 + length, 0xff);
            let (result, answers) = conversation(&framed(&packet));
            result.unwrap();
            assert_eq!(
                (answers[4], &answers[5..9]),
                (101, &[0, 0, 0, 9][..]),
                "{kind} {length}"
            );
            assert_ne!(answers[12], 0, "{kind} {length}");
        }
    }
}
