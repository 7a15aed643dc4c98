//! The contract of `Store`: laws in plain words, held by every engine. An engine joins by implementing [`Engine`] and
//! by one `contract!` line; the random test then drives it against the reference model, too.

mod ages;
mod audit;
pub(crate) mod bench;
mod brakes;
pub(crate) mod chores;
mod claims;
mod credentials;
mod drift;
pub(crate) mod engine;
mod feed;
mod file;
mod intents;
mod large;
mod members;
mod model;
mod moving;
mod names;
mod planned;
mod quiet;
mod random;
mod reading;
mod relink;
mod requests;
mod reverting;
mod settling;
mod tombstones;
mod versions;
mod waiting;

use std::{any::Any, sync::Arc, time::Duration};

use identity_service::store::{
    Store,
    embedded::{EmbeddedStore, Options},
    redis::{self, RedisStore},
};
use redb::backends::InMemoryBackend;
use redis_for_tests::RedisServer;
use tonic::async_trait;

/// How the suite gets a store of an engine.
#[async_trait]
pub(crate) trait Engine: Sync {
    /// An empty store that nobody else uses, whose log is bounded so. What comes with it lives as long as the store: a
    /// folder, a server.
    async fn open(&self, kept: Kept) -> (Arc<dyn Store>, Box<dyn Any + Send + Sync>);

    /// How many cases the random test tries: as many as take a few seconds.
    fn random_cases(&self) -> u32;
}

/// How much of its log a store keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    /// How many entries.
    pub(crate) length: u64,
    /// For how long; 0 for ever.
    pub(crate) retention: Duration,
}

fn keeping(kept: Kept) -> Options {
    Options {
        feed_length: kept.length,
        log_retention: kept.retention,
        ..Options::default()
    }
}

/// The embedded store, in memory.
pub(crate) struct InMemory;

#[async_trait]
impl Engine for InMemory {
    async fn open(&self, kept: Kept) -> (Arc<dyn Store>, Box<dyn Any + Send + Sync>) {
        let store = EmbeddedStore::on_backend(InMemoryBackend::new(), keeping(kept)).unwrap();
        (Arc::new(store), Box::new(()))
    }

    fn random_cases(&self) -> u32 {
        200
    }
}

/// The embedded store, in a file.
pub(crate) struct InAFile;

#[async_trait]
impl Engine for InAFile {
    async fn open(&self, kept: Kept) -> (Arc<dyn Store>, Box<dyn Any + Send + Sync>) {
        let folder = tempfile::tempdir().unwrap();
        let store = EmbeddedStore::open(&folder.path().join("identity.redb"), keeping(kept)).unwrap();
        (Arc::new(store), Box::new(folder))
    }

    fn random_cases(&self) -> u32 {
        16
    }
}

/// The Redis store, each on a server of its own, with scripts that touch so many entries.
pub(crate) struct InRedis {
    batch: usize,
}

/// As it is run.
pub(crate) const REDIS: InRedis = InRedis { batch: 1_000 };
/// So that nearly everything goes in batches.
pub(crate) const REDIS_IN_SMALL_BATCHES: InRedis = InRedis { batch: 2 };

#[async_trait]
impl Engine for InRedis {
    async fn open(&self, kept: Kept) -> (Arc<dyn Store>, Box<dyn Any + Send + Sync>) {
        let server = RedisServer::start().await;
        let mut settings = redis::Settings::new(&server.url());
        // Laws with a thousand calls at once must not depend on how busy the machine is.
        settings.timeout = Duration::from_secs(60);
        let options = redis::Options {
            feed_length: kept.length,
            log_retention: kept.retention,
            batch: self.batch,
        };
        let store = RedisStore::open(&settings, options).await.unwrap();
        (Arc::new(store), Box::new(server))
    }

    fn random_cases(&self) -> u32 {
        24
    }
}

