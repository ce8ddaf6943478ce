//! What bash would say of a line before it runs any of it: all of it is looked at, also what is never reached.
//!
//! The parser takes some lines that bash does not, and tells not all that it saw. What is odd in either way is refused here.

use brush_parser::ast::{
    AndOr, AndOrList, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem as Item,
    CompoundCommand, CompoundList, ExtendedTestExpr, IoFileRedirectTarget, IoRedirect, Pipeline,
    Program, SeparatorOperator, SimpleCommand, Word,
};
use brush_parser::word::{
    Parameter, ParameterExpr as E, SpecialParameter, WordPiece, WordPieceWithSource,
};
use brush_parser::SourceSpan;

use crate::expand::unparsed_brace;
use crate::{syntax, Refusal};

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(what))
}

/// Parses a whole command line, and looks at all of it.
///
/// # Errors
/// Where it does not parse, is too large or too deep, or holds what bash may read otherwise than the parser does.
pub fn parse(text: &str) -> Result<Program, Refusal> {
    let program = syntax::parse_unchecked(text)?;
    let check = Check { text };
    program
        .complete_commands
        .iter()
        .try_for_each(|list| check.list(list))?;
    Ok(program)
}

struct Check<'t> {
    text: &'t str,
}

impl Check<'_> {
    /// The character at a place of the text, which the parser counts in characters.
    fn at(&self, index: usize) -> Option<char> {
        match self.text.is_ascii() {
            true => self.text.as_bytes().get(index).map(|&b| char::from(b)),
            false => self.text.chars().nth(index),
        }
    }

    fn list(&self, list: &CompoundList) -> Result<(), Refusal> {
        list.0.iter().try_for_each(|item| match item.1 {
            SeparatorOperator::Async => refuse("a command in the background"),
            SeparatorOperator::Sequence => self.and_or(&item.0),
        })
    }

    fn and_or(&self, list: &AndOrList) -> Result<(), Refusal> {
        self.pipeline(&list.first)?;
        list.additional.iter().try_for_each(|next| match next {
            AndOr::And(pipeline) | AndOr::Or(pipeline) => self.pipeline(pipeline),
        })
    }

    fn pipeline(&self, pipeline: &Pipeline) -> Result<(), Refusal> {
        if pipeline.timed.is_some() {
            return refuse("time");
        }
        if pipeline.seq.is_empty() {
            return refuse("a pipeline without a command");
        }
        pipeline
            .seq
            .iter()
            .try_for_each(|command| self.command(command))
    }

    fn command(&self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Compound(compound, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |list| &list.0);
                self.ends_there(redirects)?;
                redirects
                    .iter()
                    .try_for_each(|redirect| self.redirect(redirect))?;
                self.compound(compound)
            }
            Command::ExtendedTest(test, None) => self.test(&test.expr),
            Command::ExtendedTest(_, Some(_)) => refuse("a redirection of [[ ]]"),
            Command::Function(_) => refuse("a function"),
        }
    }

    /// Behind a compound command `done` and its like need no separator, but behind its redirections they do, and the parser
    /// does not ask for it.
    fn ends_there(&self, redirects: &[IoRedirect]) -> Result<(), Refusal> {
        let Some(last) = redirects.last() else {
            return Ok(());
        };
        let word = match last {
            IoRedirect::File(
                _,
                _,
                IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word),
            )
            | IoRedirect::HereString(_, word)
            | IoRedirect::OutputAndError(word, _) => word,
            IoRedirect::HereDocument(_, document) => &document.here_end,
            IoRedirect::File(_, _, IoFileRedirectTarget::Fd(_)) => return Ok(()), // `|&`
            IoRedirect::File(_, _, IoFileRedirectTarget::ProcessSubstitution(..)) => {
                return refuse("a process substitution")
            }
        };
        self.ends_behind(word)
    }

    /// Whether a separator stands behind `word`, or the end.
    fn ends_behind(&self, word: &Word) -> Result<(), Refusal> {
        let Some(place) = &word.loc else {
            return refuse("a redirection out of place");
        };
        let behind = (place.end.index..).map_while(|index| self.at(index));
        match behind.into_iter().find(|c| !matches!(c, ' ' | '\t')) {
            None | Some('\n' | ';' | '&' | '|' | ')') => Ok(()),
            Some(_) => refuse("a word behind the redirections of a compound command"),
        }
    }

    fn simple(&self, command: &SimpleCommand) -> Result<(), Refusal> {
        let prefix = command.prefix.iter().flat_map(|list| &list.0);
        let suffix = command.suffix.iter().flat_map(|list| &list.0);
        // Behind these `done` is a word, which the parser leaves to the loop around it.
        if let (None, Some(prefix)) = (&command.word_or_name, &command.prefix) {
            match prefix.0.last() {
                Some(Item::IoRedirect(last)) => self.ends_there(std::slice::from_ref(last))?,
                Some(Item::AssignmentWord(_, word) | Item::Word(word)) => self.ends_behind(word)?,
                Some(Item::ProcessSubstitution(..)) | None => {}
            }
        }
        if let Some(name) = &command.word_or_name {
            if RESERVED.contains(&name.value.as_str()) {
                return refuse("a reserved word where the parser sees a command");
            }
            let end = name
                .value
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            if end.is_some_and(|end| end > 0 && name.value[end..].starts_with('[')) {
                return refuse("a command that looks like an element of an array");
            }
            self.word(name)?;
        }
        prefix.chain(suffix).try_for_each(|item| match item {
            Item::IoRedirect(redirect) => self.redirect(redirect),
            Item::Word(word) => self.word(word),
            Item::AssignmentWord(assignment, word) => match (&assignment.name, &assignment.value) {
                (AssignmentName::VariableName(_), AssignmentValue::Scalar(_)) => self.word(word),
                _ => refuse("an array, or an assignment that appends"),
            },
            Item::ProcessSubstitution(..) => refuse("a process substitution"),
        })
    }

    fn redirect(&self, redirect: &IoRedirect) -> Result<(), Refusal> {
        match redirect {
            IoRedirect::File(_, _, target) => match target {
                IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word) => {
                    self.target(word)
                }
                IoFileRedirectTarget::Fd(_) => Ok(()),
                IoFileRedirectTarget::ProcessSubstitution(..) => refuse("a process substitution"),
            },
            IoRedirect::HereDocument(_, document)
                if document.requires_expansion && document.doc.value.contains("\\\n") =>
            {
                refuse("a here-document with a line that goes on") // perhaps over its end
            }
            IoRedirect::HereDocument(_, document) if document.requires_expansion => {
                self.pieces(&syntax::heredoc(&document.doc.value)?)
            }
            IoRedirect::HereDocument(..) => Ok(()),
            IoRedirect::HereString(_, word) | IoRedirect::OutputAndError(word, _) => {
                self.target(word)
            }
        }
    }

    /// The word of a redirection: digits right before another one belong to that.
    fn target(&self, word: &Word) -> Result<(), Refusal> {
        let behind = word.loc.as_ref().and_then(|loc| self.at(loc.end.index));
        let is_number = word.value.bytes().all(|b| b.is_ascii_digit());
        match is_number && (word.loc.is_none() || matches!(behind, Some('<' | '>'))) {
            true => refuse("a number between two redirections"),
            false => self.word(word),
        }
    }

    fn compound(&self, command: &CompoundCommand) -> Result<(), Refusal> {
        match command {
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(subshell) => {
                // bash looks for arithmetic here, and complains where it is none.
                let SourceSpan { start, .. } = &subshell.loc;
                match self.at(start.index + 1) {
                    Some('(') => refuse("parentheses within parentheses"),
                    _ => self.list(&subshell.list),
                }
            }
            CompoundCommand::ForClause(clause) => {
                let name = clause.variable_name.as_str();
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
                    return refuse("a loop over what is no name of a variable");
                }
                clause
                    .values
                    .iter()
                    .flatten()
                    .try_for_each(|word| self.word(word))?;
                self.list(&clause.body.list)
            }
            CompoundCommand::CaseClause(clause) => {
                self.word(&clause.value)?;
                clause.cases.iter().try_for_each(|item| {
                    item.patterns.iter().try_for_each(|word| self.word(word))?;
                    item.cmd.iter().try_for_each(|list| self.list(list))
                })
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition)?;
                self.list(&clause.then)?;
                clause.elses.iter().flatten().try_for_each(|other| {
                    other
                        .condition
                        .iter()
                        .try_for_each(|list| self.list(list))?;
                    self.list(&other.body)
                })
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0)?;
                self.list(&clause.1.list)
            }
            CompoundCommand::Arithmetic(command) => {
                let SourceSpan { start, end } = &command.loc;
                let closes = |index: usize| self.at(index) == Some(')');
                // With a blank between them, two parentheses open two subshells.
                let adjacent = self.at(start.index + 1) == Some('(')
                    && end.index >= 2
                    && closes(end.index - 1)
                    && closes(end.index - 2);
                match adjacent {
                    true => self.expanded(&command.expr.value),
                    false => refuse("parentheses within parentheses"),
                }
            }
            CompoundCommand::ArithmeticForClause(_) | CompoundCommand::Coprocess(_) => {
                refuse("coproc or an arithmetic loop")
            }
        }
    }

    fn test(&self, expr: &ExtendedTestExpr) -> Result<(), Refusal> {
        match expr {
            ExtendedTestExpr::And(a, b) | ExtendedTestExpr::Or(a, b) => {
                self.test(a)?;
                self.test(b)
            }
            ExtendedTestExpr::Not(a) | ExtendedTestExpr::Parenthesized(a) => self.test(a),
            ExtendedTestExpr::UnaryTest(_, word) => {
                self.operand(word)?;
                self.word(word)
            }
            ExtendedTestExpr::BinaryTest(_, a, b) => {
                self.operand(a)?;
                self.word(a)?;
                self.word(b)
            }
        }
    }

    /// A word of `[[ ]]` that bash takes for an operator where it can, and complains of what is missing then.
    fn operand(&self, word: &Word) -> Result<(), Refusal> {
        match word.value.starts_with(['-', '!', '(', ']', '[']) {
            true => refuse("a word of [[ ]] that looks like an operator"),
            false => Ok(()),
        }
    }

    fn word(&self, word: &Word) -> Result<(), Refusal> {
        let value = &word.value;
        if !value.contains(['(', ')']) && !value.contains("${") && !value.contains("$$") {
            return Ok(());
        }
        if has_comment_within(value) {
            return refuse("a comment in a substitution");
        }
        let pieces = syntax::pieces(&word.value)?;
        let bare = |piece: &WordPieceWithSource| matches!(&piece.piece, WordPiece::Text(text) if text.contains(['(', ')']));
        match pieces.iter().any(bare) {
            true => refuse("a parenthesis within a word"),
            false => self.pieces(&pieces),
        }
    }

    /// A word, or a part of one: only commands in it are parsed before the line runs.
    fn text(&self, text: &str) -> Result<(), Refusal> {
        match text.contains("$(") || text.contains("${") || text.contains("$$") {
            true => self.pieces(&syntax::pieces(text)?),
            false => Ok(()),
        }
    }

    /// What is expanded as if it were in double quotes.
    fn expanded(&self, text: &str) -> Result<(), Refusal> {
        match text.contains("$(") || text.contains("$$") {
            true => self.pieces(&syntax::heredoc(text)?),
            false => Ok(()),
        }
    }

    fn pieces(&self, pieces: &[WordPieceWithSource]) -> Result<(), Refusal> {
        if unparsed_brace(pieces) {
            return refuse("an expansion that the parser does not know");
        }
        pieces.iter().try_for_each(|piece| match &piece.piece {
            WordPiece::Text(_)
            | WordPiece::SingleQuotedText(_)
            | WordPiece::AnsiCQuotedText(_)
            | WordPiece::TildeExpansion(_)
            | WordPiece::EscapeSequence(_)
            // bash parses these when it comes to them.
            | WordPiece::BackquotedCommandSubstitution(_) => Ok(()),
            WordPiece::DoubleQuotedSequence(inner) | WordPiece::GettextDoubleQuotedSequence(inner) => {
                self.pieces(inner)
            }
            // bash ends the name there, where the parser may see `$` and then `${…}`, `$(…)` or `$'…'`.
            WordPiece::ParameterExpansion(E::Parameter {
                parameter: Parameter::Special(SpecialParameter::ProcessId),
                ..
            }) => refuse("the number of the shell"),
            WordPiece::ParameterExpansion(expr) => {
                operands(expr).into_iter().flatten().try_for_each(|operand| self.text(operand))
            }
            WordPiece::CommandSubstitution(text) => parse(text).map(drop),
            WordPiece::ArithmeticExpression(expr) => self.expanded(&expr.value),
        })
    }
}

