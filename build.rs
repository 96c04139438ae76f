//! Tells the linker to keep the program's relocations packed: unpacked they are a MiB that every start reads.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}
