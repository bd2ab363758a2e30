//! Progress: a bar on stderr while trials run, if somebody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a run has come.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A run of so many trials; nothing is drawn unless `shown`.
    pub(super) fn new(trials: usize, shown: bool) -> Self {
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(trials as u64), target);
        let style = ProgressStyle::with_template("{bar:30.cyan/dim} {pos}/{len} trials  {elapsed}, {eta} left  {msg}");
        bar.set_style(style.expect("the template is well formed").progress_chars("━╸─"));
        if shown {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self(bar)
    }

    /// One trial of the scenario named so is over.
    pub(super) fn done(&self, scenario: &str) {
        self.0.set_message(scenario.to_owned());
        self.0.inc(1);
    }
}

/// The bar leaves nothing behind, whichever way the run ends.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
