//! Links the program at a fixed address and resolves its symbols when they are first used: a task of the kind `lua` is a
//! start of this same program, and a tenth of that start would go into relocating it and resolving what it never calls.
//!
//! The C API of Lua is made visible to what is loaded later: modules in C, which `require` finds, have Lua from this program.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo:rustc-link-arg-bins=-no-pie");
        println!("cargo:rustc-link-arg-bins=-Wl,-z,lazy");
    }
    if target("OS") == "linux" {
        let list = format!("{}/lua/c-api.list", std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
        println!("cargo:rerun-if-changed={list}");
        println!("cargo:rustc-link-arg-bins=-Wl,--dynamic-list={list}");
    }
}
