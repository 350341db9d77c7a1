//! One conformance suite: every behaviour of the contract, on every engine, through the Rust face
//! and through the C face.
//!
//! A behaviour is a function that is generic over [`face::Face`]; `behaviours!` makes of it one
//! test for each setting of the engines and each face, so a test's name tells what ran:
//!
//! ```text
//! cargo test --test conformance                          # all
//! cargo test --test conformance streams::epoll::c        # one subject, engine and face
//! ```
//!
//! A process chooses its engine once, so each test runs in a process of its own: `#[test]` starts
//! this program again, with the variables of its setting and for its own name alone, and that
//! process, told by [`setting::INNER`], runs the body. A behaviour therefore begins without
//! threads, descriptors, mappings or channels of others; it may fork, be denied system calls, or
//! hang, and nobody else is disturbed.
//!
//! To add a behaviour: write the function into the file of its subject, and its name into the
//! list at the end of that file. If UDP sockets are in it, its name goes into `over_interfaces!`
//! too: there datagrams travel between two interfaces, and AF_XDP serves them.

mod common;

/// Makes tests of the behaviours of a module: for every setting, through every face.
macro_rules! behaviours {
    ($($name:ident),+ $(,)?) => {
        behaviours!(@setting io_uring Uring [$($name)+]);
        behaviours!(@setting io_uring_of_old UringOfOld [$($name)+]);
        behaviours!(@setting io_uring_denied UringDenied [$($name)+]);
        behaviours!(@setting epoll Epoll [$($name)+]);
    };
    (@setting $module:ident $setting:ident $names:tt) => {
        mod $module {
            behaviours!(@face rust Rust $setting $names);
            behaviours!(@face c C $setting $names);
        }
    };
    (@face $module:ident $face:ident $setting:ident [$($name:ident)+]) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    use $crate::conformance::{face, setting};
                    let name = concat!(module_path!(), "::", stringify!($name));
                    setting::run(
                        setting::Setting::$setting,
                        name,
                        super::super::$name::<face::$face>,
                    );
                }
            )+
        }
    };
}

/// Makes further tests of behaviours: those that are about UDP sockets, over interfaces.
macro_rules! over_interfaces {
    ($($name:ident),+ $(,)?) => {
        behaviours!(@setting af_xdp AfXdp [$($name)+]);
    };
}

mod conformance {
    // What the behaviours stand on.
    mod c_face;
    mod churn_world;
    mod face;
    mod kinds;
    mod memory;
    mod rig;
    mod rust_face;
    mod setting;
    mod sockets;
    mod system;

    // The behaviours, one subject each.
    mod accepting;
    mod blocks;
    mod churn;
    mod endings;
    mod engines;
    mod flags;
    mod leaks;
    mod limits;
    mod messages;
    mod model;
    mod numbers;
    mod pressure;
    mod processes;
    mod sources;
    mod storms;
    mod streams;
    mod threads;
    mod transfer;
}
