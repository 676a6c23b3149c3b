//! Opened transport messages through `Plaintext::split` and `options::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stead_fuzz::plaintext(bytes));
