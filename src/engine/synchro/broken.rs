//! Which calls wait in vain.
//!
//! # The rule
//!
//! A call that waits without a time limit is *broken* when nobody is left who could end the wait. A party of the run, which
//! is `main` or a task, is *able to go on* if
//!
//! - it is a task that runs and does not wait: it counts as waiting while it has connections and each of them waits
//!   without a time limit;
//! - it is a task that is queued, unless what holds it back can only end with tasks that are not able to go on;
//! - it is `main` and does not wait, or waits with a time limit;
//! - it is `main`, waits for tasks to end, and each of these is able to go on;
//! - it waits, and its wait can be ended by a party that is able to go on.
//!
//! A wait for a queue or an event can be ended by any party that reaches the object: it got it as a parameter, made it or
//! fetched it, or can fetch it from a container that it reaches; `main` reaches everything. A wait for a lock or a slot can
//! be ended by those who hold it. A wait at a barrier of n can be ended when those that wait at it, and those that reach it
//! and are able to go on, are n together; `main` being able to go on suffices, for it can start more tasks.
//!
//! All calls that are broken are told so at once.

use std::collections::{HashMap, HashSet};

use super::holder::{HolderId, MAIN, Party};
use crate::model::{ObjectId, TaskNumber};

/// What a party is about.
#[derive(Debug)]
pub(super) enum Standing {
    /// It goes on, or will by itself.
    Goes,
    /// It is queued, and starts only when others have ended.
    HeldBack,
    /// It waits for calls.
    Waits,
    /// It waits until all of these have ended.
    Follows(Vec<TaskNumber>),
}

/// A call that waits without a time limit.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) holder: HolderId,
    pub(super) party: Party,
    pub(super) needs: Needs,
}

/// Who can end a wait.
#[derive(Debug)]
pub(super) enum Needs {
    /// Anybody who reaches the object; how that stands if nobody does.
    Anybody(ObjectId, &'static str),
    /// One of these.
    OneOf(Vec<Party>),
    /// So many more arrivals at a barrier, of parties that are not there yet.
    Arrivals { barrier: ObjectId, missing: usize, there: Vec<Party> },
}

/// Everything that counts.
pub(super) struct Scene<'a> {
    pub(super) parties: HashMap<Party, Standing>,
    pub(super) calls: Vec<Call>,
    /// Which objects a task reaches.
    pub(super) reach: Box<dyn Fn(Party) -> HashSet<ObjectId> + 'a>,
}

impl Scene<'_> {
    /// Returns the places in `calls` of those that wait in vain.
    pub(super) fn in_vain(&self) -> Vec<usize> {
        let goes = |party: &&Party| matches!(self.parties[*party], Standing::Goes);
        let able = self.parties.keys().filter(goes).copied().collect();
        let mut look = Look { scene: self, able, reached: HashMap::new() };
        while look.finds_more() {}
        let calls = self.calls.iter().enumerate();
        calls.filter(|(_, call)| !look.can_end(&call.needs)).map(|(place, _)| place).collect()
    }
}

/// Who is able to go on, as far as is known.
struct Look<'a> {
    scene: &'a Scene<'a>,
    able: HashSet<Party>,
    /// What was found out about who reaches what: with many tasks that is asked of a few only.
    reached: HashMap<Party, HashSet<ObjectId>>,
}

