//! A list of options, taken apart one by one.

use super::{END, HEADER_LEN, NO_OPERATION, VcOption};
use crate::reader::{DecodeError, Reader};

/// What is left of a list.
pub(super) struct List<'a> {
    rest: &'a [u8],
}

impl<'a> List<'a> {
    pub(super) const fn new(options: &'a [u8]) -> Self {
        Self { rest: options }
    }

    /// Kind and data of the next option, past fillers.
    fn next_raw(&mut self) -> Result<Option<(u8, &'a [u8])>, DecodeError> {
        const NAME: &str = "option";
        while let Some((&NO_OPERATION, rest)) = self.rest.split_first() {
            self.rest = rest;
        }
        let (kind, rest) = match self.rest.split_first() {
            None | Some((&END, _)) => return Ok(None),
            Some((&kind, rest)) => (kind, rest),
        };
        let mut reader = Reader::new(NAME, rest);
        let found = usize::from(reader.u8("length")?);
        let Some(data_len) = found.checked_sub(HEADER_LEN) else {
            return Err(DecodeError::LengthTooSmall {
                message: NAME,
                field: "length",
                least: HEADER_LEN,
                found,
            });
        };
        let data = reader.bytes(data_len, "data")?;
        self.rest = reader.rest();
        Ok(Some((kind, data)))
    }
}

impl Iterator for List<'_> {
    type Item = Result<VcOption, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let option =
            self.next_raw().and_then(|raw| raw.map(|(kind, data)| VcOption::decode(kind, data)).transpose());
        if !matches!(option, Ok(Some(_))) {
            self.rest = &[];
        }
        option.transpose()
    }
}
