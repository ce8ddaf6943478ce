//! Deltas: zstd with the content that the peer has as its dictionary.

use std::io;

use zstd::stream::raw::{CParameter, DParameter, Encoder, InBuffer, Operation, OutBuffer};

/// Larger windows than this are not asked of the peer: 2^27 bytes.
const WINDOW_LOG: u32 = 27;

/// `new` as a zstd frame whose dictionary is `base`; None where that would not be shorter.
///
/// # Errors
/// The library's, which for bytes in memory means that there is no memory.
pub fn delta(base: &[u8], new: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut encoder = Encoder::with_ref_prefix(3, base)?;
    let span = (base.len() + new.len()).max(1 << 10);
    let window = (usize::BITS - span.leading_zeros()).clamp(10, WINDOW_LOG);
    encoder.set_parameter(CParameter::WindowLog(window))?;
    encoder.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
    encoder.set_parameter(CParameter::ContentSizeFlag(false))?;
    let mut frame = vec![0; new.len()];
    let mut output = OutBuffer::around(&mut frame[..]);
    let mut input = InBuffer::around(new);
    while input.pos() < new.len() {
        if output.pos() == output.capacity() {
            return Ok(None);
        }
        encoder.run(&mut input, &mut output)?;
    }
    if output.pos() == output.capacity() || encoder.finish(&mut output, true)? != 0 {
        return Ok(None);
    }
    let length = output.pos();
    frame.truncate(length);
    Ok(Some(frame))
}

/// What `frame` says, with `base` as its dictionary: exactly `size` bytes, or an error before more are made.
///
/// # Errors
/// Where the frame is none, or says something else.
pub fn patched(base: &[u8], frame: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut decoder = zstd::stream::raw::Decoder::with_ref_prefix(base)?;
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a delta of another length");
    // One byte more than announced shows a frame that says more.
    let mut new = vec![0; size + 1];
    let mut output = OutBuffer::around(&mut new[..]);
    let mut input = InBuffer::around(frame);
    loop {
        let (read, written) = (input.pos(), output.pos());
        let hint = decoder.run(&mut input, &mut output)?;
        if output.pos() > size {
            return Err(wrong());
        }
        if hint == 0 {
            break;
        }
        if (read, written) == (input.pos(), output.pos()) {
            return Err(wrong());
        }
    }
    if output.pos() != size || input.pos() != frame.len() {
        return Err(wrong());
    }
    new.truncate(size);
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: usize) -> Vec<u8> {
        let line = |n: usize| format!("line {n}: {:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        (0..lines).map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn a_line_changed_in_a_large_file_is_a_short_delta() {
        let base = text(8000);
        let mut new = base.clone();
        new[120_000..120_010].copy_from_slice(b"0123456789");
        let frame = delta(&base, &new).unwrap().unwrap();
        assert!(frame.len() < 100, "{} of {}", frame.len(), new.len());
        assert_eq!(patched(&base, &frame, new.len()).unwrap(), new);
    }

    #[test]
    fn any_pair_comes_back() {
        let pairs: [(&[u8], &[u8]); 5] = [
            (b"", b"new content new content new content"),
            (b"the same same same same", b"the same same same same"),
            (&[7; 100_000], &[7; 99_999]),
            (b"old", b""),
            (b"old", b"x"),
        ];
        for (base, new) in pairs {
            if let Some(frame) = delta(base, new).unwrap() {
                assert_eq!(patched(base, &frame, new.len()).unwrap(), new);
            }
        }
    }

    #[test]
    fn a_bomb_ends_at_the_announced_length() {
        let zeros = vec![0; 50 << 20];
        let frame = delta(b"", &zeros).unwrap().unwrap();
        assert!(frame.len() < 10_000);
        for size in [0, 10, 1000, zeros.len() - 1, zeros.len() + 1] {
            assert!(patched(b"", &frame, size).is_err(), "{size}");
        }
        for end in 0..frame.len() {
            assert!(patched(b"", &frame[..end], 1000).is_err());
        }
    }
}
