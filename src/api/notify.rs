//! `async_io_notify`: a callback when data has arrived, and then the thread that registered it is
//! interrupted. Source: "Sketch of a shared DMA buffer async IO setup".
//!
//! One thread of the library, the dispatcher, waits for all registrations and runs the callbacks,
//! with no lock held. A callback may end that thread, with pthread_exit(3): another one takes
//! over. In a child after fork there is neither it nor any registration.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;
use std::sync::Arc;

use super::fault::protect;
use super::pause::{Behalf, Owner};
pub use super::pause::{Pause, is_owner};
pub use super::registrations::Complete;
use super::registrations::{Place, Registration, Registrations};
use crate::channel::{Channel, Event, Interest, Step, Waiting};
use crate::error::{Errno, Result};
use crate::sys::per_process::PerProcess;
use crate::sys::sync::{Mutex, MutexGuard};
use crate::sys::wait::{self, Terms, Uncancellable};
use crate::sys::{descriptor, thread};

struct Notifier {
    /// The sources of the registrations are in there; the program does not know it.
    channel: Arc<Channel>,
    book: Mutex<Book>,
}

struct Book {
    registrations: Registrations,
    /// The descriptor of the callback that runs now.
    running: Option<RawFd>,
    has_dispatcher: bool,
}

static NOTIFIER: PerProcess<Notifier> = PerProcess::empty();

/// `async_io_notify`. `complete` must not panic: nothing would catch it.
pub fn register(fd: RawFd, complete: Complete) -> Result<()> {
    let place = Place::of_new(fd)?;
    let owner = Owner::of_registration()?;
    let notifier = Notifier::get_or_make()?;
    let mut book = notifier.lock();
    if !book.has_dispatcher {
        notifier.dispatch()?;
        book.has_dispatcher = true;
    }
    book.registrations.add(fd, &place, complete, owner)
}

/// `async_io_cancel`.
pub fn cancel(fd: RawFd) -> Result<()> {
    let (count, is_running) = match Notifier::get() {
        None => (0, false),
        Some(notifier) => {
            let mut book = notifier.lock();
            (book.registrations.remove(fd), book.running == Some(fd))
        }
    };
    match (count, is_running) {
        (_, true) => Err(Errno::EALREADY),
        (0, _) if descriptor::is_open(fd) => Err(Errno::ENOENT),
        (0, _) => Err(Errno::EBADF),
        _ => Ok(()),
    }
}

/// A socket has come into a channel or has left one: its data is to be found elsewhere now. To be
/// called with no channel entered.
pub fn moved(fd: RawFd) {
    if let Some(notifier) = Notifier::get() {
        notifier.lock().registrations.moved(fd);
    }
}

impl Notifier {
    /// This process's, if it has one.
    fn get() -> Option<&'static Self> {
        NOTIFIER.get()
    }

    fn get_or_make() -> Result<&'static Self> {
        NOTIFIER.get_or_try(|| {
            let channel = Channel::internal()?;
            let registrations = Registrations::new(channel.clone());
            let book = Book { registrations, running: None, has_dispatcher: false };
            Ok(Self { channel, book: Mutex::new(book) })
        })
    }

    /// Not in a child that a callback has made.
    fn is_present(&self) -> bool {
        Self::get().is_some_and(|present| std::ptr::eq(present, self))
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock()
    }

    /// Starts the dispatcher.
    fn dispatch(&'static self) -> Result<()> {
        thread::spawn_open(c"sio-notify", move || {
            let _uncancellable = Uncancellable::begin();
            let mut shift = Shift { notifier: self, is_over: false };
            while let Some(registration) = self.next() {
                self.run(registration);
            }
            shift.is_over = true;
        })
    }

    /// Waits until the data of a registration has arrived. `None`: there is nothing to wait for,
    /// because this is a child now, or no way to.
    fn next(&self) -> Option<Registration> {
        // A callback may have changed that.
        let _uncancellable = Uncancellable::begin();
        while self.is_present() {
            let arrived = protect(|| {
                let mut book = self.lock();
                let arrived = book.registrations.take_arrived();
                book.running = arrived.as_ref().map(|registration| registration.fd);
                Ok(arrived)
            });
            if let Some(registration) = arrived.ok()? {
                return Some(registration);
            }
            let event = self.wait().ok()?;
            protect(|| {
                self.lock().registrations.note(&event);
                Ok(())
            })
            .ok()?;
        }
        None
    }

    /// The next event of the dispatcher's channel. One at a time: what a thread has fetched would
    /// be lost if a callback ended it.
    fn wait(&self) -> Result<Event> {
        let mut room = [Event::EMPTY];
        let interest = Interest::Fetch(&mut room);
        let mut waiting = Waiting::new(self.channel.clone(), interest, Terms::default());
        let mut slept = None;
        loop {
            match protect(|| waiting.step(slept)) {
                Ok(Step::Block(sleep)) => slept = Some(wait::block(&sleep, waiting.terms())),
                Ok(_) => break,
                // The C library's own signals cannot be blocked.
                Err(Errno::EINTR) => slept = None,
                Err(errno) => return Err(errno),
            }
        }
        drop(waiting);
        Ok(room[0])
    }

    fn run(&self, registration: Registration) {
        let Registration { fd, complete, owner, .. } = registration;
        let _behalf = Behalf::of(&owner);
        let _delivery = Delivery { notifier: self, owner: &owner };
        complete(fd);
    }
}

/// A callback that runs; it ends when this is dropped, however it ends.
struct Delivery<'a> {
    notifier: &'a Notifier,
    owner: &'a Arc<Owner>,
}

impl Drop for Delivery<'_> {
    fn drop(&mut self) {
        // A child that the callback has made has nothing to do with it.
        if self.notifier.is_present() {
            self.notifier.lock().running = None;
            self.owner.complete();
        }
    }
}

/// A dispatcher's thread. If a callback ends it, the next one is started.
struct Shift {
    notifier: &'static Notifier,
    is_over: bool,
}

impl Drop for Shift {
    fn drop(&mut self) {
        if self.notifier.is_present() {
            let mut book = self.notifier.lock();
            // If no thread is to be had, the next registration tries again.
            book.has_dispatcher = !self.is_over && self.notifier.dispatch().is_ok();
        }
    }
}
