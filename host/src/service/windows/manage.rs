//! Requests to the service manager.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use windows_registry::LOCAL_MACHINE;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions,
    ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceStatus, ServiceType,
    UserEventCode,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use crate::service::registration::{
    FORGIVEN, MESSAGES, RELOAD, RESTARTS, Registration, SOURCES, START, STOP,
};

/// How often its status is read while waiting.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// It needs an administrator.
    #[error("access is denied")]
    Denied,
    #[error("there is no such service")]
    Absent,
    #[error("there is a service of this name already")]
    Exists,
    #[error("it does not run")]
    NotRunning,
    #[error("it runs already")]
    Running,
    #[error("the account is not known, or its password is wrong")]
    Account,
    #[error("it is still {0}")]
    Still(RunState),
    #[error("{0}")]
    Other(String),
}

impl From<windows_service::Error> for ManageError {
    fn from(error: windows_service::Error) -> Self {
        match error {
            windows_service::Error::Winapi(error) => error.into(),
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<io::Error> for ManageError {
    fn from(error: io::Error) -> Self {
        // The registry's errors have the same codes in another form.
        let code = error.raw_os_error().map(|code| match code.cast_unsigned() {
            dressed if dressed >> 16 == 0x8007 => dressed & 0xffff,
            code => code,
        });
        match code {
            Some(5) => Self::Denied,
            Some(1056) => Self::Running,
            Some(1057) => Self::Account,
            Some(1060) => Self::Absent,
            Some(1062) => Self::NotRunning,
            // The second one: it is removed once every process has closed it.
            Some(1073 | 1072) => Self::Exists,
            _ => Self::Other(error.to_string()),
        }
    }
}

/// The status of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunState(ServiceState);

impl RunState {
    pub fn runs(self) -> bool {
        self.0 == ServiceState::Running
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ServiceState::Stopped => "stopped",
            ServiceState::StartPending => "starting",
            ServiceState::StopPending => "stopping",
            ServiceState::Running => "running",
            ServiceState::ContinuePending | ServiceState::PausePending | ServiceState::Paused => "paused",
        })
    }
}

fn manager(access: ServiceManagerAccess) -> Result<ServiceManager, ManageError> {
    Ok(ServiceManager::local_computer(None::<&str>, access)?)
}

fn open(name: &str, access: ServiceAccess) -> Result<Service, ManageError> {
    Ok(manager(ServiceManagerAccess::CONNECT)?
        .open_service(name, access | ServiceAccess::QUERY_STATUS | ServiceAccess::QUERY_CONFIG)?)
}

/// Registers a service and its event source; returns what this Windows does not support.
///
/// # Errors
/// Nothing of it stays then.
pub fn install(
    registration: &Registration,
    password: Option<OsString>,
) -> Result<Vec<&'static str>, ManageError> {
    let info = ServiceInfo {
        name: (&registration.name).into(),
        display_name: (&registration.display_name).into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: registration.program.clone(),
        launch_arguments: registration.arguments.clone(),
        dependencies: Vec::new(),
        account_name: Some((&registration.account.name).into()),
        account_password: password,
    };
    let manager = manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE)?;
    let service = manager.create_service(&info, ServiceAccess::ALL_ACCESS)?;
    let settled = settle(&service).and_then(|unknown| {
        add_source(&registration.name)?;
        Ok(unknown)
    });
    if settled.is_err() {
        // The first error is the one that is reported.
        let _ = service.delete();
        let _ = remove_source(&registration.name);
    }
    settled
}

