//! A block of a stream, and the few things that are done with one.

/// Words of a block.
pub(super) const WORDS: usize = 8;
/// Bytes of text that a block stands for.
pub(super) const BLOCK: usize = 64 * WORDS;

/// One bit for each byte of a block, the first one lowest.
pub(super) type Bits = [u64; WORDS];

/// Every bit `by` bytes later (1 to 63). `before`: the last word of the block before this one, and then of this one.
#[inline(always)]
pub(super) fn shifted(bits: &Bits, by: u32, before: &mut u64) -> Bits {
    let mut low = *before;
    let out = std::array::from_fn(|at| {
        let word = bits[at] << by | low >> (64 - by);
        low = bits[at];
        word
    });
    *before = low;
    out
}

#[inline(always)]
pub(super) fn each(a: &Bits, b: &Bits, join: impl Fn(u64, u64) -> u64) -> Bits {
    std::array::from_fn(|at| join(a[at], b[at]))
}

/// `a + b` as one long number, with the carry from the block before, and to the next.
#[inline(always)]
fn sum(a: &Bits, b: &Bits, carry: &mut u64) -> Bits {
    std::array::from_fn(|at| {
        let (sum, first) = a[at].overflowing_add(b[at]);
        let (sum, second) = sum.overflowing_add(*carry);
        *carry = u64::from(first | second);
        sum
    })
}

/// The marks, and all places to which a run of `class` leads from one of them.
#[inline(always)]
pub(super) fn along(marks: &Bits, class: &Bits, carry: &mut u64) -> Bits {
    let sum = sum(&each(marks, class, |m, c| m & c), class, carry);
    std::array::from_fn(|at| sum[at] ^ class[at] | marks[at])
}

/// Each mark moved on to the first of `ends` that is there or later.
#[inline(always)]
pub(super) fn to_ends(marks: &Bits, ends: &Bits, carry: &mut u64) -> Bits {
    let others = ends.map(|word| !word);
    let sum = sum(&each(marks, &others, |m, c| m & c), &others, carry);
    std::array::from_fn(|at| (sum[at] | marks[at]) & ends[at])
}
