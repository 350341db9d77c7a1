//! Which devices there are, and which of their files are open.
//!
//! What is asked for with each request is read without a lock, also by a child after fork, which
//! finds out there what is its parent's.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::file::File;
use super::thread::Service;
use super::{OPENED, calls};
use crate::aio::queue::{self, Queue};
use crate::error::{Errno, Result};
use crate::sys::cell::{Current, thread_mark};
use crate::sys::descriptor::{Counter, Descriptor};
use crate::sys::driver::Operations;
use crate::sys::per_process::PerProcess;
use crate::sys::sync::{Condvar, Mutex};
use crate::sys::transfer::{self, Identity};
use crate::sys::{annotate, fork, poll};

/// The longest name of a device, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// A device: the functions of its driver.
pub struct Device {
    /// Never 0, and never one that was given before.
    pub handle: u64,
    pub name: Vec<u8>,
    pub operations: Operations,
    /// The driver's.
    pub context: usize,
    /// Nobody may call the driver any more. Changed with the books entered.
    is_gone: AtomicBool,
    /// Held by whoever waits until nobody is inside, and looks whether that is so.
    idle: Mutex<()>,
    is_idle: Condvar,
    /// What its files are when they are opened. Held while the readiness of one changes.
    is_readable: Mutex<bool>,
}

impl Device {
    pub fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// From now on nobody else is inside of the driver.
    fn shut(&self, queue: &Queue) {
        {
            let _state = queue.enter();
            self.is_gone.swap(true, Ordering::Relaxed);
        }
        let mut idle = self.idle.lock();
        while queue.enter().devices.is_entered(self.handle, None) {
            idle = self.is_idle.wait(idle);
        }
    }

    /// Somebody has left it. Not while the books are entered: a handler of a signal that comes here
    /// may enter them.
    pub fn left(&self) {
        if self.is_gone() {
            drop(self.idle.lock());
            self.is_idle.notify_all();
        }
    }
}

#[derive(Clone, Default)]
struct Tables {
    devices: Vec<Arc<Device>>,
    /// By device and number of the pipe.
    files: HashMap<(u64, u64), Arc<File>>,
}

/// What tools that look for races are to know: tables are freed after whoever has copied them.
impl Drop for Tables {
    fn drop(&mut self) {
        annotate::acquired(std::ptr::from_ref(&DEVICES).addr());
    }
}

/// All that a process has of them.
pub struct Devices {
    /// Goes into handles: a child never gives one that its parent has given.
    epoch: u32,
    tables: Current<Tables>,
    /// The last number that was given to a device or a file. Held during each change.
    numbers: Mutex<u64>,
    /// Where closed descriptors are seen.
    pub set: Descriptor,
    /// Gets the thread to look for errands.
    pub bell: Counter,
    pub service: Mutex<Service>,
}

static DEVICES: PerProcess<Devices> = PerProcess::empty();

fn key(identity: &Identity) -> (u64, u64) {
    (identity.device, identity.inode)
}

