//! Which known word a misspelt one probably was.

/// The candidate closest to `word`, if it is close enough that a person would see the slip.
#[must_use]
pub fn among<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let folded = word.to_ascii_lowercase().replace('-', "_");
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(&folded, candidate), *candidate))
        .filter(|(similarity, _)| *similarity >= CLOSE_ENOUGH)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Below this, suggestions are guesses: `port` for `peers` scores 0.78, `endpoint` for `endpoints` 0.98.
const CLOSE_ENOUGH: f64 = 0.82;

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["listen_port", "private_key_file", "public_key", "endpoints", "peers"];

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        assert_eq!(among("lisen_port", &KEYS), Some("listen_port"));
        assert_eq!(among("ListenPort", &KEYS), Some("listen_port"));
        assert_eq!(among("endpoint", &KEYS), Some("endpoints"));
        assert_eq!(among("public-key", &KEYS), Some("public_key"));
        assert_eq!(among("private_key", &KEYS), Some("private_key_file"));
        assert_eq!(among("zebra", &KEYS), None);
        assert_eq!(among("port", &KEYS), None);
    }
}
