//! Hands what libFuzzer makes up to the check of this name.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kore_trend_exporter_fuzz::lines::check(input));
