//! What is recorded of the environment a run was started in.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Parts of a variable's name, in lower case, for which its value is never written to disk.
const SECRET_PARTS: [&str; 11] = [
    "password",
    "passwd",
    "passphrase",
    "token",
    "secret",
    "credential",
    "api_key",
    "apikey",
    "private_key",
    "access_key",
    "auth",
];

/// Returns the variables to record as the attribute `env`: all but `_`, which names the last program the shell started,
/// and those whose name looks secret. Bytes that are not UTF-8 become U+FFFD, since YAML has no other bytes.
pub(crate) fn recorded_environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, String> {
    variables
        .into_iter()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name != "_" && !is_secret(name))
        .collect()
}

/// Returns whether the value of a variable of this name may be a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    // An author is no authority.
    let name = name.to_lowercase().replace("author_", "").replace("authors", "");
    SECRET_PARTS.iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn secrets_and_the_last_program_are_left_out() {
        let left_out = [
            "_",
            "PGPASSWORD",
            "Db_Passwd",
            "GITHUB_TOKEN",
            "MY_SECRET_THING",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "X_API_KEY",
            "OPENAPIKEY",
            "SSH_PRIVATE_KEY",
            "AWS_ACCESS_KEY_ID",
            "SSH_AUTH_SOCK",
        ];
        let kept = ["PATH", "HOME", "LANG", "__", "KEYBOARD", "PWD", "GIT_AUTHOR_NAME"];
        let variables = left_out.iter().chain(&kept).map(|name| (OsString::from(name), OsString::from("v")));
        let recorded = recorded_environment(variables);
        let mut expected = kept.map(str::to_owned);
        expected.sort();
        assert_eq!(recorded.into_keys().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        let bytes = OsString::from_vec(vec![b'a', 0xff]);
        let recorded = recorded_environment([(OsString::from("X"), bytes)]);
        assert_eq!(recorded["X"], "a\u{fffd}");
    }
}
