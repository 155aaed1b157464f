"""What .ci/check-release releases: volumes, their reports, waivers, texts, keys and git repositories, all in one directory."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import zipfile

TREE = pathlib.Path(__file__).resolve().parent.parent
VOLUME, VERSION = "pypi:backend.ai-krunner-static-gnu==4.4.0", "4.4.0"
PREVIOUS = "pypi:backend.ai-krunner-static-gnu==4.1.1"
BROKEN, BROKEN_VERSION = "pypi:backend.ai-krunner-static-gnu==4.1.0", "4.1.0"
# No registry is asked, as in our tests: what is checked must not depend on whether one can be reached.
OUT_OF_REACH = ("ubuntu22.04", "ubuntu24.04", "almalinux8", "almalinux9")
MIRRORS = "docker.io=http://127.0.0.1:9 quay.io=http://127.0.0.1:9"
MOMENT = "1700000000"


def sibling(name):
    """A check beside this one, as a module: their names have hyphens and no suffix."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(TREE / ".ci" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def published(version=VERSION):
    """The wheel of the index, which a run has downloaded."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return next((cache / "krunner-compat/downloads").glob(f"*/backend*krunner_static_gnu-{version}-*x86_64*.whl"))


def members_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}


def with_change(wheel, place, end, change):
    """A copy of the wheel whose member of that end is what `change` makes of it, or is gone. RECORD stays."""
    place.mkdir()
    copy = place / wheel.name
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(copy, "w") as after:
        for member in before.infolist():
            text = before.read(member)
            if member.filename.endswith(end):
                text = change(text)
            if text is not None:
                after.writestr(member, text)
    return copy


def pack_again(archive):
    """The same contents in other bytes."""
    tar = subprocess.run(["xz", "-dc"], input=archive, stdout=subprocess.PIPE, check=True).stdout
    return subprocess.run(["xz", "-0", "-T1", "-c"], input=tar, stdout=subprocess.PIPE, check=True).stdout


class Workshop:
    def __init__(self, program, place):
        self.program, self.place = program, place
        (place / "home").mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KRUNNER_COMPAT_")},
            "KRUNNER_COMPAT_MIRRORS": MIRRORS, "XDG_STATE_HOME": str(place / "home"), "XDG_CONFIG_HOME": str(place / "home"),
            "SOURCE_DATE_EPOCH": MOMENT, "GIT_CONFIG_GLOBAL": str(place / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
        }
        self.waivers = self.make_waivers("waivers.json")
        self.signers = place / "signers"

    def call(self, *arguments, environment=(), **options):
        return subprocess.run([self.program, *arguments], env={**self.environment, **dict(environment)}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)

    def report(self, name, status, volume, *arguments):
        """A directory with one report in it."""
        directory = self.place / "reports" / name
        directory.mkdir(parents=True)
        done = self.call("run", *arguments, "--volume", volume, "--quiet", "--json", directory / "report.json")
        if done.returncode != status:
            raise SystemExit(f"run {' '.join(arguments)} of {volume}: status {done.returncode}, {status} was expected\n{done.stdout}")
        return directory

    def edited(self, name, reports, before, after):
        """The same report with one place changed by hand."""
        directory = self.place / "reports" / name
        directory.mkdir()
        text = (reports / "report.json").read_text()
        if before not in text:
            raise SystemExit(f"no {before} in the report of {reports.name}")
        (directory / "report.json").write_text(text.replace(before, after, 1))
        return directory

    def make_waivers(self, name, expires="2999-12-31", without=()):
        path = self.place / name
        waived = [{"case": f"{image}.run.opening", "reason": "no registry is asked", "expires": expires}
                  for image in OUT_OF_REACH if image not in without]
        path.write_text(json.dumps({"version": 1, "waivers": waived}))
        return path

    def words(self, out, reports, *more, volume=VOLUME, version=VERSION, previous=PREVIOUS, waivers=None):
        return ["release", volume, "--arch", "x86_64", "--reports", reports, "--version", version, "--previous", previous,
                "--waivers", waivers or self.waivers, "--out", out, *more]

    def texts(self):
        """What --texts takes, out of the published wheel."""
        directory = self.place / "texts"
        directory.mkdir()
        for name, text in members_of(published()).items():
            if name.endswith(".dist-info/METADATA"):
                (directory / "README.md").write_bytes(text.split(b"\n\n", 1)[1])
            elif name.endswith(".dist-info/licenses/LICENSE") or "/licenses/" in name and ".dist-info/" not in name:
                (directory / pathlib.PurePosixPath(name).name).write_bytes(text)
        return directory

    def archive(self, name, change):
        """The archive as a file, and what `change` makes of its bytes."""
        directory = self.place / "archives" / name
        directory.mkdir(parents=True)
        member, text = next((member, text) for member, text in members_of(published()).items() if member.endswith(".tar.xz"))
        (directory / pathlib.PurePosixPath(member).name).write_bytes(change(text))
        return directory / pathlib.PurePosixPath(member).name

    def git(self, name, *commands):
        """A repository with two commits, in which the commands have been called."""
        repository = self.place / "repositories" / name
        repository.mkdir(parents=True)
        for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "One"),
                      ("commit", "-q", "--allow-empty", "-m", "Two"), *commands):
            subprocess.run(["git", "-C", repository, *words], env=self.environment, check=True, stdout=subprocess.DEVNULL)
        return repository

    def trust(self, key):
        """git signs with this key of OpenSSH; who is shown `signers` takes signatures of it alone."""
        self.signers.write_text("releaser@example.org " + pathlib.Path(f"{key}.pub").read_text())
        (self.place / "gitconfig").write_text(
            "[user]\n\tname = Releaser\n\temail = releaser@example.org\n"
            f"\tsigningkey = {key}\n[gpg]\n\tformat = ssh\n")
