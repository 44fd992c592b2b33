//! Files of definitions, and the operations that come of them.

use std::fs;
use std::path::Path;

use super::*;

/// Reads a `guild.yml` with the files beside it.
fn project(files: &[(&str, &str)]) -> Project {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut project = Project::empty("/project".into());
    add_guild_file(folder.path(), Path::new(""), &mut project);
    for operation in &mut project.operations {
        operation.project = "/project".into();
        operation.origin = Origin::GuildFile("/project/guild.yml".into());
    }
    project
}

/// Returns operations in short, what is broken, and what is remarked, a line each.
fn told(text: &str) -> String {
    told_of(&project(&[("guild.yml", text)]))
}

fn told_of(project: &Project) -> String {
    let mut lines = Vec::new();
    for operation in &project.operations {
        let flags = operation.flags.iter().map(|(name, flag)| format!("{name}={}", flag.default));
        let flags = flags.collect::<Vec<_>>().join(" ");
        lines.push(format!("{} {:?} {flags}", operation.full_name(), operation.body).trim_end().to_owned());
    }
    for broken in &project.broken {
        lines.push(format!("BROKEN {}: {}", broken.full_name().unwrap_or_default(), broken.mistake));
    }
    for remark in &project.remarks {
        lines.push(format!("REMARK {}: {}", remark.operation.as_deref().unwrap_or_default(), remark.mistake));
    }
    lines.join("\n")
}

#[test]
fn every_attribute_has_its_place() {
    let text = r"
train:
  description: |
    Trains.

    More of it.
  default: yes
  exec: python train.py ${flag_args}
  flags:
    lr:
      default: 0.1
      description: Rate
      type: float
      required: yes
      choices: [0.1, {value: 0.2, description: two, alias: b, flags: {x: 1}}]
      allow-other: yes
      min: 0
      max: 1
      alias: rate
      arg-name: learning-rate
      arg-skip: no
      arg-switch: 0.2
      arg-split: ','
      arg-encoding: {yes: 'on', 1: one}
      env-encoding: {x: y}
      env-name: LR
      null-label: none
      distribution: uniform
      plugin-thing: 3
    batch: 32
    layers: [1, 2]
    name:
  flags-dest: global:P
  requires:
    - file: a.txt
      name: a
      flag-name: the-a
      sha256: abc
      unpack: no
      type: zip
      select: x
      select-min: (\d+)
      select-max: (\d+)
      warn-if-empty: no
      optional: yes
      fail-if-empty: yes
      rename: 'a b'
      help: get it
      post-process: make
      target-path: in
      target-type: link
      replace-existing: yes
      always-resolve: yes
      preserve-path: yes
      params: {k: 1}
    - operation: prepare
    - sources:
        - b.txt
        - url: http://h/x.zip
          rename: [{pattern: x, repl: y}, z]
        - config: c.yml
        - module: json
        - stdin: in.txt
      path: old
      default-unpack: no
      preserve-path: no
      target-type: copy
  env: {A: 1, B: '${lr}', C: yes}
  env-secrets: [A]
  python-requires: '>=3.8'
  python-path: src
  output-scalars: {loss: 'loss: (\value)'}
  sourcecode: {root: src, select: [{exclude: '*.csv'}]}
  label: ${lr}
  tags: t
  compare: [loss, =lr]
  objective: {maximize: acc}
  optimizers: {gp: {kappa: 1}}
  default-max-trials: 4
  delete-on-success: yes
  publish: {files: '*', template: t}
  pip-freeze: no
  plugins: no
  flags-import: no
  run-attrs: {a: {b: 1}}
  default-flag-arg-skip: yes
  stop-after: 1.5
  can-stage-trials: yes
  stoppable: yes
";
    let project = project(&[("guild.yml", text)]);
    assert_eq!((&project.broken, &project.remarks), (&Vec::new(), &Vec::new()));
    insta::assert_debug_snapshot!(project.operations[0]);
}

