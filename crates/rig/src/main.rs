//! The rig's program.

fn main() {}
