//! The contract's types and calls, generated from `wit/detector.wit`.
//!
//! Calls are asynchronous: a guest can sleep in a host call, where the epoch does not interrupt it,
//! but a future can be dropped.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "detector",
    exports: { default: async },
    // Batches and model files are passed to the guest by reference, without a copy on the way.
    ownership: Borrowing { duplicate_if_necessary: false },
});

pub(super) use anomaly_worker::detector::{logging, types};
pub(super) use exports::anomaly_worker::detector::judging;

/// The part of the contract that only some detectors export.
pub(super) mod trainable {
    wasmtime::component::bindgen!({
        inline: "
            package anomaly-worker:host;
            world trainer {
                import anomaly-worker:detector/logging@0.1.0;
                export anomaly-worker:detector/training@0.1.0;
            }
        ",
        path: "../wit",
        world: "anomaly-worker:host/trainer",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: false },
        with: {
            "anomaly-worker:detector/logging": super::anomaly_worker::detector::logging,
            "anomaly-worker:detector/types": super::anomaly_worker::detector::types,
        },
    });

    pub(in super::super) use exports::anomaly_worker::detector::training;
}
