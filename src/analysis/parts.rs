//! Parts of a run: the whole of it, and every stretch of time that an expectation asks about.
//!
//! A call belongs to a part by the moment it was *due*, so that a slow answer is charged to the storm that delayed it and
//! not to the calm in which it arrived. Parts may overlap; the stretches between their borders may not. Calls with the
//! same memberships form a *class*, each call has exactly one, and the fold keeps one tally a class: the price of an event
//! does not grow with the number of expectations.

use std::ops::Range;

/// The parts of one scenario's runs. Part 0 is the whole run after its warm-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Where each stretch begins, in nanoseconds, ascending; the first is 0.
    starts: Vec<u64>,
    /// The class of each stretch.
    classes: Vec<u16>,
    /// For each class: whether it belongs to each part.
    members: Vec<Vec<bool>>,
    /// How much of the time in which load is offered each part covers, in nanoseconds.
    spans_ns: Vec<u64>,
}

impl Parts {
    /// The whole run alone: calls that are due from `warmup_ns` on, out of `duration_ns`.
    #[must_use]
    pub fn whole(warmup_ns: u64, duration_ns: u64) -> Self {
        Self::new(warmup_ns, duration_ns, &[])
    }

    /// The whole run and then the `others`, each a list of ranges of nanoseconds, apart from each other.
    ///
    /// # Panics
    ///
    /// When the parts overlap in more than 65,535 different ways; a scenario file is too short for that.
    #[must_use]
    pub fn new(warmup_ns: u64, duration_ns: u64, others: &[Vec<Range<u64>>]) -> Self {
        let whole: Vec<_> = std::iter::once(warmup_ns..u64::MAX).collect();
        let parts: Vec<&[Range<u64>]> = std::iter::once(&whole[..]).chain(others.iter().map(Vec::as_slice)).collect();
        let mut starts: Vec<u64> =
            parts.iter().copied().flatten().flat_map(|range| [range.start, range.end]).chain([0]).collect();
        starts.retain(|start| *start != u64::MAX);
        starts.sort_unstable();
        starts.dedup();
        let mut members: Vec<Vec<bool>> = Vec::new();
        let classes = starts.iter().map(|start| class_of(membership(&parts, *start), &mut members)).collect();
        let spans_ns = parts.iter().map(|ranges| covered_ns(ranges, duration_ns)).collect();
        Self { starts, classes, members, spans_ns }
    }

    /// How many parts there are, the whole included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.spans_ns.len()
    }

    /// Never: the whole is always a part.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.spans_ns.is_empty()
    }

    pub(super) const fn class_count(&self) -> usize {
        self.members.len()
    }

    /// The class of a call that was due at `due_ns`.
    pub(super) fn class_at(&self, due_ns: u64) -> u16 {
        let stretch = self.starts.partition_point(|start| *start <= due_ns) - 1;
        self.classes[stretch]
    }

    /// Which classes make up a part.
    pub(super) fn classes_of(&self, part: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.members.len()).filter(move |class| self.members[*class][part])
    }

    /// How long a part lasts, as far as load is offered in it.
    pub(super) fn span_ns(&self, part: usize) -> u64 {
        self.spans_ns[part]
    }
}

fn membership(parts: &[&[Range<u64>]], at: u64) -> Vec<bool> {
    parts.iter().map(|ranges| ranges.iter().any(|range| range.contains(&at))).collect()
}

fn class_of(membership: Vec<bool>, members: &mut Vec<Vec<bool>>) -> u16 {
    let class = members.iter().position(|known| *known == membership).unwrap_or_else(|| {
        members.push(membership);
        members.len() - 1
    });
    u16::try_from(class).expect("fewer than 65,536 ways to overlap")
}

fn covered_ns(ranges: &[Range<u64>], duration_ns: u64) -> u64 {
    ranges.iter().map(|range| range.end.min(duration_ns).saturating_sub(range.start)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_at(parts: &Parts, at: u64) -> Vec<usize> {
        let class = usize::from(parts.class_at(at));
        (0..parts.len()).filter(|part| parts.classes_of(*part).any(|member| member == class)).collect()
    }

    /// A border belongs to what follows it, as a fault's window is half open.
    #[test]
    fn calls_belong_to_every_part_that_holds_their_due_time() {
        let parts = Parts::new(5, 100, &[vec![10..20, 30..40], std::iter::once(15..50).collect()]);
        let table: [(u64, &[usize]); 9] = [
            (0, &[]),
            (5, &[0]),
            (10, &[0, 1]),
            (15, &[0, 1, 2]),
            (20, &[0, 2]),
            (30, &[0, 1, 2]),
            (40, &[0, 2]),
            (50, &[0]),
            (1_000_000, &[0]),
        ];
        for (at, expected) in table {
            assert_eq!(parts_at(&parts, at), expected, "at {at}");
        }
        assert_eq!([0, 1, 2].map(|part| parts.span_ns(part)), [95, 20, 35]);
    }

    /// A flapping fault has thousands of windows and still only two classes.
    #[test]
    fn repeated_windows_share_a_class() {
        let flapping = (0..1000).map(|n| n * 10..n * 10 + 5).collect();
        assert_eq!(Parts::new(0, 10_000, &[flapping]).class_count(), 2);
    }
}
