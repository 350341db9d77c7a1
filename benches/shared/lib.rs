//! What the runners have in common: the system calls that the standard library does not have, the
//! meter that is held to a process, and the record in which they leave what they have found. The
//! page is made of such records: see benches/page.

pub mod machine;
pub mod meter;
pub mod record;
pub mod series;
pub mod spread;
pub mod system;
