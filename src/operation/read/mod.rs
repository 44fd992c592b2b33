//! Reading definitions: values with their lines, and from them operations, flags and resources.
//!
//! One reader for `guild.yml` and `rille.lua`: they differ in how they spell names and in how strict they are.

mod destination;
mod fields;
mod flag;
mod mistake;
mod node;
mod operation;
mod resource;
mod resource_flag;

pub(crate) use fields::{Fields, Spelling, name_of};
pub(crate) use flag::FLAG_TYPES;
pub(crate) use mistake::{Checked, Mistake};
pub(crate) use node::{Data, Entry, Node};
pub(crate) use operation::{OPERATION_KEYS, Surroundings, read_operation};
pub(crate) use resource::{Resources, recorded_resource};

#[cfg(test)]
mod tests {
    /// What the editor completes is what the reader knows.
    #[test]
    fn every_attribute_is_annotated() {
        let annotations = include_str!("../../../lua/types/rille.op.d.lua");
        let known = super::OPERATION_KEYS.iter().chain(super::flag::KNOWN).chain(super::flag::CHOICE);
        let known = known.chain(super::resource::KINDS).chain(super::resource::SOURCE).chain(super::resource::RESOURCE);
        for name in known {
            let field = format!("---@field {}? ", name.replace('-', "_"));
            assert!(annotations.contains(&field) || *name == "value", "{field}is not annotated");
        }
    }
}
