//! Names of network interfaces, by Linux's rules, which are the narrowest.

use core::fmt;
use core::str::FromStr;

/// The name of the TUN device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The name as the kernel gets it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `stead0`.
impl Default for InterfaceName {
    fn default() -> Self {
        Self("stead0".into())
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text cannot name an interface.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InterfaceNameFault {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// IFNAMSIZ is 16 with its terminating zero.
    #[error("has {0} characters, and the kernel takes 15")]
    TooLong(usize),
    /// A character that the kernel, or a path under /proc or /sys, gives another meaning.
    #[error("contains `{0}`")]
    Character(char),
    /// Names that mean something else wherever interfaces are named.
    #[error("is a name that the kernel keeps for itself")]
    Reserved,
}

impl InterfaceNameFault {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Empty | Self::Reserved => "`stead0` is the usual name".into(),
            Self::TooLong(_) => "choose a shorter name; `stead0` is the usual one".into(),
            Self::Character(_) => "use letters, digits, `-`, `_` and `.`".into(),
        }
    }
}

impl FromStr for InterfaceName {
    type Err = InterfaceNameFault;

    fn from_str(text: &str) -> Result<Self, InterfaceNameFault> {
        if text.is_empty() {
            return Err(InterfaceNameFault::Empty);
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-_.".contains(*c)) {
            return Err(InterfaceNameFault::Character(odd));
        }
        if text.len() > LONGEST {
            return Err(InterfaceNameFault::TooLong(text.len()));
        }
        if [".", "..", "all", "default", "lo"].contains(&text) {
            return Err(InterfaceNameFault::Reserved);
        }
        Ok(Self(text.into()))
    }
}

/// Linux's IFNAMSIZ without the terminating zero.
const LONGEST: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_pass_and_each_odd_one_is_refused_for_its_own_reason() {
        for name in ["stead0", "wg-home", "fifteen-letters", "a.b_c"] {
            assert_eq!(name.parse::<InterfaceName>().unwrap().as_str(), name);
        }
        let fault = |text: &str| text.parse::<InterfaceName>().unwrap_err();
        assert_eq!(fault(""), InterfaceNameFault::Empty);
        assert_eq!(fault("sixteen-letters-"), InterfaceNameFault::TooLong(16));
        assert_eq!(fault("a/b"), InterfaceNameFault::Character('/'));
        assert_eq!(fault("a b"), InterfaceNameFault::Character(' '));
        assert_eq!(fault("tun%d"), InterfaceNameFault::Character('%'));
        assert_eq!(fault(".."), InterfaceNameFault::Reserved);
        assert_eq!(fault("all"), InterfaceNameFault::Reserved);
    }
}
