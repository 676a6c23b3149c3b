//! Chance, drawn from a stream of the world's seed.

use stead_noise::random::RandomStream;
use stead_wire::time::Duration;

/// Draws for one purpose.
#[derive(Debug)]
pub struct Dice(RandomStream);

impl Dice {
    /// Draws from `stream`.
    #[must_use]
    pub const fn new(stream: RandomStream) -> Self {
        Self(stream)
    }

    /// Whether something of this probability (0 to 1) happens. Draws nothing for what is certain.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && (probability >= 1.0 || self.fraction() < probability)
    }

    /// A number below `bound`; zero if `bound` is.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The bias is below bound / 2^64, and nobody's secrets hang on it.
        if bound == 0 { 0 } else { self.0.next_u64() % bound }
    }

    /// A duration from nothing to `most`, in whole microseconds.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() {
            return most;
        }
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.below(micros + 1))
    }

    /// A duration from `least` to `most`.
    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + self.up_to(most.saturating_sub(least))
    }

    /// One of them; `None` of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn fraction(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }
}
