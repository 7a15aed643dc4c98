//! How long to wait before the next try: exponential with full jitter, under a ceiling.

use std::time::Duration;

use rand::Rng;

/// A pause of up to `base` × 2^`attempts`, but never longer than `ceiling`. All pauses up to that are equally likely, so
/// that what failed together does not come back together.
pub(super) fn pause(base: Duration, ceiling: Duration, attempts: u32, rng: &mut impl Rng) -> Duration {
    let longest = base
        .saturating_mul(1_u32.checked_shl(attempts).unwrap_or(u32::MAX))
        .min(ceiling);
    longest.mul_f64(rng.random::<f64>())
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn pauses_grow_up_to_the_ceiling_and_are_spread() {
        let (base, ceiling) = (Duration::from_millis(500), Duration::from_secs(60));
        let mut rng = StdRng::seed_from_u64(7);
        for attempts in [0, 1, 3, 6, 7, 31, 32, u32::MAX] {
            let longest = if attempts < 7 {
                base * 2_u32.pow(attempts)
            } else {
                ceiling
            };
            let pauses: Vec<_> = (0..1000).map(|_| pause(base, ceiling, attempts, &mut rng)).collect();
            let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
            assert!(*most <= longest && *most > longest.mul_f64(0.9), "{attempts}: {most:?}");
            assert!(*least < longest.mul_f64(0.1), "{attempts}: {least:?}");
        }
    }
}
