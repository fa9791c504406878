//! One active worker a name.

use anyhow::{Context, Result};

use super::{Bench, Setup, WORKER};

pub async fn of_workers_with_one_name_one_leads<B: Bench>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    let (one, other) = (bench.connector(), bench.connector());
    let lead = one.lead(WORKER).await?.context("the first to ask leads")?;
    for _ in 0..2 {
        assert!(other.lead(WORKER).await?.is_none());
    }
    assert!(other.lead("line 2").await?.is_some(), "another name is another matter");
    drop(lead);
    // A server may take a moment to see that a connection is gone.
    for _ in 0..500 {
        if other.lead(WORKER).await?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    anyhow::bail!("the name is held by nobody, and nobody gets it")
}
