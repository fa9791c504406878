//! Runs as a service: started by the service manager, controlled by it, and reporting its status to
//! it.

use std::ffi::OsString;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use crate::service::registration::{START, STOP, told};
use crate::signal;

/// The service that this process is. The service manager's callbacks have no context.
struct Service {
    name: String,
    work: Box<dyn Fn() -> u8 + Send + Sync>,
    code: AtomicU8,
}

static SERVICE: OnceLock<Service> = OnceLock::new();
static MANAGER: OnceLock<ServiceStatusHandle> = OnceLock::new();

/// Runs the service of this name; returns its exit code.
///
/// # Errors
/// This process was not started by the service manager.
pub fn serve(name: &str, work: impl Fn() -> u8 + Send + Sync + 'static) -> io::Result<u8> {
    let service = SERVICE.get_or_init(|| Service {
        name: name.to_owned(),
        work: Box::new(work),
        code: AtomicU8::new(0),
    });
    service_dispatcher::start(name, service_main).map_err(|error| match error {
        windows_service::Error::Winapi(error) => error,
        other => io::Error::other(other.to_string()),
    })?;
    Ok(service.code.load(Ordering::Relaxed))
}

/// Its name, if this process is a service.
pub fn name() -> Option<&'static str> {
    MANAGER.get().and(SERVICE.get()).map(|service| service.name.as_str())
}

define_windows_service!(service_main, run);

fn run(_: Vec<OsString>) {
    let Some(service) = SERVICE.get() else { return };
    // It captures nothing: captured values would be gone after the first stop, and another may
    // follow.
    let Ok(manager) = service_control_handler::register(&service.name, |control| control_of(&control)) else {
        return;
    };
    MANAGER.get_or_init(|| manager);
    report(ServiceState::StartPending, 0);
    let code = (service.work)();
    service.code.store(code, Ordering::Relaxed);
    report(ServiceState::Stopped, told(code));
}

fn control_of(control: &ServiceControl) -> ServiceControlHandlerResult {
    match control {
        ServiceControl::Stop | ServiceControl::Preshutdown | ServiceControl::Shutdown => {
            report(ServiceState::StopPending, 0);
            signal::ask_to_stop();
        }
        ServiceControl::ParamChange => signal::hint(),
        ServiceControl::UserEvent(code) if code.to_raw() == crate::service::registration::RELOAD => {
            signal::hint();
        }
        ServiceControl::Interrogate => {}
        _ => return ServiceControlHandlerResult::NotImplemented,
    }
    ServiceControlHandlerResult::NoError
}

/// It is ready.
pub(crate) fn ready() {
    report(ServiceState::Running, 0);
}

/// Reports the status. After a stop no other status is reported.
fn report(state: ServiceState, code: u32) {
    static STOPPING: OnceLock<()> = OnceLock::new();
    if state == ServiceState::StopPending {
        STOPPING.get_or_init(|| ());
    } else if state != ServiceState::Stopped && STOPPING.get().is_some() {
        return;
    }
    let Some(manager) = MANAGER.get() else { return };
    let (controls_accepted, wait_hint) = match state {
        ServiceState::Running => (
            ServiceControlAccept::STOP
                | ServiceControlAccept::PRESHUTDOWN
                | ServiceControlAccept::PARAM_CHANGE,
            Duration::ZERO,
        ),
        ServiceState::StartPending => (ServiceControlAccept::empty(), START),
        ServiceState::StopPending => (ServiceControlAccept::empty(), STOP),
        _ => (ServiceControlAccept::empty(), Duration::ZERO),
    };
    let status = ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted,
        exit_code: ServiceExitCode::Win32(code),
        checkpoint: 0,
        wait_hint,
        process_id: None,
    };
    // A manager that accepts no status ends this process by itself.
    let _ = manager.set_service_status(status);
}
