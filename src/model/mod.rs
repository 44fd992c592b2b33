//! Plain data that every room speaks: what can be run, how it is run, what a run says and how it ended.
//!
//! Nothing here does I/O, reads the clock or knows a process.

mod blob;
mod cleared;
mod datafile;
mod event;
mod event_masks;
mod exit;
pub(crate) mod exit_code;
mod file_slice;
mod filter_mistake;
mod inside;
mod kind;
mod level;
mod logic;
mod lua_text;
mod manifest;
mod mask;
mod message;
mod name_filter;
mod nearest;
mod order;
mod os_text;
mod outcome;
mod output_size;
mod path_bytes;
mod python_text;
mod raised;
mod recipe;
mod record;
mod runnable;
mod runner;
mod section;
mod session;
mod shuffle;
mod size;
mod status_message;
mod stream;
mod synchro;
mod tally;
mod task;
mod test_status;
mod value;
mod walk;
mod walk_event;
mod whole;

pub(crate) use blob::Blob;
pub(crate) use cleared::{Cleared, NothingCleared};
pub(crate) use datafile::{Datafile, DatafileMistake};
pub(crate) use event::{
    Dropped, EVENT_FORMAT, Event, EventKind, META, PluginFailed, RunStarted, SectionFinished, SectionStarted,
    TaskFinished, TaskPlanned, TaskQueued, Trial, TrialMeasured,
};
pub(crate) use exit::Exit;
pub(crate) use file_slice::FileSlice;
pub(crate) use filter_mistake::FilterMistake;
pub(crate) use inside::{clean_path, is_inside, link_stays};
pub(crate) use kind::Kind;
pub(crate) use level::Level;
pub(crate) use logic::{Logic, LogicKind, Token, Tokens, near_word, parse_logic};
pub(crate) use lua_text::{LuaText, LuaWord};
pub(crate) use manifest::{EntryKind, Manifest, ManifestEntry};
pub(crate) use mask::{MaskStream, Masks, SHORTEST_SECRET, may_be_behind};
pub(crate) use message::{Message, Reply, StopOrder, StopWord, Used};
pub(crate) use name_filter::{FilterKind, NameFilter, NamePattern, filter_tokens, quoted_name};
pub(crate) use nearest::nearest;
pub(crate) use order::{JobInfo, Order, RuntimeInfo, SynchroLine};
pub(crate) use os_text::{limit, os_text, without_os_numbers};
pub(crate) use outcome::Outcome;
pub(crate) use output_size::{FilePlace, OutputSize};
pub(crate) use python_text::{float_text, push_python_str, python_text_of};
pub(crate) use raised::RaisedError;
pub(crate) use recipe::{RecipeError, Recipes, add_tag, read_recipes, recipe_schema};
pub(crate) use record::RecordForm;
pub(crate) use runnable::Runnable;
pub(crate) use runner::Runner;
pub(crate) use section::{LogRange, SectionChoice, SectionKind, SectionNumber, SectionPlan, SectionTally};
pub(crate) use session::{ENOUGH, ItemReport, SESSION, SessionOrder};
pub(crate) use shuffle::{SplitMix64, short_seed, shuffled};
pub(crate) use size::parse_size;
pub(crate) use status_message::{BadMessage, Finished, Running, StatusKind, StatusMessage, TaskIdValue};
pub(crate) use stream::Stream;
pub(crate) use synchro::{
    Answer, FRAME_LIMIT, Fault, FaultKind, Gives, Keys, Method, ObjectId, Op, PROTOCOL, REFERENCE, Request, SharedKind,
    SharedRef, Takes,
};
pub(crate) use tally::Tally;
pub(crate) use task::{Place, QUARANTINE, Task, TaskNumber};
pub(crate) use test_status::{TestStatus, UnknownStatus};
pub(crate) use value::{
    Key, MAX_DEPTH, Value, YamlMistake, YamlSchema, argument, read_yaml, read_yaml_with_lines, references_in, yaml_word,
};
pub(crate) use walk::{
    NoState, WALK_PAGE_SIZE, WalkEnd, WalkEnded, WalkLine, WalkMachine, WalkOrder, WalkPage, WalkReport, WalkSlot,
    WalkStep, WalkSuite, Walks,
};
pub(crate) use walk_event::{
    SerialRan, WalkCause, WalkCoverage, WalkFailed, WalkShrunk, WalksEnd, WalksFinished, WalksRan, WalksStarted,
};
pub(crate) use whole::{whole, whole_tail, without_torn_begin, without_torn_end};
