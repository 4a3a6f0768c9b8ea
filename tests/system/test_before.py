"""What is looked at before a run: check, schema."""
import json
import re
import subprocess

import pytest
import yaml

import harness
from harness import SOURCE, SP500, quotes, source, store

jsonschema = pytest.importorskip("jsonschema")
CASES = SOURCE / "tests/cases/pipeline"


# The schema, and the parser.

@pytest.fixture(scope="module")
def schema():
    out = subprocess.run([harness.BUILD / "windrow", "schema"], check=True,
                         capture_output=True, text=True, timeout=10)
    return json.loads(out.stdout)


def is_valid(schema, text):
    """None where it is no YAML that has a shape at all."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return None
    return jsonschema.Draft7Validator(schema).is_valid(document)


def test_the_schema_is_one(schema):
    jsonschema.Draft7Validator.check_schema(schema)


# What no schema says: the graph, settings, expressions, what goes together.
NOT_OF_SHAPE = {
    "bad_group", "bad_reference", "bad_table_xpath", "bad_xpath", "cycle",
    "expanded_too_long", "legacy_bad_settings", "legacy_unread_queue",
    "own_tail", "queue_nobody_reads", "queue_nobody_uses",
    "queue_nobody_writes", "rows_of_others", "same_names", "same_queue_twice",
    "secret_is_masked", "store_after_source", "store_and_fetcher_read_one",
    "two_cycles", "two_ways_to_a_table", "types_disagree", "unknown_field",
    "unknown_queue", "unset_setting"}


@pytest.mark.parametrize("case", sorted(CASES.iterdir()),
                         ids=lambda case: case.name)
def test_what_loads_is_valid_and_what_does_not_is_not(schema, case):
    loads = (case / "expected.txt").read_text().startswith("pipeline '")
    valid = is_valid(schema, (case / "pipeline.yaml").read_bytes())
    if loads or case.name in NOT_OF_SHAPE:
        assert valid
    else:
        assert not valid


@pytest.mark.parametrize("path", sorted((SOURCE / "pipelines").glob("*.yaml")),
                         ids=lambda path: path.name)
def test_shipped_pipelines_are_valid(schema, path):
    assert is_valid(schema, path.read_bytes())


# docs/pipeline.md: its tables are those of the parser.

def tables():
    """Heading: {key: {column of the table: cell}}."""
    found, heading = {}, None
    for line in (SOURCE / "docs/pipeline.md").read_text().splitlines():
        if line.startswith("#"):
            heading, names = line.lstrip("# "), None
        elif not line.startswith("|"):
            names = None
        elif not re.match(r"\|[-|]+$", line):
            cells = [cell.strip() for cell in
                     re.split(r"(?<!\\)\|", line.strip("|"))]
            if not names:
                names = cells if cells[0] in ("option", "key") else ["-"]
            elif names[0] != "-":
                for name in re.findall(r"`(\w+)`", cells[0]):
                    found.setdefault(heading, {})[name] = dict(
                        zip(names, cells))
    return found


def as_written(value):
    return value if isinstance(value, str) and value else json.dumps(value)


WEB = "How the web is asked"
HEADINGS = {"html_table": ["html_table", WEB],
            "json_list": ["json_list", WEB], "file": ["file"], "values": [],
            "sql": ["sql"],
            "http_json": ["http_json and http_html", "What http_json takes",
                          WEB],
            "http_html": ["http_json and http_html", "What http_html takes",
                          WEB],
            "store": ["The store"]}


def options_of(schema, name):
    options = schema["definitions"][name]["properties"]["options"]
    return options["anyOf"][0] if "anyOf" in options else options


def check_rows(rows, members):
    assert set(rows) == set(members["properties"])
    for name, member in members["properties"].items():
        row = rows[name]
        needed = "needed" in (row.get("default"), row.get("needed"))
        assert needed == (name in members["required"]), name
        if "default" in member:
            said = re.findall(r"`([^`]+)`", row["default"])
            assert as_written(member["default"]) in said + [row["default"]]


@pytest.mark.parametrize("name", HEADINGS)
def test_the_reference_has_the_options_of_the_class(schema, name):
    found = tables()
    rows = {key: row for heading in HEADINGS[name]
            for key, row in found[heading].items()}
    check_rows(rows, options_of(schema, name))


def test_the_reference_has_the_keys_of_what_options_hold(schema):
    options = options_of(schema, "http_json")["properties"]
    check_rows(tables()["Retries"], options["retry"])
    check_rows(tables()["Rows"], options["rows"]["additionalProperties"])
    forms = options["fields"]["additionalProperties"]["anyOf"]
    check_rows(tables()["fields"],
               next(form for form in forms if form.get("type") == "object"))


# check.

WRONG = {"timeuot": "30s"}


def test_check_of_several_files(windrow, pipeline):
    """Each is told of; one that is wrong makes the status."""
    good = pipeline(source(), quotes(), store())
    bad = pipeline(source(), quotes(**WRONG), store())
    env = {"WIKIPEDIA_URL": "http://127.0.0.1:1",
           "YAHOO_URL": "http://127.0.0.1:1"}
    result = windrow("check", bad, good, SP500, env=env)
    assert result.status == 2, result
    assert result.out.count("no complaints") == 2
    assert f"{bad}:" in result.err and "'timeout'?" in result.err
    assert windrow("check", good, SP500, env=env).status == 0


def test_check_in_json(windrow, pipeline, tmp_path):
    """A list of complaints and notes, also of a file that is not there."""
    bad = pipeline(source(), quotes(**WRONG), store())
    older = CASES / "legacy/pipeline.yaml"
    absent = tmp_path / "absent.yaml"
    result = windrow("check", "--format", "json", bad, older, absent, SP500,
                     env={"WIKIPEDIA_URL": "http://127.0.0.1:1",
                          "YAHOO_URL": "http://127.0.0.1:1"})
    assert result.status == 2 and result.err == "", result
    found = json.loads(result.out)
    assert all(set(entry) == {"file", "line", "column", "severity", "text"}
               for entry in found)
    kinds = [(entry["file"], entry["severity"]) for entry in found]
    assert kinds[0] == (str(bad), "error") and "timeuot" in found[0]["text"]
    assert (str(older), "note") in kinds
    assert kinds[-1] == (str(absent), "error")
    line = bad.read_text().splitlines()[found[0]["line"] - 1]
    assert line[found[0]["column"] - 1:].startswith('"timeuot"')
    alone = windrow("check", "--format=json", SP500)
    assert alone.status == 0 and json.loads(alone.out) == []


def test_each_file_has_its_own_env(windrow, tmp_path):
    """What stands in one folder's .env says nothing of the next file."""
    text = harness.pipeline(
        source("values", input_values=["a"]),
        quotes(url="${SITE}/{key}"), store())
    for name, site in (("one", "http://h"), ("two", "ftp://h")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.yaml").write_text(text)
        (tmp_path / name / ".env").write_text(f"SITE={site}\nPGHOST={name}\n")
    one, two = (tmp_path / name / "p.yaml" for name in ("one", "two"))
    result = windrow("check", one, two)
    assert result.status == 2 and "no complaints" in result.out, result
    assert str(two) in result.err and str(one) not in result.err


@pytest.mark.parametrize("arguments, words", [
    (["schema", "pipeline"], "unexpected argument"),
    (["check", "--format", "xml"], "text or json"),
    (["check", "--fromat", "json"], "did you mean --format?")])
def test_bad_usage(windrow, arguments, words):
    result = windrow(*arguments)
    assert result.status == 2 and words in result.err, result
