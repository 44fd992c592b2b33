//! Near misses: what somebody may have meant by a name that is unknown.

/// Returns the name that is most like `word`, if one is like enough to be meant.
pub(crate) fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.into_iter().map(|name| (strsim::normalized_damerau_levenshtein(word, name), name));
    let best = scored.filter(|(score, name)| *score >= 0.7 && *name != word).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        let names = ["max_runtime", "taskid", "needs", "args"];
        assert_eq!(nearest("max_runtme", names), Some("max_runtime"));
        assert_eq!(nearest("task_id", names), Some("taskid"));
        assert_eq!(nearest("device", names), None);
        assert_eq!(nearest("args", ["args"]), None);
    }
}
