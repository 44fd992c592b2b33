//! What a run of an operation is called: its label.

use std::collections::BTreeSet;

use super::RecordedRun;
use crate::model::Masks;
use crate::operation::{self, FlagValues, Notice, OpRecord};

/// Returns the label: what the user asked for, else what the definition says, else the values of the flags. `earlier` is the
/// run that is started again, where its user may have given it a label of his own since: that is kept, and there is none to
/// write.
pub(crate) fn label(
    record: &OpRecord,
    values: &FlagValues,
    tags: &[String],
    earlier: Option<&RecordedRun>,
    masks: &Masks,
) -> (Option<String>, Vec<Notice>) {
    let by_tags = (!tags.is_empty()).then(|| format!("{} ${{default_label}}", tags.join(" ")));
    let template = record.label_template.clone().or(by_tags);
    // Guild's labels have whole ids.
    let long = |values: &FlagValues| operation::label(template.as_deref(), values, &BTreeSet::new()).0;
    let upstreams = record.upstream_flags();
    let label = |values: &FlagValues| operation::label(template.as_deref(), values, &upstreams);
    if let Some(run) = earlier
        && let Some(given) = run.label.as_ref().map(|given| masks.mask_text(given))
        && [label(&run.values).0, long(&run.values)].iter().all(|made| given != masks.mask_text(made))
    {
        return (None, Vec::new());
    }
    let (label, notices) = label(values);
    (Some(label), notices)
}
