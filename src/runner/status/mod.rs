//! What a runner says, and to whom: its own standard output, and the status servers that it was given.

mod service;

use std::io::{self, Write as _};
use std::rc::Rc;

use self::service::Service;
pub(super) use self::service::TOKEN;
use super::error::StatusError;
use crate::engine::StopRequest;
use crate::model::{Finished, Running, StatusKind, StatusMessage, TaskIdValue};

/// How messages look on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As Python prints a `dict`: what the originals do.
    Python,
    /// As JSON, as on the wire.
    Json,
}

/// Whose messages they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    /// The task; without it the messages speak of a runnable alone.
    pub(super) id: Option<TaskIdValue>,
    /// The job.
    pub(super) job_id: Option<String>,
    /// The folder for what the task leaves.
    pub(super) output_dir: Option<String>,
}

/// Says what a runner does.
pub(super) struct Reporter {
    /// `None` where nobody reads.
    form: Option<Form>,
    identity: Identity,
    services: Vec<Service>,
    stop: Option<Rc<StopRequest>>,
}

impl Reporter {
    /// Makes a reporter for these servers, which are not connected yet.
    pub(super) fn new(form: Form, identity: Identity, uris: &[String]) -> Result<Self, StatusError> {
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        let services = uris.iter().map(|uri| Service::new(uri, token.clone())).collect::<Result<_, _>>()?;
        let form = Some(form).filter(|_| !is_thrown_away());
        Ok(Self { form, identity, services, stop: None })
    }

    /// Has what asks the runner to end looked at while a server is slow.
    pub(super) fn heed(&mut self, stop: &Rc<StopRequest>) {
        self.stop = Some(Rc::clone(stop));
    }

    /// Connects to the servers, and says that the runner has begun.
    pub(super) fn started(&mut self) -> Result<(), StatusError> {
        self.connect()?;
        let folder = self.identity.output_dir.clone().filter(|_| self.identity.id.is_some());
        self.say(StatusKind::Started { output_dir: folder }, None);
        Ok(())
    }

    /// Connects to the servers of this machine that are there. They know who speaks by the process that has connected, so it
    /// is the one that lives longest.
    pub(super) fn connect_early(&mut self) {
        self.services.iter_mut().for_each(Service::begin_early);
    }

    /// Forgets the connections, over which another process may have said half a word.
    pub(super) fn disconnect(&mut self) {
        self.services.iter_mut().for_each(Service::disconnect);
    }

    /// Connects to the servers.
    pub(super) fn connect(&mut self) -> Result<(), StatusError> {
        self.services.iter_mut().try_for_each(|service| service.begin(self.stop.as_deref()))
    }

    /// Says what happens. What is in it is bytes that nobody has looked at.
    pub(super) fn running(&mut self, what: Running) {
        self.say(StatusKind::Running(what), None);
    }

    /// Says what happens, in text.
    pub(super) fn running_text(&mut self, what: Running) {
        self.say(StatusKind::Running(what), Some("utf-8"));
    }

    /// Says how it ended, and sees that it arrives.
    pub(super) fn finished(&mut self, finished: Finished) {
        self.say(StatusKind::Finished(finished), None);
        for service in &mut self.services {
            service.finish(self.stop.as_deref());
        }
    }

    fn say(&mut self, kind: StatusKind, encoding: Option<&str>) {
        let Identity { id, job_id, .. } = &self.identity;
        let message = StatusMessage {
            id: id.clone(),
            job_id: job_id.clone(),
            time: Some(monotonic()),
            encoding: encoding.map(str::to_owned),
            kind,
        };
        if !self.services.is_empty() {
            let line = message.to_json() + "\n";
            for service in &mut self.services {
                service.post(line.as_bytes(), self.stop.as_deref());
            }
        }
        if let Some(form) = self.form {
            let text = match form {
                Form::Python => message.to_python(),
                Form::Json => message.to_json(),
            };
            let mut out = io::stdout().lock();
            // Who reads the messages from a server may have closed this.
            if out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).is_err() {
                self.form = None;
            }
        }
    }
}

/// Returns seconds of the monotonic clock.
fn monotonic() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a value that the call fills in; this clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    #[expect(clippy::cast_precision_loss, reason = "a machine is not up for that long")]
    let seconds = time.tv_sec as f64 + time.tv_nsec as f64 / 1e9;
    seconds
}

/// Returns whether standard output is the device that throws everything away.
fn is_thrown_away() -> bool {
    let of = |stat: rustix::io::Result<rustix::fs::Stat>| stat.map(|stat| stat.st_rdev).ok();
    let own = of(rustix::fs::fstat(rustix::stdio::stdout()));
    own.is_some_and(|device| device != 0) && own == of(rustix::fs::stat("/dev/null"))
}
