//! From an expression to its program.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::class::Set;
use super::program::{Program, Step, Stream, ENDS, HIGH};

/// Longer programs are no faster than an automaton.
const MOST: usize = 96;
/// A part that may come so many times more is written out so often.
const TIMES: u32 = 16;

/// Where what has been read so far may end.
#[derive(Clone, Copy, PartialEq)]
enum Marks {
    Everywhere,
    Nowhere,
    At(Stream),
}

/// The characters of a class.
struct Chars {
    ascii: [bool; 128],
    /// There are some beyond ASCII.
    beyond: bool,
}

/// A program in the making.
struct Compiler {
    program: Program,
    /// Bytes beyond ASCII may be any character there, and not only none.
    loose: bool,
}

/// The program that marks each line in which one of `patterns` matches, exactly so for lines of ASCII. `loose`: and lines beyond
/// ASCII in which one may. None where an automaton does better.
pub(super) fn compile(patterns: &[Hir], loose: bool) -> Option<Program> {
    let mut compiler = Compiler {
        program: Program {
            sets: vec![Set::Byte(b'\n'), Set::High],
            steps: Vec::new(),
            marks: None,
        },
        loose,
    };
    let mut marks = Marks::Nowhere;
    for pattern in patterns {
        let found = compiler.part(pattern, Marks::Everywhere, true)?;
        marks = compiler.either(marks, found);
    }
    compiler.program.marks = match marks {
        Marks::Everywhere => return None,
        Marks::Nowhere => None,
        Marks::At(stream) => Some(stream),
    };
    Some(compiler.program)
}

impl Compiler {
    /// The stream that `step` makes, once.
    fn step(&mut self, step: Step) -> Stream {
        let steps = &mut self.program.steps;
        let known = steps.iter().position(|known| *known == step);
        Stream::Step(known.unwrap_or_else(|| {
            steps.push(step);
            steps.len() - 1
        }))
    }

    fn set(&mut self, set: Set) -> Stream {
        let sets = &mut self.program.sets;
        let known = sets.iter().position(|known| *known == set);
        Stream::Set(known.unwrap_or_else(|| {
            sets.push(set);
            sets.len() - 1
        }))
    }

    fn either(&mut self, a: Marks, b: Marks) -> Marks {
        match (a, b) {
            (Marks::Everywhere, _) | (_, Marks::Everywhere) => Marks::Everywhere,
            (Marks::Nowhere, other) | (other, Marks::Nowhere) => other,
            (Marks::At(a), Marks::At(b)) => Marks::At(self.step(Step::Or(a, b))),
        }
    }

    fn only(&mut self, marks: Marks, place: Stream) -> Marks {
        match marks {
            Marks::Everywhere => Marks::At(place),
            Marks::Nowhere => Marks::Nowhere,
            Marks::At(marks) => Marks::At(self.step(Step::And(marks, place))),
        }
    }

    /// The bytes of these characters; None where there are none.
    fn bytes(&mut self, chars: &Chars) -> Option<Stream> {
        let set = Set::of(&chars.ascii).map(|set| self.set(set));
        match (set, chars.beyond && self.loose) {
            (Some(set), true) => Some(self.step(Step::Or(set, HIGH))),
            (None, true) => Some(HIGH),
            (set, false) => set,
        }
    }

    /// Whether one character may be several bytes.
    fn is_wide(&self, chars: &Chars) -> bool {
        chars.beyond && self.loose
    }

    /// Behind one byte of `bytes`.
    fn behind(&mut self, marks: Marks, bytes: Stream) -> Marks {
        match self.only(marks, bytes) {
            Marks::At(marks) => Marks::At(self.step(Step::Shift(marks, 1))),
            other => other,
        }
    }

    /// Behind one of these characters.
    fn char(&mut self, marks: Marks, chars: &Chars) -> Marks {
        let Some(bytes) = self.bytes(chars) else {
            return Marks::Nowhere;
        };
        let behind = self.behind(marks, bytes);
        match self.is_wide(chars) {
            true => self.along(behind, HIGH),
            false => behind,
        }
    }

    fn along(&mut self, marks: Marks, class: Stream) -> Marks {
        match marks {
            Marks::At(marks) => Marks::At(self.step(Step::Along(marks, class))),
            other => other,
        }
    }

    /// The places behind so many bytes of `bytes`, or more.
    fn run(&mut self, bytes: Stream, least: u32) -> Stream {
        let mut run = self.step(Step::Shift(bytes, 1));
        let mut held = 1;
        while held < least {
            let by = held.min(least - held).min(32);
            let later = self.step(Step::Shift(run, by));
            run = self.step(Step::And(run, later));
            held += by;
        }
        run
    }

    /// Where `part` may end that begins at one of `marks`. `last`: nothing comes after it, so the nearest end is as good as any.
    fn part(&mut self, part: &Hir, marks: Marks, last: bool) -> Option<Marks> {
        if self.program.steps.len() > MOST {
            return None;
        }
        if marks == Marks::Nowhere {
            return Some(marks);
        }
        Some(match part.kind() {
            HirKind::Empty => marks,
            HirKind::Literal(text) => {
                let mut marks = marks;
                for &byte in &text.0 {
                    let bytes = match byte.is_ascii() {
                        true => self.set(Set::Byte(byte)),
                        false if self.loose => HIGH,
                        false => return Some(Marks::Nowhere),
                    };
                    marks = self.behind(marks, bytes);
                }
                marks
            }
            HirKind::Class(class) => self.char(marks, &chars(class)),
            HirKind::Look(look) => {
                let place = self.look(*look)?;
                self.only(marks, place)
            }
            HirKind::Repetition(times) => match one(&times.sub) {
                Some(chars) => self.chars(times, &chars, marks, last)?,
                None => self.parts(times, marks, last)?,
            },
            HirKind::Capture(capture) => self.part(&capture.sub, marks, last)?,
            HirKind::Concat(parts) => {
                let mut marks = marks;
                for (number, part) in parts.iter().enumerate() {
                    marks = self.part(part, marks, last && number == parts.len() - 1)?;
                }
                marks
            }
            HirKind::Alternation(parts) => {
                let mut found = Marks::Nowhere;
                for part in parts {
                    let marks = self.part(part, marks, last)?;
                    found = self.either(found, marks);
                }
                found
            }
        })
    }

