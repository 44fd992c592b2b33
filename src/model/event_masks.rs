//! Masks in events: in what people read of them. What programs go by, numbers, outcomes and where files are, stays.

use serde_json::Value as Json;

use super::{
    EventKind, Masks, Place, PluginFailed, RaisedError, RunStarted, SectionFinished, SectionPlan, SectionStarted,
    SerialRan, TaskFinished, TaskPlanned, TaskQueued, Trial, TrialMeasured, WalkCause, WalkFailed, WalkShrunk,
    WalksEnd, WalksFinished, WalksRan, WalksStarted,
};

impl EventKind {
    /// Masks the texts of an event. Each field is named here, so that a new one is not forgotten.
    pub(crate) fn mask(&mut self, masks: &Masks) {
        if masks.is_empty() {
            return;
        }
        match self {
            EventKind::RunStarted(started) => started.mask(masks),
            EventKind::JobRenamed { name } => masks.mask_string(name),
            EventKind::TaskQueued(queued) => queued.mask(masks),
            EventKind::TaskPlanned(planned) => {
                let TaskPlanned { task: _, sections } = &mut **planned;
                for plan in sections {
                    plan.mask(masks);
                }
            }
            EventKind::SectionStarted(started) => {
                let SectionStarted { task: _, section: _, plan, uid } = &mut **started;
                if let Some(plan) = plan {
                    plan.mask(masks);
                }
                option(masks, uid);
            }
            EventKind::SectionFinished(finished) => {
                let SectionFinished {
                    task: _,
                    section: _,
                    outcome: _,
                    reason,
                    data,
                    seconds: _,
                    will_retry: _,
                    log: _,
                } = &mut **finished;
                option(masks, reason);
                if let Some(data) = data {
                    masks.mask_value(data);
                }
            }
            EventKind::PluginFailed(failed) => {
                let PluginFailed { plugin, stage: _, task: _, error } = &mut **failed;
                masks.mask_string(plugin);
                error.mask(masks);
            }
            EventKind::TaskFinished(finished) => finished.mask(masks),
            EventKind::WalksStarted(started) => started.mask(masks),
            EventKind::WalksRan(ran) => {
                let WalksRan { suite: _, path: _, stage: _, worker: _, from: _, to: _, ran: _, ended } = &mut **ran;
                for walk in ended {
                    walk.mask(masks);
                }
            }
            EventKind::SerialRan(ran) => ran.mask(masks),
            EventKind::TrialMeasured(measured) => {
                let TrialMeasured { task: _, trial: Trial { run: _, flags, scalars: _ } } = &mut **measured;
                for value in flags.values_mut() {
                    masks.mask_json(value);
                }
            }
            EventKind::WalksFinished(finished) => {
                let WalksFinished { suite: _, end } = &mut **finished;
                end.mask(masks);
            }
            EventKind::Warning { text, place } => {
                masks.mask_string(text);
                mask_place(masks, place);
            }
            EventKind::MainFinished { error } => {
                if let Some(error) = error {
                    error.mask(masks);
                }
            }
            EventKind::RunFinished { outcome: _, exit_code: _, seconds: _, reason } => option(masks, reason),
            EventKind::TaskReused { task: _, started: _ }
            | EventKind::TaskStarted { task: _, attempt: _, pid: _ }
            | EventKind::MessagesDropped { task: _, dropped: _ }
            | EventKind::Interrupted { signal: _, times: _ }
            | EventKind::Paused {}
            | EventKind::Resumed {} => {}
        }
    }
}

fn option(masks: &Masks, text: &mut Option<String>) {
    if let Some(text) = text {
        masks.mask_string(text);
    }
}

fn mask_place(masks: &Masks, place: &mut Option<Place>) {
    if let Some(place) = place
        && masks.finds(place.file.as_bytes())
    {
        place.file = masks.mask_text(&place.file).into();
    }
}

