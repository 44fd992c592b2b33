//! Which files are source code and why, in words: what `rille run --test-sourcecode` shows.

use super::rules::{Rule, RuleId};
use super::{Chosen, Plan};

impl Plan {
    /// Returns the rules, and what they take and leave out. `with_reasons` adds to each file the rule that decided.
    pub(crate) fn listing(&self, here: &std::path::Path, with_reasons: bool) -> String {
        let mut lines = Vec::new();
        let from = match self.root == here {
            true => "the current directory".to_owned(),
            false => format!("'{}'", self.root.display()),
        };
        lines.push(format!("Copying from {from}"));
        lines.push("Rules:".to_owned());
        if self.config.disabled {
            lines.push("  exclude *".to_owned());
            lines.push("Source code copy disabled".to_owned());
            return lines.join("\n") + "\n";
        }
        lines.extend(self.rules.describe().into_iter().map(|rule| format!("  {rule}")));
        for (title, chosen) in [("Selected for copy:", &self.selected), ("Skipped:", &self.skipped)] {
            lines.push(title.to_owned());
            // Folders stand first, as they are not looked into.
            let (folders, files): (Vec<&Chosen>, Vec<&Chosen>) = chosen.iter().partition(|chosen| chosen.is_dir);
            lines.extend(folders.into_iter().chain(files).map(|chosen| self.line(chosen, with_reasons)));
            if title.starts_with("Selected") {
                lines.extend(self.links.iter().map(|(path, place)| {
                    format!("  {} -> {}  (a link to a folder that is copied)", path.display(), place.display())
                }));
            }
        }
        lines.join("\n") + "\n"
    }

    fn line(&self, chosen: &Chosen, with_reasons: bool) -> String {
        let slash = if chosen.is_dir { "/" } else { "" };
        let path = format!("  {}{slash}", chosen.path.display());
        match with_reasons {
            true => format!("{path}  ({})", self.reason(chosen.rule)),
            false => path,
        }
    }

    fn reason(&self, rule: Option<RuleId>) -> String {
        match rule {
            None => "no rule takes it".to_owned(),
            Some(RuleId::Script) => "it is the script that is run".to_owned(),
            Some(RuleId::Dependency) => "it is a dependency".to_owned(),
            Some(id) => self.rules.rule(id).map(Rule::describe).unwrap_or_default(),
        }
    }
}
