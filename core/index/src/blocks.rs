//! Large texts are indexed in blocks of whole lines: that a pattern's trigrams lie close together says more than that
//! a text has them all somewhere, and only the blocks that may match need a look.

use std::ops::Range;

/// A block ends with the first line that reaches this many bytes; what is left beside it may be as long again.
pub(crate) const BLOCK: usize = 16 << 10;

/// How a text is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not at all: it is always a candidate.
    Wild,
    /// As one block: it has no lines to speak of.
    Whole,
    /// In blocks of lines.
    Lines,
}

/// One block: whose it is, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) text: u32,
    start: u32,
    end: u32,
}

impl Block {
    pub(crate) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn to_bytes(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let numbers = [self.text, self.start, self.end];
        for (part, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            part.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn of_bytes(bytes: [u8; 12]) -> Block {
        let number =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Block {
            text: number(0),
            start: number(4),
            end: number(8),
        }
    }
}

/// The blocks of text number `text`, at least one.
pub(crate) fn cut(text: u32, bytes: &[u8], form: Form, into: &mut Vec<Block>) {
    let block = |range: Range<usize>| Block {
        text,
        start: range.start as u32,
        end: range.end as u32,
    };
    let mut start = 0;
    // Beyond 4 GB the places do not fit.
    if form == Form::Lines && u32::try_from(bytes.len()).is_ok() {
        while bytes.len() - start >= 2 * BLOCK {
            let Some(end) = memchr::memchr(b'\n', &bytes[start + BLOCK..]) else {
                break;
            };
            let end = start + BLOCK + end + 1;
            into.push(block(start..end));
            start = end;
        }
    }
    if start == 0 || start < bytes.len() {
        into.push(block(start..bytes.len().min(u32::MAX as usize)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_whole_lines_and_leave_nothing_out() {
        for len in [0, 1, 39, BLOCK, 2 * BLOCK, 5 * BLOCK + 17] {
            let text: Vec<u8> = b"thirty-nine bytes of text in this line\n"
                .iter()
                .copied()
                .cycle()
                .take(len)
                .collect();
            let mut blocks = Vec::new();
            cut(7, &text, Form::Lines, &mut blocks);
            let joined: Vec<u8> = blocks
                .iter()
                .flat_map(|b| &text[b.range()])
                .copied()
                .collect();
            assert_eq!(joined, text);
            let (last, others) = blocks.split_last().unwrap();
            assert!(others.iter().all(|b| text[b.range()].ends_with(b"\n")));
            assert!(last.range().len() < 2 * BLOCK);
            assert_eq!(others.is_empty(), len < 2 * BLOCK);
        }
    }
}
