//! Gives the shared library its SONAME, and the name by which a program finds it at run time.
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libsio.so.0");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Programs linked against target/<profile>/libsio.so look for its SONAME beside it.
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    if let Some(profile) = Path::new(&out).ancestors().nth(3) {
        let link = profile.join("libsio.so.0");
        if std::fs::symlink_metadata(&link).is_err() {
            // Only a convenience: the installed library has a proper link.
            let _ = std::os::unix::fs::symlink("libsio.so", link);
        }
    }
}