impl RunStarted {
    fn mask(&mut self, masks: &Masks) {
        let RunStarted {
            format: _,
            rille: _,
            run_id: _,
            door: _,
            name,
            file,
            file_hash: _,
            argv,
            pid: _,
            host: _,
            user: _,
            first_started: _,
            rerun_of: _,
            secrets: _,
            attrs,
        } = self;
        [name, file].into_iter().chain(argv).for_each(|text| masks.mask_string(text));
        for (name, value) in attrs {
            match (name.as_str(), value) {
                // Where the attributes are lost these are read back to start the run again.
                ("flags" | "user_flags", Json::Object(flags)) => flags.retain(|_, value| !masks.finds_in(value)),
                (_, value) => masks.mask_json(value),
            }
        }
    }
}

impl TaskQueued {
    fn mask(&mut self, masks: &Masks) {
        // The folder is where the task's files are; it was named by an id that has its masks.
        let TaskQueued {
            task: _,
            id,
            kind,
            uri,
            folder: _,
            retries: _,
            tags,
            prepares: _,
            elsewhere: _,
            inputs: _,
            variant,
            place,
        } = self;
        [id, kind, uri].into_iter().chain(tags).chain(variant).for_each(|text| masks.mask_string(text));
        mask_place(masks, place);
    }
}

impl TaskFinished {
    fn mask(&mut self, masks: &Masks) {
        let TaskFinished {
            task: _,
            attempt: _,
            outcome: _,
            status: _,
            reason,
            data,
            exit: _,
            seconds: _,
            stdout: _,
            stderr: _,
            log: _,
            killed_leftovers: _,
            will_retry: _,
            dangling: _,
            time_limit: _,
        } = self;
        option(masks, reason);
        if let Some(data) = data {
            masks.mask_value(data);
        }
    }
}

impl SectionPlan {
    fn mask(&mut self, masks: &Masks) {
        let SectionPlan { kind: _, uid, parent: _, line: _, description, groups, retries: _, retry_of: _ } = self;
        masks.mask_string(uid);
        option(masks, description);
        for group in groups {
            masks.mask_string(group);
        }
    }
}

impl RaisedError {
    /// Masks the texts of an error.
    pub(crate) fn mask(&mut self, masks: &Masks) {
        let RaisedError { kind, message, traceback } = self;
        masks.mask_string(kind);
        masks.mask_string(message);
        option(masks, traceback);
    }
}

impl WalksStarted {
    fn mask(&mut self, masks: &Masks) {
        let WalksStarted {
            suite: _,
            plan: _,
            actions,
            planned: _,
            selected: _,
            excluded: _,
            workers: _,
            seed: _,
            shard: _,
            place,
        } = self;
        for action in actions {
            masks.mask_string(action);
        }
        mask_place(masks, place);
    }
}

impl WalkFailed {
    /// Masks the texts of a walk that did not pass.
    pub(crate) fn mask(&mut self, masks: &Masks) {
        let WalkFailed { id: _, stage: _, end: _, walk, action, error, seconds: _ } = self;
        masks.mask_string(walk);
        option(masks, action);
        if let Some(error) = error {
            error.mask(masks);
        }
    }
}

impl SerialRan {
    fn mask(&mut self, masks: &Masks) {
        // A run that is resumed goes on with what the action returned.
        let SerialRan { suite: _, path: _, stage: _, slot: _, option: _, words, returned: _, error, seconds: _ } = self;
        masks.mask_string(words);
        if let Some(error) = error {
            error.mask(masks);
        }
    }
}

