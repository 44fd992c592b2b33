//! A definition as the record that its runs keep.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::encode::{as_argument, split};
use super::import::Module;
use super::record::FLAG_ARGS;
use super::{
    Body, DependencyRecord, Flag, FlagPassing, FlagValues, OpCommand, OpRecord, Operation, Resource, Source,
    SourceCodeRecord, SourceKind, TargetType, python,
};

/// Where the source code goes, unless the definition says otherwise: hidden, where the command does not name it by a
/// path.
const HIDDEN: &str = ".guild/sourcecode";

/// The argument by which `rille` runs the Lua of an operation in its own process.
const AS_OPERATION: &str = "--as-operation";

impl OpRecord {
    /// Returns the record of an operation; the error says why it cannot be run.
    pub(crate) fn new(operation: &Operation) -> Result<OpRecord, String> {
        let dest = sourcecode_dest(operation);
        let flags_dest = flags_dest(operation);
        let null_labels =
            operation.flags.iter().filter_map(|(name, flag)| Some((name.clone(), flag.null_label.clone()?)));
        let extra = operation.flags.iter().filter(|(_, flag)| !flag.extra.is_empty());
        let mut rest = Map::new();
        if let Some(path) = &operation.python_path {
            rest.insert("python-path".to_owned(), path.clone());
        }
        Ok(OpRecord {
            op_cmd: OpCommand {
                cmd_args: cmd_args(operation, &dest, flags_dest.as_deref().unwrap_or("args"))?,
                cmd_env: cmd_env(operation, flags_dest.as_deref()),
                cmd_flags: cmd_flags(operation),
                flags_dest: flags_dest.or_else(|| Some("args".to_owned())),
            },
            deps: dependencies(operation),
            delete_on_success: operation.delete_on_success,
            flag_null_labels: null_labels.collect(),
            flags_extra: extra.map(|(name, flag)| (name.clone(), Value::Object(flag.extra.clone()))).collect(),
            label_template: operation.label.clone(),
            python_requires: operation.python_requires.clone(),
            output_scalars: operation.output_scalars.clone(),
            sourcecode: SourceCodeRecord { dest: Some(dest), rest: Map::new() },
            env_secrets: operation.env_secrets.clone(),
            stop_after: operation.stop_after,
            rest,
        })
    }

    /// Takes flags that the definition does not have: they are passed as arguments under their names.
    pub(crate) fn accept_flags(&mut self, names: &[String]) {
        for name in names {
            self.op_cmd.cmd_flags.entry(name.clone()).or_default();
        }
    }

    /// Takes files and folders as dependencies beside those of the definition: each is linked to. They are relative to the
    /// folder `from`.
    pub(crate) fn add_dependencies(&mut self, paths: &[PathBuf], from: &Path) {
        for path in paths {
            let name = path.to_string_lossy().into_owned();
            let kind = SourceKind::File(from.join(path).to_string_lossy().into_owned());
            let source = Source { target_type: Some(TargetType::Link), ..Source::of(kind) };
            let location = from.to_string_lossy().into_owned();
            self.deps.push(DependencyRecord { name, location, sources: vec![source], ..DependencyRecord::default() });
        }
    }

    /// Writes down which other sources the values of flags choose, so that a start by Guild takes the same runs.
    pub(crate) fn configure(&mut self, values: &FlagValues) {
        for dependency in &mut self.deps {
            let chosen = dependency.flag_names().into_iter().filter_map(|name| {
                let value = values.get(&name).filter(|value| !value.is_null())?.clone();
                Some((name, value))
            });
            let chosen: Map<String, Value> = chosen.collect();
            dependency.config = (!chosen.is_empty()).then_some(Value::Object(chosen));
        }
    }

    /// Returns the names of the flags that choose runs of other operations.
    pub(crate) fn upstream_flags(&self) -> BTreeSet<String> {
        let is_upstream =
            |dep: &&DependencyRecord| dep.sources.iter().any(|source| matches!(source.kind, SourceKind::Operation(_)));
        self.deps.iter().filter(is_upstream).flat_map(DependencyRecord::flag_names).collect()
    }

