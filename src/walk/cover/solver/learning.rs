//! What the solver learns from a conflict, and what it forgets.

use super::{Lit, MOST_LEARNT, Reason, Solver, number};

impl Solver {
    /// Learns the clause that forbids what led to a conflict, goes back to where it says something, and follows it.
    pub(super) fn learn(&mut self, conflict: Vec<Lit>) {
        let level = number(self.begins.len());
        let mut learnt = vec![Lit(0)];
        let mut open = 0;
        let mut at = self.trail.len();
        let mut because = conflict;
        let mut touched = Vec::new();
        let asserting = loop {
            for lit in because {
                let variable = lit.variable();
                if self.seen[variable] || self.levels[variable] == 0 {
                    continue;
                }
                self.seen[variable] = true;
                touched.push(variable);
                self.activity[self.action_of[variable] as usize] += self.step;
                match self.levels[variable] == level {
                    true => open += 1,
                    false => learnt.push(lit),
                }
            }
            if open == 0 {
                // Nothing of this level is to blame: it was already wrong before.
                break None;
            }
            let lit = loop {
                at -= 1;
                if self.seen[self.trail[at].variable()] {
                    break self.trail[at];
                }
            };
            open -= 1;
            if open == 0 {
                break Some(lit.not());
            }
            because = match self.reasons[lit.variable()] {
                Reason::None => Vec::new(),
                Reason::Clause(index) => {
                    self.clauses[index as usize].lits.iter().copied().filter(|other| *other != lit).collect()
                }
                Reason::Other(other) => vec![other.not()],
            };
        };
        for variable in touched {
            self.seen[variable] = false;
        }
        self.step *= 1.05;
        if self.step > 1e100 {
            self.activity.iter_mut().for_each(|activity| *activity *= 1e-100);
            self.step *= 1e-100;
        }
        let Some(asserting) = asserting else {
            self.back_to(self.begins.len() - 1);
            return;
        };
        learnt[0] = asserting;
        let deepest = (1..learnt.len()).max_by_key(|place| self.levels[learnt[*place].variable()]);
        let back = deepest.map_or(0, |place| {
            learnt.swap(1, place);
            self.levels[learnt[1].variable()]
        });
        self.back_to(back as usize);
        match learnt.len() {
            1 => self.set(asserting, Reason::None),
            _ => {
                let clause = self.attach(learnt, true);
                self.set(asserting, Reason::Clause(clause));
            }
        }
    }

    /// Forgets the long ones of the learnt clauses.
    pub(super) fn forget(&mut self) {
        self.back_to(0);
        let mut lengths: Vec<usize> =
            self.clauses.iter().filter(|clause| clause.is_learnt).map(|clause| clause.lits.len()).collect();
        lengths.sort_unstable();
        let longest = lengths[lengths.len() / 2];
        let mut room = MOST_LEARNT / 2;
        for watches in &mut self.watches {
            watches.clear();
        }
        self.learnt = 0;
        for clause in std::mem::take(&mut self.clauses) {
            let is_kept = !clause.is_learnt || (clause.lits.len() <= longest && room > 0);
            if is_kept {
                room -= usize::from(clause.is_learnt);
                self.attach(clause.lits, clause.is_learnt);
            }
        }
        // What holds at the bottom has reasons that nobody asks for; the watches of clauses there are put right.
        self.next = 0;
        self.is_impossible |= self.propagate().is_some();
    }
}
