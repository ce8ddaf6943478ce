//! How the real programs read what they are given, and word what they say. It knows no files and no calls: tools and shell
//! stand on it.
//!
//! | module | what is read or said |
//! |---|---|
//! | [`fnmatch`] | shell patterns: `*.py` |
//! | [`escapes`] | the backslashes of `echo -e` and `printf` |
//! | [`options`] | command lines, by tables of options |
//! | [`quote`] | names in messages |
//!
//! What is not known exactly is a [`Refusal`].

pub mod escapes;
pub mod fnmatch;
pub mod options;
pub mod quote;
mod refusal;

pub use refusal::Refusal;
