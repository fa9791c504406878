//! One active worker for each name.

use anyhow::Result;

use super::{Setup, TestDb, WORKER};

pub async fn of_workers_with_one_name_one_leads<B: TestDb>() -> Result<()> {
    let bench = B::start(&Setup::default()).await?;
    let (one, other) = (bench.connector(), bench.connector());
    let mut first = one.leader_lock(WORKER).await?;
    assert!(first.try_acquire().await?, "the first to ask leads");
    let mut second = other.leader_lock(WORKER).await?;
    for _ in 0..2 {
        assert!(!second.try_acquire().await?);
        assert!(!other.leader_lock(WORKER).await?.try_acquire().await?);
    }
    assert!(other.leader_lock("line 2").await?.try_acquire().await?, "another name is another matter");
    drop(first);
    // A server may take a moment to see that a connection is gone.
    for _ in 0..500 {
        if second.try_acquire().await? {
            assert!(!one.leader_lock(WORKER).await?.try_acquire().await?, "the one that stood by has it now");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    anyhow::bail!("the name is held by nobody, and nobody gets it")
}
