//! The files of devices: opened by the program, and closed when it has closed every descriptor.

use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::sync::Arc;

use super::books::Opening;
use super::registry::{Device, Devices, find_by_name};
use super::{calls, find};
use crate::aio::queue::{self, Queue};
use crate::error::{Errno, Result};
use crate::sys::driver::{Begin, OpenedFile};
use crate::sys::hangup::{self, Watch};
use crate::sys::{descriptor, poll, spare};

/// What `open(2)` gives for a real device: shared by all duplicates of the descriptor.
pub struct File {
    /// Never 0.
    pub id: u64,
    pub device: Arc<Device>,
    pub opened: OpenedFile,
    pub watch: Watch,
    /// `O_RDONLY`, `O_WRONLY` or `O_RDWR`.
    access: i32,
}

impl File {
    pub fn allows(&self, begin: Begin) -> bool {
        match begin {
            Begin::Read => self.access != libc::O_WRONLY,
            Begin::Write => self.access != libc::O_RDONLY,
            Begin::Sync => true,
        }
    }
}

const FILES_MIN: usize = 16;
/// What one more takes while the tables grow.
const FILE_BYTES: usize = 1024;

/// The flags that an opening can have. Close-on-exec it is in any case.
const FLAGS: i32 = libc::O_ACCMODE | libc::O_NONBLOCK | libc::O_CLOEXEC;

/// `sio_device_open`.
pub fn open(name: &[u8], flags: i32) -> Result<RawFd> {
    if flags & !FLAGS != 0 || flags & libc::O_ACCMODE == libc::O_ACCMODE {
        return Err(Errno::EINVAL);
    }
    let device = find_by_name(name)?;
    let devices = Devices::present().ok_or(Errno::ENOENT)?;
    let queue = queue::queue()?;
    if !queue.enter().devices.enter(&device) {
        return Err(Errno::ENOENT);
    }
    let opened = open_entered(devices, queue, &device, flags);
    queue.enter().devices.leave(&device);
    device.left();
    opened
}

fn open_entered(
    devices: &'static Devices,
    queue: &Queue,
    device: &Arc<Device>,
    flags: i32,
) -> Result<RawFd> {
    let (fd, watch) = hangup::pair()?;
    devices.employ()?;
    let file = Arc::new(File {
        id: devices.new_number(),
        device: device.clone(),
        opened: OpenedFile::new(device.context, flags),
        watch,
        access: flags & libc::O_ACCMODE,
    });
    // Nobody has a descriptor yet, but the driver may speak of the file.
    if let Err(errno) = enter(devices, queue, &file).and_then(|()| call_open(device, &file)) {
        leave(devices, &file);
        queue.enter().devices.files.remove(&file.id);
        devices.dismiss();
        return Err(errno);
    }
    Ok(fd.into_raw_fd())
}

/// Enters it where it is found.
fn enter(devices: &Devices, queue: &Queue, file: &Arc<File>) -> Result<()> {
    let opening = Opening {
        file: file.clone(),
        pending: 0,
        is_closed: false,
        is_released: false,
        closers: 0,
    };
    {
        let files = &mut queue.enter().devices.files;
        if files.len() == files.capacity() {
            // It doubles, and so does the table by descriptor.
            spare::ensure(files.len().max(FILES_MIN) * FILE_BYTES)?;
        }
        files.insert(file.id, opening);
    }
    devices.add_file(file)?;
    // Once: nobody can open a closed pipe again.
    poll::add(devices.set.as_raw_fd(), file.watch.fd(), poll::ONESHOT, file.id)
}

fn leave(devices: &Devices, file: &File) {
    // Nothing is there to be removed if that is why it is.
    let _ = poll::remove(devices.set.as_raw_fd(), file.watch.fd());
    devices.remove_file(file);
}

fn call_open(device: &Device, file: &File) -> Result<()> {
    match device.operations.open(&file.opened) {
        0 => Ok(()),
        answer => match answer.checked_neg().map(Errno::from_raw) {
            None | Some(Errno::UnknownErrno) => Err(Errno::EIO),
            Some(errno) => Err(errno),
        },
    }
}

/// `sio_device_close`: cancels what was asked for by this number, closes it, and if it was the last
/// descriptor of the file, sees to all that follows.
pub fn close(fd: RawFd) -> Result<()> {
    let file = match find(fd)? {
        Some(file) => file,
        None if descriptor::is_open(fd) => return Err(Errno::EINVAL),
        None => return Err(Errno::EBADF),
    };
    let queue = queue::present().ok_or(Errno::EINVAL)?;
    let wanted = {
        let mut state = queue.enter();
        if let Some(opening) = state.devices.files.get_mut(&file.id) {
            opening.closers += 1;
        }
        let mut wanted = state.devices.pending(|id| id == file.id);
        wanted.retain(|&(place, _)| {
            let entry = state.devices.places[place as usize].entry;
            entry.is_some_and(|index| state.entries[index as usize].request.fd == fd)
        });
        wanted
    };
    for (place, number) in wanted {
        calls::cancel(queue, place, number);
    }
    // The driver may have closed it when it gave the requests back, and the number may be another's.
    if find(fd).is_ok_and(|found| found.is_some_and(|found| Arc::ptr_eq(&found, &file))) {
        descriptor::close(fd);
    }
    let is_over = {
        let mut state = queue.enter();
        if let Some(opening) = state.devices.files.get_mut(&file.id) {
            opening.closers -= 1;
        }
        file.watch.is_hung_up()
    };
    if is_over {
        wind_up(queue, file.id);
    }
    Ok(())
}

/// The last descriptor is closed: what is pending is cancelled, and the driver is told.
pub fn wind_up(queue: &Queue, id: u64) {
    let Some(devices) = Devices::present() else { return };
    let mut state = queue.enter();
    let Some(opening) = state.devices.files.get_mut(&id) else { return };
    // Whoever is closing it looks afterwards.
    if opening.closers > 0 || std::mem::replace(&mut opening.is_closed, true) {
        return;
    }
    opening.closers += 1;
    let file = opening.file.clone();
    let pending = state.devices.pending(|of| of == id);
    drop(state);
    leave(devices, &file);
    for (place, number) in pending {
        calls::cancel(queue, place, number);
    }
    if let Some(opening) = queue.enter().devices.files.get_mut(&id) {
        opening.closers -= 1;
    }
    release(queue, id);
}

/// Tells the driver that a file is closed, once none of its requests is under way.
pub fn release(queue: &Queue, id: u64) {
    let Some(devices) = Devices::present() else { return };
    let mut state = queue.enter();
    let Some(opening) = state.devices.files.get_mut(&id) else { return };
    if !opening.is_closed || opening.pending > 0 || opening.closers > 0 {
        return;
    }
    // One that is being unregistered releases its files itself.
    if opening.file.device.is_gone() && !opening.is_released {
        return;
    }
    let Some(opening) = state.devices.files.remove(&id) else { return };
    let device = &opening.file.device;
    let is_ours = !opening.is_released && state.devices.enter(device);
    drop(state);
    if is_ours {
        device.operations.release(&opening.file.opened);
        queue.enter().devices.leave(device);
        device.left();
    }
    devices.dismiss();
}
