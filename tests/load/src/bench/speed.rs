//! Requests against the floor, and against themselves at another size.

use std::{cell::Cell, rc::Rc};

use anyhow::Result;

use super::{Run, SAME};
use crate::{
    floor::{Floor, RECORDS},
    report::{Figure, Goal, Row},
    slice::{Work, compare, run},
    system::System,
    workload,
};

/// What reads should come to, against the floor.
const READ: Goal = Goal {
    ratio: 0.4,
    p99_ratio: Some(3.0),
};
/// What writes should come to.
const WRITE: Goal = Goal {
    ratio: 0.25,
    p99_ratio: None,
};

impl Run<'_> {
    /// Each request against one script call of the same size.
    pub(super) async fn against_floor(&mut self, system: &System, floor: &Floor) -> Result<()> {
        let pace = self.settings.pace;
        let users = system.directory.users.as_slice();
        let next = Rc::new(Cell::new(10_000_000));
        let (floor_read, floor_write) = (workload::floor_read(RECORDS), workload::floor_write(RECORDS));
        let (look_up, nobody) = (workload::look_up(users), workload::look_up_nobody());
        let (get, create, switch) = (workload::get(users), workload::create(next), workload::switch(users));
        let plan: [(&str, &Work<'_>, &Work<'_>, Goal); 5] = [
            ("look-up by userName, found", &look_up, &floor_read, READ),
            ("look-up by userName, nobody", &nobody, &floor_read, READ),
            ("GET by id", &get, &floor_read, READ),
            ("POST", &create, &floor_write, WRITE),
            ("PATCH active", &switch, &floor_write, WRITE),
        ];
        for appendfsync in &self.settings.fsync {
            floor.redis.set_fsync(appendfsync).await?;
            if let Some(redis) = &system.redis {
                redis.set_fsync(appendfsync).await?;
            }
            let count = users.len();
            self.table(format!("Against the floor: {count} users, appendfsync {appendfsync}"));
            for (what, ours, floors, goal) in plan {
                let compared = compare(pace, (&system.target, ours), (&floor.target, floors)).await?;
                self.row(Row::new(what, compared, Some(goal)));
            }
        }
        for (what, ours, ..) in plan {
            self.scripts(system, what, ours).await?;
        }
        if let (Some(redis), Some(first)) = (&system.redis, self.settings.fsync.first()) {
            redis.set_fsync(first).await?;
        }
        Ok(())
    }

    /// How many scripts one request has run, one after the other: the floor's has run one.
    async fn scripts(&mut self, system: &System, what: &str, work: &Work<'_>) -> Result<()> {
        let Some(redis) = &system.redis else {
            return Ok(());
        };
        let mut connection = system.target.open(1).await?;
        let before = redis.scripts_run().await?;
        let slice = run(&mut connection, self.settings.pace.slice, work).await;
        let scripts = redis.scripts_run().await? - before;
        self.figure(Figure {
            what: format!("scripts run for one {what}"),
            value: scripts as f64 / slice.micros.len() as f64,
            unit: "scripts",
            at_most: None,
        });
        Ok(())
    }

    /// Each request at the large size against the same at the small one.
    pub(super) async fn sizes(&mut self, large: &System, small: &System) -> Result<()> {
        let pace = self.settings.pace;
        let (many, few) = (large.directory.users.as_slice(), small.directory.users.as_slice());
        self.table(format!("{} users against {}", many.len(), few.len()));
        let goal = Some(Goal {
            ratio: SAME,
            p99_ratio: None,
        });
        let (find_many, find_few) = (workload::look_up(many), workload::look_up(few));
        let nobody = workload::look_up_nobody();
        let (get_many, get_few) = (workload::get(many), workload::get(few));
        let (switch_many, switch_few) = (workload::switch(many), workload::switch(few));
        let numbers = || Rc::new(Cell::new(20_000_000));
        let (create_many, create_few) = (workload::create(numbers()), workload::create(numbers()));
        // POSTs last: they make the small instance larger.
        let plan: [(&str, &Work<'_>, &Work<'_>); 5] = [
            ("look-up by userName, found", &find_many, &find_few),
            ("look-up by userName, nobody", &nobody, &nobody),
            ("GET by id", &get_many, &get_few),
            ("PATCH active", &switch_many, &switch_few),
            ("POST", &create_many, &create_few),
        ];
        for (what, at_many, at_few) in plan {
            let compared = compare(pace, (&large.target, at_many), (&small.target, at_few)).await?;
            self.row(Row::new(what, compared, goal));
        }
        Ok(())
    }
}