impl WalksEnd {
    fn mask(&mut self, masks: &Masks) {
        let WalksEnd {
            walk_count: _,
            segment_count: _,
            action_count: _,
            passed: _,
            failed: _,
            crashed: _,
            cancelled: _,
            not_run: _,
            stopped,
            seconds: _,
            causes,
            coverage,
            shrunk,
        } = self;
        option(masks, stopped);
        for gap in coverage.values_mut().flat_map(|counts| &mut counts.gaps) {
            masks.mask_string(gap);
        }
        for WalkCause { options, failed: _, passed: _ } in causes {
            masks.mask_string(options);
        }
        for WalkShrunk { id: _, alike: _, walks: _, walk, steps, error, is_flaky: _, tries: _ } in shrunk {
            masks.mask_string(walk);
            for step in steps {
                masks.mask_json(step);
            }
            option(masks, error);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Event;

    /// Masks `hunter22` and `passed` in an event of these fields.
    fn masked(fields: &Value) -> Value {
        let mut event = fields.clone();
        event["seq"] = json!(1);
        event["time"] = json!("2026-11-21T09:00:00Z");
        let mut event: Event = serde_json::from_value(event).unwrap();
        event.kind.mask(&Masks::new(["hunter22", "passed", "123456"]));
        let mut value = serde_json::to_value(&event).unwrap();
        value.as_object_mut().unwrap().retain(|name, _| name != "seq" && name != "time");
        value
    }

    #[test]
    fn texts_are_masked_and_what_programs_go_by_is_not() {
        let place = json!({"file": "hunter22.lua", "line": 123_456});
        let error = json!({"kind": "error", "message": "no hunter22", "traceback": "at hunter22"});
        let cases = [
            json!({"event": "run-started", "format": 1, "rille": "0.1.0", "run_id": "passed", "door": "job",
                "name": "hunter22", "file": "/hunter22/job.lua", "file_hash": "passed", "argv": ["-x=hunter22"],
                "pid": 123_456, "host": "vm", "user": "ada", "secrets": ["API_TOKEN"]}),
            json!({"event": "job-renamed", "name": "hunter22"}),
            json!({"event": "task-queued", "task": 1, "id": "a hunter22", "kind": "lua", "uri": "/hunter22.lua",
                "folder": "tasks/1-passed", "tags": ["hunter22"], "place": place}),
            json!({"event": "task-planned", "task": 1, "sections": [{"kind": "testcase", "uid": "T[hunter22]",
                "description": "hunter22", "groups": ["hunter22"]}]}),
            json!({"event": "section-started", "task": 1, "section": 1, "uid": "hunter22"}),
            json!({"event": "section-finished", "task": 1, "section": 1, "outcome": "passed", "reason": "hunter22",
                "data": {"hunter22": ["hunter22", 123_456]}, "seconds": 1.0, "log": {"begin": 123_456, "size": 1}}),
            json!({"event": "plugin-failed", "plugin": "hunter22", "stage": "pre_job", "error": error}),
            json!({"event": "task-finished", "task": 1, "attempt": 1, "outcome": "passed", "reason": "hunter22",
                "data": "hunter22", "seconds": 1.0, "stdout": {"bytes": 123_456}}),
            json!({"event": "walks-started", "suite": 1, "plan": "passed", "actions": ["hunter22"], "planned": 1,
                "selected": 1, "excluded": 0, "workers": 1, "place": place}),
            json!({"event": "walks-ran", "suite": 1, "stage": 0, "worker": 1, "from": 0, "to": 1, "ran": 1, "ended": [
                {"id": 1, "stage": 0, "end": "passed", "walk": "A(\"hunter22\")", "action": "hunter22",
                    "error": error, "seconds": 1.0}]}),
            json!({"event": "walks-finished", "suite": 1, "walk_count": 123_456, "segment_count": 1, "action_count": 1,
                "passed": 1, "failed": 1, "stopped": "hunter22", "seconds": 1.0,
                "causes": [{"options": "hunter22", "failed": 1, "passed": 1}],
                "shrunk": [{"id": 1, "alike": [2], "walks": 2, "walk": "hunter22", "steps": [{"option": "hunter22"}],
                    "error": "hunter22", "is_flaky": true, "tries": 1}]}),
            json!({"event": "warning", "text": "hunter22", "place": place}),
            json!({"event": "main-finished", "error": error}),
            json!({"event": "run-finished", "outcome": "passed", "exit_code": 0, "seconds": 1.0, "reason": "hunter22"}),
        ];
        for case in cases {
            let expected: Value = serde_json::from_str(&case.to_string().replace("hunter22", "***")).unwrap();
            assert_eq!(masked(&case), expected);
        }
        let serial = json!({"event": "serial-ran", "suite": 1, "path": [0], "stage": 1, "slot": 0, "option": 0,
            "words": "A(\"hunter22\")", "returned": "hunter22", "error": error, "seconds": 1.0});
        let found = masked(&serial);
        assert_eq!((&found["words"], &found["returned"]), (&json!("A(\"***\")"), &json!("hunter22")));
    }
}
