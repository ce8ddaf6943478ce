//! `-P`: the part of Perl's expressions that PCRE2 and the regex crates read alike, read by regex-syntax.
//!
//! Both search leftmost, first alternative first. What only one of them knows, or each reads in its own way, is refused;
//! so is whatever may make PCRE2 give up: a repetition of anything but one character.

use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassSetItem, Flag, FlagsItemKind, GroupKind, HexLiteralKind,
    LiteralKind, RepetitionKind, RepetitionRange, Visitor,
};
use regex_syntax::hir::translate::TranslatorBuilder;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look};

use super::{refuse, Expression};
use crate::Refusal;

/// Groups nested deeper than this are refused.
const DEEPEST: u32 = 50;

/// Translates one pattern (without a newline).
pub(super) fn read(pattern: &str, ignore_case: bool) -> Result<Expression, Refusal> {
    let parsed = ParserBuilder::new()
        .nest_limit(DEEPEST)
        .build()
        .parse(pattern);
    let Ok(ast) = parsed else {
        return refuse("an expression of -P that is not read here");
    };
    let mut same = ast::visit(&ast, Same::new(pattern))?;
    same.folds |= ignore_case;
    if same.folds && !pattern.is_ascii() {
        return refuse("-i with a character beyond ASCII");
    }
    let hir = TranslatorBuilder::new()
        .case_insensitive(ignore_case)
        .multi_line(true)
        .build()
        .translate(pattern, &ast);
    let Ok(hir) = hir else {
        return refuse("an expression of -P that is not read here");
    };
    Ok(Expression {
        only_ascii: same.only_ascii || same.folds,
        ..Expression::new(within_a_line(&hir)?)
    })
}

/// The same expression, which never matches a newline, and whose words are of ASCII as PCRE2's are without UCP.
fn within_a_line(hir: &Hir) -> Result<Hir, Refusal> {
    let all =
        |parts: &[Hir]| -> Result<Vec<Hir>, Refusal> { parts.iter().map(within_a_line).collect() };
    Ok(match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            let mut class = class.clone();
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => {
            return refuse("a newline in an expression of -P")
        }
        HirKind::Empty | HirKind::Literal(_) => hir.clone(),
        HirKind::Look(look) => Hir::look(match look {
            Look::StartLF | Look::EndLF => *look,
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            _ => return refuse("an assertion of -P"),
        }),
        HirKind::Repetition(repetition) => {
            Hir::repetition(repetition.with(within_a_line(&repetition.sub)?))
        }
        HirKind::Capture(capture) => within_a_line(&capture.sub)?,
        HirKind::Concat(parts) => Hir::concat(all(parts)?),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)?),
        HirKind::Class(Class::Bytes(_)) => return refuse("bytes in an expression of -P"),
    })
}

/// Looks at each part of an expression, and refuses what the two read differently.
struct Same<'p> {
    pattern: &'p str,
    /// It has classes or word boundaries, which differ beyond ASCII.
    only_ascii: bool,
    /// It ignores case in places.
    folds: bool,
}

impl<'p> Same<'p> {
    fn new(pattern: &'p str) -> Self {
        Same {
            pattern,
            only_ascii: false,
            folds: false,
        }
    }

    /// Takes flags of which none but `i` may be there.
    fn flags(&mut self, flags: &ast::Flags) -> Result<(), Refusal> {
        for item in &flags.items {
            match item.kind {
                FlagsItemKind::Negation => {}
                FlagsItemKind::Flag(Flag::CaseInsensitive) => self.folds = true,
                _ => return refuse("a flag in an expression of -P"),
            }
        }
        Ok(())
    }
}

impl<'p> Visitor for Same<'p> {
    type Output = Same<'p>;
    type Err = Refusal;

