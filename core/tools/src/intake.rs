//! How far a program reads its standard input.

/// How far a program reads its standard input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intake {
    /// Not at all.
    Nothing,
    /// To the end.
    All,
    /// So many lines, and then it ends; `head`.
    Lines(u64),
    /// Perhaps, and perhaps not to the end.
    Unknown,
}

/// That of a program that reads these files to their ends, or standard input where there are none. Of one among several it
/// is not known: some look at all of them first, and end where one is not there.
pub(crate) fn of_operands<'a>(mut operands: impl Iterator<Item = &'a [u8]>) -> Intake {
    match (operands.next(), operands.next()) {
        (None | Some(b"-"), None) => Intake::All,
        (Some(first), second) => {
            let dash = [first]
                .into_iter()
                .chain(second)
                .chain(operands)
                .any(|o| o == b"-");
            if dash {
                Intake::Unknown
            } else {
                Intake::Nothing
            }
        }
        (None, Some(_)) => Intake::Unknown,
    }
}
