//! How the GNU programs quote names in their messages, in C.UTF-8.

use crate::Refusal;

/// Whether a name is quoted. Each printable character was tried alone, first, inside and last (`tools/tests/seen.rs` tries them again).
fn needs_quotes(name: &[u8]) -> bool {
    name.is_empty()
        || matches!(name[0], b'#' | b'~')
        || name.iter().any(|b| b" !\"$&'()*;<=>?[\\^`|:".contains(b))
        || name == b"{"
        || name == b"}"
}

/// A name as `cat`, `wc` and `nl` print it: quoted only where a shell would need it.
///
/// # Errors
/// Where the name is beyond printable ASCII, or has quotes of several kinds.
pub fn bare(name: &[u8]) -> Result<Vec<u8>, Refusal> {
    if needs_quotes(name) {
        always(name)
    } else {
        printable(name)?;
        Ok(name.to_vec())
    }
}

/// A name as `ls` and `head` print it: always in shell quotes.
///
/// # Errors
/// Where the name is beyond printable ASCII, or has quotes of several kinds.
pub fn always(name: &[u8]) -> Result<Vec<u8>, Refusal> {
    printable(name)?;
    if !name.contains(&b'\'') {
        return Ok([b"'", name, b"'"].concat());
    }
    // Seen: double quotes, unless the name holds what they would not keep from a shell, or another odd character.
    let keeps = |b: &u8| b.is_ascii_alphanumeric() || b" %+,-./:@_]'".contains(b);
    if !name.iter().all(keeps) {
        return Err(Refusal::new(
            "a message that names a file with several kinds of quotes",
        ));
    }
    Ok([b"\"", name, b"\""].concat())
}

/// A name as `find` and usage errors print it: in the quotation marks of UTF-8.
///
/// # Errors
/// Where the name is beyond printable ASCII, or has a quote or a backslash.
pub fn curly(name: &[u8]) -> Result<Vec<u8>, Refusal> {
    printable(name)?;
    if name.iter().any(|b| b"'\\".contains(b)) {
        return Err(Refusal::new("a message that names a file with quotes"));
    }
    Ok(["‘".as_bytes(), name, "’".as_bytes()].concat())
}

/// Other characters are escaped by tables of what prints, which are not here.
fn printable(name: &[u8]) -> Result<(), Refusal> {
    if name.iter().all(|b| (0x20..0x7f).contains(b)) {
        Ok(())
    } else {
        Err(Refusal::new(
            "a message that names a file beyond printable ASCII",
        ))
    }
}
