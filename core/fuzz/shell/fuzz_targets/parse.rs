//! Any text at all: the parser and its guards neither panic, nor overflow the stack, nor run away.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = curserve_shell::parses(text);
});
