#![no_main]

// Not part of the library, which the tests of `detector-guest` share: they know nothing of modules.
#[path = "../src/modules.rs"]
mod modules;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    modules::child(bytes);
});
