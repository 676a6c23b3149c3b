//! Which interfaces something is said of: a name, or part of one and `*`.

use core::fmt;
use core::str::FromStr;

use super::interface_name::InterfaceNameFault;

/// `wlan0`, or `wwan*` for all whose names begin so. `*` stands for any characters, or none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InterfacePattern(String);

impl InterfacePattern {
    /// The pattern as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for InterfacePattern {
    type Err = InterfaceNameFault;

    fn from_str(text: &str) -> Result<Self, InterfaceNameFault> {
        if text.is_empty() {
            return Err(InterfaceNameFault::Empty);
        }
        // Systems other than Linux have longer names, and some with spaces.
        let odd = |c: &char| c.is_control() || *c == '/' || *c == '%';
        match text.chars().find(odd) {
            Some(odd) => Err(InterfaceNameFault::Character(odd)),
            None => Ok(Self(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_name_with_stars_in_it() {
        for text in ["wlan0", "wwan*", "*", "Wi-Fi 2", "en*p1"] {
            assert_eq!(text.parse::<InterfacePattern>().unwrap().as_str(), text);
        }
        assert_eq!("".parse::<InterfacePattern>(), Err(InterfaceNameFault::Empty));
        assert_eq!("a/b".parse::<InterfacePattern>(), Err(InterfaceNameFault::Character('/')));
    }
}
