//! The arguments that the launcher handed on: which of them somebody has read, and what tasks get of them.

/// Which arguments nobody has read so far. Without arguments it costs nothing.
#[derive(Debug, Default)]
pub(super) struct Unread {
    words: Vec<(String, bool)>,
}

impl Unread {
    /// Begins with every word unread.
    pub(super) fn new(words: &[String]) -> Self {
        Self { words: words.iter().map(|word| (word.clone(), false)).collect() }
    }

    /// Notes that these words were read; all if there is no list.
    pub(super) fn note(&mut self, read: Option<&[String]>) {
        for (word, is_read) in &mut self.words {
            *is_read |= read.is_none_or(|read| read.contains(word));
        }
    }

    /// Returns the unread words: options with the words behind them that are no options.
    fn groups(&self) -> Vec<Vec<&str>> {
        let mut groups: Vec<Vec<&str>> = Vec::new();
        let mut goes_on = false;
        for (word, is_read) in &self.words {
            if *is_read || word == "--" {
                goes_on = false;
                continue;
            }
            match groups.last_mut() {
                Some(group) if goes_on && !is_option(word) => group.push(word),
                _ => groups.push(vec![word]),
            }
            goes_on = true;
        }
        groups
    }

    /// Returns the first of the `slips`, words that look like an option of the launcher, that nobody has read.
    pub(super) fn slip<'s>(&self, slips: &'s [(String, String)]) -> Option<&'s (String, String)> {
        let is_unread =
            |(slip, _): &&(String, String)| self.words.iter().any(|(word, is_read)| !is_read && word == slip);
        slips.iter().find(is_unread)
    }

    /// Returns what to say of the unread words. `slips` has those that look like an option of the launcher, and which.
    pub(super) fn warnings(&self, slips: &[(String, String)]) -> Vec<String> {
        let mut warnings = Vec::new();
        let mut others = Vec::new();
        for group in self.groups() {
            match slips.iter().find(|(word, _)| word == group[0]) {
                Some((word, near)) => warnings.push(slip_text(word, near)),
                None => others.extend(group),
            }
        }
        if !others.is_empty() {
            let what = if others.len() == 1 { "the argument" } else { "the arguments" };
            let words = shlex::try_join(others.iter().copied()).unwrap_or_else(|_| others.join(" "));
            warnings.push(format!("nobody read {what} {words}"));
        }
        warnings
    }
}

fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Says that a word looks like a slip in an option of the launcher.
pub(crate) fn slip_text(word: &str, near: &str) -> String {
    let name = word.split('=').next().unwrap_or(word);
    format!("{name} is no option of rille; did you mean {near}? behind -- it is handed on to the jobfile")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str, read: &[&[&str]]) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let mut unread = Unread::new(&words);
        for read in read {
            unread.note(Some(&read.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()));
        }
        unread.warnings(&[("--tesbed".to_owned(), "--testbed".to_owned())]).join(" | ")
    }

    #[test]
    fn unread_words_are_named_with_their_values_and_nothing_twice() {
        let slip = "--tesbed is no option of rille; did you mean --testbed? behind -- it is handed on to the jobfile";
        let cases: [(&str, &[&[&str]], String); 8] = [
            ("", &[], String::new()),
            ("--typo-arg T", &[], "nobody read the arguments --typo-arg T".into()),
            ("--a 1 --b 2", &[&["--a", "1"], &["--b", "2"]], String::new()),
            ("--a 1 --b 2 stray", &[&["--a", "1"]], "nobody read the arguments --b 2 stray".into()),
            ("--a x --tesbed y --b", &[], format!("{slip} | nobody read the arguments --a x --b")),
            ("--tesbed y", &[&["--tesbed", "y"]], String::new()),
            ("--flag", &[], "nobody read the argument --flag".into()),
            ("-- x", &[], "nobody read the argument x".into()),
        ];
        for (line, read, expected) in cases {
            assert_eq!(told(line, read), expected, "{line}");
        }
        let slips = [("--tesbed".to_owned(), "--testbed".to_owned())];
        let mut unread = Unread::new(&["--a".to_owned(), "--tesbed".to_owned()]);
        assert_eq!(unread.slip(&slips), slips.first());
        unread.note(Some(&["--tesbed".to_owned()]));
        assert_eq!(unread.slip(&slips), None);
        let mut all = Unread::new(&["x".to_owned()]);
        all.note(None);
        assert!(all.warnings(&[]).is_empty());
    }
}
