//! A disk that forgets what was not synced: ext4 in an image file, mounted for one thread only.
//!
//! What the file system has not written back is not in the image. So a copy of the image, taken while it is mounted, is
//! what a power cut leaves; mounting the copy replays its journal as the next boot would. The mounts are in a namespace
//! of the thread and of the processes that it starts: they end with the last of them, whatever happens.

use std::path::PathBuf;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

const SIZE: u64 = 8 << 20;

/// Nothing is written back by itself within a test, nor because a file replaces another.
const OPTIONS: &str = "loop,noatime,commit=600,noauto_da_alloc,delalloc";

/// The disk; gone when dropped.
pub(super) struct Disk {
    folder: TempDir,
    /// The number of its image: one more after every power cut.
    image: u32,
}

impl Disk {
    /// A disk of this thread.
    pub(super) fn new() -> Disk {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let nothing: Option<&str> = None;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        let folder = tempfile::Builder::new().prefix("kore-trend-test-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mounted")).unwrap();
        let mut disk = Disk { folder, image: 0 };
        disk.insert();
        disk
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// Replaces it by an empty one.
    pub(super) fn format(&mut self) {
        self.eject();
        self.insert();
    }

    /// What a power cut at this instant would leave.
    pub(super) fn image(&self) -> Vec<u8> {
        let read = || std::fs::read(self.image_path()).unwrap();
        let mut image = read();
        // Something may still be on its way to the disk; what two looks see was there at one instant between them.
        for _ in 0..1000 {
            let again = read();
            if image == again {
                return image;
            }
            image = again;
        }
        panic!("the disk is never at rest");
    }

    /// Goes on from what the power cut left.
    pub(super) fn boot(&mut self, image: &[u8]) {
        self.eject();
        std::fs::write(self.image_path(), image).unwrap();
        self.mount();
    }

    fn insert(&mut self) {
        let image = std::fs::File::create(self.image_path()).unwrap();
        image.set_len(SIZE).unwrap();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", "lazy_itable_init=0"]).arg(self.image_path()));
        self.mount();
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-t", "ext4", "-o", OPTIONS]).arg(self.image_path()).arg(self.path()));
    }

    fn eject(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(self.path()));
        std::fs::remove_file(self.image_path()).unwrap();
        self.image += 1;
    }

    fn image_path(&self) -> PathBuf {
        self.folder.path().join(format!("image-{}", self.image))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone_with_the_namespace = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
