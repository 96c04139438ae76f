//! Tells the linker to keep the program's relocations packed: unpacked they are a MiB that every start reads. glibc reads
//! them packed since 2.36, so what must run with an older one is built with `KORE_TREND_OLD_GLIBC=1`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=KORE_TREND_OLD_GLIBC");
    if std::env::var_os("KORE_TREND_OLD_GLIBC").is_none_or(|old| old.is_empty()) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
