//! A suite: the tests that were found, once for each variant, with their ids.

use super::expression::Candidate;
use super::resolution::Resolution;
use super::test_id::TestId;
use super::variants::Variant;
use crate::model::Runnable;

/// A test that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FoundTest {
    /// What to run.
    pub(crate) runnable: Runnable,
    /// Who found it.
    pub(crate) resolver: &'static str,
    /// The reference that it was found for.
    pub(crate) reference: String,
}

/// A test of a run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Test {
    /// Its id.
    pub(crate) id: TestId,
    /// What to run; with its variant.
    pub(crate) runnable: Runnable,
    /// Who found it.
    pub(crate) resolver: &'static str,
    /// The reference that it was found for.
    pub(crate) reference: String,
}

impl Test {
    /// Returns the file that the test was found in: the reference, without what picks tests in it.
    pub(crate) fn file(&self) -> &str {
        let end = self.reference.find(".py:").map_or(self.reference.len(), |at| at + ".py".len());
        &self.reference[..end]
    }
}

/// In which order the variants of several tests run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExecutionOrder {
    /// All variants of the first test, then all of the second.
    #[default]
    VariantsPerTest,
    /// All tests as the first variant, then all as the second.
    TestsPerVariant,
}

/// Returns the tests that were found, in order.
pub(crate) fn found_tests(resolutions: &[Resolution]) -> Vec<FoundTest> {
    let of = |resolution: &Resolution| {
        let resolver = resolution.resolver().unwrap_or_default();
        let reference = resolution.reference.clone();
        let test =
            move |runnable: &Runnable| FoundTest { runnable: runnable.clone(), resolver, reference: reference.clone() };
        resolution.runnables().iter().map(test).collect::<Vec<_>>()
    };
    resolutions.iter().flat_map(of).collect()
}

/// Makes the tests of a run: every test that was found, as every variant; without variants once as it is. Those that
/// `keep` refuses are left out, and have no number. `name` is the name of the suite, where a run has several.
pub(crate) fn suite(
    name: Option<&str>,
    found: &[FoundTest],
    variants: &[Variant],
    order: ExecutionOrder,
    keep: &dyn Fn(&Candidate<'_>) -> bool,
) -> Vec<Test> {
    let as_variant = |found: &FoundTest, variant: Option<&Variant>| {
        let mut runnable = found.runnable.clone();
        if let Some(variant) = variant {
            runnable.variant = Some(variant.dump());
        }
        let candidate = Candidate { runnable: &runnable, resolver: found.resolver, reference: &found.reference };
        let is_kept = keep(&candidate);
        is_kept.then(|| FoundTest { runnable, ..found.clone() })
    };
    let kept: Vec<FoundTest> = match order {
        _ if variants.is_empty() => found.iter().filter_map(|test| as_variant(test, None)).collect(),
        ExecutionOrder::VariantsPerTest => {
            let of = |test| variants.iter().filter_map(move |variant| as_variant(test, Some(variant)));
            found.iter().flat_map(of).collect()
        }
        ExecutionOrder::TestsPerVariant => {
            let of = |variant| found.iter().filter_map(move |test| as_variant(test, Some(variant)));
            variants.iter().flat_map(of).collect()
        }
    };
    let count = kept.len();
    let test = |(number, found): (usize, FoundTest)| {
        let FoundTest { runnable, resolver, reference } = found;
        let id = TestId::new(name, number, count, &runnable.name(), runnable.variant_id());
        Test { id, runnable, resolver, reference }
    };
    (1..).zip(kept).map(test).collect()
}

#[cfg(test)]
mod tests {
    use super::{ExecutionOrder, FoundTest, suite};
    use crate::model::Runnable;
    use crate::testing::Variant;

    fn ids(tests: &[&str], variants: &[&str], order: ExecutionOrder, name: Option<&str>) -> String {
        let found: Vec<FoundTest> = tests
            .iter()
            .map(|test| FoundTest {
                runnable: Runnable { kind: "noop".into(), uri: Some((*test).into()), ..Runnable::default() },
                resolver: "exec-test",
                reference: (*test).into(),
            })
            .collect();
        let variants: Vec<Variant> =
            variants.iter().map(|id| Variant::plain(Some((*id).into()), serde_json::Map::new())).collect();
        suite(name, &found, &variants, order, &|_| true)
            .iter()
            .map(|test| test.id.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn tests_and_variants_have_their_order() {
        let both = ["v1", "v2"];
        assert_eq!(ids(&["a", "b"], &[], ExecutionOrder::VariantsPerTest, None), "1-a 2-b");
        assert_eq!(ids(&["a", "b"], &both, ExecutionOrder::VariantsPerTest, None), "1-a;v1 2-a;v2 3-b;v1 4-b;v2");
        assert_eq!(ids(&["a", "b"], &both, ExecutionOrder::TestsPerVariant, None), "1-a;v1 2-b;v1 3-a;v2 4-b;v2");
        assert_eq!(ids(&["a", "a"], &[], ExecutionOrder::VariantsPerTest, Some("s")), "s-1-a s-2-a");
        assert!(ids(&["a"; 10], &[], ExecutionOrder::VariantsPerTest, None).starts_with("01-a 02-a"));
    }
}
