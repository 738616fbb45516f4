"""Makes the environment: finds Python 3.10, creates .venv and installs the locked packages.

Runs under any Python from 3.6 on and needs nothing installed. Usage: bootstrap.py run|dev
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "installed.sha256")
REQUIREMENTS = os.path.join(ROOT, "requirements")
INPUTS = ("run.in", "dev.in", "overrides.txt")


class Stop(Exception):
    """Something that the person at the keyboard can put right; the message tells how."""


def main():
    """Makes the environment if it is not there yet or the lock has changed."""
    kind = sys.argv[1] if len(sys.argv) > 1 else "run"
    lock = os.path.join(REQUIREMENTS, kind + ".lock")
    try:
        check_lock(lock)
        if not installed(kind):
            make_environment(lock)
            with open(STAMP, "w") as stream:
                stream.write(digest(lock) + " " + kind)
    except Stop as error:
        sys.exit("\n" + str(error))


def installed(kind):
    """Tells whether the environment holds this lock's packages (dev holds run's too)."""
    if not os.path.exists(STAMP) or not os.path.exists(PYTHON):
        return False
    with open(STAMP) as stream:
        have = stream.read().split()
    wanted = {"run": ("run", "dev"), "dev": ("dev",)}[kind]
    return len(have) == 2 and have[1] in wanted and have[0] == digest(os.path.join(REQUIREMENTS, have[1] + ".lock"))


def make_environment(lock):
    """Creates .venv and installs the lock into it."""
    python = find_python()
    if not works([PYTHON, "-m", "pip", "--version"]):  # none yet, or one that broke half-way
        say("Creating the environment with " + python)
        run([python, "-m", "venv", "--clear", VENV], "The environment could not be created in .venv.")
    say("Installing the locked packages (about 2.4 GB; a minute or two)")
    uv = works(["uv", "--version"])
    install = ["uv", "pip", "install", "--python", PYTHON] if uv else [PYTHON, "-m", "pip", "install"]
    quiet = [] if uv else ["--disable-pip-version-check", "--progress-bar", "off", "--quiet"]
    run(
        install + quiet + ["--no-deps", "--require-hashes", "-r", lock],
        "The packages could not be installed. If a hash does not match above, the download or the lock is damaged: "
        "try again, and if it stays, restore requirements/ from the repository. If nothing could be reached, the "
        "first start needs a package index; later ones need no network.",
    )


def find_python():
    """Finds a Python 3.10: on the path, in pyenv, or by uv."""
    candidates = [sys.executable, shutil.which("python3.10"), shutil.which("python3")]
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    candidates += sorted(glob.glob(os.path.join(pyenv, "versions", "3.10.*", "bin", "python3.10")), reverse=True)
    for candidate in candidates:
        if candidate and is_310(candidate):
            return candidate
    if works(["uv", "--version"]):
        say("No Python 3.10 found here; asking uv for one")
        subprocess.call(["uv", "python", "install", "3.10"])
        found = output(["uv", "python", "find", "3.10"])
        if found and is_310(found):
            return found
    raise Stop(
        "No Python 3.10 was found, and Rasa 3.6 needs it (3.11 and later do not work). Install one in any of these "
        "ways and run the command again: `apt-get install python3.10`, `pyenv install 3.10`, or `pip install uv` "
        "(uv then fetches it by itself)."
    )


def check_lock(lock):
    """Fails when the requirements were changed without locking them again."""
    wanted = hashlib.sha256()
    for name in INPUTS:
        with open(os.path.join(REQUIREMENTS, name), "rb") as stream:
            wanted.update(stream.read())
    with open(lock) as stream:
        first = stream.readline().split()
    if first[-1:] != [wanted.hexdigest()]:
        raise Stop(
            "The lock does not match: requirements/*.in or overrides.txt changed after {0} was made. Run `make lock` "
            "and commit the result, or restore requirements/ from the repository.".format(os.path.basename(lock))
        )


def is_310(python):
    """Tells whether a command is a Python 3.10."""
    return output([python, "-c", "import sys; print(sys.version_info[:2] == (3, 10))"]) == "True"


def works(command):
    """Tells whether a command runs and succeeds."""
    return output(command) is not None


def output(command):
    """Gives what a command prints, or None when it fails."""
    try:
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def run(command, advice):
    """Runs a command and turns a failure into advice."""
    if subprocess.call(command) != 0:
        raise Stop(advice)


def digest(path):
    """Gives the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def say(text):
    """Shows a step."""
    print("==> " + text, flush=True)


if __name__ == "__main__":
    main()
