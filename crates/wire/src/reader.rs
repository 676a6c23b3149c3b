//! Reads fields off the front of a message and says which message and which field was wrong.

/// Why bytes are not the message they should be: one variant per misbehaviour, naming message and field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside or before a field.
    #[error("{message} ends before the end of its {field}")]
    Truncated {
        /// What was being read.
        message: &'static str,
        /// The field that is not there, or not whole.
        field: &'static str,
    },
    /// A message of fixed length has another length.
    #[error("{message} is {found} bytes long, expected {expected}")]
    WrongLength {
        /// What was being read.
        message: &'static str,
        /// The only right length.
        expected: usize,
        /// The length at hand.
        found: usize,
    },
    /// A length field is smaller than what it must count in.
    #[error("{message} has {found} for its {field}, expected at least {least}")]
    LengthTooSmall {
        /// What was being read.
        message: &'static str,
        /// The length field.
        field: &'static str,
        /// The smallest value that makes sense.
        least: usize,
        /// The value at hand.
        found: usize,
    },
    /// A length field counts more bytes than there are.
    #[error("{message} has {found} for its {field}, but only {available} bytes are there")]
    LengthBeyondEnd {
        /// What was being read.
        message: &'static str,
        /// The length field.
        field: &'static str,
        /// The bytes at hand.
        available: usize,
        /// The value at hand.
        found: usize,
    },
    /// A field has a value that means nothing.
    #[error("{message} has {found} for its {field}, which means nothing")]
    UnknownValue {
        /// What was being read.
        message: &'static str,
        /// The field.
        field: &'static str,
        /// The value at hand.
        found: u8,
    },
    /// Bytes that must be zero are not.
    #[error("{message} has a {field} that is not zero")]
    NotZero {
        /// What was being read.
        message: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A list is longer than its bound.
    #[error("{message} lists {found} {field}, expected at most {most}")]
    TooMany {
        /// What was being read.
        message: &'static str,
        /// The list.
        field: &'static str,
        /// The longest list allowed.
        most: usize,
        /// The length at hand.
        found: usize,
    },
}

/// A cursor over the bytes of one message.
///
/// Every method takes the field's name for the error, and none can panic.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    message: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins to read `bytes` as a `message` (its name, for errors).
    #[must_use]
    pub const fn new(message: &'static str, bytes: &'a [u8]) -> Self {
        Self { message, rest: bytes }
    }

    /// Borrows the next `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left; so do all methods that read a field.
    #[inline]
    pub const fn array<const N: usize>(&mut self, field: &'static str) -> Result<&'a [u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(DecodeError::Truncated { message: self.message, field }),
        }
    }

    /// Borrows the next `len` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub const fn bytes(&mut self, len: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(len) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(DecodeError::Truncated { message: self.message, field }),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(|&[byte]| byte)
    }

    /// A number of two bytes, in network byte order.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn u16_be(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(|bytes| u16::from_be_bytes(*bytes))
    }

    /// A number of four bytes, in network byte order.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn u32_be(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// A number of eight bytes, in network byte order.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn u64_be(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// A number of four bytes, little-endian as WireGuard has it.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A number of eight bytes, little-endian as WireGuard has it.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub fn u64_le(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// Skips the message's type byte, which must be `tag`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], or [`DecodeError::UnknownValue`] for another type.
    #[inline]
    pub fn tag(&mut self, tag: u8) -> Result<(), DecodeError> {
        match self.u8("type")? {
            found if found == tag => Ok(()),
            found => Err(self.unknown_value("type", found)),
        }
    }

    /// Skips `N` bytes that must be zero.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] or [`DecodeError::NotZero`].
    #[inline]
    pub fn zeros<const N: usize>(&mut self, field: &'static str) -> Result<(), DecodeError> {
        if *self.array::<N>(field)? == [0; N] {
            Ok(())
        } else {
            Err(DecodeError::NotZero { message: self.message, field })
        }
    }

    /// All bytes left.
    #[inline]
    #[must_use]
    pub const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// All bytes left, if there are at least `least`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    #[inline]
    pub const fn rest_at_least(self, least: usize, field: &'static str) -> Result<&'a [u8], DecodeError> {
        if self.rest.len() < least {
            return Err(DecodeError::Truncated { message: self.message, field });
        }
        Ok(self.rest)
    }

    /// The error for a field whose value `found` means nothing.
    #[must_use]
    pub const fn unknown_value(&self, field: &'static str, found: u8) -> DecodeError {
        DecodeError::UnknownValue { message: self.message, field, found }
    }

    /// How long a list is, by its leading byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], or [`DecodeError::TooMany`] above `most`.
    #[inline]
    pub fn count(&mut self, most: usize, field: &'static str) -> Result<usize, DecodeError> {
        let found = usize::from(self.u8(field)?);
        if found > most {
            return Err(DecodeError::TooMany { message: self.message, field, most, found });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_in_their_byte_order() {
        let bytes =
            [7, 0, 0, 0, 1, 2, 1, 2, 3, 4, 4, 3, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1, 9];
        let mut reader = Reader::new("sample", &bytes);

        assert_eq!(reader.tag(7), Ok(()));
        assert_eq!(reader.zeros::<3>("reserved"), Ok(()));
        assert_eq!(reader.u16_be("two"), Ok(0x0102));
        assert_eq!(reader.u32_be("four"), Ok(0x0102_0304));
        assert_eq!(reader.u32_le("four"), Ok(0x0102_0304));
        assert_eq!(reader.u64_be("eight"), Ok(0x0102_0304_0506_0708));
        assert_eq!(reader.u64_le("eight"), Ok(0x0102_0304_0506_0708));
        assert_eq!(reader.rest(), [9]);
    }

    #[test]
    fn a_missing_field_is_named_and_what_is_there_stays_readable() {
        let mut reader = Reader::new("sample", &[1, 2, 3]);

        let refused = reader.u32_be("sequence");
        assert_eq!(refused, Err(DecodeError::Truncated { message: "sample", field: "sequence" }));
        assert_eq!(refused.unwrap_err().to_string(), "sample ends before the end of its sequence");
        assert_eq!(reader.bytes(4, "data"), Err(DecodeError::Truncated { message: "sample", field: "data" }));
        assert_eq!(reader.bytes(2, "data"), Ok(&[1, 2][..]));
        assert_eq!(reader.clone().rest_at_least(1, "rest"), Ok(&[3][..]));
        assert!(reader.rest_at_least(2, "rest").is_err());
    }

    #[test]
    fn wrong_types_used_reserved_bytes_and_long_lists_are_told_apart() {
        let reader = Reader::new("sample", &[9, 0, 1]);

        assert_eq!(
            reader.clone().tag(4),
            Err(DecodeError::UnknownValue { message: "sample", field: "type", found: 9 })
        );
        assert_eq!(
            reader.clone().zeros::<3>("reserved"),
            Err(DecodeError::NotZero { message: "sample", field: "reserved" })
        );
        assert_eq!(
            reader.clone().count(8, "points"),
            Err(DecodeError::TooMany { message: "sample", field: "points", most: 8, found: 9 })
        );
        assert_eq!(reader.clone().count(9, "points"), Ok(9));
    }
}
