//! `host serve`, and the page of `host run`: serves the page as configured.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context;

use super::{Misconfigured, args, wiring};
use crate::config::{Config, LoadedConfig, Log};
use crate::metrics::Metrics;
use crate::reload::ReloadSlots;
use crate::secret::Secret;
use crate::web::{AccessRules, WebServer, WebSettings};
use crate::{signal, telemetry};

/// The default address of `host serve`.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8686);

/// Serves the page of a worker in this process, if configured.
pub(super) fn beside(
    config: &Config,
    live: &ReloadSlots,
    metrics: &Metrics,
) -> anyhow::Result<Option<WebServer>> {
    let Some(listen) = config.web.listen else { return Ok(None) };
    start(config, listen, Some(live.clone()), metrics.clone()).map(Some)
}

/// Serves the page until it is stopped. Only reads.
pub(super) async fn serve(loaded: LoadedConfig, asked: &args::Serve) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    // The log file belongs to the worker.
    let log = Log { file: None, ..config.log.clone() };
    let _telemetry = telemetry::start(&log).context("the log cannot be started")?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let stop = signal::shutdown()?;
    let listen = asked.listen.or(config.web.listen).unwrap_or(DEFAULT_LISTEN);
    let _server = start(config, listen, None, Metrics::default())?;
    let name = stop.await;
    tracing::info!("{name}: stopping");
    Ok(ExitCode::SUCCESS)
}

fn start(
    config: &Config,
    listen: SocketAddr,
    live: Option<ReloadSlots>,
    metrics: Metrics,
) -> anyhow::Result<WebServer> {
    let (access, web) = (access(config)?, &config.web);
    access.fits(listen).map_err(|refusal| Misconfigured(refusal.to_string()))?;
    let settings = WebSettings {
        listen,
        access,
        worker: config.worker.row(),
        interval: config.worker.interval,
        live,
        metrics,
        actions: web.actions,
        store: wiring::store(config)?,
    };
    let server = WebServer::start(settings)?;
    tracing::info!("the page is at http://{}/", server.address());
    Ok(server)
}

fn access(config: &Config) -> anyhow::Result<AccessRules> {
    let web = &config.web;
    let token = match (&web.token, &web.token_file) {
        (Some(_), Some(_)) => {
            return Err(Misconfigured(
                "`web.token` and `web.token_file` are both set; leave one out".to_owned(),
            )
            .into());
        }
        (token, None) => token.clone(),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("`web.token_file` `{}` cannot be read", file.display()))?;
            Some(Secret::new(text.trim()))
        }
    };
    let listed = |text: &Option<String>| -> Vec<String> {
        let names = text.iter().flat_map(|text| text.split(',')).map(|name| name.trim().to_owned());
        names.filter(|name| !name.is_empty()).collect()
    };
    let proxies = listed(&web.proxies).into_iter().map(|text| {
        text.parse::<IpAddr>().map_err(|_| {
            Misconfigured(format!("`web.proxies` holds `{text}`, which is no address such as `10.0.0.5`"))
        })
    });
    Ok(AccessRules {
        token,
        trusted_header: web.trusted_header.clone(),
        proxies: proxies.collect::<Result<_, _>>()?,
        hosts: listed(&web.hosts),
    })
}
