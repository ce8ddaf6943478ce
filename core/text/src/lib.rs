//! How the real programs read what they are given, and word what they say. It knows no files and no calls: tools and shell
//! stand on it.
//!
//! | module | what is read or said |
//! |---|---|
//! | [`expression`] | basic and extended expressions, and Perl's: `^a[bc]*$` |
//! | [`ctype`] | classes of characters, as the C library has them |
//! | [`fnmatch`] | shell patterns: `*.py` |
//! | [`escapes`] | the backslashes of `echo -e` and `printf` |
//! | [`options`] | command lines, by tables of options |
//! | [`quote`] | names in messages |
//!
//! What is not known exactly is a [`Refusal`].

pub mod ctype;
pub mod escapes;
pub mod expression;
pub mod fnmatch;
pub mod options;
pub mod quote;

pub use curserve_proto::{refuse, Refusal};
