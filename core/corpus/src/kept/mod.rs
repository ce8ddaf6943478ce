//! What is kept of a tree's index from one start to the next.
//!
//! A state folder (never in the tree) holds a folder for each root; in it lies a table of the files that were indexed, each with
//! a digest of its bytes, and the segments of the index, each under the digest of its own. Nothing in it is trusted: a
//! file is read again at each start, and its place in a kept segment counts only where its bytes are those that were indexed
//! ([`recall`]). So neither clocks nor inode numbers have a say, nor what was done while nobody looked.

mod keep;
mod recall;
mod store;
mod table;

pub(crate) use store::Store;
