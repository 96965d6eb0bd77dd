//! A JPEG of four channels, which no encoder at hand writes: baseline, one colour, 32×32 pixels.

/// Writes bits, most significant first, and a zero behind each byte of ones.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    open: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for bit in (0..count).rev() {
            self.open = (self.open << 1) | ((value >> bit) & 1);
            self.count += 1;
            if self.count == 8 {
                self.bytes.push(self.open as u8);
                if self.open == 0xff {
                    self.bytes.push(0);
                }
                (self.open, self.count) = (0, 0);
            }
        }
    }

    /// A block of one colour, `difference` from the one before.
    fn block(&mut self, difference: i32) {
        let size = 32 - difference.unsigned_abs().leading_zeros();
        self.push(size, 4);
        let value = if difference < 0 { difference + (1 << size) - 1 } else { difference };
        self.push(value as u32, size);
        // no other frequency
        self.push(0, 1);
    }
}

fn segment(marker: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, marker];
    bytes.extend((payload.len() as u16 + 2).to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The channels hold `inks` as they are; `adobe` is the transform of Adobe's marker, if there is one. `sampled`: the second
/// and third have half the resolution.
pub fn jpeg_of_inks(inks: [u8; 4], adobe: Option<u8>, sampled: bool) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    if let Some(transform) = adobe {
        out.extend(segment(0xee, &[&b"Adobe\0\x64\0\0\0\0"[..], &[transform]].concat()));
    }
    // With a step of 8 a block's mean is its first coefficient.
    out.extend(segment(0xdb, &[&[0][..], &[8; 64]].concat()));
    let factor = |channel: usize| if sampled && matches!(channel, 0 | 3) { 2_u8 } else { 1 };
    let mut frame = vec![8, 0, 32, 0, 32, 4];
    for channel in 0..4 {
        frame.extend([channel as u8 + 1, factor(channel) * 0x11, 0]);
    }
    out.extend(segment(0xc0, &frame));
    // nine sizes of differences, in codes of four bits; one code of one bit for the end of a block
    let sizes: Vec<u8> = (0..9).collect();
    out.extend(segment(0xc4, &[&[0x00, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes].concat()));
    out.extend(segment(0xc4, &[0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    out.extend(segment(0xda, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]));

    let mut bits = Bits::default();
    let units = if sampled { 4 } else { 16 };
    for unit in 0..units {
        for (channel, ink) in inks.into_iter().enumerate() {
            for block in 0..factor(channel).pow(2) {
                let first = unit == 0 && block == 0;
                bits.block(if first { i32::from(ink) - 128 } else { 0 });
            }
        }
    }
    bits.push(0xff, 7);
    out.extend(bits.bytes);
    out.extend([0xff, 0xd9]);
    out
}