    /// Returns the record as it is written down: without the variables that are secret by their name and value, which a
    /// later start takes from its own environment.
    pub(crate) fn without_secrets(&self, is_secret: impl Fn(&str, &str) -> bool) -> OpRecord {
        let mut record = self.clone();
        record.op_cmd.cmd_env.retain(|name, value| !is_secret(name, &as_argument(value)));
        record
    }
}

/// Returns the folder of the source code in the run directory: the last `dest` counts.
fn sourcecode_dest(operation: &Operation) -> String {
    let given = operation.sourcecode.iter().rev().find_map(|value| value.get("dest")?.as_str());
    let default = if matches!(operation.body, Body::Exec(_) | Body::Steps(_)) { "." } else { HIDDEN };
    given.unwrap_or(default).to_owned()
}

fn flags_dest(operation: &Operation) -> Option<String> {
    if operation.flags_dest.is_some() {
        return operation.flags_dest.clone();
    }
    let text = python::source(&operation.module()?.file?)?;
    let module = Module::read(&text).unwrap_or_else(|_| Module::guess(&text));
    Some(module.destination(operation.flags.keys()).to_owned())
}

/// Returns the words of the command. `dest` is the folder of the source code in the run directory, and `flags_dest` where
/// flags go: what a definition has for them in its own command gets them in any case, as in Guild.
fn cmd_args(operation: &Operation, dest: &str, flags_dest: &str) -> Result<Vec<String>, String> {
    let project = operation.project.to_string_lossy();
    let words = |line: &str| -> Result<Vec<String>, String> {
        let words = split(line).map_err(|error| format!("the command \"{}\" cannot be split: {error}", line.trim()))?;
        if words.is_empty() {
            return Err("its command is empty".to_owned());
        }
        Ok(words)
    };
    let fixed = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let python = || fixed(&["${python_exe}", "-um", python::OP_MAIN]);
    // What starts modules gives them only what is for them. Elsewhere what is passed beside the arguments is none.
    let is_beside = flags_dest == "none" || flags_dest.starts_with("config:");
    let flag_args = |is_module: bool| {
        let has = flags_dest != "env" && (is_module || !is_beside);
        if has { vec![FLAG_ARGS.to_owned()] } else { Vec::new() }
    };
    let mut args = match &operation.body {
        Body::Exec(line) => words(line)?,
        Body::Main(line) => [python(), words(line)?, fixed(&["--"]), flag_args(true)].concat(),
        Body::Script(line) => {
            let mut words = words(line)?;
            let script = words.remove(0);
            let module = script.strip_suffix(".py");
            let command = match module {
                Some(module) => [python(), vec![module.to_owned()]].concat(),
                None => script_command(operation, &script, dest),
            };
            [command, words, flag_args(module.is_some())].concat()
        }
        Body::LuaFunction => fixed(&["${rille_exe}", AS_OPERATION, &in_run(dest, "rille.lua"), &operation.full_name()]),
        // Guild's command, by which it starts such a run again.
        Body::Steps(_) => fixed(&["${python_exe}", "-um", "guild.steps_main"]),
    };
    for arg in &mut args {
        if arg == "${flag_args}" {
            FLAG_ARGS.clone_into(arg);
        }
        *arg = arg.replace("${project_dir}", &project);
    }
    Ok(args)
}

/// Returns the words that run a script which is not Python, from its copy in the run directory.
fn script_command(operation: &Operation, script: &str, dest: &str) -> Vec<String> {
    let copy = in_run(dest, script);
    let extension = Path::new(script).extension().and_then(|extension| extension.to_str());
    match extension {
        Some("lua") => vec!["${rille_exe}".to_owned(), AS_OPERATION.to_owned(), copy],
        Some("sh") if !runs_by_itself(&operation.project.join(script)) => vec!["sh".to_owned(), copy],
        _ => vec![copy],
    }
}