#[test]
fn bodies_and_short_forms() {
    let text = "a: {}\nb-c: {description: x}\nc: foo --bar\nd: {exec: [sh, -c, 'a b']}\ne: {exec: x, main: y, steps: [z]}\n\
                f: {steps: [a, {run: b}]}\ng: {main: ''}\nh:\ni: [1]\nj: {exec: 3}\nt.py: {description: module}\n";
    insta::assert_snapshot!(told(text), @r#"
    a Main("a")
    b-c Main("b_c")
    c Main("foo --bar")
    d Exec("sh -c 'a b'")
    e Exec("x")
    f Steps([String("a"), Object {"run": String("b")}])
    j Exec("3")
    t.py Main("t")
    BROKEN g: guild.yml:7: operation 'g' must define either exec, main, or steps
    BROKEN h: guild.yml:8: operation 'h' must be a mapping, got nothing
    BROKEN i: guild.yml:9: operation 'i' must be a mapping, got a list
    REMARK e: guild.yml:5: operation 'exec' and 'main' both specified, ignoring 'main'
    REMARK e: guild.yml:5: operation 'exec' and 'steps' both specified, ignoring 'steps'
    "#);
}

#[test]
fn a_mistake_costs_its_operation_alone() {
    let text = "ok: {main: ok}\nlist-flags: {main: x, flags: [a, b]}\nslip: {exce: x}\nunknown: {main: x, colour: red}\n\
                flag: {main: x, flags: {a: {defualt: 1}}}\ntype: {main: x, flags: {a: {type: integer}}}\n\
                bounds: {main: x, flags: {a: {min: 3, max: 2}}}\nchoice: {main: x, flags: {a: {choices: [{vale: 1}]}}}\n\
                boolean: {main: x, flags: {on: 1}}\ndest: {main: x, flags-dest: global}\nenv: {main: x, env: [A]}\n\
                twice:\n  main: x\n  main: y\nsame: x\nsame: y\nsource: {main: x, requires: {nmae: a}}\n\
                two: {main: x, requires: {file: a, url: b}}\nres: {main: x, requires: foo}\nfile: {main: x, requires: a.csv}\n\
                op: {main: x, requires: ok}\npkg: {main: x, requires: p/r}\nmodel: {main: x, requires: 'm:r'}\n\
                steps: {steps: x}\nnb: {notebook: x.ipynb}\nboth: {main: x, optimizer: a, optimizers: [b]}\n\
                plugins: {main: x, plugins: all}\nimport: {main: x, flags-import: all}\nscalars: {main: x, output-scalars: 3}\n\
                a b: {main: x}\nlimit: {main: x, stop-after: 0}\nobjective: {main: x, objective: {least: a}}\n\
                alias: {main: x, flags: {a: {alias: b}, b: 1}}\ncode: {main: x, sourcecode: 3}\nbad: !x {main: x}\n";
    insta::assert_snapshot!(told(text), @r#"
    dest Main("x")
    flag Main("x") a=null
    import Main("x")
    ok Main("ok")
    plugins Main("x")
    same Main("y")
    slip Main("slip")
    twice Main("y")
    type Main("x") a=null
    unknown Main("x")
    BROKEN a b: guild.yml:30: 'a b' is no name of an operation: it has no spaces, ':', '/' or '='
    BROKEN alias: guild.yml:33: the alias 'b' of flag 'a' is another flag
    BROKEN bad: guild.yml:35: the tag '!x' has no meaning here
    BROKEN boolean: guild.yml:9: a flag has no name here: YAML reads it as true; write it in quotes
    BROKEN both: guild.yml:26: conflicting optimizer configuration - cannot define both 'optimizer' and 'optimizers'
    BROKEN bounds: guild.yml:7: flag 'a' has min 3, which is more than max 2
    BROKEN choice: guild.yml:8: a choice of flag 'a' has no attribute 'vale'; did you mean 'value'?
    BROKEN code: guild.yml:34: sourcecode must be a pattern, a list of rules, a mapping, or no, got the number 3
    BROKEN env: guild.yml:11: env must be a mapping, got a list
    BROKEN file: guild.yml:20: resource 'a.csv' is not defined; for the file write 'file: a.csv'
    BROKEN limit: guild.yml:31: stop-after must be a number of minutes above 0, got the number 0
    BROKEN list-flags: guild.yml:2: flags must be a mapping of names and defaults, got a list; write 'NAME: DEFAULT' lines
    BROKEN model: guild.yml:23: model 'm' of the resource 'm:r' is not defined
    BROKEN nb: guild.yml:25: 'notebook' is not supported yet; write 'main' or 'exec'
    BROKEN objective: guild.yml:32: objective must be the name of a scalar, or a mapping with minimize or maximize, got a mapping
    BROKEN op: guild.yml:21: resource 'ok' is not defined; for the files of the operation write 'operation: ok'
    BROKEN pkg: guild.yml:22: 'p/r': resources of installed packages are not supported yet
    BROKEN res: guild.yml:19: resource 'foo' is not defined
    BROKEN scalars: guild.yml:29: output-scalars must be a mapping, a list, a pattern, or no, got the number 3
    BROKEN source: guild.yml:17: a source has no attribute 'nmae'; did you mean 'name'?
    BROKEN steps: guild.yml:24: steps must be a list, got 'x'
    BROKEN two: guild.yml:18: a source is more than one thing: conflicting attributes (file, url)
    REMARK : guild.yml:16: 'same' stands here a second time, and the last one counts; the first is on line 15
    REMARK dest: guild.yml:10: 'global' is no destination of flags; did you mean 'globals'? The operation does not get its flags
    REMARK flag: guild.yml:5: flag 'a' has no attribute 'defualt'; did you mean 'default'?
    REMARK plugins: guild.yml:27: operation 'plugins': 'plugins' is not supported yet; it runs without them
    REMARK slip: guild.yml:3: operation 'slip' has no attribute 'exce'; did you mean 'exec'?
    REMARK twice: guild.yml:14: 'main' stands here a second time, and the last one counts; the first is on line 13
    REMARK type: guild.yml:6: 'integer' is no type of a flag; did you mean 'int'? It is taken for 'auto'
    REMARK unknown: guild.yml:4: operation 'unknown' has no attribute 'colour'; it has no effect
    "#);
}

#[test]
fn models_take_over_what_they_extend() {
    let text = r"
- config: base
  params: {data: small, n: 3}
  flags: {shared: 1, other: 2}
  operations:
    train:
      main: train
      flags: {lr: 0.1, n: '{{n}}', text: 'n is {{n}}', unknown: '{{nope}}'}
    test: {main: test}
- config: more
  extends: base
  resources: {data: [{file: '{{data}}.csv'}]}
- model: a
  extends: [more]
  operation-defaults: {label: shared, tags: [x]}
  operations:
    train:
      flags: {lr: {description: rate}, $include: 'base#shared'}
      requires: data
- model: b
  extends: a
  params: {n: 4, data: big}
  operations:
    test: {flags: {$include: ['a:train', base], other: 5}}
";
    let project = project(&[("guild.yml", text)]);
    insta::assert_snapshot!(told_of(&project), @r#"
    a:test Main("test")
    a:train Main("train") lr=0.1 n=3 shared=1 text="n is 3" unknown="{{nope}}"
    b:test Main("test") lr=null other=5 shared=1
    b:train Main("train") lr=0.1 n=4 shared=1 text="n is 4" unknown="{{nope}}"
    "#);
    let operation = |name: &str| project.operations.iter().find(|operation| operation.full_name() == name).unwrap();
    assert_eq!(
        operation("a:train").requires[0].sources[0].kind,
        crate::operation::SourceKind::File("small.csv".into())
    );
    assert_eq!(operation("b:train").requires[0].sources[0].kind, crate::operation::SourceKind::File("big.csv".into()));
    assert_eq!(operation("b:test").label.as_deref(), Some("shared"));
    assert_eq!(operation("a:train").flags["lr"].description, "rate");
}

#[test]
fn mistakes_of_models_are_told_of_the_model() {
    let cases = [
        "- model: a\n  extends: b\n- model: b\n  extends: a\n- model: c\n  operations: {x: y}\n",
        "- model: a\n  extends: bse\n- config: base\n",
        "- modle: a\n  x: {}\n",
        "- model: a\n- model: a\n",
        "- model: a\n  config: b\n",
        "- model: 3\n",
        "- 3\n",
        "3\n",
        "model: a\noperations: {x: y}\n",
        "- model: a\n  operations: [x]\n",
        "- model: a\n  params: {x: '{{x}}{{x}}'}\n",
        "- model: a\n  operatoins: {x: y}\n",
        "- operations: {x: {flags: {$include: nope}}, y: {}}\n",
        "- operations: {x: {flags: {$include: 'b#y'}}}\n- config: b\n  flags: {yy: 1}\n",
        "- model: a\n  operations: {x: y}\n  resources: {r: 3}\n- model: b\n  operations: {x: {requires: 'a:r'}}\n",
        "- package: p\n",
    ];
    let told: Vec<String> = cases.iter().map(|text| told(text)).collect();
    insta::assert_snapshot!(told.join("\n--\n"), @r#"
    c:x Main("y")
    BROKEN : guild.yml:2: cycle in 'extends' (b -> a -> b)
    BROKEN : guild.yml:4: cycle in 'extends' (a -> b -> a)
    --
    BROKEN : guild.yml:2: undefined model or config 'bse'; did you mean 'base'?
    --
    BROKEN : guild.yml:1: missing required type (one of: config, include, model, package); did you mean 'model'?
    --
    BROKEN : guild.yml:2: duplicate model 'a'
    --
    BROKEN : guild.yml:1: multiple types (config, model)
    --
    BROKEN : guild.yml:1: invalid model name: expected a string
    --
    BROKEN : guild.yml:1: an item of the list must be a mapping, got the number 3
    --
    BROKEN : guild.yml:1: a file of operations is a mapping or a list of models, not the number 3
    --
    BROKEN : guild.yml:1: a file with models is a list; write '- model: …' and indent what belongs to it
    --
    BROKEN : guild.yml:2: operations must be a mapping, got a list
    --
    BROKEN : guild.yml:2: the parameters make more than 16777216 bytes of text
    --
    REMARK : guild.yml:2: model 'a' has no attribute 'operatoins'; did you mean 'operations'?
    --
    y Main("y")
    BROKEN x: guild.yml:1: invalid include reference 'nope': cannot find target
    --
    BROKEN x: guild.yml:1: invalid include reference 'b#y': 'b' has no 'y'
    --
    a:x Main("y")
    BROKEN b:x: guild.yml:3: resource 'r' must be a mapping or a list of sources, got the number 3
    --
    "#);
}

#[test]
fn files_are_included_where_they_are_named() {
    let files = [
        ("guild.yml", "- include: [more.yml, pkg, sub/deep.yml, nope.yml]\n- model: m\n  extends: c\n"),
        ("more.yml", "- config: c\n  operations: {x: {main: x}}\n"),
        ("pkg/guild.yml", "- model: p\n  operations: {y: {exce: y}, z: z}\n"),
        ("sub/deep.yml", "- include: ../guild.yml\n- model: d\n  operations: {w: w}\n"),
        ("nope.yaml", ""),
    ];
    insta::assert_snapshot!(told_of(&project(&files)), @r#"
    p:y Main("y")
    p:z Main("z")
    d:w Main("w")
    m:x Main("x")
    BROKEN : sub/deep.yml:1: cycle in 'include': sub/../guild.yml is being read
    BROKEN : guild.yml:1: cannot find include 'nope.yml'; did you mean 'nope.yaml'?
    REMARK p:y: pkg/guild.yml:2: operation 'y' has no attribute 'exce'; did you mean 'exec'?
    "#);
    let files = [("guild.yml", "- include: bad.yml\n- model: m\n  operations: {x: y}\n"), ("bad.yml", "a: [\n")];
    insta::assert_snapshot!(told_of(&project(&files)), @r#"
    m:x Main("y")
    BROKEN : bad.yml:1: this is not YAML: unclosed bracket '['
    "#);
}
