//! Where the values of a YAML or JSON document stand in its text.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span, options};

/// What a value is to someone who writes another one in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A plain or quoted scalar.
    Scalar,
    /// A list or a mapping in brackets.
    Flow,
    /// A reference to another value.
    Alias,
    /// A literal or folded text.
    Text,
    /// A mapping with a line for each key, and the column of its keys.
    BlockMap {
        /// From 0.
        column: usize,
    },
    /// A list with a line for each item.
    BlockList,
}

/// Where a value stands, by the numbers of its characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// The first one.
    pub(super) start: usize,
    /// Behind the last one. White space and comments may belong to a block.
    pub(super) end: usize,
    /// The beginning of its tag, its anchor or the sign of a text, else its own.
    pub(super) properties: usize,
    /// Behind the colon of its key; `None` for the whole document.
    pub(super) colon: Option<usize>,
    /// Whether it is within brackets.
    pub(super) is_flow: bool,
    /// What it is.
    pub(super) kind: Kind,
    /// Its anchor.
    pub(super) anchor: Option<usize>,
}

/// What stands where in a text.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The values by their paths of keys, the whole document at the empty one. What is inside of lists has no path.
    pub(super) places: HashMap<Vec<String>, Place>,
    /// References in their order: the anchor, the beginning and the end.
    pub(super) aliases: Vec<(usize, usize, usize)>,
    /// Whether it holds nothing.
    pub(super) is_empty: bool,
    /// Whether it may not go on to the end of the text: `---` or `...` stands there.
    pub(super) is_marked: bool,
}

/// A collection whose end has not come.
struct Open {
    path: Option<Vec<String>>,
    is_map: bool,
    place: Place,
    /// Whether a key has come.
    is_begun: bool,
    /// The key whose value comes next, and the place behind its colon.
    key: Option<(String, usize)>,
}

impl Document {
    /// Reads a text; `None` if it cannot be read.
    pub(super) fn read(text: &str) -> Option<Document> {
        let options = options! { emit_comments: false, emit_unresolved_aliases: true };
        let chars: Vec<char> = text.chars().collect();
        let is_marked = text.lines().any(|line| line.starts_with("---") || line.starts_with("..."));
        let mut document = Document { is_empty: true, is_marked, ..Document::default() };
        let mut open: Vec<Open> = Vec::new();
        // Behind what came last that is no white space: the end of a block.
        let mut last = 0;
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, Span { start, end, .. }) = event.ok()?;
            let (first, column, end) = (start.index(), start.col(), end.index());
            let is_key = open.last().is_some_and(|open| open.is_map && open.key.is_none());
            let around = open.last().map(|open| (open.place.is_flow, open.key.as_ref().map(|(_, colon)| *colon)));
            let (is_flow, colon) = around.unwrap_or_default();
            let place = |kind, anchor: usize, has_properties| Place {
                start: first,
                end,
                properties: if has_properties { properties(&chars, colon.unwrap_or(0), first) } else { first },
                colon,
                is_flow,
                kind,
                anchor: Some(anchor).filter(|anchor| *anchor > 0),
            };
            match event {
                Event::Scalar(written, style, anchor, tag) => {
                    document.is_empty &= first == end;
                    last = last.max(end);
                    if is_key {
                        begin_key(&mut open, &chars, written.into_owned(), (first, column, end));
                        continue;
                    }
                    let kind = match style {
                        ScalarStyle::Literal | ScalarStyle::Folded => Kind::Text,
                        _ => Kind::Scalar,
                    };
                    let mut place = place(kind, anchor, anchor > 0 || tag.is_some() || kind == Kind::Text);
                    // A value that is not there stands at the colon.
                    if first == end && chars.get(first) == Some(&':') {
                        (place.start, place.end, place.properties) = (first + 1, end + 1, first + 1);
                    }
                    document.insert(&mut open, place);
                }
                Event::SequenceStart(_, anchor, ref tag) | Event::MappingStart(_, anchor, ref tag) => {
                    document.is_empty = false;
                    let is_map = matches!(event, Event::MappingStart(..));
                    let is_bracket = matches!(chars.get(first), Some('{' | '['));
                    let kind = match (is_bracket, is_map) {
                        (true, _) => Kind::Flow,
                        (false, true) => Kind::BlockMap { column },
                        (false, false) => Kind::BlockList,
                    };
                    let mut place = place(kind, anchor, anchor > 0 || tag.is_some());
                    place.is_flow |= is_bracket;
                    let path = if open.is_empty() { Some(Vec::new()) } else { next_path(&mut open) };
                    if let Some(path) = path.as_ref().filter(|path| document.places.contains_key(*path)) {
                        // Of a key that stands twice the last one counts, with all that it holds.
                        document.places.retain(|known, _| !known.starts_with(path));
                    }
                    open.push(Open { path, is_map, place, is_begun: false, key: None });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Open { path, place, .. } = open.pop()?;
                    let end = if place.kind == Kind::Flow { end } else { last };
                    last = last.max(end);
                    // What stands in brackets does so for what is around it.
                    let is_flow = open.last().is_some_and(|open| open.place.is_flow);
                    if let Some(path) = path {
                        document.places.insert(path, Place { end, is_flow, ..place });
                    }
                }
                Event::Alias(anchor) => {
                    last = last.max(end);
                    document.aliases.push((anchor, first, end));
                    match is_key {
                        true => begin_key(&mut open, &chars, String::new(), (first, column, end)),
                        false => document.insert(&mut open, place(Kind::Alias, 0, false)),
                    }
                }
                Event::UnresolvedAlias(_) => return None,
                _ => {}
            }
        }
        Some(document)
    }

    fn insert(&mut self, open: &mut [Open], place: Place) {
        if let Some(path) = next_path(open) {
            self.places.insert(path, place);
        }
    }
}

/// Takes a key, and where its value may begin.
fn begin_key(open: &mut [Open], chars: &[char], key: String, (start, column, end): (usize, usize, usize)) {
    let Some(open) = open.last_mut() else { return };
    let colon = (end..chars.len()).find(|at| !chars[*at].is_whitespace()).filter(|at| chars[*at] == ':');
    open.key = Some((key, colon.map_or(end, |at| at + 1)));
    // A block begins with its first key, and not with its anchor.
    if let Kind::BlockMap { .. } = open.place.kind
        && !open.is_begun
    {
        open.is_begun = true;
        open.place.kind = Kind::BlockMap { column };
        open.place.start = start;
    }
}

/// Returns where the tag, the anchor or the sign of a text begins that stands between a key and its value.
fn properties(chars: &[char], colon: usize, start: usize) -> usize {
    let mut at = colon;
    while at < start {
        match chars[at] {
            '!' | '&' | '|' | '>' => return at,
            '#' => at += chars[at..start].iter().take_while(|c| **c != '\n').count(),
            _ => at += 1,
        }
    }
    start
}

/// Returns the path of the value that comes now; `None` inside of lists.
fn next_path(open: &mut [Open]) -> Option<Vec<String>> {
    let last = open.last_mut()?;
    let key = last.key.take();
    let mut path = last.path.clone().filter(|_| last.is_map)?;
    path.push(key?.0);
    Some(path)
}