/// Returns the path of a file of the source code, relative to the run directory, as a program can be named.
fn in_run(dest: &str, file: &str) -> String {
    let file = file.strip_prefix("./").unwrap_or(file);
    match dest.trim_end_matches('/') {
        "" | "." => format!("./{file}"),
        dest => format!("{dest}/{file}"),
    }
}

/// Returns whether a script may be executed and names its interpreter.
fn runs_by_itself(path: &Path) -> bool {
    let is_executable = fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0);
    let mut start = [0; 2];
    is_executable && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"#!"
}

fn cmd_env(operation: &Operation, flags_dest: Option<&str>) -> std::collections::BTreeMap<String, Value> {
    let mut env = operation.env.clone();
    env.insert("PROJECT_DIR".to_owned(), json!(operation.project.to_string_lossy()));
    if let Some(dest) = flags_dest {
        env.insert("FLAGS_DEST".to_owned(), json!(dest));
    }
    env
}

fn cmd_flags(operation: &Operation) -> std::collections::BTreeMap<String, FlagPassing> {
    let passing = |flag: &Flag| FlagPassing {
        arg_name: flag.arg_name.clone(),
        arg_skip: flag.arg_skip.unwrap_or(operation.default_flag_arg_skip),
        arg_switch: flag.arg_switch.clone(),
        arg_split: flag.arg_split.clone(),
        arg_encoding: flag.arg_encoding.clone(),
        env_encoding: flag.env_encoding.clone(),
        env_name: flag.env_name.clone(),
    };
    operation.flags.iter().map(|(name, flag)| (name.clone(), passing(flag))).collect()
}

fn dependencies(operation: &Operation) -> Vec<DependencyRecord> {
    let location = operation.project.to_string_lossy().into_owned();
    let mut resources: Vec<&Resource> = operation.requires.iter().collect();
    let config = config_resource(operation);
    resources.extend(config.as_ref());
    let record = |resource: &Resource| DependencyRecord {
        name: resource.name.clone(),
        location: location.clone(),
        sources: resource.sources.iter().map(|source| folded(resource, source)).collect(),
        config: None,
        taken: operation.flags.keys().cloned().collect(),
    };
    resources.into_iter().map(record).collect()
}

/// Returns a source with what its resource says put into it.
pub(super) fn folded(resource: &Resource, source: &Source) -> Source {
    let mut source = source.clone();
    source.target_path = source.target_path.or_else(|| resource.target_path.clone());
    source.target_type = source.target_type.or(resource.target_type);
    source.preserve_path = source.preserve_path.or(resource.preserve_path);
    source.unpack = source.unpack.or(resource.default_unpack);
    if source.flag_name.is_none() && resource.sources.len() == 1 {
        source.flag_name.clone_from(&resource.flag_name);
    }
    source
}

/// Returns the resource by which flags reach a file of settings: it is written again at each start.
fn config_resource(operation: &Operation) -> Option<Resource> {
    let path = operation.flags_dest.as_deref()?.strip_prefix("config:")?;
    let is_there = |resource: &Resource| resource.sources.iter().any(|source| source.uri() == format!("config:{path}"));
    if operation.requires.iter().any(is_there) {
        return None;
    }
    let source =
        Source { replace_existing: true, always_resolve: true, ..Source::of(SourceKind::Config(path.to_owned())) };
    Some(Resource { name: format!("config:{path}"), sources: vec![source], ..Resource::default() })
}

#[cfg(test)]
mod tests {
    use super::super::Origin;
    use super::*;

    fn operation(project: &Path, body: Body) -> Operation {
        let bare = Operation::bare("op", Origin::GuildFile(project.join("guild.yml")), project, body);
        Operation { model: "m".to_owned(), ..bare }
    }