/// Words that bash gives a meaning where a command begins; the parser takes some of them for commands.
const RESERVED: [&str; 22] = [
    "!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for",
    "function", "if", "in", "select", "then", "time", "until", "while", "{", "}",
];

/// Whether a comment may begin in a command within `word`: to the parser it does not always, and may hold the end.
fn has_comment_within(word: &str) -> bool {
    let Some(first) = word.find("$(") else {
        return false;
    };
    let bytes = &word.as_bytes()[first..];
    bytes
        .windows(2)
        .any(|two| two[1] == b'#' && b" \t\n;&|()<>".contains(&two[0]))
}

/// The words within `${…}`.
fn operands(expr: &E) -> [Option<&str>; 2] {
    match expr {
        E::Parameter { .. }
        | E::ParameterLength { .. }
        | E::Transform { .. }
        | E::VariableNames { .. }
        | E::MemberKeys { .. } => [None, None],
        E::UseDefaultValues {
            default_value: word,
            ..
        }
        | E::AssignDefaultValues {
            default_value: word,
            ..
        }
        | E::IndicateErrorIfNullOrUnset {
            error_message: word,
            ..
        }
        | E::UseAlternativeValue {
            alternative_value: word,
            ..
        }
        | E::RemoveSmallestSuffixPattern { pattern: word, .. }
        | E::RemoveLargestSuffixPattern { pattern: word, .. }
        | E::RemoveSmallestPrefixPattern { pattern: word, .. }
        | E::RemoveLargestPrefixPattern { pattern: word, .. }
        | E::UppercaseFirstChar { pattern: word, .. }
        | E::UppercasePattern { pattern: word, .. }
        | E::LowercaseFirstChar { pattern: word, .. }
        | E::LowercasePattern { pattern: word, .. } => [word.as_deref(), None],
        E::Substring { offset, length, .. } => [
            Some(&offset.value),
            length.as_ref().map(|length| length.value.as_str()),
        ],
        E::ReplaceSubstring {
            pattern,
            replacement,
            ..
        } => [Some(pattern), replacement.as_deref()],
    }
}
