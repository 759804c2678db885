"""package.py BUILD SOURCE: makes the Debian packages, unpacks them into a temporary folder, and builds projects there
that know nothing else of Gradus: with CMake, for this machine and for AArch64, and with pkg-config.

Exit code 77 where a program is missing that this needs."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

BUILD, SOURCE = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
CONSUMER = SOURCE / "tests/package/consumer"


def run(*command, **options):
    print("+", *command, flush=True)
    return subprocess.run([str(c) for c in command], check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def fails(*command):
    """What a command prints that must not end well."""
    ran = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert ran.returncode != 0, f"{command} ended well"
    return ran.stdout


def packages(folder):
    """The packages, unpacked into folder/root."""
    run("cpack", "-G", "DEB", "-B", folder / "deb", cwd=BUILD)
    root = folder / "root"
    files = sorted((folder / "deb").glob("*.deb"))
    assert [f.name.split("_")[0] for f in files] == ["gradus-tools", "libgradus-dev"], files
    for file in files:
        run("dpkg-deb", "-x", file, root)
    depends = [run("dpkg-deb", "-f", f, "Depends") for f in files]
    assert "libllvm19" in depends[0] and "libc6" in depends[0], depends
    assert "gradus-tools (= " in depends[1], depends
    leaks = [h for h in root.glob("usr/include/gradus/**/*.h") if "llvm/" in h.read_text()]
    assert not leaks, f"headers of LLVM in {leaks}"
    return root / "usr"


def check_says(text):
    assert text.startswith("loss ") and text.endswith("next 3.0000\n"), text


def consumer(folder, prefix):
    lines = [l for l in (CONSUMER / "CMakeLists.txt").read_text().splitlines() if l.strip()]
    assert len(lines) <= 25, f"the project has {len(lines)} lines"
    build = folder / "consumer"
    run("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", "-Wno-dev")
    run("cmake", "--build", build)
    check_says(run(build / "meter"))
    assert run("cmake", "--build", build).count("no work to do") == 1
    # Installed as any other library, and used from there.
    run("cmake", "--install", build, "--prefix", folder / "meter")
    (folder / "other.c").write_text('#include "theft.h"\nint main(void) { return theft_isa() < 1; }\n')
    run("gcc", "-std=c99", "-I", folder / "meter/include", "-o", folder / "other", folder / "other.c",
        "-L", folder / "meter/lib", "-ltheft")
    run(folder / "other")


def cross(folder, prefix):
    if not (shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64")):
        print("no cross compiler and emulator for AArch64: not tried")
        return
    build = folder / "cross"
    run("cmake", "-S", CONSUMER, "-B", build, "-G", "Ninja", f"-DGradus_DIR={prefix}/lib/cmake/Gradus", "-Wno-dev",
        f"-DCMAKE_TOOLCHAIN_FILE={SOURCE}/tests/package/aarch64.cmake")
    run("cmake", "--build", build)
    assert "aarch64" in run("file", build / "meter")
    check_says(run("qemu-aarch64", build / "meter"))


def subdirectory(folder, _):
    """The tree as a part of a project, as far as its own model is compiled: all of it would take minutes."""
    project, build = folder / "subdirectory", folder / "subdirectory/build"
    shutil.copytree(CONSUMER, project)
    (project / "CMakeLists.txt").write_text(f"""
cmake_minimum_required(VERSION 3.25)
project(meter LANGUAGES C CXX)
add_subdirectory({SOURCE} gradus EXCLUDE_FROM_ALL)
gradus_add_model(theft SOURCE theft_model.cpp ENTRY init forward train_step)
add_executable(meter main.c)
target_link_libraries(meter PRIVATE theft)
""")
    run("cmake", "-S", project, "-B", build, "-G", "Ninja", "-Wno-dev")
    run("ninja", "-C", build, "CMakeFiles/theft_model.dir/theft_model.cpp.o")
    planned = run("ninja", "-C", build, "-t", "commands", "meter")
    assert "--target=x86-64 --prefix=theft --entry=init,forward,train_step" in planned, planned[-3000:]


def pkg_config(folder, prefix):
    environment = {"PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "PATH": "/usr/bin:/bin"}
    flags = run("pkg-config", "--cflags", "--libs", "gradus", env=environment).split()
    program = folder / "load_model"
    run("g++", "-std=c++20", "-o", program, CONSUMER / "load_model.cpp", *flags)
    run(program, folder / "load.gradus")
    run(prefix / "bin/gradusc", folder / "load.gradus", "-o", folder / "libload.a", "--weights=embed")
    (folder / "use.c").write_text(
        '#include "load.h"\nint main(void) { return load_weights.mean_bias[0] != 0; }\n')
    run("gcc", "-o", folder / "use", folder / "use.c", "-L", folder, "-lload", "-I", folder)
    run(folder / "use")


def clash(folder, prefix):
    """Two models of one prefix are refused before anything is built."""
    (folder / "clash").mkdir()
    text = (CONSUMER / "CMakeLists.txt").read_text().replace("WEIGHTS embed", "PREFIX theft")
    (folder / "clash/CMakeLists.txt").write_text(text)
    said = fails("cmake", "-S", folder / "clash", "-B", folder / "clash/build", "-G", "Ninja",
                 f"-DCMAKE_PREFIX_PATH={prefix}", "-Wno-dev")
    assert "the prefix theft is that of theft" in " ".join(said.split()), said


def main():
    for needed in ("cpack", "dpkg-deb", "dpkg-shlibdeps", "pkg-config", "file", "ninja"):
        if shutil.which(needed) is None:
            print(f"{needed} is not installed")
            return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix = packages(folder)
        for part in (consumer, cross, subdirectory, pkg_config, clash):
            part(folder, prefix)
    print("all as expected")
    return 0


sys.exit(main())
