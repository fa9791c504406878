//! The environment of one instance: an empty WASI, limits, and the log of its output.
//!
//! A sandbox lives as long as its instance and is dropped on any trap, because a trap makes every
//! instance of its store unusable.

use std::time::Duration;

use wasmtime::component::{HasData, ResourceTable};
use wasmtime::{ResourceLimiter, Store};
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

use super::bindings::{logging, types};
use super::limits::{INSTANCES, LEAST_RETURNED, Limits, TABLE_ELEMENT_BYTES, TABLE_ELEMENTS};
use super::logging::{GuestLog, Printed};

/// The data of a store.
pub(super) struct Sandbox {
    wasi: WasiCtx,
    table: ResourceTable,
    allowance: Allowance,
    pub(super) log: GuestLog,
}

/// Clocks that always give the same time: a detector's results depend only on its input, and a
/// replay gives the same verdicts.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

impl Sandbox {
    /// A store with nothing in it: no preopened directory, environment, argument, socket or name
    /// look-up. `taken`: what its instances need and what the host holds for it, which is
    /// subtracted from the limit.
    pub(super) fn store(engine: &wasmtime::Engine, limits: &Limits, taken: usize) -> Store<Self> {
        let log = GuestLog::default();
        let wasi = WasiCtxBuilder::new()
            .stdout(Printed::new(log.clone(), logging::Level::Info))
            .stderr(Printed::new(log.clone(), logging::Level::Warn))
            .allow_tcp(false)
            .allow_udp(false)
            .wall_clock(Stopped)
            .monotonic_clock(Stopped)
            .secure_random(Deterministic::new(b"anomaly-worker".to_vec()))
            .insecure_random(Deterministic::new(b"anomaly-worker".to_vec()))
            .insecure_random_seed(0)
            .max_random_size(1 << 20)
            .build();
        let allowance = Allowance {
            memory_left: limits.memory.saturating_sub(taken),
            table_left: TABLE_ELEMENTS,
            set_by: 0,
        };
        let mut store = Store::new(engine, Self { wasi, table: ResourceTable::new(), allowance, log });
        store.limiter(|sandbox| &mut sandbox.allowance);
        store.epoch_deadline_trap();
        store.set_hostcall_fuel(limits.returned);
        store
    }

    /// Reserves what the next call may return, and returns how many bytes: the host's copy counts
    /// together with the memory that the guest allocates meanwhile.
    pub(super) fn set_by(&mut self, limits: &Limits) -> usize {
        let Allowance { memory_left, set_by, .. } = &mut self.allowance;
        let returned = (*memory_left / 4).max(LEAST_RETURNED).min(limits.returned);
        *set_by = returned.min(*memory_left);
        *memory_left -= *set_by;
        returned
    }

    /// The host keeps this many bytes of the detector from call to call, instead of `before`.
    /// False, and nothing is changed, if there is no room for them.
    pub(super) fn keep(&mut self, before: usize, bytes: usize) -> bool {
        let left = &mut self.allowance.memory_left;
        let fits = take(left, before, bytes);
        if fits {
            *left += before.saturating_sub(bytes);
        }
        fits
    }

    /// The call is over, and the host has processed its answer.
    pub(super) fn give_back(&mut self) {
        self.allowance.memory_left += std::mem::take(&mut self.allowance.set_by);
    }
}

/// What the guest may still allocate. The limit is on the sum: a component of many modules has many
/// memories and tables.
struct Allowance {
    memory_left: usize,
    /// For the answer to the current call.
    set_by: usize,
    table_left: usize,
}

impl ResourceLimiter for Allowance {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(take(&mut self.memory_left, current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _max: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let entries = take(&mut self.table_left, current, desired);
        let bytes = |entries: usize| entries.saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(entries && take(&mut self.memory_left, bytes(current), bytes(desired)))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

/// Memories and tables never shrink, so what was granted stays granted until the sandbox is
/// dropped.
fn take(left: &mut usize, current: usize, desired: usize) -> bool {
    match left.checked_sub(desired.saturating_sub(current)) {
        Some(rest) => {
            *left = rest;
            true
        }
        None => false,
    }
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The contract's imports see the whole sandbox.
impl HasData for Sandbox {
    type Data<'a> = &'a mut Self;
}

impl types::Host for Sandbox {}

impl logging::Host for Sandbox {
    fn log(&mut self, level: logging::Level, message: String) {
        self.log.line(level, &message);
    }
}
