//! What telemetry costs: each request with traces sent to a collector, all or a hundredth of them, against the same without a
//! collector; and whether memory stays where it is while the collector is away.

use anyhow::{Result, ensure};

use super::Run;
use crate::{
    collector::Collector,
    processes::free_address,
    report::{Figure, Goal, Row},
    slice::Work,
    system::{Setup, System, Tracing},
    workload,
};

/// At a hundredth.
const CHEAP: Goal = Goal {
    ratio: 0.9,
    p99_ratio: None,
};
/// Spans of one look-up: the gateway's of HTTP and gRPC, and identity-service's.
const LEAST_SPANS: u64 = 3;

impl Run<'_> {
    /// All traces, a hundredth of them, and all of them to nobody.
    pub(super) async fn telemetry(&mut self, setup: &Setup, plain: &System) -> Result<()> {
        for (share, goal) in [(1.0, None), (0.01, Some(CHEAP))] {
            let collector = Collector::start().await?;
            let traced = System::start(&with(setup, collector.url(), share)).await?;
            self.table(format!("Traces sent, {} % of them, against none", share * 100.0));
            let before = collector.spans();
            let sent = self.each(&traced, plain, goal).await?;
            self.figures("Traces sent");
            let spans = (collector.spans() - before) as f64 / sent as f64;
            self.figure(Figure::new(format!("spans a request, of {share}"), spans, "spans"));
            // Otherwise nothing was measured.
            let dropped_or_late = 0.1;
            ensure!(
                spans > LEAST_SPANS as f64 * share * dropped_or_late,
                "of {sent} requests {spans} spans each came to the collector"
            );
        }
        self.collector_away(setup, plain).await
    }

    /// Memory while nobody takes what is sent, for the whole run.
    async fn collector_away(&mut self, setup: &Setup, plain: &System) -> Result<()> {
        let nobody = format!("http://{}", free_address()?);
        let traced = System::start(&with(setup, nobody, 1.0)).await?;
        self.table("All traces sent to a collector that is away, against none".to_owned());
        // Allocators and queues fill first.
        let first = self.each(&traced, plain, None).await?;
        let filled = resident(&traced)?;
        let then = self.each(&traced, plain, None).await?;
        self.figures("Memory with the collector away");
        self.figure(Figure::new("after the first requests", filled, "MB"));
        self.figure(Figure::new("after as many again", resident(&traced)?, "MB"));
        self.figure(Figure::new("those were", then as f64, "requests"));
        self.figure(Figure::new("and those before", first as f64, "requests"));
        Ok(())
    }

    /// How many requests were sent to what is traced.
    async fn each(&mut self, traced: &System, plain: &System, goal: Option<Goal>) -> Result<u64> {
        let (ours, others) = (traced.directory.users.as_slice(), plain.directory.users.as_slice());
        let (find, find_others) = (workload::look_up(ours), workload::look_up(others));
        let (switch, switch_others) = (workload::switch(ours), workload::switch(others));
        let plan: [(&str, &Work<'_>, &Work<'_>); 2] = [
            ("look-up by userName, found", &find, &find_others),
            ("PATCH active", &switch, &switch_others),
        ];
        let mut sent = 0;
        for (what, work, other) in plan {
            let compared = self.compare((traced, work), (&plain.target, other)).await?;
            sent += compared.sent as u64;
            self.row(Row::new(what, compared, goal));
        }
        Ok(sent)
    }
}

fn with(setup: &Setup, collector: String, share: f64) -> Setup {
    Setup {
        tracing: Some(Tracing { collector, share }),
        ..setup.clone()
    }
}

/// Gateway and identity-service together, in MB.
fn resident(system: &System) -> Result<f64> {
    Ok((system.gateway.resident()? + system.identity.resident()?) as f64 / 1e6)
}