/// Every law, as a test of an engine.
macro_rules! contract {
    ($engine:expr) => {
        contract! { @ $engine;
            names {
                a_name_is_taken_in_any_letter_case
                a_name_is_free_again_after_a_rename
                a_name_is_free_again_after_a_deletion
                users_and_groups_have_names_of_their_own
                a_resource_may_change_the_letter_case_of_its_own_name
                tenants_do_not_see_each_other
                of_many_who_want_a_name_one_gets_it
            }
            reading {
                what_was_created_is_read_back
                what_does_not_exist_is_not_found
                every_key_finds_its_resource_until_it_is_given_up
                a_listing_is_in_order_of_creation_and_pages_both_ways
                what_is_looked_up_comes_with_its_groups
                limits_are_kept
            }
            versions {
                a_version_moves_only_when_something_changed
                a_document_that_moved_is_not_overwritten
                a_membership_change_does_not_hold_a_document_change_up
                an_insisting_caller_is_refused_at_another_version
                a_refused_write_leaves_no_trace
                of_many_who_read_the_same_document_one_wins
            }
            members {
                membership_is_seen_from_both_sides
                adding_and_removing_again_changes_nothing
                a_replacement_is_exact
                an_unknown_member_is_refused_and_nothing_is_written
                a_group_is_no_member_of_a_group
                unknown_members_are_kept_where_that_is_wanted
                all_of_many_concurrent_adds_survive
                a_deleted_user_leaves_every_group
                a_deleted_group_leaves_nobody_in_it
                members_are_read_in_pages
                an_unknown_member_has_no_account_though_a_tombstone_of_its_id_has
            }
            large {
                large_and_small_changes_of_one_group_all_survive
                a_large_change_and_small_ones_of_the_same_members_agree
                a_large_change_shows_all_at_once
                who_is_deleted_while_a_large_change_comes_into_force_is_taken_out
                a_large_change_that_is_cut_off_is_there_wholly_or_not_at_all
                a_large_change_that_is_refused_leaves_no_trace
            a_repeat_beside_a_large_creation_gets_its_answer
                a_user_in_many_groups_leaves_them_all_at_once
            }
            chores {
                a_large_group_is_gone_at_once_and_swept_in_batches
                what_a_deleted_group_left_wakes_nobody
                reports_are_delivered_anew_when_their_manager_has_another_account
                reports_are_delivered_anew_when_their_manager_is_deleted
                many_reports_are_delivered_anew_in_batches
                a_large_group_that_was_replaced_is_filled_in_batches
            }
            feed {
                each_change_is_one_entry_in_order
                what_changed_nothing_is_not_in_the_feed
                a_change_tells_what_it_was_told
                members_are_told_as_they_really_came_and_went
                many_members_are_counted_and_not_named
                a_reader_resumes_where_it_stopped
                an_old_feed_is_trimmed_and_says_so
                a_feed_is_told_from_any_other
            }
            audit {
                a_delivery_is_told_from_version_to_version
                what_fails_as_before_is_told_once
                a_refusal_is_told_with_its_words_and_again_after_a_change
                a_delivery_that_changed_nothing_is_not_told
                members_put_in_and_refused_are_counted
                a_removal_is_told
                a_lost_claim_tells_nothing
                an_operators_act_is_told_with_who_did_it
                a_pause_is_told_with_its_reason_and_its_end_once
                what_is_taken_back_is_told_with_what_it_was
                members_that_are_taken_back_are_told
                old_entries_go_by_age_in_small_steps
                old_entries_of_a_quiet_tenant_are_swept
                entries_that_are_no_changes_do_not_outdate_a_reader_of_changes
                what_is_kept_for_ever_does_not_age
            }
            requests {
                a_repeat_gets_the_first_answer
                a_repeat_of_a_deletion_gets_the_first_answer
                a_request_id_is_good_for_one_request
                a_refused_request_may_be_tried_again_under_its_id
                a_request_id_is_forgotten_after_a_day
                an_old_answer_is_none_though_nobody_swept_it
            }
            claims {
                a_change_makes_work_that_is_claimed_once
                a_claim_comes_again_when_its_lease_is_over
                a_renewed_claim_holds_until_its_new_end
                what_no_longer_holds_is_not_renewed
                nothing_waits_for_a_clock_that_went_back
                the_longest_due_comes_first_and_the_limit_is_kept
                the_next_due_time_is_told
                many_claimers_share_the_work_without_overlap
                a_claim_carries_the_traces_of_its_changes
                a_claim_knows_what_is_wanted_now
                a_tenants_work_is_its_own
            }
            brakes {
                deactivations_beyond_the_limit_are_held
                a_brake_lets_go_after_an_hour
                a_limit_grows_with_the_directory
                who_has_no_account_passes_every_brake
                who_may_be_used_again_is_held_no_longer
                whose_deactivation_is_held_is_not_disabled_by_a_deletion
                whose_account_is_disabled_already_passes_the_brake_on_deactivations
                what_is_released_goes_on
                a_removal_beyond_the_limit_is_held_when_the_account_is_disabled
                a_brake_that_comes_on_with_a_delivery_holds_until_a_person_releases_it
                a_release_counts_for_what_is_wanted_then
                too_many_disabled_by_held_removals_are_held_as_they_are
                a_new_user_of_the_name_ends_a_held_removal
                a_large_groups_deletion_counts_for_its_members
                many_who_leave_a_group_at_once_are_held
                who_is_put_in_again_is_held_no_longer
                what_takes_access_away_is_taken_first
                the_oldest_that_is_pending_is_told
                nothing_is_claimed_of_a_tenant_that_is_paused
            }
            ages {
                what_rests_is_as_old_as_its_oldest_change
                what_each_brake_holds_has_an_age_of_its_own
                what_was_delivered_makes_nothing_old
            }
            planned {
                what_is_planned_is_told_and_not_due
                a_change_or_a_request_has_it_planned_anew
                all_that_was_planned_is_due_once_it_may_be_written
                a_brake_outlasts_the_plan
                who_waits_for_what_is_planned_is_due
            }
            relink {
                what_is_linked_by_hand_is_delivered_anew
                nothing_of_anybodys_is_linked_by_hand
                reports_and_groups_follow_who_is_linked_by_hand
            }
            reverting {
                a_refused_change_is_taken_back
                a_refused_creation_is_taken_back
                what_may_have_been_created_is_not_taken_back
                a_creation_that_others_refer_to_is_not_taken_back
                nothing_newer_is_lost
                what_was_never_applied_is_not_restored
                a_name_is_reserved_until_the_change_of_it_is_applied
                what_was_applied_meanwhile_is_what_is_restored
                refused_members_are_taken_back_one_by_one
                a_held_deletion_is_discarded
                a_refused_deletion_of_a_group_is_discarded_with_its_members
                a_group_that_comes_back_knows_what_became_of_its_members
                a_name_taken_meanwhile_keeps_the_deleted_one_away
                held_members_are_put_in_again
            }
            settling {
                what_was_applied_needs_nothing_more
                a_settlement_of_a_lost_claim_is_ignored
                a_change_during_a_delivery_stays_pending
                what_is_postponed_comes_again_at_its_time
                what_is_refused_waits_long_and_a_change_makes_it_due
                a_refusal_of_what_changed_meanwhile_is_none
                a_batch_at_a_time_until_no_member_is_left
                members_that_come_meanwhile_are_gathered
                a_member_that_changed_meanwhile_is_not_confirmed
                a_refused_member_holds_nobody_up_and_is_tried_again
                refused_members_of_a_busy_group_are_tried_again
                a_pause_outlasts_changes_but_no_request
                a_change_is_tried_at_once_where_nobody_asked_for_a_pause
                a_change_ends_the_wait_for_another
                what_is_postponed_after_a_refusal_is_pending
                the_summary_is_what_the_list_shows
                a_retry_makes_anything_due_and_everything_applied_anew
                a_retry_of_what_does_not_exist_says_so
            }
            intents {
                an_intent_is_kept_until_the_object_is_linked
                no_intent_without_a_claim_that_holds
                no_intent_for_what_was_deleted
                a_failure_may_void_intents
                a_name_is_intended_by_one_resource_at_a_time
                the_intent_of_a_delivery_under_way_is_not_taken
                an_object_that_has_an_owner_is_not_taken
                who_came_to_anothers_object_is_not_led_there_again
                an_object_has_one_owner
                a_replaced_object_makes_its_memberships_unconfirmed
                a_replaced_group_gets_all_its_members_anew
            }
            tombstones {
                what_never_reached_the_platform_leaves_nothing
                a_deleted_resource_is_removed_from_the_platform
                a_deletion_during_the_first_delivery_is_not_forgotten
                an_account_that_is_kept_keeps_its_tombstone
                a_new_user_of_the_name_takes_the_account_over
                a_takeover_brings_the_intents
                a_removal_under_way_is_not_overtaken
                a_lost_claim_on_a_removal_lets_nobody_overtake_the_present_one
                a_removal_that_never_ends_holds_nobody_beyond_its_lease
                memberships_of_the_old_user_are_ended_on_the_new_one
                a_new_group_of_the_name_waits_for_the_removal
                a_second_deletion_finds_nothing
            }
            waiting {
                a_report_is_delivered_again_when_its_manager_has_an_account
                a_manager_linked_meanwhile_is_not_waited_for
                a_manager_deleted_meanwhile_is_not_waited_for
                a_member_without_an_account_is_put_in_when_it_has_one
                a_member_that_left_before_it_had_an_account_is_not_waited_for
                a_member_deleted_before_it_had_an_account_is_not_waited_for
                a_name_is_tried_again_when_its_owner_gave_it_up
                an_owner_that_came_to_rest_meanwhile_is_not_waited_for
                a_group_is_done_when_its_last_unconfirmed_account_is_gone
            }
            drift {
                an_owner_is_told_with_what_is_wanted
                doubted_members_are_delivered_again
                who_is_unconfirmed_already_stands_where_it_stood
                who_has_no_account_is_not_doubted
                a_turn_comes_an_interval_after_the_last
                what_was_applied_is_repaired_and_what_is_on_its_way_is_left_alone
                what_came_of_the_last_comparison_is_kept
                a_repair_other_than_by_a_delivery_is_told
            }
            credentials {
                they_are_replaced_by_who_saw_the_present_ones
                what_was_done_to_them_is_logged_with_the_change
                they_move_with_the_tenant
            }
            moving {
                what_was_moved_is_the_same_for_every_reader
                what_is_held_or_refused_is_taken_back_there_too
                a_move_to_another_engine_and_back_loses_nothing
                deliveries_go_on_after_a_move
                an_export_gives_the_same_twice_and_in_pages_of_any_size
                an_entry_put_twice_or_in_another_order_is_as_one_put_once
                a_tombstone_is_taken_over_after_a_move
                of_several_tombstones_the_newest_is_taken_over_after_a_move
                a_lease_stays_behind
                a_change_after_a_move_is_told_from_what_came_with_it
                chores_go_on_after_a_move
                what_a_deleted_group_left_stays_behind
                only_the_tenant_asked_for_is_moved
                what_does_not_go_together_is_refused
                the_mark_of_an_import_stands_until_it_is_complete
            }
        }
    };
    (@ $engine:expr; $($module:ident { $($law:ident)* })*) => {
        $(
            mod $module {
                $(
                    #[tokio::test]
                    async fn $law() {
                        crate::store::$module::$law(&$engine).await;
                    }
                )*
            }
        )*

        #[test]
        fn any_steps_come_to_what_the_model_says() {
            crate::store::random::any_steps_come_to_what_the_model_says(&$engine);
        }
    };
}

