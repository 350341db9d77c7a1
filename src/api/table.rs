//! A table by small numbers that is read without a lock: two levels, made as they are needed. And
//! one by any numbers, behind a lock, for what is looked up seldom.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use crate::sys::cell::Current;
use crate::sys::glance::{Glance, Glimpse, Taken};
use crate::sys::own::Own;
use crate::sys::sync::{Mutex, MutexGuard, OnceLock};

const PAGE: usize = 1024;

/// Places by number.
struct Pages<P>(Box<[OnceLock<Box<[P]>>]>);

impl<P> Pages<P> {
    fn new(size: usize) -> Self {
        Self((0..size.div_ceil(PAGE)).map(|_| OnceLock::new()).collect())
    }

    #[inline]
    fn get(&self, number: usize) -> Option<&P> {
        self.0.get(number / PAGE)?.get()?.get(number % PAGE)
    }

    fn get_or_make(&self, number: usize, make: fn() -> P) -> Option<&P> {
        let page = self.0.get(number / PAGE)?;
        page.get_or_init(|| (0..PAGE).map(|_| make()).collect()).get(number % PAGE)
    }
}

pub struct Table<T>(Pages<Current<T>>);

impl<T> Table<T> {
    /// Room for the numbers below `size`.
    pub fn new(size: usize) -> Self {
        Self(Pages::new(size))
    }

    #[inline]
    pub fn get(&self, number: usize) -> Option<Arc<T>> {
        self.0.get(number)?.get()
    }

    /// Lends what is in a place for a moment.
    pub fn with<R>(&self, number: usize, look: impl FnOnce(Option<&Arc<T>>) -> R) -> R {
        match self.0.get(number) {
            Some(place) => place.with(look),
            None => look(None),
        }
    }

    /// Puts something in a place, or nothing; returns what was there. `None` for numbers that
    /// the table has no place for.
    pub fn set(&self, number: usize, value: Option<Arc<T>>) -> Option<Option<Arc<T>>> {
        self.0.get_or_make(number, Current::empty).map(|place| place.set(value))
    }
}

/// The same for what is looked at with each datagram.
pub struct Glances<T>(Pages<Glance<T>>);

impl<T: Send + Sync> Glances<T> {
    pub fn new(size: usize) -> Self {
        Self(Pages::new(size))
    }

    /// See [`Glance::look`].
    #[inline(always)]
    pub fn look(&self, own: &Own, number: usize) -> Option<Glimpse<'_, T>> {
        self.0.get(number)?.look(own)
    }

    pub fn set(&self, number: usize, value: Arc<T>) {
        if let Some(place) = self.0.get_or_make(number, Glance::empty) {
            place.set(Some(value));
        }
    }

    pub fn clear(&self, number: usize) {
        drop(self.take(number));
    }

    pub fn has(&self, number: usize) -> bool {
        self.0.get(number).is_some_and(Glance::is_set)
    }

    /// Takes out what is there: see [`Taken`].
    pub fn take(&self, number: usize) -> Option<Taken<T>> {
        self.replace(number, None)
    }

    /// The same, and puts something in its place, or nothing.
    pub fn replace(&self, number: usize, value: Option<Arc<T>>) -> Option<Taken<T>> {
        self.0.get(number).map(|place| place.replace(value))
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
