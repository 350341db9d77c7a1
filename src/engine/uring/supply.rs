//! How many buffers the kernel is to have: enough for what comes between two looks, and no more.
//!
//! The kernel takes them in turn. Many of them are a stretch of memory that no cache holds, and each
//! byte that is received goes into the coldest of it.
#![forbid(unsafe_code)]

/// So many looks decide whether fewer would do.
const LOOKS: u32 = 64;

pub struct Supply {
    wanted: usize,
    min: usize,
    max: usize,
    /// The fewest that were left since it was decided last.
    least_left: usize,
    looks: u32,
}

impl Supply {
    pub fn new(min: usize, max: usize) -> Self {
        let min = min.min(max);
        Self { wanted: min, min, max, least_left: usize::MAX, looks: 0 }
    }

    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Some were used up, and so many are left.
    pub fn look(&mut self, left: usize) {
        if left == 0 {
            self.wanted = (self.wanted * 2).min(self.max);
            self.least_left = usize::MAX;
            self.looks = 0;
            return;
        }
        self.least_left = self.least_left.min(left);
        self.looks += 1;
        if self.looks == LOOKS {
            let used = self.wanted.saturating_sub(self.least_left);
            // One more than was ever used, and room for the next larger burst.
            let enough = used + used / 4 + 1;
            self.wanted = self.wanted.min(enough.max(self.min));
            self.least_left = usize::MAX;
            self.looks = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Supply;

    #[test]
    fn grows_when_none_is_left() {
        let mut supply = Supply::new(2, 12);
        let mut wanted = Vec::new();
        for _ in 0..4 {
            supply.look(0);
            wanted.push(supply.wanted());
        }
        assert_eq!(wanted, [4, 8, 12, 12]);
    }

    #[test]
    fn shrinks_to_what_is_used() {
        let mut supply = Supply::new(2, 64);
        (0..5).for_each(|_| supply.look(0));
        assert_eq!(supply.wanted(), 64);
        (0..64).for_each(|round| supply.look(if round == 7 { 40 } else { 60 }));
        assert_eq!(supply.wanted(), 31);
        (0..64).for_each(|_| supply.look(31));
        assert_eq!(supply.wanted(), 2);
    }

    #[test]
    fn one_buffer_may_be_all_there_is() {
        let mut supply = Supply::new(2, 1);
        assert_eq!(supply.wanted(), 1);
        (0..200).for_each(|look| supply.look(look % 2));
        assert_eq!(supply.wanted(), 1);
    }
}
