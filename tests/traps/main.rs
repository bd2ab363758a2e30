//! The sixteen things that toy implementations of resilience policies get wrong.
//!
//! One table, one row a trap: what is checked, who passes, and a toy that does not, with what the check says of it. The toy is
//! the obvious, simple version, or a well-known crate's; that it fails shows that the check has teeth.

mod attempts;
mod endpoints;
mod hedges;
mod memory;
mod outcomes;
#[path = "../peer/mod.rs"]
mod peer;
mod rig;
mod toys;

use rig::judge;

/// `name: check, ours ..., toy ... => "what the check says of the toy";`
macro_rules! traps {
    ($($(#[$about:meta])* $name:ident: $check:path, ours $ours:expr, toy $toy:expr => $why:literal;)*) => {
        $(
            $(#[$about])*
            #[test]
            fn $name() {
                judge($check(&$ours), $check(&$toy), $why);
            }
        )*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

traps! {
    /// Toy: the timeout is per try, and DEADLINE_EXCEEDED is retried whoever said it.
    trap_01_the_deadline_spans_all_attempts_and_is_final:
        attempts::deadline, ours attempts::bounded, toy toys::impatient => "the call ended after 4s, not 1s";

    /// Toy: knows who produced an error by its code.
    trap_02_codes_are_counted_by_who_produced_them:
        outcomes::origins, ours squall::resilience::origin_of, toy toys::origin_by_code
        => "Status(Unavailable) came from Network, not Server";

    /// Toy: tower's timeout, whose error is no gRPC status.
    trap_02_a_timeout_is_deadline_exceeded:
        outcomes::timeout, ours outcomes::bounded, toy toys::timed_by_tower => "it ended with Unknown, not DeadlineExceeded";

    /// Toy: no keepalive; a connection on which nothing comes back is waited for.
    trap_02_an_unanswered_ping_is_unavailable:
        outcomes::ping, ours outcomes::kept_alive, toy outcomes::plain => "still waiting after a minute";

    /// Toy: a retry that looks at `Err` alone.
    trap_03_a_grpc_error_is_an_ok_response:
        outcomes::trailers_only, ours attempts::retried, toy toys::retries_errors => "it ended with Unavailable, not Ok";

    /// Toy: a breaker that looks at `Err` alone.
    trap_03_a_status_may_be_in_the_trailers:
        outcomes::trailers, ours outcomes::broken, toy toys::breaks_on_errors => "3 calls reached the server, not 2";

    /// Toy: reads the whole answer, and repeats the call if its trailers say so.
    trap_04_response_headers_commit_the_call:
        attempts::headers, ours attempts::retried, toy toys::retries_anything => "2 requests reached the server, not 1";

    /// Toy: keeps requests of any size.
    trap_04_a_full_replay_buffer_commits_the_call:
        attempts::buffer, ours attempts::retried, toy toys::retries_anything => "one byte too many: it ended with Ok";

    /// Toy: charges only retries that start.
    trap_05_the_throttle_charges_before_the_cap_on_attempts:
        attempts::throttle, ours attempts::throttled, toy toys::charges_retries
        => "after each call the server had seen [2, 4, 6, 8, 10]";

    /// Toy: compares with `>=`.
    trap_05_the_throttle_needs_more_than_half:
        attempts::throttle, ours attempts::throttled, toy toys::needs_half
        => "after each call the server had seen [2, 4, 6, 7, 8]";

    /// Toy: reads what it does not understand as zero.
    trap_06_negative_pushback_ends_retries:
        attempts::pushback, ours attempts::retried, toy toys::retries_at_once => "-1: 3 requests reached the server, not 1";

    /// Toy: the first answer decides, whatever it is.
    trap_06_negative_pushback_spares_hedges_under_way:
        hedges::pushback, ours hedges::four, toy toys::first_answer_wins => "it ended with Unavailable, not Ok";

    /// Toy: waits out the delay after a failure.
    trap_07_a_non_fatal_failure_skips_the_delay:
        hedges::failure, ours hedges::patient, toy toys::waits_out_the_delay => "the call ended after 10s, not 0";

    /// Toy: leaves the losers running.
    trap_07_losers_are_cancelled_and_counted:
        hedges::losers, ours hedges::two, toy toys::forgets_losers => "0 attempts were cancelled, not 1";

    /// Toy: learns the delay from the attempts that won.
    trap_07_a_learned_delay_counts_losers:
        hedges::learned, ours hedges::learning, toy toys::learns_from_winners => "of calls were hedged, not 10%";

    /// Toy: takes a probe at admission, and gives it back with its result alone.
    trap_08_a_cancelled_probe_is_free_again:
        memory::probe, ours memory::broken, toy toys::forgetful_breaker => "the breaker turned away the call after";

    /// Toy: any success closes it.
    trap_08_a_late_result_says_nothing:
        memory::late_result, ours memory::broken, toy toys::forgetful_breaker => "a call passed the open breaker";

    /// Toy: counts since the beginning.
    trap_09_a_sliding_window_slides:
        memory::window, ours memory::windowed, toy toys::cumulative_breaker => "20 calls in a row failed";

    /// Toy: a share of calls so far, whatever was asked for.
    trap_10_budgets_say_when_they_deposit_and_in_what_unit:
        memory::budgets, ours memory::budgeted, toy toys::one_budget_for_all => "AwsSdk";

    /// Toy: tower's `TpsBudget`, which makes 100 % of 60 %.
    trap_10_a_share_is_not_rounded:
        memory::share, ours memory::SIXTY_PERCENT, toy toys::TOWER_BUDGET => "100 retries for 100 deposits, not 60";

    /// Toy: counts only what it sent.
    trap_11_throttling_counts_what_it_turns_away:
        memory::throttling, ours memory::throttled, toy toys::counts_what_it_sent => "calls of 2000 were sent";

    /// Toy: one seed in the factory.
    trap_12_callers_of_one_factory_draw_different_jitter:
        endpoints::jitter, ours endpoints::jittered, toy toys::one_seed => "100 clients paused for 1 different times";

    /// Toy: tower's `LoadShed`, which takes every pending poll for overload.
    trap_13_a_pending_poll_is_not_overload:
        endpoints::pending, ours endpoints::limited, toy toys::sheds_on_pending => "of 1000 calls got through";

    /// Toy: takes UNAVAILABLE as proof that nothing ran.
    trap_14_unavailable_does_not_prove_that_nothing_ran:
        attempts::idempotency, ours attempts::patient, toy toys::retries_at_once
        => "a lost connection: 3 requests reached the server, not 1";

    /// Toy: gives up when the connection fails, though nothing was sent.
    trap_14_what_was_never_sent_may_be_repeated:
        attempts::idempotency, ours attempts::patient, toy toys::retries_answers => "a refused connection: it ended with Unavailable";

    /// Toy: a builder that knows the right order better.
    trap_15_the_order_of_layers_matters:
        attempts::order, ours std::convert::identity, toy toys::right_order => "timeout outside retry: 3 requests reached the server, not 1";

    /// Toy: ejects after five failures in a row.
    trap_16_outliers_are_ejected_at_sweeps:
        endpoints::sweeps, ours endpoints::outliers, toy toys::ejects_at_once => "before the first sweep it got 5 calls";

    /// Toy: closes the connection of whom it ejects.
    trap_16_the_ejected_keep_their_connection:
        endpoints::connection, ours endpoints::outliers, toy toys::ejects_at_once => "connections were made, not 1";
}

#[test]
fn all_sixteen_have_a_row() {
    for trap in 1..=16 {
        assert!(NAMES.iter().any(|name| name.starts_with(&format!("trap_{trap:02}_"))), "trap {trap}");
    }
}
