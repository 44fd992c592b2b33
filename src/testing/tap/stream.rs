//! TAP 14, line by line: the document, the subtests that are open in it, and the blocks of YAML between.
//!
//! A subtest is what is indented by four blanks. It is closed by a test point of the document that it is in, and what else
//! that document holds until then is no TAP.

use super::document::{Document, End};
use super::line::{Line, Point};

/// The newest version that is known.
const NEWEST: u64 = 14;

/// How deep subtests are told apart. What is deeper is no TAP.
const DEEPEST: usize = 64;

/// By how many blanks a subtest is indented.
const INDENT: usize = 4;

/// A document that is being read.
#[derive(Debug, Default)]
pub(super) struct Stream {
    lines: u64,
    outermost: Document,
    /// The subtests that are open, each in the one before it.
    subtests: Vec<Subtest>,
    /// What comments have announced, by how deep they are, until a line of TAP follows.
    announced: Vec<Option<Announced>>,
    /// A test point whose line ends with a brace. If a subtest comes next, it is that of the point.
    held: Option<Point<'static>>,
    /// The last line of TAP was a test point, and a block of YAML may come.
    is_after_point: bool,
    /// The indent of the block of YAML that is being read.
    yaml: Option<String>,
    /// A line of TAP was read.
    has_begun: bool,
    has_bailed_out: bool,
}

#[derive(Debug)]
struct Subtest {
    document: Document,
    closing: Closing,
}

/// What closes a subtest.
#[derive(Debug)]
enum Closing {
    /// The next test point of the document that it is in.
    NextPoint,
    /// The test point that has the name in the comment before it.
    Named(Announced),
    /// A brace; its test point came before it.
    Brace(Point<'static>),
}

/// A subtest that a comment has announced.
#[derive(Debug)]
struct Announced {
    name: Option<String>,
    line: u64,
    /// A test point of another name that came where its own was to be.
    stray: Option<String>,
}

impl Stream {
    /// Reads a line.
    pub(super) fn line(&mut self, bytes: &[u8]) {
        if self.has_bailed_out {
            return;
        }
        self.lines += 1;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        let text = if self.lines == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if self.goes_on_in_yaml(text) || text.is_empty() || self.begins_yaml(text) {
            return;
        }
        let body = text.trim_start_matches(' ');
        let indent = text.len() - body.len();
        let depth = (indent / INDENT).min(DEEPEST + 1);
        let line = match indent % INDENT {
            0 if depth <= DEEPEST => Line::read(body),
            _ if body.starts_with('#') => Line::Comment,
            _ => Line::Text,
        };
        self.take(depth, line, body);
    }

    /// Ends the document.
    pub(super) fn end(mut self) -> End {
        if !self.has_bailed_out {
            self.end_yaml();
            self.release();
            self.close_below(0);
        }
        self.outermost.end()
    }

    fn document(&mut self, depth: usize) -> &mut Document {
        match depth.min(self.subtests.len()) {
            0 => &mut self.outermost,
            depth => &mut self.subtests[depth - 1].document,
        }
    }

    fn take(&mut self, depth: usize, line: Line<'_>, body: &str) {
        let deepest = self.subtests.len();
        match line {
            Line::Comment => return,
            Line::Subtest(name) => {
                if depth >= deepest {
                    self.announce(depth, name.map(std::borrow::Cow::into_owned));
                }
                return;
            }
            _ => self.is_after_point = false,
        }
        let is_brace = matches!(line, Line::Text) && body == "}" && depth + 1 == deepest;
        if is_brace && matches!(self.subtests[depth].closing, Closing::Brace(_)) {
            return self.close_below(depth);
        }
        let is_point = matches!(line, Line::Point(_) | Line::BailOut(_));
        if matches!(line, Line::Text) || (depth < deepest && !is_point) {
            let number = self.lines;
            return self.document(depth).take_text(number);
        }
        if depth <= deepest {
            self.release();
        }
        self.open_down_to(depth);
        self.announced.truncate(depth);
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match line {
            Line::Point(point) => self.take_point(depth, point),
            Line::Plan(plan) => self.document(depth).take_plan(&plan),
            Line::Version(version) if depth == 0 => self.take_version(version, is_first),
            Line::Pragma(keys) => {
                for (_, is_on) in keys.iter().filter(|(key, _)| *key == "strict") {
                    self.document(depth).is_strict = *is_on;
                }
            }
            Line::BailOut(reason) => {
                self.has_bailed_out = true;
                self.outermost.bail_out(&reason);
            }
            Line::Version(_) | Line::Comment | Line::Subtest(_) | Line::Text => {}
        }
    }

