//! The contract's types and calls, generated from `wit/detector.wit`.
//!
//! Calls are asynchronous: a guest can sleep in a host call, where no epoch reaches it, and a
//! future can be dropped.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "detector",
    exports: { default: async },
    // Batches and model files are lent to the guest's memory, not copied on the way.
    ownership: Borrowing { duplicate_if_necessary: false },
});

pub(super) use anomaly_worker::detector::{logging, types};
pub(super) use exports::anomaly_worker::detector::judging;