    /// Returns a project with scripts of each kind.
    fn project() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        file("plain.sh", "echo\n", 0o644);
        file("marked.sh", "#!/bin/sh\necho\n", 0o644);
        file("bare.sh", "echo\n", 0o755);
        file("program.sh", "#!/bin/sh\necho\n", 0o755);
        file("globals.py", "lr = 1\n", 0o644);
        file("sub/args.py", "import argparse\n", 0o644);
        file("pkg/__main__.py", "import click\n", 0o644);
        folder
    }

    #[test]
    fn every_body_has_a_command() {
        let folder = project();
        let exec = |text: &str| Body::Exec(text.to_owned());
        let main = |text: &str| Body::Main(text.to_owned());
        let script = |text: &str| Body::Script(text.to_owned());
        let py = ["${python_exe}", "-um", "rille.op_main"];
        let with_py = |rest: &[&'static str]| [&py[..], rest].concat();
        let project_dir = format!("{}/x", folder.path().display());
        let cases: Vec<(Body, Vec<&str>, &str, &str)> = vec![
            // The body, its command, where flags go, where the source goes.
            (exec("run.sh"), vec!["run.sh"], "args", "."),
            (exec("sh -c 'a b' ${flag_args} #x"), vec!["sh", "-c", "a b", FLAG_ARGS, "#x"], "args", "."),
            (exec("'${project_dir}/x'"), vec![&project_dir], "args", "."),
            (main("globals ${a} b"), with_py(&["globals", "${a}", "b", "--", FLAG_ARGS]), "globals", HIDDEN),
            (main("sub/args"), with_py(&["sub/args", "--", FLAG_ARGS]), "args", HIDDEN),
            (main("sub.args"), with_py(&["sub.args", "--", FLAG_ARGS]), "args", HIDDEN),
            (main("pkg"), with_py(&["pkg", "--", FLAG_ARGS]), "args:click", HIDDEN),
            (main("guild.pass"), with_py(&["guild.pass", "--", FLAG_ARGS]), "args", HIDDEN),
            (script("globals.py"), with_py(&["globals", FLAG_ARGS]), "globals", HIDDEN),
            (script("sub/args.py -v"), with_py(&["sub/args", "-v", FLAG_ARGS]), "args", HIDDEN),
            (script("plain.sh"), vec!["sh", ".guild/sourcecode/plain.sh", FLAG_ARGS], "args", HIDDEN),
            (script("marked.sh a"), vec!["sh", ".guild/sourcecode/marked.sh", "a", FLAG_ARGS], "args", HIDDEN),
            (script("bare.sh"), vec!["sh", ".guild/sourcecode/bare.sh", FLAG_ARGS], "args", HIDDEN),
            (script("./program.sh"), vec![".guild/sourcecode/program.sh", FLAG_ARGS], "args", HIDDEN),
            (script("tool"), vec![".guild/sourcecode/tool", FLAG_ARGS], "args", HIDDEN),
            (
                script("a.lua"),
                vec!["${rille_exe}", "--as-operation", ".guild/sourcecode/a.lua", FLAG_ARGS],
                "args",
                HIDDEN,
            ),
            (
                Body::LuaFunction,
                vec!["${rille_exe}", "--as-operation", ".guild/sourcecode/rille.lua", "m:op"],
                "args",
                HIDDEN,
            ),
        ];
        for (body, expected, dest, source) in cases {
            let record = OpRecord::new(&operation(folder.path(), body.clone())).unwrap();
            assert_eq!(record.op_cmd.cmd_args, expected, "{body:?}");
            assert_eq!(record.op_cmd.flags_dest.as_deref(), Some(dest), "{body:?}");
            assert_eq!(record.sourcecode.dest.as_deref(), Some(source), "{body:?}");
        }
        let wrong = [
            (exec(""), "its command is empty"),
            (exec("echo 'a"), "the command \"echo 'a\" cannot be split: a single quote is not closed"),
        ];
        for (body, expected) in wrong {
            assert_eq!(OpRecord::new(&operation(folder.path(), body)).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_definition_can_say_where_things_go() {
        let folder = project();
        let mut operation = operation(folder.path(), Body::Script("program.sh".to_owned()));
        operation.sourcecode = vec![json!({"dest": "code"}), json!(["*.py"]), json!({"dest": "."})];
        operation.flags_dest = Some("dict:params".to_owned());
        let record = OpRecord::new(&operation).unwrap();
        assert_eq!(record.op_cmd.cmd_args, ["./program.sh", FLAG_ARGS]);
        assert_eq!(record.op_cmd.flags_dest.as_deref(), Some("dict:params"));
        assert_eq!(record.op_cmd.cmd_env["FLAGS_DEST"], "dict:params");
        operation.sourcecode.push(json!({"dest": "src/"}));
        assert_eq!(OpRecord::new(&operation).unwrap().op_cmd.cmd_args[0], "src/program.sh");
    }

    #[test]
    fn flags_that_go_elsewhere_are_arguments_where_the_command_asks_for_them() {
        let folder = project();
        // Whether flags are passed for: args, globals, none, config:FILE, env.
        let dests = ["args", "globals", "none", "config:c.yml", "env"];
        let cases = [
            (Body::Exec("p ${flag_args}".to_owned()), [true; 5]),
            (Body::Exec("p".to_owned()), [false; 5]),
            // What starts the module gives it no other flags than it should have.
            (Body::Main("args".to_owned()), [true, true, true, true, false]),
            (Body::Script("sub/args.py".to_owned()), [true, true, true, true, false]),
            (Body::Script("plain.sh".to_owned()), [true, true, false, false, false]),
            (Body::Script("a.lua".to_owned()), [true, true, false, false, false]),
        ];
        for (body, expected) in cases {
            let passed = dests.map(|dest| {
                let mut operation = operation(folder.path(), body.clone());
                operation.flags_dest = Some(dest.to_owned());
                OpRecord::new(&operation).unwrap().op_cmd.cmd_args.iter().any(|word| word == FLAG_ARGS)
            });
            assert_eq!(passed, expected, "{body:?}");
        }
    }

    #[test]
    fn sources_have_what_their_resource_says() {
        let mut operation = operation(&PathBuf::from("/p"), Body::Exec("true".to_owned()));
        let sources = [SourceKind::File("a".to_owned()), SourceKind::Operation("up".to_owned())].map(Source::of);
        let [mut first, second] = sources;
        first.target_path = Some("own".to_owned());
        operation.requires = vec![Resource {
            name: "data".to_owned(),
            sources: vec![first, second],
            target_path: Some("in".to_owned()),
            target_type: Some(TargetType::Link),
            preserve_path: Some(true),
            default_unpack: Some(false),
            ..Resource::default()
        }];
        operation.flags_dest = Some("config:c.yml".to_owned());
        let record = OpRecord::new(&operation).unwrap();
        let data = &record.deps[0];
        assert_eq!((data.name.as_str(), data.location.as_str()), ("data", "/p"));
        let targets: Vec<_> = data.sources.iter().map(|source| source.target_path.as_deref()).collect();
        assert_eq!(targets, [Some("own"), Some("in")]);
        assert!(data.sources.iter().all(|source| {
            source.target_type == Some(TargetType::Link)
                && source.preserve_path == Some(true)
                && source.unpack == Some(false)
        }));
        let config = &record.deps[1];
        assert_eq!(config.sources[0].kind, SourceKind::Config("c.yml".to_owned()));
        assert!(config.sources[0].always_resolve && config.sources[0].replace_existing);
    }

    #[test]
    fn a_record_is_written_without_secrets_and_comes_back() {
        let mut operation = operation(&PathBuf::from("/p"), Body::Exec("true".to_owned()));
        operation.env = [("API_TOKEN", "hunter2"), ("MINE", "x"), ("PLAIN", "y")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect();
        operation.env_secrets = vec!["MINE".to_owned()];
        let mut record = OpRecord::new(&operation).unwrap();
        record.accept_flags(&["extra".to_owned()]);
        let written = record.without_secrets(|name, value| name.contains("TOKEN") || value == "x");
        assert_eq!(written.op_cmd.cmd_env.keys().collect::<Vec<_>>(), ["PLAIN", "PROJECT_DIR"]);
        assert!(written.op_cmd.cmd_flags.contains_key("extra"));
        let value = serde_json::to_value(&written).unwrap();
        assert_eq!(value["op-cmd"]["cmd-args"], json!(["true"]));
        assert_eq!(OpRecord::read(&value).unwrap(), written);
    }
}
