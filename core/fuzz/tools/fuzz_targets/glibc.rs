//! The C library's own matcher, which GNU sed runs, and GNU grep where its automaton is not enough.

use std::ffi::{c_char, c_int, c_uchar, c_ulong, CString};
use std::sync::Once;

/// `struct re_pattern_buffer` of glibc's <regex.h>.
#[repr(C)]
struct Buffer {
    buffer: *mut u8,
    allocated: c_ulong,
    used: c_ulong,
    syntax: c_ulong,
    fastmap: *mut c_char,
    translate: *mut c_uchar,
    re_nsub: usize,
    bits: u32,
}

#[repr(C)]
struct Registers {
    num_regs: u32,
    start: *mut c_int,
    end: *mut c_int,
}

extern "C" {
    static mut re_syntax_options: c_ulong;
    fn re_compile_pattern(pattern: *const c_char, length: usize, buffer: *mut Buffer) -> *const c_char;
    fn re_search(
        buffer: *mut Buffer,
        string: *const c_char,
        length: c_int,
        start: c_int,
        range: c_int,
        registers: *mut Registers,
    ) -> c_int;
    fn regfree(buffer: *mut Buffer);
}

const BK_PLUS_QM: c_ulong = 1 << 1;
const CHAR_CLASSES: c_ulong = 1 << 2;
const CONTEXT_INDEP_ANCHORS: c_ulong = 1 << 3;
const CONTEXT_INDEP_OPS: c_ulong = 1 << 4;
const CONTEXT_INVALID_OPS: c_ulong = 1 << 5;
const DOT_NEWLINE: c_ulong = 1 << 6;
const DOT_NOT_NULL: c_ulong = 1 << 7;
const HAT_LISTS_NOT_NEWLINE: c_ulong = 1 << 8;
const INTERVALS: c_ulong = 1 << 9;
const NEWLINE_ALT: c_ulong = 1 << 11;
const NO_BK_BRACES: c_ulong = 1 << 12;
const NO_BK_PARENS: c_ulong = 1 << 13;
const NO_BK_VBAR: c_ulong = 1 << 15;
const NO_EMPTY_RANGES: c_ulong = 1 << 16;
const UNMATCHED_RIGHT_PAREN_ORD: c_ulong = 1 << 17;
const ICASE: c_ulong = 1 << 22;
const CONTEXT_INVALID_DUP: c_ulong = 1 << 24;
const INVALID_INTERVAL_ORD: c_ulong = 1 << 21;
const POSIX_COMMON: c_ulong =
    CHAR_CLASSES | DOT_NEWLINE | DOT_NOT_NULL | INTERVALS | NO_EMPTY_RANGES;

/// Anchors hold at line ends as well.
const NEWLINE_ANCHOR: u32 = 1 << 8;

/// Which program's reading of an expression.
#[derive(Clone, Copy)]
#[allow(dead_code)]
pub enum Reading {
    Sed,
    Grep,
}

fn syntax(reading: Reading, extended: bool, fold: bool) -> c_ulong {
    let posix_extended = POSIX_COMMON
        | CONTEXT_INDEP_ANCHORS
        | CONTEXT_INDEP_OPS
        | NO_BK_BRACES
        | NO_BK_PARENS
        | NO_BK_VBAR
        | CONTEXT_INVALID_OPS;
    let posix_basic = POSIX_COMMON | BK_PLUS_QM | CONTEXT_INVALID_DUP;
    let bits = match (reading, extended) {
        (Reading::Sed, false) => posix_basic & !DOT_NOT_NULL,
        (Reading::Sed, true) => posix_extended & !DOT_NOT_NULL,
        (Reading::Grep, false) => {
            (posix_basic | NEWLINE_ALT | HAT_LISTS_NOT_NEWLINE)
                & !(CONTEXT_INVALID_DUP | DOT_NOT_NULL)
        }
        (Reading::Grep, true) => {
            (posix_extended | UNMATCHED_RIGHT_PAREN_ORD | INVALID_INTERVAL_ORD | NEWLINE_ALT | HAT_LISTS_NOT_NEWLINE)
                & !(CONTEXT_INVALID_OPS | DOT_NOT_NULL)
        }
    };
    bits | if fold { ICASE } else { 0 }
}

/// The leftmost longest match of `pattern` in `text`: Err where the pattern is none.
pub fn find(
    reading: Reading,
    pattern: &str,
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Result<Option<(usize, usize)>, ()> {
    static LOCALE: Once = Once::new();
    // SAFETY: a C string; nothing else runs yet.
    LOCALE.call_once(|| unsafe {
        let name = CString::new("C.UTF-8").expect("no NUL");
        assert!(!libc::setlocale(libc::LC_ALL, name.as_ptr()).is_null());
    });
    // SAFETY: the buffer begins as zeros, which the C library fills with memory of its own and frees; the lengths are
    // those of live slices, and one thread runs.
    unsafe {
        let mut buffer: Buffer = std::mem::zeroed();
        re_syntax_options = syntax(reading, extended, fold);
        let length = pattern.len();
        if !re_compile_pattern(pattern.as_ptr().cast(), length, &mut buffer).is_null() {
            regfree(&mut buffer);
            return Err(());
        }
        if let Reading::Sed = reading {
            buffer.bits &= !NEWLINE_ANCHOR;
        }
        let mut registers: Registers = std::mem::zeroed();
        let size = c_int::try_from(text.len()).expect("short");
        let at = re_search(&mut buffer, text.as_ptr().cast(), size, 0, size, &mut registers);
        let found = (at >= 0).then(|| (*registers.start as usize, *registers.end as usize));
        libc::free(registers.start.cast());
        libc::free(registers.end.cast());
        regfree(&mut buffer);
        Ok(found)
    }
}
