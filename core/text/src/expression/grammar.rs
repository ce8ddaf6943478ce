//! The grammar of POSIX 9.5: an expression is branches, a branch is pieces, a piece is an atom, repeated or not.

use regex_syntax::hir::{
    Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition,
};

use super::symbols::{symbols, Symbol};
use super::{cases, refuse, Dialect, Expression};
use crate::Refusal;

/// Groups may nest so deep: whatever walks the result later calls itself for each of them.
const MOST_NESTED: usize = 64;
/// A piece may be repeated so often in a row, for the same reason.
const MOST_STACKED: usize = 8;

/// Reads an expression.
pub(super) fn read(pattern: &str, dialect: Dialect) -> Result<Expression, Refusal> {
    let symbols = symbols(pattern, dialect)?;
    let mut grammar = Grammar {
        rest: &symbols.all,
        dialect,
        groups: 0,
        repeats_group: false,
    };
    let hir = grammar.expression(0)?;
    if !grammar.rest.is_empty() {
        return refuse("a group that was not opened");
    }
    if dialect.is_sed() && has_inner_anchor(&hir, false, false) {
        return refuse("an anchor with something before or behind it");
    }
    let is_edge =
        |look: &Look| !matches!(look, Look::Start | Look::End | Look::StartLF | Look::EndLF);
    let all = || symbols.all.iter();
    Ok(Expression {
        asks_words: all().any(|symbol| matches!(symbol, Symbol::Look(look) if is_edge(look))),
        has_looks: all().any(|symbol| matches!(symbol, Symbol::Look(_))),
        opens_with_brace: symbols.opens_with_brace,
        closes_nothing: symbols.closes_nothing,
        only_ascii: symbols.only_ascii,
        groups: grammar.groups,
        has_branches: all().any(|symbol| *symbol == Symbol::Or),
        repetitions: all()
            .filter(|symbol| matches!(symbol, Symbol::Repeat(..)))
            .count(),
        repeats_group: grammar.repeats_group,
        hir,
    })
}

/// Whether something may be matched before a `^`, or behind a `$`: seen, sed then takes some ends of lines for the text's.
fn has_inner_anchor(hir: &Hir, before: bool, behind: bool) -> bool {
    let takes = |part: &Hir| part.properties().maximum_len() != Some(0);
    match hir.kind() {
        HirKind::Look(Look::Start) => before,
        HirKind::Look(Look::End) => behind,
        HirKind::Concat(parts) => parts.iter().enumerate().any(|(at, part)| {
            let before = before || parts[..at].iter().any(takes);
            let behind = behind || parts[at + 1..].iter().any(takes);
            has_inner_anchor(part, before, behind)
        }),
        HirKind::Alternation(branches) => branches
            .iter()
            .any(|branch| has_inner_anchor(branch, before, behind)),
        HirKind::Capture(capture) => has_inner_anchor(&capture.sub, before, behind),
        _ => false,
    }
}

struct Grammar<'s> {
    rest: &'s [Symbol],
    dialect: Dialect,
    /// Groups that were opened.
    groups: usize,
    repeats_group: bool,
}

impl Grammar<'_> {
    /// Branches, of which one has to match, up to a closing or the end.
    fn expression(&mut self, depth: usize) -> Result<Hir, Refusal> {
        let mut branches = vec![self.branch(depth)?];
        while let [Symbol::Or, rest @ ..] = self.rest {
            self.rest = rest;
            branches.push(self.branch(depth)?);
        }
        Ok(Hir::alternation(branches))
    }

    /// Pieces, one after another.
    fn branch(&mut self, depth: usize) -> Result<Hir, Refusal> {
        let mut pieces = Vec::new();
        while let [first, rest @ ..] = self.rest {
            if matches!(first, Symbol::Or | Symbol::Close) {
                break;
            }
            if let Some(string) = self.string() {
                pieces.push(Hir::literal(string.into_bytes()));
                continue;
            }
            self.rest = rest;
            let atom = self.atom(first, depth)?;
            pieces.push(self.repeated(atom, *first == Symbol::Open)?);
        }
        Ok(Hir::concat(pieces))
    }

    /// Takes the characters that come next and are not repeated, where case counts.
    fn string(&mut self) -> Option<String> {
        let mut string = String::new();
        while let ([Symbol::Character(character), rest @ ..], false) =
            (self.rest, self.dialect.fold)
        {
            if let [Symbol::Repeat(..), ..] = rest {
                break;
            }
            string.push(*character);
            self.rest = rest;
        }
        (!string.is_empty()).then_some(string)
    }

    /// The atom that begins with `first`, which has been taken.
    fn atom(&mut self, first: &Symbol, depth: usize) -> Result<Hir, Refusal> {
        Ok(match first {
            Symbol::Character(character) if self.dialect.fold => cases::any_case(*character)?,
            Symbol::Character(character) => {
                Hir::literal(character.encode_utf8(&mut [0; 4]).as_bytes())
            }
            Symbol::Any => {
                self.one_of(ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)]))
            }
            Symbol::Set(set) => self.one_of(set.clone()),
            Symbol::Look(look) => Hir::look(*look),
            Symbol::Open if depth == MOST_NESTED => return refuse("groups nested too deep"),
            Symbol::Open => {
                self.groups += 1;
                let index = self.groups;
                let inner = self.expression(depth + 1)?;
                let [Symbol::Close, rest @ ..] = self.rest else {
                    return refuse("a group that is not closed");
                };
                self.rest = rest;
                match self.dialect.is_sed() {
                    true => Hir::capture(Capture {
                        index: index as u32,
                        name: None,
                        sub: Box::new(inner),
                    }),
                    false => inner,
                }
            }
            Symbol::Close | Symbol::Or | Symbol::Repeat(..) => {
                return refuse("an operator out of place")
            }
        })
    }

    /// `atom` with the repetitions that follow it.
    fn repeated(&mut self, atom: Hir, is_group: bool) -> Result<Hir, Refusal> {
        let mut piece = atom;
        let mut count = 0;
        while let [Symbol::Repeat(min, max), rest @ ..] = self.rest {
            self.rest = rest;
            count += 1;
            if count > MOST_STACKED || count > 1 && self.dialect.is_sed() && !self.dialect.extended
            {
                return refuse("repetitions of repetitions");
            }
            if !piece.properties().look_set().is_empty() {
                return refuse("a repeated anchor");
            }
            self.repeats_group |= is_group;
            piece = Hir::repetition(Repetition {
                min: *min,
                max: *max,
                greedy: true,
                sub: Box::new(piece),
            });
        }
        Ok(piece)
    }

    /// One character of these. No line of grep holds a newline.
    fn one_of(&self, mut set: ClassUnicode) -> Hir {
        if !self.dialect.is_sed() {
            set.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
        }
        Hir::class(Class::Unicode(set))
    }
}
