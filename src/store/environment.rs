//! What is recorded of the environment a run was started in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::Secrets;

/// Returns the variables to record as the attribute `env`: all but `_`, which names the last program the shell started, and
/// those that are secret or hold what is: a run is started again with what is recorded, so that a mask would be taken for a
/// value. Bytes that are not UTF-8 become U+FFFD, since YAML has no other bytes.
pub(crate) fn recorded_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    secrets: &Secrets,
) -> BTreeMap<String, String> {
    variables
        .into_iter()
        .filter(|(name, value)| name != "_" && !secrets.holds(&name.to_string_lossy(), value.as_bytes()))
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn recorded(variables: &[(&str, &str)], hide: &[&str]) -> Vec<String> {
        let mut secrets = Secrets::new(hide.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().as_slice());
        let variables = || variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        secrets.add_variables(variables());
        recorded_environment(variables(), &secrets).into_keys().collect()
    }

    #[test]
    fn secrets_copies_of_them_and_the_last_program_are_left_out() {
        let left_out = [
            ("_", "/usr/bin/rille"),
            ("PGPASSWORD", "v"),
            ("API_TOKEN", "hunter22"),
            ("DATABASE_URL", "sqlite:///x.db"),
            ("http_proxy", "http://me:proxy-word@proxy:3128"),
            ("DEPLOY", "-----BEGIN PRIVATE KEY-----\nabcdefgh\n-----END PRIVATE KEY-----"),
            ("JAVA_OPTS", "-Dtoken=hunter22 -Xmx1g"),
            ("CURL_HEADER", "Authorization: Basic dXNlcjpodW50ZXIyMg=="),
            ("MY_PLACE", "under the mat"),
        ];
        let kept = [
            ("PATH", "/usr/bin"),
            ("HOME", "/root"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-x/agent.1"),
            ("USE_TOKEN", "true"),
            ("GIT_AUTHOR_NAME", "Ada"),
            ("INDEX_URL", "https://host:8080/simple"),
            ("SHORT", "v"),
            ("EMPTY_PASSWORD", ""),
        ];
        let all: Vec<_> = left_out.into_iter().chain(kept).collect();
        let mut expected = kept.map(|(name, _)| name.to_owned());
        expected.sort();
        assert_eq!(recorded(&all, &["my_*"]), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let bytes = OsString::from_vec(vec![b'a', 0xff]);
        let recorded = recorded_environment([(OsString::from("X"), bytes)], &Secrets::default());
        assert_eq!(recorded["X"], "a\u{fffd}");
    }
}
