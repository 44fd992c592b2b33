//! stub
use crate::engine::{OutputSink, SinkWaker};
use crate::model::Stream;
use std::io;
use std::path::{Path, PathBuf};
pub(super) struct Sink {
    file: std::fs::File,
    path: PathBuf,
}
impl Sink {
    pub(super) fn new(directory: &Path, _plan: &super::Plan) -> Result<Sink, crate::store::Error> {
        let path = directory.join(".guild/output");
        let file = std::fs::File::create(&path).map_err(crate::store::Error::io("create", &path))?;
        Ok(Sink { file, path })
    }
}
impl OutputSink for Sink {
    fn connect(&mut self, _waker: SinkWaker) {}
    fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        use io::Write;
        self.file.write_all(bytes)?;
        match stream {
            Stream::Stdout => {
                let _ = io::stdout().write_all(bytes);
                let _ = io::stdout().flush();
            }
            Stream::Stderr => {
                let _ = io::stderr().write_all(bytes);
            }
        }
        Ok(())
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn path(&self) -> &Path {
        &self.path
    }
}
