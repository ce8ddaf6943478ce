//! What a branch consists of so far. Characters are gathered, for an expression of each takes longer to make than to read.

use regex_syntax::hir::Hir;

/// Expressions, one after another.
#[derive(Default)]
pub(super) struct Pieces {
    done: Vec<Hir>,
    /// Characters after those.
    text: String,
}

impl Pieces {
    /// Adds an expression.
    pub(super) fn push(&mut self, piece: Hir) {
        self.gather();
        self.done.push(piece);
    }

    /// Adds a character.
    pub(super) fn push_character(&mut self, character: char) {
        self.text.push(character);
    }

    /// Takes the last expression or character.
    pub(super) fn pop(&mut self) -> Option<Hir> {
        match self.text.pop() {
            Some(character) => Some(Hir::literal(character.to_string().into_bytes())),
            None => self.done.pop(),
        }
    }

    /// Whether the last one has an anchor or a word boundary.
    pub(super) fn end_in_look(&self) -> bool {
        let last = self.done.last().filter(|_| self.text.is_empty());
        last.is_some_and(|piece| !piece.properties().look_set().is_empty())
    }

    /// All of it.
    pub(super) fn concat(mut self) -> Hir {
        self.gather();
        Hir::concat(self.done)
    }

    fn gather(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.done.push(Hir::literal(text.into_bytes()));
        }
    }
}
