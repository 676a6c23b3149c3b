//! Lists of options: decoded, encoded, decoded.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stead_fuzz::options(bytes));
