//! A queue that mostly holds nothing or one: the first needs no memory of its own. There are two
//! for each connection, and most connections do nothing most of the time.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

pub struct Short<T> {
    first: Option<T>,
    /// Empty unless there is a first; made when there was a second one.
    #[expect(clippy::box_collection, reason = "one word, where most have none")]
    others: Option<Box<VecDeque<T>>>,
}

impl<T> Default for Short<T> {
    fn default() -> Self {
        Self { first: None, others: None }
    }
}

impl<T> Short<T> {
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.as_ref().map_or(0, |others| others.len())
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The first, if it is the only one.
    pub fn only(&self) -> Option<&T> {
        let is_alone = self.others.as_ref().is_none_or(|others| others.is_empty());
        self.first.as_ref().filter(|_| is_alone)
    }

    pub fn front(&self) -> Option<&T> {
        self.first.as_ref()
    }

    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.others.as_mut().and_then(|others| others.back_mut()).or(self.first.as_mut())
    }

    pub fn get(&self, index: usize) -> Option<&T> {
        match index.checked_sub(1) {
            Some(index) => self.others.as_ref()?.get(index),
            None => self.first.as_ref(),
        }
    }

    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match index.checked_sub(1) {
            Some(index) => self.others.as_mut()?.get_mut(index),
            None => self.first.as_mut(),
        }
    }

    pub fn push_back(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.others.get_or_insert_default().push_back(item);
        }
    }

    pub fn pop_front(&mut self) -> Option<T> {
        let next = self.others.as_mut().and_then(|others| others.pop_front());
        std::mem::replace(&mut self.first, next)
    }

    /// Lets the first one go where it is.
    pub fn drop_front(&mut self) {
        self.first = match &mut self.others {
            None => None,
            Some(others) => others.pop_front(),
        };
    }

    pub fn clear(&mut self) {
        self.first = None;
        self.others = None;
    }

    /// From one on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &T> {
        let first = self.first.iter().skip(index);
        let others = self.others.iter().flat_map(|others| others.iter());
        first.chain(others.skip(index.saturating_sub(1)))
    }

    pub fn iter_mut_from(&mut self, index: usize) -> impl Iterator<Item = &mut T> {
        let first = self.first.iter_mut().skip(index);
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut());
        first.chain(others.skip(index.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::Short;

    #[test]
    fn is_a_queue() {
        let mut short = Short::default();
        let mut queue = VecDeque::new();
        for step in 0..200_usize {
            if step * 7 % 11 < 6 {
                short.push_back(step);
                queue.push_back(step);
            } else {
                assert_eq!(short.front(), queue.front());
                if step % 2 == 0 {
                    assert_eq!(short.pop_front(), queue.pop_front());
                } else {
                    short.drop_front();
                    queue.pop_front();
                }
            }
            assert_eq!((short.len(), short.is_empty()), (queue.len(), queue.is_empty()));
            assert_eq!(short.front(), queue.front());
            assert_eq!(short.only(), queue.front().filter(|_| queue.len() == 1));
            assert_eq!(short.front_mut(), queue.front_mut());
            assert_eq!(short.back_mut(), queue.back_mut());
            for index in 0..queue.len() + 2 {
                assert_eq!(short.get(index), queue.get(index));
                assert_eq!(short.get_mut(index), queue.get_mut(index));
                assert!(short.iter_from(index).eq(queue.iter().skip(index)));
                assert!(short.iter_mut_from(index).eq(queue.iter_mut().skip(index)));
            }
        }
        short.clear();
        assert_eq!((short.len(), short.pop_front()), (0, None));
    }
}
