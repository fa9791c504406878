//! `host alerts`.

use clap::Subcommand;

use super::Overrides;

#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Show the channels of the configuration, and which events go to each
    #[command(after_help = "Example:\n  host alerts list --config anomaly-worker.toml")]
    List(Overrides),

    /// Send a test message through a channel, and show the receiver's answer
    ///
    /// Exit code 0: the receiver accepted it.
    #[command(after_help = "Example:\n  host alerts test mail --config anomaly-worker.toml")]
    Test {
        /// The name of its table: `mail` of `[alerts.mail]`
        #[arg(value_name = "CHANNEL")]
        channel: String,

        #[command(flatten)]
        overrides: Overrides,
    },

    /// Make the service send the messages again that it gave up
    ///
    /// A message is retried for about an hour if its receiver refuses it, and for a week if the
    /// receiver cannot be reached; `host status` counts those that were given up. The running
    /// service sends them.
    #[command(after_help = "Example:\n  host alerts retry --config anomaly-worker.toml")]
    Retry(Overrides),
}
