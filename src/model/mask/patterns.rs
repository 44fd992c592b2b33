//! The search for forms of secrets in a text: where one stands, and where one may have begun.
//!
//! Almost no output holds a secret, so the search is made to pass over what holds none: of every four bytes three are
//! looked up in a small table, and only where they stand in the beginning of a form as well is anything compared. New forms
//! are added in place, without building anything anew.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::sieve::Sieve;

/// As many first bytes of a form are looked at together. No form is shorter.
pub(super) const WINDOW: usize = 6;

/// Forms of secrets, to be found.
#[derive(Default)]
pub(super) struct Patterns {
    /// Forms by their first bytes, the longest first.
    by_window: HashMap<[u8; WINDOW], Vec<Box<[u8]>>>,
    /// What is shorter than a window and begins a form.
    beginnings: HashSet<Vec<u8>>,
    sieve: Sieve,
    /// The secrets whose forms these are.
    secrets: HashSet<Vec<u8>>,
    count: usize,
}

/// What stands in a text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What is secret, in order and not overlapping.
    pub(super) spans: Vec<Range<usize>>,
    /// Where something begins that may become a form if the text goes on. Spans that begin behind it are not looked for.
    pub(super) open: Option<usize>,
}

impl Patterns {
    /// Returns how many forms there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Adds a secret, unless it is there, by its forms.
    pub(super) fn add(&mut self, secret: &[u8], forms: impl FnOnce(&[u8]) -> BTreeSet<Vec<u8>>) {
        if self.secrets.insert(secret.to_vec()) {
            for form in forms(secret) {
                self.add_form(form);
            }
        }
    }

    /// Adds a form. What is shorter than [`WINDOW`] is none.
    fn add_form(&mut self, form: Vec<u8>) {
        let Some(window) = form.first_chunk::<WINDOW>().copied() else { return };
        if self.starting_as(&form).iter().any(|other| **other == *form) {
            return;
        }
        let forms = self.by_window.entry(window).or_default();
        if forms.is_empty() {
            self.sieve.add(window);
            self.beginnings.extend((1..WINDOW).map(|length| window[..length].to_vec()));
        }
        forms.push(form.into());
        forms.sort_by_key(|form| Reverse(form.len()));
        self.count += 1;
        if self.sieve.is_crowded(self.by_window.len()) {
            self.sieve = self.sieve.larger();
            self.by_window.keys().for_each(|window| self.sieve.add(*window));
        }
    }

    /// Returns the forms that have their first bytes in common with a text.
    fn starting_as(&self, text: &[u8]) -> &[Box<[u8]>] {
        let forms = text.first_chunk::<WINDOW>().and_then(|window| self.by_window.get(window));
        forms.map(Vec::as_slice).unwrap_or_default()
    }

    /// Looks for forms in a text. With `is_whole` nothing follows it.
    pub(super) fn search(&self, text: &[u8], is_whole: bool) -> Found {
        let mut found = Found::default();
        let mut from = 0;
        while let Some(at) = self.sieve.next(text, from) {
            from = at + 1;
            let rest = &text[at..];
            let forms = self.starting_as(rest);
            if let Some(form) = forms.iter().find(|form| rest.starts_with(form)) {
                found.add(at..at + form.len());
            }
            if !is_whole && self.shortest_with(rest).is_some() {
                found.open = Some(at);
                return found;
            }
        }
        if !is_whole {
            let ends = (1..WINDOW).rev().filter_map(|length| text.len().checked_sub(length));
            found.open = ends.into_iter().find(|at| self.begins(&text[*at..]));
        }
        found
    }

    /// Returns whether a text that is shorter than a window is the beginning of a form.
    fn begins(&self, text: &[u8]) -> bool {
        self.sieve.passes(text) && self.beginnings.contains(text)
    }

    /// Returns the length of the shortest form that a text, no shorter than [`WINDOW`], is only the beginning of.
    pub(super) fn shortest_with(&self, text: &[u8]) -> Option<usize> {
        let longer = self.starting_as(text).iter().filter(|form| form.len() > text.len() && form.starts_with(text));
        longer.map(|form| form.len()).min()
    }
}

impl Found {
    /// Adds a span that begins behind all others. Those that overlap become one.
    fn add(&mut self, span: Range<usize>) {
        match self.spans.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => self.spans.push(span),
        }
    }
}
