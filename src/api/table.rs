//! A table by small numbers that is read without a lock: two levels, made as they are needed. And
//! one by any numbers, behind a lock, for what is looked up seldom.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use crate::sys::cell::Current;
use crate::sys::sync::{Mutex, MutexGuard, OnceLock};

const PAGE: usize = 1024;

type Page<T> = Box<[Current<T>]>;

pub struct Table<T> {
    pages: Box<[OnceLock<Page<T>>]>,
}

impl<T> Table<T> {
    /// Room for the numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self { pages: (0..size.div_ceil(PAGE)).map(|_| OnceLock::new()).collect() }
    }

    pub fn get(&self, number: usize) -> Option<Arc<T>> {
        self.pages.get(number / PAGE)?.get()?[number % PAGE].get()
    }

    /// Puts something in a place, or nothing; returns what was there. `None` for numbers that
    /// the table has no place for.
    pub fn set(&self, number: usize, value: Option<Arc<T>>) -> Option<Option<Arc<T>>> {
        let page = self.pages.get(number / PAGE)?;
        let page = page.get_or_init(|| (0..PAGE).map(|_| Current::empty()).collect());
        Some(page[number % PAGE].set(value))
    }
}

/// A table by numbers of any size.
pub struct Register<T>(Mutex<HashMap<usize, Arc<T>>>);

impl<T> Register<T> {
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Arc<T>>> {
        self.0.lock()
    }

    pub fn get(&self, number: usize) -> Option<Arc<T>> {
        self.lock().get(&number).cloned()
    }

    pub fn set(&self, number: usize, value: T) {
        self.lock().insert(number, Arc::new(value));
    }

    pub fn remove(&self, number: usize) -> Option<Arc<T>> {
        self.lock().remove(&number)
    }
}
