//! `host alerts`.

use clap::Subcommand;

use super::Overrides;

#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Show the channels of the configuration, and what each is told
    #[command(after_help = "Example:\n  host alerts list --config anomaly-worker.toml")]
    List(Overrides),

    /// Send one message by a channel, and say what its receiver answered
    ///
    /// Exit code 0: the receiver took it.
    #[command(after_help = "Example:\n  host alerts test mail --config anomaly-worker.toml")]
    Test {
        /// The name of its table: `mail` of `[alerts.mail]`
        #[arg(value_name = "CHANNEL")]
        channel: String,

        #[command(flatten)]
        overrides: Overrides,
    },

    /// Have the service send again what it gave up
    ///
    /// A receiver that refuses a message is tried for about an hour, one that is out of reach for a
    /// week; `host status` counts what was given up. The service that runs sends it.
    #[command(after_help = "Example:\n  host alerts retry --config anomaly-worker.toml")]
    Retry(Overrides),
}
