//! Medians and the like of a handful of figures.

/// A few figures in short.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Summary {
    /// How many there were.
    pub count: usize,
    /// The smallest.
    pub min: u64,
    /// The one in the middle.
    pub median: u64,
    /// Not exceeded by nineteen of twenty.
    pub p95: u64,
    /// The largest.
    pub max: u64,
}

impl Summary {
    /// The summary of `figures`; none of an empty list.
    #[must_use]
    pub fn of(mut figures: Vec<u64>) -> Option<Self> {
        figures.sort_unstable();
        Some(Self {
            count: figures.len(),
            min: *figures.first()?,
            median: rank(&figures, 50),
            p95: rank(&figures, 95),
            max: *figures.last()?,
        })
    }
}

/// The nearest-rank percentile of a sorted, non-empty list.
fn rank(sorted: &[u64], percent: usize) -> u64 {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_figures_of_the_list() {
        let summary = Summary::of((1..=20).rev().collect()).unwrap();
        assert_eq!(summary, Summary { count: 20, min: 1, median: 10, p95: 19, max: 20 });
        assert_eq!(Summary::of(vec![7]).unwrap(), Summary { count: 1, min: 7, median: 7, p95: 7, max: 7 });
        assert_eq!(Summary::of(Vec::new()), None);
    }
}
