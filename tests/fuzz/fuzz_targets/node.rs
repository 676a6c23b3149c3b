//! Two nodes over a network that the input drives.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stead_fuzz::node(bytes));
