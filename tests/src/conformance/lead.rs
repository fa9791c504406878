//! One active worker a name.

use anyhow::Result;

use super::{Bench, Setup, WORKER};

pub async fn of_workers_with_one_name_one_leads<B: Bench>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    let (one, other) = (bench.connector(), bench.connector());
    let mut first = one.lead(WORKER).await?;
    assert!(first.ask().await?, "the first to ask leads");
    let mut second = other.lead(WORKER).await?;
    for _ in 0..2 {
        assert!(!second.ask().await?);
        assert!(!other.lead(WORKER).await?.ask().await?);
    }
    assert!(other.lead("line 2").await?.ask().await?, "another name is another matter");
    drop(first);
    // A server may take a moment to see that a connection is gone.
    for _ in 0..500 {
        if second.ask().await? {
            assert!(!one.lead(WORKER).await?.ask().await?, "the one that stood by has it now");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    anyhow::bail!("the name is held by nobody, and nobody gets it")
}
