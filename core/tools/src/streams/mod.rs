//! Lines that match an expression, found 64 bytes at a time.
//!
//! A text becomes streams of bits, one bit a byte: of the line ends, and of each class of characters in the expression.
//! The expression becomes a program on such streams (`program`): a stream of marks says behind which bytes a part of it may end, and
//! each part moves the marks on by a shift, or through a run of a class by one addition (the method of Parabix: Cameron et al.,
//! "Bitwise data parallelism in regular expression matching", PACT 2014). So a byte costs the same whether it matches or
//! not, and where lines begin and what their numbers are falls out of the same pass.
//!
//! A line of ASCII alone is judged exactly. What lies beyond ASCII is taken for anything that the class may hold there, and
//! whoever asks looks at that line again.

mod bits;
mod class;
mod compile;
mod program;
mod run;

pub(crate) use run::{Desk, Streams};