    fn take_version(&mut self, version: u64, is_first: bool) {
        if !is_first {
            self.outermost.broken("the version must come before all other TAP");
        } else if version > NEWEST {
            self.outermost.broken(&format!("version {version} is not known; the newest that is known is {NEWEST}"));
        }
    }

    fn take_point(&mut self, depth: usize, point: Point<'_>) {
        let mut subtest = None;
        if let Some(open) = self.subtests.get_mut(depth) {
            let is_its_own = match &mut open.closing {
                Closing::NextPoint => true,
                Closing::Named(announced) if announced.is_closed_by(&point) => true,
                Closing::Named(announced) => {
                    announced.stray.get_or_insert_with(|| point.description.clone().into_owned());
                    let number = self.lines;
                    return self.document(depth).take_stray(&point, number);
                }
                Closing::Brace(_) => false,
            };
            self.close_below(if is_its_own { depth + 1 } else { depth });
            if is_its_own {
                subtest = self.subtests.pop().map(|subtest| subtest.document.end());
            }
        }
        self.is_after_point = true;
        match point.opens_block && subtest.is_none() {
            true => self.held = Some(point.into_owned()),
            false => self.document(depth).take_point(&point, subtest),
        }
    }

    /// Takes a test point whose subtest has not come.
    fn release(&mut self) {
        if let Some(point) = self.held.take() {
            let depth = self.subtests.len();
            self.document(depth).take_point(&point, None);
        }
    }

    fn announce(&mut self, depth: usize, name: Option<String>) {
        if self.announced.len() <= depth {
            self.announced.resize_with(depth + 1, || None);
        }
        self.announced[depth] = Some(Announced { name, line: self.lines, stray: None });
    }

    /// Opens the subtests that a line so deep is in.
    fn open_down_to(&mut self, depth: usize) {
        while self.subtests.len() < depth {
            let at = self.subtests.len();
            let announced = self.announced.get_mut(at).and_then(Option::take);
            let closing = match (self.held.take(), announced) {
                (Some(point), _) => Closing::Brace(point),
                (None, Some(announced)) => Closing::Named(announced),
                (None, None) => Closing::NextPoint,
            };
            let document = self.document(at).subtest();
            self.subtests.push(Subtest { document, closing });
        }
    }

    /// Closes the subtests below a document, none of which has got its test point.
    fn close_below(&mut self, depth: usize) {
        while self.subtests.len() > depth {
            let Some(Subtest { document, closing }) = self.subtests.pop() else { return };
            let end = document.end();
            let depth = self.subtests.len();
            let parent = self.document(depth);
            match closing {
                Closing::Brace(point) => parent.take_point(&point, Some(end)),
                Closing::NextPoint => parent.lose(end),
                Closing::Named(announced) => parent.broken(&announced.lost()),
            }
        }
    }

    /// Takes a line that begins a block of YAML; returns whether it does.
    fn begins_yaml(&mut self, text: &str) -> bool {
        let own = self.subtests.len() * INDENT;
        let body = text.trim_start();
        let indent = text.len() - body.len();
        let begins = self.is_after_point
            && indent > own
            && body.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        if begins {
            self.yaml = Some(text[..indent].to_owned());
        }
        begins
    }

    /// Takes a line that belongs to a block of YAML; returns whether it does.
    fn goes_on_in_yaml(&mut self, text: &str) -> bool {
        let Some(indent) = &self.yaml else { return false };
        match text.strip_prefix(indent.as_str()) {
            Some("...") => self.yaml = None,
            Some(_) => {}
            None if text.is_empty() => {}
            None => {
                self.end_yaml();
                return false;
            }
        }
        true
    }

    /// Leaves a block of YAML that has no end, and so was none.
    fn end_yaml(&mut self) {
        if self.yaml.take().is_some() {
            let (number, depth) = (self.lines, self.subtests.len());
            self.document(depth).take_text(number);
        }
    }
}

impl Announced {
    fn is_closed_by(&self, point: &Point<'_>) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        point.name == name || point.description == name
    }

    /// Says that its test point has not come.
    fn lost(&self) -> String {
        let line = self.line;
        let mut text = match &self.name {
            Some(name) => format!("the subtest '{name}' of line {line} has lost its test point"),
            None => format!("the subtest of line {line} has lost its test point"),
        };
        if let Some(stray) = &self.stray {
            text.extend(["; there is one of '", stray, "'"]);
        }
        text
    }
}