    fn finish(self) -> Result<Same<'p>, Refusal> {
        Ok(self)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Refusal> {
        match ast {
            Ast::Empty(_) | Ast::Dot(_) | Ast::Alternation(_) | Ast::Concat(_) => {}
            Ast::ClassBracketed(class) => {
                // An error there, a set of characters here.
                let text = &self.pattern[class.span.start.offset..];
                if text.starts_with("[:") || text.starts_with("[.") || text.starts_with("[=") {
                    return refuse("a class of -P without its brackets");
                }
                // A range there, characters here.
                let list = text[1..].strip_prefix('^').unwrap_or(&text[1..]);
                if list.starts_with("]-") || list.starts_with("--") {
                    return refuse("a range of -P that begins at ] or -");
                }
            }
            Ast::Flags(flags) => self.flags(&flags.flags)?,
            Ast::Literal(literal) => same_literal(literal)?,
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine | AssertionKind::EndLine => {}
                AssertionKind::WordBoundary | AssertionKind::NotWordBoundary => {
                    self.only_ascii = true;
                }
                _ => return refuse("an assertion of -P"),
            },
            Ast::ClassUnicode(_) => return refuse("a property in an expression of -P"),
            Ast::ClassPerl(_) => self.only_ascii = true,
            Ast::Repetition(repetition) => {
                let optional = repetition.op.kind == RepetitionKind::ZeroOrOne;
                let of_one = matches!(
                    *repetition.ast,
                    Ast::Literal(_) | Ast::Dot(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_)
                );
                let optional_group = optional && matches!(*repetition.ast, Ast::Group(_));
                if !of_one && !optional_group {
                    return refuse("a repetition of more than a character in -P");
                }
                if let RepetitionKind::Range(_) = repetition.op.kind {
                    // Blanks within, and no first number: read by newer versions of one or the other.
                    let span = &repetition.op.span;
                    let written = &self.pattern[span.start.offset..span.end.offset];
                    let inside = written.trim_start_matches('{').trim_end_matches('?');
                    let inside = inside.trim_end_matches('}');
                    let is_plain = |c: char| c.is_ascii_digit() || c == ',';
                    if !inside.chars().all(is_plain) || inside.starts_with(',') {
                        return refuse("an interval of -P that is read differently");
                    }
                }
                if let RepetitionKind::Range(range) = &repetition.op.kind {
                    let (RepetitionRange::Exactly(most)
                    | RepetitionRange::AtLeast(most)
                    | RepetitionRange::Bounded(_, most)) = range;
                    if *most > 1000 {
                        return refuse("a long repetition in -P");
                    }
                }
            }
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(_) => {}
                GroupKind::NonCapturing(flags) => self.flags(flags)?,
                GroupKind::CaptureName { .. } => return refuse("a name in -P"),
            },
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Refusal> {
        match item {
            ClassSetItem::Empty(_) => Ok(()),
            ClassSetItem::Union(union) => {
                // An invalid range there, a class and two characters here.
                let from_class = |three: &[ClassSetItem]| {
                    matches!(&three[0], ClassSetItem::Ascii(_) | ClassSetItem::Perl(_))
                        && matches!(&three[1], ClassSetItem::Literal(dash) if dash.c == '-')
                };
                match union.items.windows(3).any(from_class) {
                    true => refuse("a range from a class in -P"),
                    false => Ok(()),
                }
            }
            ClassSetItem::Literal(literal) => same_literal(literal),
            ClassSetItem::Range(range) => {
                same_literal(&range.start)?;
                same_literal(&range.end)
            }
            ClassSetItem::Ascii(_) | ClassSetItem::Perl(_) => {
                self.only_ascii = true;
                Ok(())
            }
            ClassSetItem::Unicode(_) | ClassSetItem::Bracketed(_) => {
                refuse("brackets within brackets in -P")
            }
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), Refusal> {
        refuse("an operation on sets, which -P does not know")
    }
}

/// A literal that is written in a way that both read alike.
fn same_literal(literal: &ast::Literal) -> Result<(), Refusal> {
    let fine = match &literal.kind {
        LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous => true,
        LiteralKind::HexFixed(kind) | LiteralKind::HexBrace(kind) => *kind == HexLiteralKind::X,
        // `\v` is a class there.
        LiteralKind::Special(kind) => *kind != ast::SpecialLiteralKind::VerticalTab,
        LiteralKind::Octal => false,
    };
    match fine && literal.c != '\n' && literal.c != '\0' {
        true => Ok(()),
        false => refuse("an escape in an expression of -P"),
    }
}
