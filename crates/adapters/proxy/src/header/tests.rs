use super::*;

fn source(bytes: &[u8]) -> Option<String> {
    match read(bytes) {
        Header::Whole { length, source } => {
            assert!(length <= bytes.len());
            source.map(|source| source.to_string())
        }
        Header::Partial | Header::Foreign => panic!("{:?}", String::from_utf8_lossy(bytes)),
    }
}

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [V2_START, &[command, family], &length, body].concat()
}

const BODY4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0x0b, 0xb8];

fn body6() -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let ports = [0x9c, 0x40, 0x0b, 0xb8];
    [address("2001:db8::7").as_slice(), &address("2001:db8::1"), &ports].concat()
}

/// Every whole header of these tests.
fn headers() -> Vec<(Vec<u8>, Option<&'static str>)> {
    let additions = [BODY4.as_slice(), &[0x04, 0, 2, 1, 2, 0x02, 0, 0]].concat();
    let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".to_vec();
    vec![
        (
            b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 3000\r\n".to_vec(),
            Some("192.0.2.7:40000"),
        ),
        (
            b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 3000\r\n".to_vec(),
            Some("[2001:db8::7]:40000"),
        ),
        // What some balancers make of an address of the fourth version.
        (
            b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 0 65535\r\n".to_vec(),
            Some("192.0.2.7:0"),
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (longest, None),
        (v2(0x21, 0x11, &BODY4), Some("192.0.2.7:40000")),
        (v2(0x21, 0x11, &additions), Some("192.0.2.7:40000")),
        (v2(0x21, 0x21, &body6()), Some("[2001:db8::7]:40000")),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, &BODY4), None),
        (v2(0x21, 0x00, &[1, 2, 3]), None),
    ]
}

#[test]
fn what_balancers_send_is_read_however_it_arrives_and_whatever_follows() {
    for (header, wanted) in headers() {
        assert_eq!(source(&header).as_deref(), wanted);
        for length in 0..header.len() {
            assert_eq!(read(&header[..length]), Header::Partial, "{length} of {header:?}");
        }
        let followed = [header.as_slice(), b"SSH-2.0-OpenSSH\r\nPROXY TCP4 \0"].concat();
        assert_eq!(source(&followed).as_deref(), wanted);
        let is_whole = |read| matches!(read, Header::Whole { length, .. } if length == header.len());
        assert!(is_whole(read(&header)) && is_whole(read(&followed)));
        assert!(is_begun(&header));
    }
}

#[test]
fn nothing_else_is_a_header() {
    let lines: [&[u8]; 22] = [
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x16\x03\x01",
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY\tTCP4 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY  TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1  2\r\n",
        b"PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 192.0.2 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 0.0.0.0 198.51.100.1 1 2\r\n",
        b"PROXY TCP4 224.0.0.1 198.51.100.1 1 2\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        b"PROXY UNKNOWNS\r\n",
    ];
    for line in lines {
        assert_eq!(read(line), Header::Foreign, "{:?}", String::from_utf8_lossy(line));
    }
    let endless = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
    assert_eq!(read(&endless), Header::Foreign);
    let with_end = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92], b"\r\n"].concat();
    assert_eq!(read(&with_end), Header::Foreign, "{} bytes", with_end.len());
}

#[test]
fn nothing_else_is_a_header_of_the_second_version() {
    let large = u16::try_from(HEADER_MAX).unwrap();
    let bad = [
        // Another version, another command.
        v2(0x11, 0x11, &BODY4),
        v2(0x31, 0x11, &BODY4),
        v2(0x22, 0x11, &BODY4),
        // Less than two addresses.
        v2(0x21, 0x11, &BODY4[..11]),
        v2(0x21, 0x21, &body6()[..35]),
        v2(0x21, 0x21, &body6()[..15]),
        // No TCP.
        v2(0x21, 0x12, &BODY4),
        v2(0x21, 0x31, &[0; 216]),
        v2(0x21, 0x41, &BODY4),
        // Nobody's address.
        v2(0x21, 0x11, &[0; 12]),
        // What is added does not fit.
        v2(0x21, 0x11, &[BODY4.as_slice(), &[0x04, 0, 3, 1, 2]].concat()),
        v2(0x21, 0x11, &[BODY4.as_slice(), &[0x04, 0]].concat()),
        [V2_START, &[0x21, 0x11], &large.to_be_bytes()].concat(),
        [V2_START, &[0x20, 0x00, 0xff, 0xff]].concat(),
    ];
    for bytes in bad {
        assert_eq!(read(&bytes), Header::Foreign, "{bytes:?}");
    }
}

/// Bytes changed, left out, doubled and made up: nothing panics, no header is longer than it may be, and what was read of a header does not
/// depend on what follows it.
#[test]
fn whatever_comes_is_judged_alike_with_and_without_what_follows() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap()
    };
    let headers = headers();
    let mut wholes = 0;
    for _ in 0..200_000 {
        let mut bytes = headers[next() % headers.len()].0.clone();
        for _ in 0..next() % 4 {
            let place = next() % bytes.len().max(1);
            match next() % 4 {
                0 => bytes.truncate(place),
                1 if place < bytes.len() => bytes[place] = u8::try_from(next() % 256).unwrap(),
                2 => bytes.insert(place.min(bytes.len()), b" \r\n\0:.0"[next() % 7]),
                _ => bytes.extend_from_within(place.min(bytes.len())..),
            }
        }
        match read(&bytes) {
            Header::Whole { length, source } => {
                wholes += 1;
                assert!(length <= HEADER_MAX && length <= bytes.len());
                assert!(is_begun(&bytes));
                let cut = &bytes[..length];
                assert_eq!(read(cut), Header::Whole { length, source });
                assert_eq!(read(&cut[..length - 1]), Header::Partial);
            }
            Header::Partial => assert!(bytes.len() < HEADER_MAX),
            Header::Foreign => {
                bytes.push(b'\n');
                assert_eq!(read(&bytes), Header::Foreign, "{bytes:?}");
            }
        }
    }
    assert!(wholes > 10_000, "{wholes}");
}