impl Devices {
    /// This process's, if it has registered a device.
    pub fn present() -> Option<&'static Self> {
        DEVICES.get()
    }

    fn get_or_make() -> Result<&'static Self> {
        DEVICES.get_or_try(|| {
            let new = Self {
                epoch: fork::epoch(),
                tables: Current::empty(),
                numbers: Mutex::new(0),
                set: poll::create()?,
                bell: Counter::new()?,
                service: Mutex::new(Service::default()),
            };
            poll::add(new.set.as_raw_fd(), new.bell.fd(), poll::IN, 0)?;
            Ok(new)
        })
    }

    fn tables(&self) -> Arc<Tables> {
        self.tables.get().unwrap_or_default()
    }

    /// Changes the tables, which others see at once, with a number that is new.
    fn change<T>(&self, change: impl FnOnce(&mut Tables, u64) -> Result<T>) -> Result<T> {
        let mut number = self.numbers.lock();
        let mut tables = Tables::clone(&self.tables());
        annotate::released(std::ptr::from_ref(&DEVICES).addr());
        let changed = change(&mut tables, *number + 1)?;
        *number += 1;
        self.tables.set(Some(Arc::new(tables)));
        Ok(changed)
    }

    /// A number that no file has had, nor a device.
    pub fn new_number(&self) -> u64 {
        let mut number = self.numbers.lock();
        *number += 1;
        *number
    }

    pub fn add_file(&self, file: &Arc<File>) -> Result<()> {
        let is_readable = file.device.is_readable.lock();
        file.watch.set_readable(*is_readable)?;
        self.change(|tables, _| {
            tables.files.insert(key(&file.watch.identity), file.clone());
            OPENED.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    pub fn remove_file(&self, file: &File) {
        let _ = self.change(|tables, _| {
            let removed = tables.files.remove(&key(&file.watch.identity));
            OPENED.fetch_sub(usize::from(removed.is_some()), Ordering::Relaxed);
            Ok(())
        });
    }
}

/// Looks in this process, and says `EPERM` of what is only the parent's.
fn look<T>(find: impl Fn(&Tables) -> Option<T>) -> Result<Option<T>> {
    let find = |devices: &Devices| find(&devices.tables());
    if let Some(found) = DEVICES.get().and_then(find) {
        return Ok(Some(found));
    }
    let is_inherited = DEVICES.inherited().any(|devices| find(devices).is_some());
    if is_inherited { Err(Errno::EPERM) } else { Ok(None) }
}

/// The file behind a descriptor.
pub fn find_file(fd: RawFd) -> Result<Option<Arc<File>>> {
    match transfer::identity(fd) {
        Ok(identity) if identity.kind() == libc::S_IFIFO => {
            look(|tables| tables.files.get(&key(&identity)).cloned())
        }
        // One that is not open is told of by whoever wants to use it.
        _ => Ok(None),
    }
}

/// The device of a name: `ENOENT` if there is none.
pub fn find_by_name(name: &[u8]) -> Result<Arc<Device>> {
    look(|tables| tables.devices.iter().find(|device| device.name == name).cloned())?
        .ok_or(Errno::ENOENT)
}

/// `sio_device_register`: the handle.
pub fn register(name: &[u8], operations: Operations, context: usize) -> Result<u64> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Errno::EINVAL);
    }
    let devices = Devices::get_or_make()?;
    // So that there are books from now on.
    queue::queue()?;
    devices.change(|tables, number| {
        if tables.devices.iter().any(|device| device.name == name) {
            return Err(Errno::EEXIST);
        }
        // In a child never a handle that the parent has given.
        let handle = u64::from(devices.epoch) << 40 | number;
        tables.devices.push(Arc::new(Device {
            handle,
            name: name.to_owned(),
            operations,
            context,
            is_gone: AtomicBool::new(false),
            idle: Mutex::default(),
            is_idle: Condvar::default(),
            is_readable: Mutex::new(false),
        }));
        Ok(handle)
    })
}

fn find_by_handle(tables: &Tables, handle: u64) -> Option<Arc<Device>> {
    tables.devices.iter().find(|device| device.handle == handle).cloned()
}

/// `sio_device_ready`: whether descriptors of a device are readable: those of all of its files, also
/// of later ones, or of the file whose block is at this address.
pub fn ready(handle: u64, block: Option<usize>, is_readable: bool) -> Result<()> {
    let device = look(|tables| find_by_handle(tables, handle))?.ok_or(Errno::EINVAL)?;
    let devices = Devices::present().ok_or(Errno::EINVAL)?;
    let mut of_later_ones = device.is_readable.lock();
    let is_meant = |file: &&Arc<File>| {
        Arc::ptr_eq(&file.device, &device)
            && block.is_none_or(|address| file.opened.address() == address)
    };
    let tables = devices.tables();
    let mut files = tables.files.values().filter(is_meant).peekable();
    if block.is_some() && files.peek().is_none() {
        return Err(Errno::EINVAL);
    }
    files.try_for_each(|file| file.watch.set_readable(is_readable))?;
    if block.is_none() {
        *of_later_ones = is_readable;
    }
    Ok(())
}

/// `sio_device_unregister`: afterwards nothing of the driver is called, and it has no requests.
pub fn unregister(handle: u64) -> Result<()> {
    let device = look(|tables| find_by_handle(tables, handle))?.ok_or(Errno::EINVAL)?;
    let devices = Devices::present().ok_or(Errno::EINVAL)?;
    let queue = queue::queue()?;
    if queue.enter().devices.is_entered(handle, Some(thread_mark())) {
        return Err(Errno::EDEADLK);
    }
    devices.change(|tables, _| {
        let count = tables.devices.len();
        tables.devices.retain(|other| !Arc::ptr_eq(other, &device));
        // Somebody else may have been faster.
        if tables.devices.len() < count { Ok(()) } else { Err(Errno::EINVAL) }
    })?;
    device.shut(queue);
    calls::abandon(queue, &device);
    // Who waits for the device had better look.
    let tables = devices.tables();
    for file in tables.files.values().filter(|file| Arc::ptr_eq(&file.device, &device)) {
        let _ = file.watch.set_readable(true);
    }
    Ok(())
}
