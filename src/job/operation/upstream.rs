//! stub
use crate::operation::dependency::{NoRun, Purpose, Upstream, Upstreams};
use crate::store::{self, Home, Status};
pub(super) struct Runs<'a> {
    home: &'a Home,
}
impl<'a> Runs<'a> {
    pub(super) fn new(home: &'a Home) -> Self {
        Self { home }
    }
}
impl Upstreams for Runs<'_> {
    fn find(&self, operation: &str, chosen: Option<&str>, purpose: Purpose) -> Result<Upstream, NoRun> {
        let no = |hint: Option<String>| NoRun { operation: operation.to_owned(), hint };
        let runs = store::list(self.home).map_err(|_| no(None))?;
        let fits = |run: &&store::RunInfo| {
            run.operation.as_deref() == Some(operation)
                && chosen.is_none_or(|chosen| run.id.starts_with(chosen))
                && (matches!(run.status, Status::Completed | Status::Terminated | Status::Running)
                    || purpose == Purpose::Flag && run.status == Status::Staged)
        };
        let found: Vec<_> = runs.iter().filter(fits).collect();
        let run = found.iter().find(|run| run.marked).or(found.first()).ok_or_else(|| no(None))?;
        Ok(Upstream { id: run.id.clone(), path: run.path.clone(), is_running: run.status == Status::Running })
    }
}
