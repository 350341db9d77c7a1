//! The functions of a driver in the program, and what they are given: sio_driver.h.
//!
//! They run where the program has called the library, or in a thread of the library's. The thread
//! cannot be cancelled meanwhile: what a cancellation would unwind through is the library's.

use std::cell::UnsafeCell;

use super::annotate;
use super::kiocb::{Kiocb, Shown};
use super::wait::Uncancellable;

/// `struct sio_file`: one opening of a device.
#[repr(C)]
pub struct FileBlock {
    pub device: usize,
    /// The driver's own.
    pub private: usize,
    pub flags: i32,
}

/// It stays where it is.
pub struct OpenedFile(Box<UnsafeCell<FileBlock>>);

// SAFETY: the library writes it before anybody has it, and reads none of it again.
unsafe impl Send for OpenedFile {}
// SAFETY: as above.
unsafe impl Sync for OpenedFile {}

impl OpenedFile {
    pub fn new(device: usize, flags: i32) -> Self {
        Self(Box::new(UnsafeCell::new(FileBlock { device, private: 0, flags })))
    }

    pub fn block(&self) -> *mut FileBlock {
        self.0.get()
    }

    pub fn address(&self) -> usize {
        self.block() as usize
    }
}

type Transfer = unsafe extern "C" fn(*mut Shown) -> isize;
type Cancel = unsafe extern "C" fn(*mut Shown) -> i32;
type Open = unsafe extern "C" fn(*mut FileBlock) -> i32;
type Release = unsafe extern "C" fn(*mut FileBlock);

/// `struct sio_device_operations`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Operations {
    read: Option<Transfer>,
    write: Option<Transfer>,
    fsync: Option<Transfer>,
    cancel: Option<Cancel>,
    open: Option<Open>,
    release: Option<Release>,
}

/// The operations that begin a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    Read,
    Write,
    Sync,
}

impl Operations {
    /// Copies those of a program: `None` if there is something behind them that is not zero.
    ///
    /// # Safety
    /// `pointer` points to `bytes` bytes that are a `struct sio_device_operations` of a version of
    /// the header, with functions of the types that it tells.
    pub unsafe fn new(pointer: *const u8, bytes: usize) -> Option<Self> {
        let mut operations = Self::default();
        let known = bytes.min(size_of::<Self>());
        // SAFETY: by the contract of this function; what is missing stays null, which is none.
        let rest = unsafe {
            std::ptr::from_mut(&mut operations).cast::<u8>().copy_from(pointer, known);
            std::slice::from_raw_parts(pointer.add(known), bytes - known)
        };
        rest.iter().all(|byte| *byte == 0).then_some(operations)
    }

    fn function(&self, begin: Begin) -> Option<Transfer> {
        match begin {
            Begin::Read => self.read,
            Begin::Write => self.write,
            Begin::Sync => self.fsync,
        }
    }

    pub fn has(&self, begin: Begin) -> bool {
        self.function(begin).is_some()
    }

    /// What the driver answers; `None` if it has no such function.
    pub fn begin(&self, begin: Begin, kiocb: &Kiocb) -> Option<isize> {
        let _uncancellable = Uncancellable::begin();
        // SAFETY: a function of the program's for this; what it is given is never freed.
        self.function(begin).map(|function| unsafe { function(kiocb.shown()) })
    }

    pub fn cancel(&self, kiocb: &Kiocb) -> Option<i32> {
        let _uncancellable = Uncancellable::begin();
        // SAFETY: as above.
        self.cancel.map(|function| unsafe { function(kiocb.shown()) })
    }

    pub fn open(&self, file: &OpenedFile) -> i32 {
        let _uncancellable = Uncancellable::begin();
        // SAFETY: as above; it is given away until release() has been called, or it refuses.
        self.open.map_or(0, |function| unsafe { function(file.block()) })
    }

    pub fn release(&self, file: &OpenedFile) {
        let _uncancellable = Uncancellable::begin();
        if let Some(function) = self.release {
            // SAFETY: as above.
            unsafe { function(file.block()) };
        }
        annotate::released(file.address());
    }
}

impl Drop for OpenedFile {
    /// After all that the driver has done with it.
    fn drop(&mut self) {
        annotate::acquired(self.address());
    }
}
