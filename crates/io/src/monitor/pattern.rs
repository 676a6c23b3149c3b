//! Names of interfaces by pattern.

/// Whether `name` is what `pattern` says, where `*` stands for any characters, or none.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(head) else { return false };
    let starts = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    starts.into_iter().any(|at| matches(rest, &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_or_none() {
        assert!(matches("wwan0", "wwan0") && !matches("wwan0", "wwan01"));
        assert!(matches("wwan*", "wwan") && matches("wwan*", "wwan0u4") && !matches("wwan*", "wlan0"));
        assert!(matches("*wan*", "wwan0") && matches("*", "") && matches("en*p1", "enp0s31f6p1"));
        assert!(!matches("en*p1", "enp0s31f6") && !matches("", "a"));
    }
}
