//! A table by small numbers that is read without a lock: two levels, made as they are needed.
#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;

const PAGE: usize = 1024;

type Page<T> = Box<[ArcSwapOption<T>]>;

pub struct Table<T> {
    pages: Box<[OnceLock<Page<T>>]>,
}

impl<T> Table<T> {
    /// Room for the numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self { pages: (0..size.div_ceil(PAGE)).map(|_| OnceLock::new()).collect() }
    }

    pub fn get(&self, number: usize) -> Option<Arc<T>> {
        self.pages.get(number / PAGE)?.get()?[number % PAGE].load_full()
    }

    /// Puts something in a place, or nothing; returns what was there. `None` for numbers that
    /// the table has no place for.
    pub fn set(&self, number: usize, value: Option<Arc<T>>) -> Option<Option<Arc<T>>> {
        let page = self.pages.get(number / PAGE)?;
        let page = page.get_or_init(|| (0..PAGE).map(|_| ArcSwapOption::empty()).collect());
        Some(page[number % PAGE].swap(value))
    }
}