/// Settings of a service that are made after it was created.
fn settle(service: &Service) -> Result<Vec<&'static str>, ManageError> {
    let restart = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    let actions = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGIVEN),
        reboot_msg: None,
        command: None,
        actions: Some(RESTARTS.map(restart).to_vec()),
    };
    let mut unknown = Vec::new();
    for (what, done) in [
        (
            "description",
            service.set_description("Reads new readings from a database and writes a verdict for each"),
        ),
        ("restart after a failure", service.update_failure_actions(actions)),
        ("restart after an exit", service.set_failure_actions_on_non_crash_failures(true)),
        ("delayed start", service.set_delayed_auto_start(true)),
        ("time at shutdown", service.set_preshutdown_timeout(STOP)),
    ] {
        match done {
            // A system that does not know the setting.
            Err(windows_service::Error::Winapi(error)) if matches!(error.raw_os_error(), Some(120 | 124)) => {
                unknown.push(what);
            }
            done => done?,
        }
    }
    Ok(unknown)
}

fn add_source(name: &str) -> io::Result<()> {
    let source = LOCAL_MACHINE.create(format!(r"{SOURCES}\{name}"))?;
    source.set_expand_string("EventMessageFile", MESSAGES)?;
    // Errors, warnings and information.
    source.set_u32("TypesSupported", 7)?;
    Ok(())
}

fn remove_source(name: &str) -> io::Result<()> {
    Ok(LOCAL_MACHINE.options().read().write().open(SOURCES)?.remove_tree(name)?)
}

/// Stops a service and removes it with its source of events.
///
/// # Errors
/// It is not there, or does not stop.
pub fn uninstall(name: &str) -> Result<(), ManageError> {
    let service = open(name, ServiceAccess::STOP | ServiceAccess::DELETE)?;
    match stopped(&service) {
        Ok(()) | Err(ManageError::NotRunning) => {}
        Err(error) => return Err(error),
    }
    service.delete()?;
    // If another process has removed it already, there is none.
    let _ = remove_source(name);
    Ok(())
}

/// Starts a service and waits for the result.
///
/// # Errors
/// It does not exist, or was not started.
pub fn start(name: &str) -> Result<RunState, ManageError> {
    let service = open(name, ServiceAccess::START)?;
    service.start::<&str>(&[])?;
    settled(&service, ServiceState::StartPending, START)
}

/// Stops a service, which finishes its current batch.
///
/// # Errors
/// It does not exist, does not run, or does not stop.
pub fn stop(name: &str) -> Result<(), ManageError> {
    stopped(&open(name, ServiceAccess::STOP)?)
}

fn stopped(service: &Service) -> Result<(), ManageError> {
    service.stop()?;
    match settled(service, ServiceState::StopPending, STOP)? {
        RunState(ServiceState::Stopped) => Ok(()),
        state => Err(ManageError::Still(state)),
    }
}

/// Waits while its status is changing.
fn settled(service: &Service, passing: ServiceState, patience: Duration) -> Result<RunState, ManageError> {
    let begun = Instant::now();
    loop {
        let state = service.query_status()?.current_state;
        if state != passing {
            return Ok(RunState(state));
        }
        if begun.elapsed() > patience {
            return Err(ManageError::Still(RunState(state)));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Asks a service to look at its files.
///
/// # Errors
/// It does not exist, or does not run.
pub fn reload(name: &str) -> Result<(), ManageError> {
    let code = UserEventCode::from_raw(RELOAD).map_err(|error| ManageError::Other(error.to_string()))?;
    open(name, ServiceAccess::USER_DEFINED_CONTROL)?.notify(code)?;
    Ok(())
}

/// The status of a service, in lines.
///
/// # Errors
/// It does not exist.
pub fn status(name: &str) -> Result<(RunState, Vec<String>), ManageError> {
    let service = open(name, ServiceAccess::QUERY_CONFIG)?;
    let config = service.query_config()?;
    let ServiceStatus { current_state, process_id, exit_code, .. } = service.query_status()?;
    let state = RunState(current_state);
    let running = match process_id {
        Some(process) if state.runs() => format!("{state}, process {process}"),
        _ => format!("{state}, last end {exit_code:?}"),
    };
    let account = config.account_name.unwrap_or_default();
    let lines = vec![
        format!("service       {name}: {running}"),
        format!("start         {:?}", config.start_type),
        format!("account       {}", account.display()),
        format!("command       {}", config.executable_path.display()),
    ];
    Ok((state, lines))
}
