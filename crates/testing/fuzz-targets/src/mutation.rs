//! Inputs made of other inputs, the same on every run.

/// An endless row of mutations of some seeds. Two with the same seeds and number are the same row.
#[derive(Debug, Clone)]
pub struct Mutations<'a> {
    seeds: &'a [Vec<u8>],
    dice: u64,
}

/// Bytes and words that parsers stumble over: borders of lengths and numbers, tags of DER, marks of JSON, YAML and PEM.
const PIECES: [&[u8]; 32] = [
    &[0x00],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0x30, 0x80],
    &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
    &[0x02, 0x01, 0x00],
    &[0x06, 0x00],
    &[0x04, 0x82, 0x01],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x00, 0x00, 0x00, 0x00],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    "\u{202e}".as_bytes(),
    "\u{0}".as_bytes(),
    "é".as_bytes(),
    b"\n",
    b"\r\n",
    b" ",
    b"-",
    b".",
    b"..",
    b",",
    b":",
    b"\"",
    b"{",
    b"[",
    b"&a *a",
    b"-----BEGIN CERTIFICATE-----\n",
    b"18446744073709551616",
    b"-9223372036854775808",
    b"9999-12-31T23:59:60Z",
    b"1e999",
];
/// The longest input made.
const LENGTH_MAX: usize = 64 * 1024;

impl<'a> Mutations<'a> {
    /// Mutations of these seeds; the number chooses the row.
    #[must_use]
    pub fn new(seeds: &'a [Vec<u8>], number: u64) -> Self {
        // Whatever the number, the state of the generator is not zero.
        let dice = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { seeds, dice }
    }

    /// A number below `limit`; 0 when that is 0.
    fn below(&mut self, limit: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let high = usize::try_from(self.dice >> 33).unwrap_or_default();
        high.checked_rem(limit).unwrap_or_default()
    }

    fn any<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        let at = self.below(from.len());
        from.get(at)
    }

    /// A place in the input, and one behind it.
    fn range(&mut self, input: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(input.len() + 1);
        from..from + self.below((input.len() - from).min(64) + 1)
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let range = self.range(input);
        match self.below(9) {
            0 => {
                let bit = self.below(8);
                if let Some(byte) = input.get_mut(range.start) {
                    *byte ^= 1 << bit;
                }
            }
            1 => {
                let step = u8::try_from(self.below(256)).unwrap_or_default();
                if let Some(byte) = input.get_mut(range.start) {
                    *byte = byte.wrapping_add(step);
                }
            }
            2 => drop(input.drain(range)),
            3 => input.truncate(range.start),
            4 => {
                let piece = self.any(&PIECES).copied().unwrap_or_default();
                input.splice(range.start..range.start, piece.iter().copied());
            }
            5 => {
                let piece = self.any(&PIECES).copied().unwrap_or_default();
                input.splice(range, piece.iter().copied());
            }
            6 => {
                // The same again, now and then very often: nesting and lists.
                let times = [1, 2, 7, 300, 5_000];
                let times = self.any(&times).copied().unwrap_or_default();
                let again = input.get(range.clone()).unwrap_or_default().repeat(times);
                input.splice(range.end..range.end, again);
            }
            7 => {
                let piece = self.any(&PIECES).copied().unwrap_or_default();
                let again = piece.repeat(1 << self.below(14));
                input.splice(range, again);
            }
            _ => {
                let seeds = self.seeds;
                let other = self.any(seeds).map(Vec::as_slice).unwrap_or_default();
                let from = self.range(other);
                let cut = other.get(from.start..).unwrap_or_default();
                input.splice(range, cut.iter().copied());
            }
        }
        input.truncate(LENGTH_MAX);
    }
}

impl Iterator for Mutations<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let seeds = self.seeds;
        let mut input = self.any(seeds).cloned().unwrap_or_default();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        Some(input)
    }
}
