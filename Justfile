# Every command a person types. `just` alone lists them. Each works in sh and in PowerShell 5.1, but for those marked [unix].

set windows-shell := ["powershell.exe", "-NoLogo", "-Command"]

# A C compiler for SQLite is the one thing that rustup does not bring.
host := env("CARGO_TARGET_DIR", "target") / "debug/host" + if os_family() == "windows" { ".exe" } else { "" }

_default:
    @just --list --unsorted

# See it all on a simulated plant: installs the wasm target, builds, runs `host demo`
demo *FLAGS: toolchain
    cargo build --workspace
    {{ host }} demo {{ FLAGS }}

# Unit, property and end-to-end tests
test *FLAGS: toolchain
    cargo test --workspace {{ FLAGS }}

# The worker is killed 200 times at random points; nothing may be lost or doubled
test-kill $KILL_ROUNDS="200": toolchain
    cargo test --workspace --test kill --test alerts -- --nocapture

# Thousands of traps and reloads in one process; nothing may be left of them
test-endurance $ENDURANCE="10000": toolchain
    cargo test --workspace --test endurance -- --nocapture

# A real component says what a fuzzer says: so many answers over the border
fuzz-answers $PROPTEST_CASES="100000": toolchain
    cargo test --workspace --test answers

# The SQL Server store, the least rights and the kill test on the server that TEST_SQLSERVER names (an ADO.NET connection string of a login that may create databases and logins)
test-sqlserver *FLAGS: toolchain
    {{ if env("TEST_SQLSERVER", "") == "" { error("set TEST_SQLSERVER: Server=tcp:localhost,1433;User Id=sa;Password=...;TrustServerCertificate=true") } else { "cargo test --workspace --no-fail-fast --test store_sqlserver --test rights --test kill" } }} {{ FLAGS }} -- --include-ignored

# The program for Windows, cross-built, under Wine: its own end-to-end tests (says which of its tools are missing)
[unix]
test-windows *FLAGS: toolchain (_needs "x86_64-w64-mingw32-gcc wine wixl msiinfo zip unzip") _windows-target
    cargo build --profile windows-test --target x86_64-pc-windows-gnu --package host --bin host
    cargo test --workspace --test windows {{ FLAGS }} -- --include-ignored

[unix]
_needs TOOLS:
    @for tool in {{ TOOLS }}; do command -v $tool >/dev/null || { echo "\`$tool\` is missing: apt-get install --no-install-recommends gcc-mingw-w64-x86-64 wine wine64 wixl msitools zip unzip" >&2; exit 1; }; done

[unix]
_windows-target:
    rustup target add x86_64-pc-windows-gnu

# The page in Debian's Chromium: each view, wide and narrow, both languages, both colour schemes; pictures of all in target/page, those of the README in docs/images
[unix]
test-page $PAGE_PICTURES=(justfile_directory() / "target/page") $PAGE_README="1": toolchain
    @for tool in chromium chromedriver; do command -v $tool >/dev/null || { echo "\`$tool\` is missing: apt-get install --no-install-recommends chromium chromium-driver" >&2; exit 1; }; done
    mkdir -p "$PAGE_PICTURES"
    @if command -v npm >/dev/null; then npm install --silent --no-save --prefix "$PAGE_PICTURES" axe-core@4; else echo "axe is left out, as there is no npm"; fi
    axe="$PAGE_PICTURES/node_modules/axe-core/axe.min.js"; if test -f "$axe"; then export AXE="$axe"; fi; \
        cargo test --workspace --test page_browser -- --include-ignored

# Looks for bytes that break a reader: json, compact, detector_config, settings, country_holidays, training, module, or child with the built program (needs `cargo install --locked cargo-fuzz`)
[unix]
fuzz TARGET SECONDS="600": toolchain
    cargo run --manifest-path fuzz/Cargo.toml --release --example seeds
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{ TARGET }} -- -max_total_time={{ SECONDS }} -timeout=20

# All that CI runs
ci: toolchain fmt-check lint test deny

# The optimised program, and the Prophet detector as a file of its own, in `dist/`
build: toolchain _build-host _build-detector _collect

_build-host:
    cargo build --release --package host --target-dir target

# Settings of the profile in the environment: PowerShell 5.1 loses quotes within an argument.
_build-detector $CARGO_PROFILE_RELEASE_LTO="fat" $CARGO_PROFILE_RELEASE_CODEGEN_UNITS="1":
    cargo build --release --package detector-guest --target wasm32-wasip2 --target-dir target

[unix]
_collect:
    mkdir -p dist
    cp target/release/host dist/
    cp target/wasm32-wasip2/release/detector_guest.wasm dist/detector.wasm

[windows]
_collect:
    New-Item -ItemType Directory -Force dist | Out-Null
    Copy-Item target/release/host.exe dist/
    Copy-Item target/wasm32-wasip2/release/detector_guest.wasm dist/detector.wasm

