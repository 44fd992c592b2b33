//! Which names say that a value is a secret: those of environment variables, of keys in a testbed and of parameters.
//!
//! The names are those that CI systems mask and scanners look for. A name that only speaks about a secret, how long it
//! lives or in which file it is, is none: what is kept secret without need is missing where a run is looked at.

use std::collections::HashMap;
use std::sync::LazyLock;

use parking_lot::RwLock;

/// What a name may say of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    Plain,
    /// It is a secret as a whole.
    Secret,
    /// It says how something is reached, most often with a password in it, which is the secret.
    Address,
}

// The lists are of words with a space between.

/// Secret wherever they stand in a name.
const PARTS: &str = "password passwd passphrase passcode secret credential token api_key apikey private_key access_key";

/// Words that are secret wherever they stand in a name of several.
const WORDS: &str = "auth oauth authorization";

/// Words that are secret as the last of several.
const LAST: &str = "bearer cookie cookies cred creds jwt key mnemonic pass pat psk pwd";

/// Names that are secret though nothing in them says so.
const WHOLE: &str = "bw_session passphrase pw seed_phrase sshpass";

/// Ways to something, where they stand in a name.
const ADDRESSES: &str = "amqp_url broker_url connection_string connectionstring database_url db_url mongo_uri mongo_url \
                         mongodb_uri mongodb_url redis_url";

/// Words that end as passwords do and are none.
const NO_PASSWORDS: &str = "allpass askpass bandpass bypass compass encompass highpass lowpass multipass oldpwd onepass \
                            overpass singlepass trespass underpass";

/// Words before `key` that make it no secret one.
const NO_SECRET_KEYS: &str = "cache foreign gpg group hash host hot index map meta object partition primary pub public \
                              routing row sort";

/// Last words that say something about a secret, or where it is.
const ABOUT: &str = "alg algorithm audience backend class cmd command count dir disabled domain duration enabled endpoint \
                     expiration expires expiry field file folder format helper home host issuer length lifetime limit max \
                     method min mode name path permissions policy port prefix prompt provider realm regex region required \
                     rotation scope scopes server size sock socket suffix timeout ttl type uri url user username version";

/// Words beside `tokens` that make them pieces of a text.
const OF_TEXTS: &str = "batch budget context input max min n new num number output per total";

/// Words before `token` that make it a piece of a text.
const TOKENS_OF_TEXTS: &str = "bos cls end eos mask pad sep special start stop unk";

/// Words that only sound like secrets, by their beginnings.
const INNOCENT: [&str; 4] = ["tokeniz", "tokenis", "secretar", "passwordless"];

/// Returns whether the value of a variable of this name may be a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    meaning(name) != Meaning::Plain
}

/// Names that were judged before: the same environment is looked at for every run.
static JUDGED: LazyLock<RwLock<HashMap<String, Meaning>>> = LazyLock::new(RwLock::default);

/// How many of them are kept.
const MOST_JUDGED: usize = 4096;

/// Returns what a name says of its value.
pub(super) fn meaning(name: &str) -> Meaning {
    if let Some(known) = JUDGED.read().get(name) {
        return *known;
    }
    let meaning = judge(name);
    let mut judged = JUDGED.write();
    if judged.len() < MOST_JUDGED {
        judged.insert(name.to_owned(), meaning);
    }
    meaning
}

fn judge(name: &str) -> Meaning {
    let mut words = words(name);
    // The variable of a flag. What is called a key there is one of a table.
    let is_flag = matches!(words.as_slice(), [first, _, ..] if first == "flag");
    if is_flag {
        words.remove(0);
    }
    // `DB_PASS_2` is another of its kind.
    let is_numbered =
        |words: &[String]| matches!(words, [_, .., last] if last.bytes().all(|byte| byte.is_ascii_digit()));
    while is_numbered(&words) {
        words.pop();
    }
    let joined = words.join("_");
    let has = |parts: &str| parts.split_whitespace().any(|part| joined.contains(part));
    let last = words.last().map(String::as_str).unwrap_or_default();
    // These are the settings of all this.
    if joined.starts_with("rille_secrets") {
        return Meaning::Plain;
    }
    if joined.contains("webhook") || is_one(WHOLE, &joined) {
        return Meaning::Secret;
    }
    if has(ADDRESSES) || last == "dsn" {
        return Meaning::Address;
    }
    // `ACCESS_KEY_ID` has another part as well.
    if is_one(ABOUT, last) || (last == "id" && !has(PARTS)) {
        return Meaning::Plain;
    }
    let is_word = words.len() > 1 && words.iter().any(|word| is_one(WORDS, word));
    let is_secret = has(PARTS) || is_word || (is_last(&words, last) && !(is_flag && last == "key"));
    if is_secret { Meaning::Secret } else { Meaning::Plain }
}

/// Returns whether the last word of a name makes its value a secret.
fn is_last(words: &[String], last: &str) -> bool {
    let before = words.len().checked_sub(2).map(|at| words[at].as_str());
    match (last, before) {
        ("key", Some(before)) => !is_one(NO_SECRET_KEYS, before),
        (last, Some(_)) if is_one(LAST, last) => true,
        (last, _) => (last.ends_with("pass") || last.ends_with("pwd")) && last.len() > 4 && !is_one(NO_PASSWORDS, last),
    }
}

fn is_one(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|other| other == word)
}

