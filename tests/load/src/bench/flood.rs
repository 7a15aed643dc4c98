//! A flood of wrong credentials: right requests beside it, against the same beside as many right ones. What a wrong credential
//! costs must not be more than what a right request costs, or whoever has none can slow down who has one.

use anyhow::Result;
use http::StatusCode;
use rand::rngs::StdRng;

use super::Run;
use crate::{
    client::{Answer, Connection, Request, Target},
    report::{Goal, Row},
    slice::{Check, Compared, Slice, Work, run},
    system::System,
    workload,
};

/// What it should come to: as if the others were right.
const NO_WORSE: Goal = Goal {
    ratio: 1.0,
    p99_ratio: Some(1.5),
};

/// Credentials that nobody has: a token as ours are, one as others make them, and a JWT.
const WRONG: [(&str, &str); 3] = [
    (
        "tokens in the form of ours",
        "dsg_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ),
    ("tokens in any form", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    (
        "JWTs",
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJ0aWQiOiJhIiwic3ViIjoiYSIsImF6cCI6ImEifQ.AAAA",
    ),
];

impl Run<'_> {
    /// Look-ups by who may, while others are refused.
    pub(super) async fn flood(&mut self, system: &System) -> Result<()> {
        let users = system.directory.users.as_slice();
        let look_up = workload::look_up(users);
        self.table(format!(
            "Look-ups beside a flood of wrong credentials, against as many right ones: {} users",
            users.len()
        ));
        for (what, token) in WRONG {
            let target = Target {
                token: Some(token.to_owned()),
                ..system.target.clone()
            };
            let compared = self.beside(system, &target, &look_up).await?;
            self.row(Row::new(format!("beside {what}"), compared, Some(NO_WORSE)));
        }
        Ok(())
    }

    /// The rates of right requests: beside those to that target, and beside as many right ones.
    async fn beside(&self, system: &System, wrong: &Target, work: &Work<'_>) -> Result<Compared> {
        let pace = self.settings.pace;
        let half = pace.connections.div_ceil(2);
        let mut ours = system.target.open(half).await?;
        let (mut right, mut wrong) = (system.target.open(half).await?, wrong.open(half).await?);
        let mut compared = Compared::default();
        for round in 0..=pace.rounds {
            let (mine, theirs);
            if round % 2 == 0 {
                mine = at_once(&mut ours, work, &mut wrong, &refused, pace.slice).await;
                theirs = at_once(&mut ours, work, &mut right, work, pace.slice).await;
            } else {
                theirs = at_once(&mut ours, work, &mut right, work, pace.slice).await;
                mine = at_once(&mut ours, work, &mut wrong, &refused, pace.slice).await;
            }
            // The first round warms up.
            if round > 0 {
                compared.ratios.push(mine.rate() / theirs.rate());
                compared.ours.add(mine);
                compared.other.add(theirs);
            }
        }
        Ok(compared)
    }
}

/// What the first did while the others were there; what those got wrong is told as well.
async fn at_once(
    ours: &mut [Connection],
    work: &Work<'_>,
    others: &mut [Connection],
    other_work: &Work<'_>,
    length: std::time::Duration,
) -> Slice {
    let (mut mine, theirs) = tokio::join!(run(ours, length, work), run(others, length, other_work));
    for (what, count) in theirs.wrong {
        *mine.wrong.entry(format!("beside: {what}")).or_default() += count;
    }
    mine
}

/// A request whose credential must not be accepted.
fn refused(_connection: usize, _rng: &mut StdRng) -> (Request, Check) {
    let check = |answer: &Answer| match answer.status {
        StatusCode::UNAUTHORIZED => Ok(()),
        status => Err(format!("{} where 401 was due", status.as_u16())),
    };
    (Request::get("/Users?count=1".to_owned()), Box::new(check))
}