# The packages in `dist/`: a .deb, an .rpm where `rpmbuild` is installed (`apt install rpm`), and those for Windows where mingw is (`package-windows`)
[unix]
package: build
    packaging/deb.sh dist/host dist
    @if rpmbuild --version >/dev/null 2>&1; then packaging/rpm.sh dist/host dist; else echo "left out: the .rpm, as rpmbuild is not installed"; fi
    @if command -v x86_64-w64-mingw32-gcc >/dev/null; then just package-windows; else echo "left out: the packages for Windows, as there is no mingw (just package-windows)"; fi

# A container image of the program, from nothing and without a registry, where buildah or podman is installed
[unix]
image TAG="anomaly-worker": build
    packaging/image.sh dist/host {{ TAG }}

# The Debian package under a systemd that is booted, from its installation to its purge (root, debootstrap, systemd-container; minutes)
[unix]
test-systemd: package
    packaging/systemd/try.sh dist/anomaly-worker_*.deb

# The zip and the MSI for Windows in `dist/`, cross-built
[unix]
package-windows: toolchain (_needs "x86_64-w64-mingw32-gcc wixl msibuild zip") _windows-target
    cargo build --release --target x86_64-pc-windows-gnu --package host --bin host
    packaging/windows.sh target/x86_64-pc-windows-gnu/release/host.exe dist

# Figures: throughput, cycle time, start, memory, reload, import, loading, training and all of `bench-backfill`, or those named. Quiet machine, about ten minutes
bench *FLAGS: toolchain
    cargo bench --workspace --bench figures {{ FLAGS }}
    {{ if FLAGS == "" { "cargo bench --workspace --bench backfill --bench look" } else { "" } }}

# A backfill of BACKFILL_READINGS readings beside a plain copy of its verdicts, also where TEST_SQLSERVER says; a cycle's round trips
bench-backfill *FLAGS: toolchain
    cargo bench --workspace --bench backfill {{ FLAGS }}

# What the look for unjudged readings costs 10,000 variables a minute, with LOOK_MINUTES of readings
bench-look *FLAGS: toolchain
    cargo bench --workspace --bench look {{ FLAGS }}

# Training beside real Prophet in one run (needs Python with uv, or BENCH_PROPHET="path/to/python models/time_prophet.py")
bench-prophet $BENCH_PROPHET=env("BENCH_PROPHET", "uv run --quiet " + justfile_directory() / "models/time_prophet.py"): toolchain
    cargo bench --workspace --bench figures training

# What the page costs beside PAGE_VERDICTS verdicts (ten million unless set)
bench-page *FLAGS: toolchain
    cargo bench --workspace --bench page {{ FLAGS }}

# What the state of a detector of 10,000 variables costs a commit
bench-checkpoint *FLAGS: toolchain
    cargo bench --workspace --bench checkpoint {{ FLAGS }}

# The Numenta Anomaly Benchmark, checked out in DIR, through database, worker and component
bench-nab DIR: toolchain
    cargo bench --workspace --bench nab -- {{ DIR }}

# Where the time of a judged batch goes
breakdown: toolchain
    cargo bench --workspace --bench breakdown

# Writes the code in the project's form
fmt:
    cargo fmt --all

fmt-check:
    cargo fmt --all -- --check

# Lints, on all targets; a warning is an error
lint: toolchain
    cargo clippy --workspace --all-targets -- -D warnings

# Licences and sources of dependencies, where cargo-deny is installed (`cargo install --locked cargo-deny`)
[unix]
deny:
    @if cargo deny --version >/dev/null 2>&1; then cargo deny check licenses bans sources; else echo "left out: cargo-deny is not installed"; fi

[windows]
deny:
    @if (Get-Command cargo-deny -ErrorAction SilentlyContinue) { cargo deny check licenses bans sources } else { echo "left out: cargo-deny is not installed" }

# Known vulnerabilities of dependencies; fetches the advisory database
advisories:
    cargo deny check advisories

# Turns a directory of pickled models into JSON (needs Python with uv; see models/README.md)
export PICKLES_DIR OUT_DIR:
    uv run models/export_models.py {{ PICKLES_DIR }} {{ OUT_DIR }}

# Tests the export tool on pickles that real Prophet makes (needs Python with uv)
test-export:
    uv run models/test_export_models.py

# Trains the demo's 25 models anew, with `host train` on the simulated plant's own past (see models/README.md)
train: toolchain _no-demo-models
    cargo build --workspace
    {{ host }} demo --write-history target/demo-models/history.csv
    {{ host }} import target/demo-models/history.csv --database target/demo-models/history.sqlite --create-table
    {{ host }} train --database target/demo-models/history.sqlite --models target/demo-models/none --settings models/demo_training.json --from 2025-01-01 --to 2026-01-01 --out target/demo-models/models
    just _demo-models

[unix]
_no-demo-models:
    rm -rf target/demo-models
    mkdir -p target/demo-models

[unix]
_demo-models:
    cp target/demo-models/models/prophet_model_*.json models/demo/

[windows]
_no-demo-models:
    if (Test-Path target/demo-models) { Remove-Item -Recurse target/demo-models }
    New-Item -ItemType Directory -Force target/demo-models | Out-Null

[windows]
_demo-models:
    Copy-Item target/demo-models/models/prophet_model_*.json models/demo/

# Installs exactly what rust-toolchain.toml lists, the wasm target included
[private]
toolchain:
    rustup toolchain install --no-self-update