/// Returns the words of a name in lower case: what is parted by other characters than letters and digits, and what begins
/// with a capital behind a small letter. Words that only sound like secrets are left out.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        let is_part = c.is_alphanumeric();
        if !is_part || (c.is_uppercase() && was_small) {
            words.push(String::new());
        }
        was_small = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| is_part) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty() && !INNOCENT.iter().any(|innocent| word.starts_with(innocent)));
    if words.iter().any(|word| is_one(OF_TEXTS, word)) {
        words.retain(|word| word != "tokens");
    }
    if words.iter().any(|word| is_one(TOKENS_OF_TEXTS, word)) {
        words.retain(|word| word != "token" && word != "tokens");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_and_others_left_alone() {
        let secret = "PGPASSWORD Db_Passwd GITHUB_TOKEN MY_SECRET_THING GOOGLE_APPLICATION_CREDENTIALS X_API_KEY OPENAPIKEY \
            SSH_PRIVATE_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN MYSQL_PWD DB_PASS SSHPASS PASSPHRASE \
            BORG_PASSPHRASE SMTP_PASS RABBITMQ_DEFAULT_PASS DBPASS REDISCLI_AUTH BASIC_AUTH COMPOSER_AUTH NPM_CONFIG__AUTH \
            DOCKER_AUTH_CONFIG CI_JOB_JWT GH_PAT AZURE_DEVOPS_EXT_PAT STRIPE_KEY ENCRYPTION_KEY SESSION_KEY LICENSE_KEY \
            RAILS_MASTER_KEY DEPLOY_KEY SECRET_KEY_BASE HTTP_COOKIE HTTP_AUTHORIZATION WIFI_PSK SLACK_WEBHOOK_URL HF_TOKEN \
            WANDB_API_KEY apiKey authToken npm_config_//registry/:_authToken TF_VAR_db_password VAULT_TOKEN DB_PASS_2 \
            API_TOKENS NIX_ACCESS_TOKENS BW_SESSION CLIENT_CREDS PASSCODE FLAG_API_TOKEN root-password ANSIBLE_BECOME_PASS \
            ENV_SECRET_ID MYSQLPWD FLAG_PASSWORD AUTH_HEADER OAUTH_CODE INPUT_TOKEN NEW_API_KEY AUTH_HEADER_TOKEN TWINE_PASSWORD RESTIC_PASSWORD SEED_PHRASE WALLET_MNEMONIC KAGGLE_KEY";
        let address = "DATABASE_URL HEROKU_POSTGRESQL_DB_URL REDIS_URL CELERY_BROKER_URL MONGODB_URI SENTRY_DSN DSN \
            AZURE_STORAGE_CONNECTION_STRING ConnectionStrings__Db";
        let plain = "PWD OLDPWD PATH HOME LANG SSH_AUTH_SOCK SSH_AGENT_PID SSH_ASKPASS GIT_ASKPASS SUDO_ASKPASS COLORTERM \
            XAUTHORITY GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL AUTHOR KEYBOARD KEYMAP KEY PASS AUTH PAT COMPASS BYPASS_CACHE \
            TOKENIZERS_PARALLELISM TOKENIZER MAX_TOKENS NUM_TOKENS MAX_NEW_TOKENS TOKENS_PER_BATCH MAX_TOKEN_LENGTH \
            TOKEN_TTL TOKEN_LIMIT POSTGRES_PASSWORD_FILE AWS_WEB_IDENTITY_TOKEN_FILE AWS_SHARED_CREDENTIALS_FILE \
            PGPASSFILE PASSWORD_STORE_DIR SSH_KEY_PATH AUTH_TYPE OS_AUTH_URL AUTH_USER AUTH_METHOD TOKEN_ENDPOINT \
            ACTIONS_ID_TOKEN_REQUEST_URL PUBLIC_KEY SSH_PUBLIC_KEY CACHE_KEY PRIMARY_KEY SORT_KEY GPG_KEY GPG_AGENT_INFO \
            DBUS_SESSION_BUS_ADDRESS XDG_SESSION_ID DESKTOP_SESSION SESSION_MANAGER KUBECONFIG KRB5CCNAME SECRETARY_NAME \
            RILLE_SECRETS_HIDE RILLE_SECRETS_KEEP RILLE_HOME LS_COLORS PASSES NUM_PASSES PASSENGER_ROOT MONKEY_TYPE \
            CI_COMMIT_AUTHOR PASSWORD_MIN_LENGTH SECRETS_DIR GIT_CREDENTIAL_HELPER HOSTNAME PATTERN SPWD_ 7 \
            FLAG_KEY FLAG_TARGET_KEY FLAG_MASK_TOKEN FLAG_PAD_TOKENS OAUTH_CLIENT_ID SIGNING_KEY_ID GITHUB_TOKEN_PERMISSIONS";
        let count = |names: &str| names.split_whitespace().count();
        assert!(count(secret) + count(address) >= 60 && count(plain) >= 60);
        let check = |names: &str, expected: Meaning| {
            let wrong: Vec<_> = names.split_whitespace().filter(|name| meaning(name) != expected).collect();
            assert!(wrong.is_empty(), "not {expected:?}: {wrong:?}");
        };
        check(secret, Meaning::Secret);
        check(address, Meaning::Address);
        check(plain, Meaning::Plain);
        assert!(!is_secret("") && !is_secret("__") && is_secret("DATABASE_URL"));
    }
}