mod embedded_in_memory {
    contract!(crate::store::InMemory);
}

mod embedded_in_a_file {
    contract!(crate::store::InAFile);
}

mod redis_server {
    contract!(crate::store::REDIS);
}

mod redis_in_small_batches {
    contract! { @ crate::store::REDIS_IN_SMALL_BATCHES;
        brakes {
            a_large_groups_deletion_counts_for_its_members
            many_who_leave_a_group_at_once_are_held
            who_is_put_in_again_is_held_no_longer
        }
        claims {
            nothing_waits_for_a_clock_that_went_back
        }
        planned {
            all_that_was_planned_is_due_once_it_may_be_written
        }
        relink {
            what_is_linked_by_hand_is_delivered_anew
            reports_and_groups_follow_who_is_linked_by_hand
        }
        reverting {
            a_held_deletion_is_discarded
            a_refused_deletion_of_a_group_is_discarded_with_its_members
            a_group_that_comes_back_knows_what_became_of_its_members
            refused_members_are_taken_back_one_by_one
            held_members_are_put_in_again
        }
        feed {
            many_members_are_counted_and_not_named
        }
        drift {
            an_owner_is_told_with_what_is_wanted
            doubted_members_are_delivered_again
        }
        large {
            large_and_small_changes_of_one_group_all_survive
            a_large_change_and_small_ones_of_the_same_members_agree
            a_large_change_shows_all_at_once
            who_is_deleted_while_a_large_change_comes_into_force_is_taken_out
            a_large_change_that_is_cut_off_is_there_wholly_or_not_at_all
            a_large_change_that_is_refused_leaves_no_trace
            a_repeat_beside_a_large_creation_gets_its_answer
            a_user_in_many_groups_leaves_them_all_at_once
        }
    }
}
