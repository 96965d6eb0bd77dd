#!/usr/bin/env python3
"""Label images in shards on a Ray cluster, or with Ray on this machine, and merge them into one data set.

Every shard is one Ray task, which runs `xtask label --shard i/n --resume` once. Ray chooses machines and starts a task
again whose worker or machine died; it goes on where it was. All machines have to see the folder that this is started
in, and the same images, run, output and program, at the same paths.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import ray


class Killed(Exception):
    """`label` was ended by a signal, for want of memory perhaps: worth another try, unlike what it reports itself."""


@ray.remote
def label_shard(command: list[str], folder: str, log: str) -> None:
    """Run `label` for one shard in `folder`, with what it says added to the file `log`."""
    # A worker that dies takes `label` with it: it would go on unseen, and keep the part locked against the next try.
    with_worker = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    with open(log, "ab") as lines:
        status = subprocess.run(with_worker + command, cwd=folder, stdout=lines, stderr=lines, check=False).returncode
    if status < 0:
        raise Killed(f"signal {-status}")
    if status > 0:
        raise RuntimeError(last_line(log) or f"exit status {status}")


def last_line(log: str) -> str:
    """The last line of a log file; nothing where there is none yet."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def label_all(args: argparse.Namespace) -> list[str]:
    """Run every shard; the shards that failed. One that fails keeps none of the others from being finished."""
    command = [args.xtask, "label", "--run", args.run, "--data", args.data, "--out", args.out]
    command += ["--workers", str(args.cpus), "--resume", *args.label_flags]
    task = label_shard.options(num_cpus=args.cpus, max_retries=args.retries, retry_exceptions=[Killed])
    running, logs, told = {}, {}, {}
    for index in range(args.shards):
        shard = f"{index}/{args.shards}"
        part = Path(args.out, "parts", f"{index:04}-of-{args.shards:04}").absolute()
        part.mkdir(parents=True, exist_ok=True)
        logs[shard] = str(part / "log.txt")
        open(logs[shard], "wb").close()
        running[task.remote([*command, "--shard", shard], os.getcwd(), logs[shard])] = shard

    failed = []
    while running:
        done, _ = ray.wait(list(running), timeout=5)
        for finished in done:
            shard = running.pop(finished)
            try:
                ray.get(finished)
                print(f"shard {shard} is done, {len(running)} to go", flush=True)
            except Exception as error:  # whatever it was, the other shards go on
                failed.append(shard)
                cause = getattr(error, "cause", None) or error
                print(f"shard {shard} failed: {cause}; all it said is in {logs[shard]}", file=sys.stderr, flush=True)
        for shard in running.values():
            line = last_line(logs[shard])
            if line and line != told.get(shard):
                print(f"shard {shard}: {line}", flush=True)
                told[shard] = line
    return failed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example:\n  label_ray.py --run mine --data IMAGES --out LABELS --shards 64 --cpus 4 -- --device cpu",
    )
    parser.add_argument("--run", required=True, help="the run's name or folder")
    parser.add_argument("--data", required=True, help="the images: class folders, a tar of tars, or WebDataset shards")
    parser.add_argument("--out", required=True, help="where parts and data set go")
    parser.add_argument("--shards", required=True, type=int, help="how many; the same again when a build is resumed")
    parser.add_argument("--cpus", type=int, default=1, help="cores of a shard, reserved and used (default: 1)")
    parser.add_argument("--retries", type=int, default=3, help="new tries of a shard that was killed (default: 3)")
    parser.add_argument("--images", choices=["link", "copy", "none"], help="their place, as `xtask merge --help` says")
    parser.add_argument("--xtask", default="xtask", help="the program (default: the one on the PATH)")
    parser.add_argument("label_flags", nargs="*", metavar="-- FLAG", help="more flags for `xtask label`")
    args = parser.parse_args()
    if args.shards < 1 or args.cpus < 1 or args.retries < 0:
        parser.error("--shards and --cpus are 1 or more, --retries 0 or more")
    program = shutil.which(args.xtask)
    if program is None:
        parser.error(f"there is no program {args.xtask}; `cargo install --path xtask` installs it, --xtask names it")
    args.xtask = os.path.abspath(program)
    return args


def main() -> int:
    args = arguments()
    # The cluster that $RAY_ADDRESS names or that runs on this machine already; else one of this machine alone.
    ray.init(log_to_driver=False)
    failed = label_all(args)
    if failed:
        print(f"{len(failed)} of {args.shards} shards failed; run this again for them alone", file=sys.stderr)
        return 1
    images = ["--images", args.images] if args.images else []
    merge = [args.xtask, "merge", args.out, "--out", args.out, "--data", args.data, *images]
    return subprocess.run(merge, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
