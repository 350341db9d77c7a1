//! The functions of the C library, or of whoever comes after us, whose names we have: found by their
//! names. Also a part of the preloaded object, which links nothing of the library.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

/// The next function of a name.
pub struct Next {
    name: &'static CStr,
    address: AtomicPtr<c_void>,
}

impl Next {
    /// `name` ends with a null byte.
    pub const fn new(name: &'static [u8]) -> Self {
        let Ok(name) = CStr::from_bytes_with_nul(name) else { panic!() };
        Self { name, address: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Looks it up behind this object: null in a program that has no such function.
    #[cold]
    pub fn find(&self) -> *mut c_void {
        // SAFETY: the name is a string that lives for ever.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.address.store(address, Ordering::Relaxed);
        address
    }

    /// Looked up when the object is loaded; again for constructors that come before.
    pub fn address(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if known.is_null() { self.find() } else { known }
    }
}

/// Functions that call the next ones of their names, and `find_known`, which looks all of them up.
macro_rules! functions {
    ($(fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[allow(non_upper_case_globals)]
        mod known {
            $(pub static $name: super::Next =
                super::Next::new(concat!(stringify!($name), "\0").as_bytes());)*
        }

        fn find_known() {
            $(known::$name.find();)*
        }

        $(
            /// The C library's; `ENOSYS` where it has none.
            ///
            /// # Safety
            /// As the C library has it.
            pub unsafe fn $name($($argument: $kind),*) -> $answer {
                let address = known::$name.address();
                type Function = unsafe extern "C-unwind" fn($($kind),*) -> $answer;
                // SAFETY: errno is this thread's; what has this name has this type; the rest is the
                // caller's promise.
                unsafe {
                    if address.is_null() {
                        *libc::__errno_location() = libc::ENOSYS;
                        return -1;
                    }
                    std::mem::transmute::<*mut c_void, Function>(address)($($argument),*)
                }
            }
        )*
    };
}
