//! Character classes of the pinned locale, C.UTF-8. POSIX has them from LC_CTYPE, of which iswctype(3) tells.

use std::sync::OnceLock;

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

extern "C" {
    fn wctype_l(name: *const libc::c_char, locale: libc::locale_t) -> libc::c_ulong;
    fn iswctype_l(
        character: libc::c_uint,
        class: libc::c_ulong,
        locale: libc::locale_t,
    ) -> libc::c_int;
}

/// The pinned locale, as the C library knows it.
pub(crate) struct Pinned(pub(crate) libc::locale_t);

impl Pinned {
    /// None where this machine does not have it.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: the locale's name is NUL-terminated, and no base locale is given.
        let locale = unsafe {
            libc::newlocale(
                libc::LC_CTYPE_MASK,
                c"C.UTF-8".as_ptr(),
                std::ptr::null_mut(),
            )
        };
        (!locale.is_null()).then_some(Pinned(locale))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and used no more.
        unsafe { libc::freelocale(self.0) };
    }
}

/// The names that brackets know, in the order of `TABLES`.
const NAMES: [&std::ffi::CStr; 12] = [
    c"alnum", c"alpha", c"blank", c"cntrl", c"digit", c"graph", c"lower", c"print", c"punct",
    c"space", c"upper", c"xdigit",
];

static TABLES: [OnceLock<Option<ClassUnicode>>; 12] = [const { OnceLock::new() }; 12];

/// The characters of the class `name` (`alpha`, `space` …); None where there is no such class, or no such locale here.
pub fn class(name: &str) -> Option<ClassUnicode> {
    let at = NAMES
        .iter()
        .position(|known| known.to_bytes() == name.as_bytes())?;
    TABLES[at].get_or_init(|| table(NAMES[at])).clone()
}

fn table(name: &std::ffi::CStr) -> Option<ClassUnicode> {
    let locale = Pinned::new()?;
    // SAFETY: `name` is NUL-terminated, and `locale` was just made.
    let class = unsafe { wctype_l(name.as_ptr(), locale.0) };
    let mut ranges: Vec<ClassUnicodeRange> = Vec::new();
    let mut open: Option<(char, char)> = None;
    for character in '\0'..=char::MAX {
        // SAFETY: any value of wint_t may be asked about; `class` belongs to `locale`, which is still alive.
        if unsafe { iswctype_l(u32::from(character), class, locale.0) } == 0 {
            ranges.extend(
                open.take()
                    .map(|(low, high)| ClassUnicodeRange::new(low, high)),
            );
        } else {
            open = Some((open.map_or(character, |(low, _)| low), character));
        }
    }
    ranges.extend(open.map(|(low, high)| ClassUnicodeRange::new(low, high)));
    Some(ClassUnicode::new(ranges))
}

/// Whether a byte of ASCII is of a class.
pub type Ascii = fn(&u8) -> bool;

/// The part of the class `name` within ASCII, which takes no table: whether a byte belongs to it.
pub fn is_ascii(name: &[u8]) -> Option<Ascii> {
    Some(match name {
        b"alpha" => u8::is_ascii_alphabetic,
        b"digit" => u8::is_ascii_digit,
        b"alnum" => u8::is_ascii_alphanumeric,
        b"upper" => u8::is_ascii_uppercase,
        b"lower" => u8::is_ascii_lowercase,
        b"punct" => u8::is_ascii_punctuation,
        b"xdigit" => u8::is_ascii_hexdigit,
        b"cntrl" => u8::is_ascii_control,
        b"graph" => u8::is_ascii_graphic,
        b"print" => |c| (0x20..0x7f).contains(c),
        b"blank" => |c| *c == b' ' || *c == b'\t',
        b"space" => |c| matches!(c, b' ' | 9..=13),
        _ => return None,
    })
}

/// The same as a set.
pub fn ascii(name: &str) -> Option<ClassUnicode> {
    let holds = is_ascii(name.as_bytes())?;
    let members = (0..128u8).filter(holds).map(char::from);
    Some(ClassUnicode::new(
        members.map(|c| ClassUnicodeRange::new(c, c)),
    ))
}

/// What `\w` matches: `[_[:alnum:]]`, or its part within ASCII.
pub fn word(ascii_only: bool) -> Option<ClassUnicode> {
    let mut word = match ascii_only {
        true => ascii("alnum")?,
        false => class("alnum")?,
    };
    word.union(&ClassUnicode::new([ClassUnicodeRange::new('_', '_')]));
    Some(word)
}

/// The characters on which the C library and Unicode disagree whether they are part of a word.
pub fn disputed() -> Option<&'static ClassUnicode> {
    static DISPUTED: OnceLock<Option<ClassUnicode>> = OnceLock::new();
    DISPUTED
        .get_or_init(|| {
            let ranges = regex_syntax::parse(r"\w").ok()?;
            let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(unicode)) =
                ranges.kind()
            else {
                return None;
            };
            let mut disputed = word(false)?;
            disputed.symmetric_difference(unicode);
            Some(disputed)
        })
        .as_ref()
}

/// Whether `text` has a character that is in dispute.
pub fn has_disputed(text: &str) -> bool {
    let Some(disputed) = disputed() else {
        return true;
    };
    let ranges = disputed.ranges();
    text.chars()
        .filter(|character| !character.is_ascii())
        .any(|character| {
            ranges
                .binary_search_by(|range| {
                    if range.end() < character {
                        std::cmp::Ordering::Less
                    } else if range.start() > character {
                        std::cmp::Ordering::Greater
                    } else {
                        std::cmp::Ordering::Equal
                    }
                })
                .is_ok()
        })
}

/// Whether `bytes` have a sequence that UTF-8 forbids, and real grep was seen to take for a character in some places:
/// half of a surrogate pair, or a number beyond Unicode.
pub fn has_disputed_bytes(bytes: &[u8]) -> bool {
    bytes.windows(2).any(begins_disputed)
}

fn begins_disputed(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0xed, 0xa0..=0xbf, ..] | [0xf4..=0xfd, 0x80..=0xbf, ..]
    )
}

/// The same with a character, which is of no word and no space, in place of each such sequence.
pub fn with_characters_for_disputed(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        if begins_disputed(rest) {
            out.extend_from_slice("\u{fffd}".as_bytes());
            let more = after.iter().take_while(|byte| matches!(byte, 0x80..=0xbf));
            rest = &after[more.count()..];
        } else {
            out.push(*first);
            rest = after;
        }
    }
    out
}

/// Whether a range of ASCII characters means the same without case to the real programs, where its ends seem to be read as
/// capitals (seen: with `-i`, ``[`-e]`` is an invalid range), and to a matcher that adds the other case of each member.
pub fn folds_alike(low: char, high: char) -> bool {
    let (up_low, up_high) = (low.to_ascii_uppercase(), high.to_ascii_uppercase());
    let other = |c: char| match c.is_ascii_lowercase() {
        true => c.to_ascii_uppercase(),
        false => c.to_ascii_lowercase(),
    };
    let here = |c: char| (low..=high).contains(&c) || (low..=high).contains(&other(c));
    let there = |c: char| (up_low..=up_high).contains(&c.to_ascii_uppercase());
    low.is_ascii()
        && high.is_ascii()
        && up_low <= up_high
        && (0..128u8).map(char::from).all(|c| here(c) == there(c))
}
