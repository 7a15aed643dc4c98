//! Requests against the floor, and against themselves at another size.

use std::{cell::Cell, rc::Rc};

use anyhow::Result;
use tokio::time::Instant;

use super::{Run, SAME};
use crate::{
    floor::{Floor, RECORDS},
    report::{Figure, Goal, Row},
    slice::Work,
    system::{Delivery, System},
    workload,
};

/// How many users a comparison may create: numbers of seven places, as those of the users that are there.
const NUMBERS: u64 = 1_000_000;
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
        for appendfsync in &self.settings.fsync {
            set_fsync(system, floor, appendfsync).await?;
            let users = system.directory.users.len();
            let title = format!("Against the floor: {users} users, appendfsync {appendfsync}");
            self.requests(title, system, floor, Some).await?;
        }
        match self.settings.fsync.first() {
            Some(first) => set_fsync(system, floor, first).await,
            None => Ok(()),
        }
    }

    /// The same while each change is delivered. What the adapter and the simulated Platform take of the machine counts, too;
    /// so there are no targets.
    pub(super) async fn with_delivery(&mut self, system: &System, floor: &Floor) -> Result<()> {
        self.redis_memory(system).await?;
        let users = system.directory.users.len();
        let title = format!("Against the floor, with delivery on: {users} users");
        self.requests(title, system, floor, |_| None).await?;
        let (began, left) = (Instant::now(), system.deliveries.backlog().await?);
        system.deliveries.done().await?;
        self.figures("With delivery on, after the last row");
        self.figure(Figure::new("deliveries left", left.pending as f64, "deliveries"));
        self.figure(Figure::new("until they were done", began.elapsed().as_secs_f64(), "s"));
        Ok(())
    }

    async fn requests(
        &mut self,
        title: String,
        system: &System,
        floor: &Floor,
        goal_of: impl Fn(Goal) -> Option<Goal>,
    ) -> Result<()> {
        let users = system.directory.users.as_slice();
        let (floor_read, floor_write) = (workload::floor_read(RECORDS), workload::floor_write(RECORDS));
        let (look_up, nobody) = (workload::look_up(users), workload::look_up_nobody());
        let (get, create) = (workload::get(users), workload::create(self.new_numbers()));
        let switch = workload::switch(users);
        let plan: [(&str, &Work<'_>, &Work<'_>, Goal); 5] = [
            ("look-up by userName, found", &look_up, &floor_read, READ),
            ("look-up by userName, nobody", &nobody, &floor_read, READ),
            ("GET by id", &get, &floor_read, READ),
            ("POST", &create, &floor_write, WRITE),
            ("PATCH active", &switch, &floor_write, WRITE),
        ];
        self.table(title);
        for (what, ours, floors, goal) in plan {
            // What the last row left to be delivered is not this row's.
            if system.delivery != Delivery::Paused {
                system.deliveries.done().await?;
            }
            let compared = self.compare((system, ours), (&floor.target, floors)).await?;
            self.row(Row::new(what, compared, goal_of(goal)));
        }
        Ok(())
    }

    /// Numbers of users that nobody has had yet.
    fn new_numbers(&mut self) -> Rc<Cell<u64>> {
        self.numbers += NUMBERS;
        Rc::new(Cell::new(self.numbers))
    }

    /// Each request at the large size against the same at the small one.
    pub(super) async fn sizes(&mut self, large: &System, small: &System) -> Result<()> {
        let [many, few] = [large, small].map(|system| system.directory.users.len());
        self.table(format!("{many} users against {few}"));
        let goal = Some(Goal {
            ratio: SAME,
            p99_ratio: None,
        });
        self.each_on_both(large, small, goal).await
    }

    /// Each request to these programs against the same to others.
    pub(super) async fn builds(&mut self, these: &System, others: &System) -> Result<()> {
        self.table("This build against the other");
        self.each_on_both(these, others, None).await
    }

    async fn each_on_both(&mut self, large: &System, small: &System, goal: Option<Goal>) -> Result<()> {
        let (many, few) = (large.directory.users.as_slice(), small.directory.users.as_slice());
        let (find_many, find_few) = (workload::look_up(many), workload::look_up(few));
        let nobody = workload::look_up_nobody();
        let (get_many, get_few) = (workload::get(many), workload::get(few));
        let (switch_many, switch_few) = (workload::switch(many), workload::switch(few));
        let (create_many, create_few) = (
            workload::create(self.new_numbers()),
            workload::create(self.new_numbers()),
        );
        // POSTs last: they make the small instance larger.
        let plan: [(&str, &Work<'_>, &Work<'_>); 5] = [
            ("look-up by userName, found", &find_many, &find_few),
            ("look-up by userName, nobody", &nobody, &nobody),
            ("GET by id", &get_many, &get_few),
            ("PATCH active", &switch_many, &switch_few),
            ("POST", &create_many, &create_few),
        ];
        for (what, at_many, at_few) in plan {
            let compared = self.compare((large, at_many), (&small.target, at_few)).await?;
            self.row(Row::new(what, compared, goal));
        }
        Ok(())
    }
}

/// Has both write their logs through to the disk in the same way.
async fn set_fsync(system: &System, floor: &Floor, appendfsync: &str) -> Result<()> {
    if let Some(redis) = &system.redis {
        redis.set_fsync(appendfsync).await?;
    }
    floor.redis.set_fsync(appendfsync).await
}