impl Look<'_> {
    fn finds_more(&mut self) -> bool {
        let scene = self.scene;
        let mut more = Vec::new();
        for (party, standing) in &scene.parties {
            if !self.able.contains(party) && self.becomes_able(*party, standing) {
                more.push(*party);
            }
        }
        self.able.extend(&more);
        !more.is_empty()
    }

    fn becomes_able(&mut self, party: Party, standing: &Standing) -> bool {
        let scene = self.scene;
        match standing {
            Standing::Goes => true,
            Standing::HeldBack => {
                let has_started = |party: &Party| !matches!(scene.parties.get(party), Some(Standing::HeldBack));
                self.able.iter().any(has_started)
            }
            Standing::Follows(tasks) => {
                tasks.iter().all(|task| self.able.contains(task) || !scene.parties.contains_key(task))
            }
            Standing::Waits => scene.calls.iter().any(|call| call.party == party && self.can_end(&call.needs)),
        }
    }

    fn can_end(&mut self, needs: &Needs) -> bool {
        let Self { scene, able, reached } = self;
        let mut reaches = |party: &Party, object: &ObjectId| {
            reached.entry(*party).or_insert_with(|| (scene.reach)(*party)).contains(object)
        };
        match needs {
            Needs::Anybody(object, _) => able.contains(&MAIN) || able.iter().any(|party| reaches(party, object)),
            Needs::OneOf(parties) => parties.iter().any(|party| able.contains(party)),
            Needs::Arrivals { barrier, missing, there } => {
                let comes = |party: &&Party| !there.contains(party) && reaches(party, barrier);
                able.contains(&MAIN) || able.iter().filter(comes).take(*missing).count() == *missing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a scene: `1:goes 2:waits 0:follows=1,2`, calls as `1?7` (anybody who reaches 7), `1@2,3` (2 or 3 hold it),
    /// `1#7/2` (two more at barrier 7), and who reaches what as `1>7`. Returns which parties wait in vain.
    fn judge(text: &str) -> String {
        let number = |text: &str| text.parse::<u32>().unwrap();
        let list = |text: &str| text.split(',').map(number).collect::<Vec<_>>();
        let (mut parties, mut calls, mut reached) = (HashMap::new(), Vec::new(), Vec::new());
        for word in text.split_whitespace() {
            let (party, rest) = word.split_at(word.find(|c: char| !c.is_ascii_digit()).unwrap());
            let (sign, rest) = rest.split_at(1);
            let party = number(party);
            let needs = match sign {
                ":" => {
                    let standing = match rest.split_once('=') {
                        Some((_, tasks)) => Standing::Follows(list(tasks)),
                        None if rest == "goes" => Standing::Goes,
                        None if rest == "held" => Standing::HeldBack,
                        None => Standing::Waits,
                    };
                    parties.insert(party, standing);
                    continue;
                }
                ">" => {
                    reached.push((party, u64::from(number(rest))));
                    continue;
                }
                "?" => Needs::Anybody(u64::from(number(rest)), ""),
                "@" => Needs::OneOf(list(rest)),
                _ => {
                    let (barrier, missing) = rest.split_once('/').unwrap();
                    Needs::Arrivals {
                        barrier: u64::from(number(barrier)),
                        missing: usize::try_from(number(missing)).unwrap(),
                        there: Vec::new(),
                    }
                }
            };
            calls.push(Call { holder: u64::from(party), party, needs });
        }
        for at in 0..calls.len() {
            let all: Vec<Party> = calls.iter().map(|call| call.party).collect();
            if let Needs::Arrivals { there, .. } = &mut calls[at].needs {
                *there = all;
            }
        }
        let reach =
            |party| reached.iter().filter(|(who, _)| *who == party).map(|(_, object)| *object).collect::<HashSet<_>>();
        let scene = Scene { parties, calls, reach: Box::new(reach) };
        let found: Vec<String> = scene.in_vain().into_iter().map(|at| scene.calls[at].party.to_string()).collect();
        found.join(" ")
    }

    #[test]
    fn who_waits_in_vain() {
        let cases = [
            // A consumer and a producer that runs, then one that does not reach the queue, then none.
            ("0:follows=1,2 1:waits 1?7 1>7 2:goes 2>7", ""),
            ("0:follows=1,2 1:waits 1?7 1>7 2:goes 2>8", "1"),
            ("0:follows=1 1:waits 1?7 1>7", "1"),
            // Main may still come and put.
            ("0:goes 1:waits 1?7 1>7", ""),
            ("0:follows=2 1:waits 1?7 1>7 2:goes", ""),
            // Main waits itself.
            ("0:waits 0?7 1:goes 1>7", ""),
            ("0:waits 0?7 1:goes 1>8", "0"),
            ("0:waits 0?7", "0"),
            ("0:waits 0?7 1:waits 1?8 1>7 1>8", "0 1"),
            // Main is followed by nobody, but the one it waits for can go on, so main can.
            ("0:follows=2 1:waits 1?7 1>7 2:waits 2@3 3:goes", ""),
            // A lock whose holder goes on, one whose holder waits for a lock of the first.
            ("0:follows=1,2 1:waits 1@2 2:goes", ""),
            ("0:follows=1,2 1:waits 1@2 2:waits 2@1", "1 2"),
            ("0:follows=1,2,3 1:waits 1@2 2:waits 2?7 3:goes 3>7", ""),
            ("0:follows=1 1:waits 1@1", "1"),
            // A barrier: enough can come, one too few, a task that has not started yet, main.
            ("0:follows=1,2 1:waits 1#7/1 1>7 2:goes 2>7", ""),
            ("0:follows=1,2 1:waits 1#7/2 1>7 2:goes 2>7", "1"),
            ("0:follows=1,2 1:waits 1#7/1 1>7 2:held 2>7", "1"),
            ("0:follows=1,2,3 1:waits 1#7/1 1>7 2:held 2>7 3:goes", ""),
            ("0:goes 1:waits 1#7/5 1>7", ""),
            ("0:follows=1,2,3 1:waits 1#7/1 1>7 2:waits 2#7/1 2>7 3:goes 3>7", ""),
            ("0:follows=1,2 1:waits 1#7/1 1>7 2:waits 2#7/1 2>7", "1 2"),
        ];
        for (scene, expected) in cases {
            assert_eq!(judge(scene), expected, "{scene}");
        }
    }
}