    fn look(&mut self, look: Look) -> Option<Stream> {
        let boundary = |compiler: &mut Self| {
            let is_word = |byte: usize| (byte as u8).is_ascii_alphanumeric() || byte == 0x5F;
            let words = Set::of(&std::array::from_fn(is_word));
            let words = compiler.set(words.expect("there are letters"));
            let behind = compiler.step(Step::Shift(words, 1));
            compiler.step(Step::Xor(words, behind))
        };
        let place = match look {
            Look::StartLF => return Some(self.step(Step::Behind(ENDS))),
            Look::EndLF => return Some(ENDS),
            Look::WordAscii | Look::WordUnicode => boundary(self),
            Look::WordAsciiNegate | Look::WordUnicodeNegate => {
                let boundary = boundary(self);
                self.step(Step::Not(boundary))
            }
            _ => return None,
        };
        if !self.loose {
            return Some(place);
        }
        let behind = self.step(Step::Shift(HIGH, 1));
        let beside = self.step(Step::Or(HIGH, behind));
        Some(self.step(Step::Or(place, beside)))
    }

    /// One of `chars`, several times.
    fn chars(
        &mut self,
        times: &Repetition,
        chars: &Chars,
        marks: Marks,
        last: bool,
    ) -> Option<Marks> {
        let Some(bytes) = self.bytes(chars) else {
            return Some(match times.min {
                0 => marks,
                _ => Marks::Nowhere,
            });
        };
        let least = times.min;
        let Marks::At(from) = marks else {
            // From everywhere on, the last few of many are as good as all.
            return Some(match least {
                0 => marks,
                _ => Marks::At(self.run(bytes, least)),
            });
        };
        let mut behind = marks;
        match least {
            0..=2 => {
                for _ in 0..least {
                    behind = self.char(behind, chars);
                }
            }
            3..=63 => {
                let (run, later) = (self.run(bytes, least), self.step(Step::Shift(from, least)));
                behind = Marks::At(self.step(Step::And(run, later)));
                if self.is_wide(chars) {
                    // Or, past a byte beyond ASCII, behind so many or more.
                    let reached = self.step(Step::Along(from, bytes));
                    let beyond = self.step(Step::And(reached, HIGH));
                    let past = self.step(Step::Along(beyond, bytes));
                    let past = self.step(Step::And(past, run));
                    behind = self.either(behind, Marks::At(past));
                }
            }
            _ => return None,
        }
        match times.max {
            _ if last => Some(behind),
            None => Some(self.along(behind, bytes)),
            Some(most) if most - least <= TIMES => {
                let mut once_more = behind;
                for _ in least..most {
                    once_more = self.char(once_more, chars);
                    behind = self.either(behind, once_more);
                }
                Some(behind)
            }
            Some(_) => None,
        }
    }

    /// More than a character, several times.
    fn parts(&mut self, times: &Repetition, marks: Marks, last: bool) -> Option<Marks> {
        let from_everywhere = marks == Marks::Everywhere;
        let mut behind = marks;
        for number in 1..=times.min {
            behind = self.part(&times.sub, behind, last && number == times.min)?;
        }
        if last || from_everywhere {
            return Some(behind);
        }
        let most = times.max.filter(|most| most - times.min <= TIMES)?;
        let mut once_more = behind;
        for _ in times.min..most {
            once_more = self.part(&times.sub, once_more, false)?;
            behind = self.either(behind, once_more);
        }
        Some(behind)
    }
}

/// Whether a match is one character, and any beyond ASCII is one.
pub(super) fn is_any_beyond(patterns: &[Hir]) -> bool {
    let [pattern] = patterns else {
        return false;
    };
    match pattern.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let last = class.ranges().last();
            last.is_some_and(|range| range.start() <= '\u{80}' && range.end() == char::MAX)
        }
        _ => false,
    }
}

/// The characters of what is always one of them.
fn one(part: &Hir) -> Option<Chars> {
    match part.kind() {
        HirKind::Class(class) => Some(chars(class)),
        HirKind::Capture(capture) => one(&capture.sub),
        HirKind::Literal(text) => match *text.0 {
            [byte] if byte.is_ascii() => Some(Chars {
                ascii: std::array::from_fn(|other| other == usize::from(byte)),
                beyond: false,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// The characters of a class; a line end is none, since matches end there.
fn chars(class: &Class) -> Chars {
    let mut chars = Chars {
        ascii: [false; 128],
        beyond: false,
    };
    let mut put = |low: u32, high: u32| {
        chars.ascii[low.min(128) as usize..(high + 1).min(128) as usize].fill(true);
        chars.beyond |= high >= 128;
    };
    match class {
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .for_each(|range| put(range.start().into(), range.end().into())),
        Class::Bytes(class) => class
            .ranges()
            .iter()
            .for_each(|range| put(range.start().into(), range.end().into())),
    }
    chars.ascii[usize::from(b'\n')] = false;
    chars
}
